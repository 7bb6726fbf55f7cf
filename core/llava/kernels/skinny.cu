// Skinny matrix multiplication: a quantized weight matrix times up to 64 rows of activations, without
// writing a dequantized matrix. Weights in 8 or 4 bits or E4M3; compute capability 8.0 or newer.
//
// Uses the tensor cores' m16n8k16: sixteen rows of the matrix times eight rows of activations. Any
// sixteen columns may form the k dimension if both operands agree, so each lane takes adjacent ones.

#include "common.cuh"

__device__ __forceinline__ u32 times_one_plus(u32 two, u32 added) {
    u32 y;
#if BFLOAT16
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(two), "r"(0x3f803f80u), "r"(added));
#else
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(two), "r"(0x3c003c00u), "r"(added));
#endif
    return y;
}

// The sixteen of 64 columns that a lane loads of one row of the matrix: integers or floats of 8
// bits, which are exact in either 16-bit format.
template <int FORMAT>
struct Sixteen;

template <>
struct Sixteen<8> {
    uint4 v;

    __device__ __forceinline__ void read(const u8* address) { v = read_once(address); }

    // Columns 4 × `step` and the next in `low`, the two after them in `high`.
    __device__ __forceinline__ void pairs(int step, u32& low, u32& high) const {
        const u32 shifted = (step == 0 ? v.x : step == 1 ? v.y : step == 2 ? v.z : v.w) ^ 0x80808080u;
#if BFLOAT16
        float four[4];
#pragma unroll
        for (int j = 0; j < 4; j++)
            four[j] = __uint_as_float(__byte_perm(shifted, 0x4B000000u, 0x7440 + j)) - 8388736.0f;
        low = pack(four[0], four[1]);
        high = pack(four[2], four[3]);
#else
        // Put into the mantissa of 1024 they read 1152 too high.
        low = times_one_plus(__byte_perm(shifted, 0x64646464u, 0x4140), 0xe480e480u);
        high = times_one_plus(__byte_perm(shifted, 0x64646464u, 0x4342), 0xe480e480u);
#endif
    }
};

#if __CUDA_ARCH__ >= 890
template <>
struct Sixteen<E4M3> {
    uint4 v;

    __device__ __forceinline__ void read(const u8* address) { v = read_once(address); }

    __device__ __forceinline__ void pairs(int step, u32& low, u32& high) const {
        const u32 word = step == 0 ? v.x : step == 1 ? v.y : step == 2 ? v.z : v.w;
#if BFLOAT16
        float four[4];
        unpack_e4m3(word, four);
        low = pack(four[0], four[1]);
        high = pack(four[2], four[3]);
#else
        unpack_e4m3(word, low, high);
#endif
    }
};
#endif

template <>
struct Sixteen<4> {
    uint2 v;

    __device__ __forceinline__ void read(const u8* address) {
        asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];"
                     : "=r"(v.x), "=r"(v.y)
                     : "l"(address));
    }

    __device__ __forceinline__ void pairs(int step, u32& low, u32& high) const {
        const u32 word = (step < 2 ? v.x : v.y) >> (step % 2 * 8);
        // Put into the mantissa of 128 (bfloat16) or 1024 (float16), whose last bit counts 1.
#if BFLOAT16
        low = times_one_plus((word & 0x000f000fu) | 0x43004300u, 0xc308c308u);
        high = times_one_plus(((word >> 4) & 0x000f000fu) | 0x43004300u, 0xc308c308u);
#else
        low = times_one_plus((word & 0x000f000fu) | 0x64006400u, 0xe408e408u);
        high = times_one_plus(((word >> 4) & 0x000f000fu) | 0x64006400u, 0xe408e408u);
#endif
    }
};

__device__ __forceinline__ void mma_m16n8k16(float* sums, const u32* a, u32 low, u32 high) {
#if BFLOAT16
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
#else
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
#endif
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(low), "r"(high));
}

#define SKINNY_WARPS 8
#define SKINNY_TILES 2  // Tiles of sixteen rows of the matrix per block.

// out (count, rows) = x (count, columns) times the transposed matrix (rows, columns); rows of x are
// `stride` elements apart. A block computes 8 × TILES rows of x by 32 rows of the matrix; its warps
// take 64 columns each in turn. Blocks that read the same part of the matrix are neighbours in the
// grid, so that the second finds it in the L2 cache.
template <int FORMAT, int TILES>
__device__ __forceinline__ void skinny_matmul(const u8* weight, const void* scales, const u16* x,
                                             int stride, u16* out, int count, int rows,
                                             int columns) {
    const int BITS = BITS_OF(FORMAT);
    const int FETCHES = BITS == 4 ? 2 : 1;
    const int SUMS = SKINNY_TILES * TILES * 4;
    __shared__ float others[SKINNY_WARPS / 2][SUMS * WARP];
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int group = lane / 4, quarter = lane % 4;
    const int first = blockIdx.y * SKINNY_TILES * 16;
    const int chunks = columns / 64;
    x += (size_t)blockIdx.x * 8 * TILES * stride;
    out += (size_t)blockIdx.x * 8 * TILES * rows;
    count -= blockIdx.x * 8 * TILES;
    int row[SKINNY_TILES][2];
#pragma unroll
    for (int m = 0; m < SKINNY_TILES; m++)
#pragma unroll
        for (int h = 0; h < 2; h++) row[m][h] = min(first + m * 16 + h * 8 + group, rows - 1);
    Sixteen<FORMAT> w[FETCHES][SKINNY_TILES][2];
    u16 scale[FETCHES][SKINNY_TILES][2];
#define FETCH(f, chunk)                                                                    \
    if ((chunk) < chunks)                                                                  \
        _Pragma("unroll") for (int m = 0; m < SKINNY_TILES; m++)                              \
            _Pragma("unroll") for (int h = 0; h < 2; h++) {                                \
                const size_t block = (size_t)row[m][h] * chunks + (chunk);                 \
                w[f][m][h].read(weight + block * (8 * BITS) + quarter * (2 * BITS));       \
                if (BITS == 4) scale[f][m][h] = ((const u16*)scales)[block];               \
            }
#pragma unroll
    for (int f = 0; f < FETCHES; f++) {
        FETCH(f, warp + f * SKINNY_WARPS)
    }
    await_inputs();
    float sums[SUMS] = {};
    for (int base = warp; base < chunks; base += FETCHES * SKINNY_WARPS) {
#pragma unroll
        for (int f = 0; f < FETCHES; f++) {
            const int chunk = base + f * SKINNY_WARPS;
            if (chunk >= chunks) break;
            const u16* here = x + group * stride + chunk * 64 + quarter * 16;
            float factors[SKINNY_TILES][2];
            if (BITS == 4)
#pragma unroll
                for (int m = 0; m < SKINNY_TILES; m++)
#pragma unroll
                    for (int h = 0; h < 2; h++) factors[m][h] = scale_to_float(scale[f][m][h]);
            // Eight of a lane's sixteen columns at a time, by two products.
#pragma unroll
            for (int part = 0; part < 2; part++) {
                u32 a[SKINNY_TILES][2][4];
#pragma unroll
                for (int m = 0; m < SKINNY_TILES; m++)
#pragma unroll
                    for (int step = 0; step < 2; step++)
#pragma unroll
                        for (int h = 0; h < 2; h++)
                            w[f][m][h].pairs(2 * part + step, a[m][step][h], a[m][step][2 + h]);
                if (part == 1) {
                    FETCH(f, chunk + FETCHES * SKINNY_WARPS)
                }
#pragma unroll
                for (int n = 0; n < TILES; n++) {
                    uint4 b = make_uint4(0, 0, 0, 0);
                    if (n * 8 + group < count)
                        b = *(const uint4*)(here + n * 8 * stride + part * 8);
#pragma unroll
                    for (int m = 0; m < SKINNY_TILES; m++) {
                        float* total = sums + (m * TILES + n) * 4;
                        if (BITS == 8) {
                            mma_m16n8k16(total, a[m][0], b.x, b.y);
                            mma_m16n8k16(total, a[m][1], b.z, b.w);
                        } else {
                            float partial[4] = {};
                            mma_m16n8k16(partial, a[m][0], b.x, b.y);
                            mma_m16n8k16(partial, a[m][1], b.z, b.w);
#pragma unroll
                            for (int i = 0; i < 4; i++)
                                total[i] = fmaf(factors[m][i / 2], partial[i], total[i]);
                        }
                    }
                }
            }
        }
    }
#undef FETCH
    // Add up the warps' sums, always in the same order: results do not vary between runs.
#pragma unroll
    for (int half = SKINNY_WARPS / 2; half > 0; half /= 2) {
        if (warp >= half && warp < 2 * half) {
#pragma unroll
            for (int i = 0; i < SUMS; i++) others[warp - half][i * WARP + lane] = sums[i];
        }
        __syncthreads();
        if (warp < half) {
#pragma unroll
            for (int i = 0; i < SUMS; i++) sums[i] += others[warp][i * WARP + lane];
        }
        __syncthreads();
    }
    if (warp != 0) return;
#pragma unroll
    for (int i = 0; i < SUMS; i++) {
        const int output = first + i / (TILES * 4) * 16 + i / 2 % 2 * 8 + group;
        const int number = i / 4 % TILES * 8 + quarter * 2 + i % 2;
        if (output >= rows || number >= count) continue;
        const float factor = BITS == 8 ? ((const float*)scales)[output] : 1;
        out[(size_t)number * rows + output] = to_half(factor * sums[i]);
    }
}

#define SKINNY(NAME, FORMAT, TILES)                                                               \
    extern "C" __global__ void __launch_bounds__(SKINNY_WARPS * WARP, 2)                          \
        NAME(const u8* weight, const void* scales, const u16* x, int stride, u16* out,         \
             int count, int rows, int columns) {                                               \
        skinny_matmul<FORMAT, TILES>(weight, scales, x, stride, out, count, rows, columns);       \
    }

SKINNY(skinny_8, WEIGHTS, 1)
SKINNY(skinny_32, WEIGHTS, 4)
// With other layers the output head still has integers of 8 bits.
#if WEIGHTS != 8
SKINNY(skinny_head_8, 8, 1)
SKINNY(skinny_head_32, 8, 4)
#endif
