// The small operations of a Llama decoder, and the product of a matrix with few rows, for cards
// from compute capability 7.0 on. Compiled by NVRTC when a model is loaded, for that model's sizes:
//   BFLOAT16 (0 or 1), HEAD_DIM (64 or 128), GROUP (query heads per key head), WEIGHT_BITS, and for
//   each product of one row ROWS_… and FETCHES_…, measured (core/llava/kernels.py)
// Needs no headers. Every kernel waits for those before it in the same stream (`await_inputs`), so
// it may be launched before they have ended (programmatic dependent launch).

typedef unsigned char u8;
typedef unsigned short u16;  // One float16 or bfloat16.
typedef unsigned int u32;

#define WARP 32
#define EVERY_LANE 0xffffffffu

// ---- numbers --------------------------------------------------------------------------------

__device__ __forceinline__ float to_float(u16 x) {
#if BFLOAT16
    return __uint_as_float((u32)x << 16);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
#endif
}

__device__ __forceinline__ u16 to_half(float x) {
    u16 y;
#if BFLOAT16
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
#endif
    return y;
}

// A scale of 4-bit weights is a float16 whatever the model computes in.
__device__ __forceinline__ float scale_to_float(u16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}

__device__ __forceinline__ void unpack(u32 two, float& low, float& high) {
    low = to_float((u16)(two & 0xffff));
    high = to_float((u16)(two >> 16));
}

__device__ __forceinline__ void unpack(uint4 eight, float* out) {
    unpack(eight.x, out[0], out[1]);
    unpack(eight.y, out[2], out[3]);
    unpack(eight.z, out[4], out[5]);
    unpack(eight.w, out[6], out[7]);
}

__device__ __forceinline__ u32 pack(float low, float high) {
    return (u32)to_half(low) | ((u32)to_half(high) << 16);
}

__device__ __forceinline__ uint4 pack(const float* eight) {
    return make_uint4(pack(eight[0], eight[1]), pack(eight[2], eight[3]),
                      pack(eight[4], eight[5]), pack(eight[6], eight[7]));
}

__device__ __forceinline__ float sum_over_warp(float x) {
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(EVERY_LANE, x, step);
    return x;
}

__device__ __forceinline__ float silu(float x) { return x / (1.0f + __expf(-x)); }

// ---- order ----------------------------------------------------------------------------------

// Lets the next kernel begin to arrive, and waits for the one before: nothing it wrote may be read
// earlier. Every block must come here, also one that has nothing to do.
__device__ __forceinline__ void await_inputs() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// Weights are read once and would push everything else out of the first cache.
__device__ __forceinline__ uint4 read_once(const void* address) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(address));
    return v;
}

// ---- a matrix times one row -------------------------------------------------------------------

__device__ __forceinline__ u32 pack_float16(float low, float high) {
    u32 y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}

__device__ __forceinline__ u32 multiply_float16(u32 a, u32 b) {
    u32 y;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}

__device__ __forceinline__ u32 multiply_add_float16(u32 a, u32 b, u32 c) {
    u32 y;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}

// What sixteen bytes of weights are multiplied by: COUNT columns, 8 for 16 bits, 16 for 8 bits.
template <int BITS>
struct Columns {
    static const int COUNT = 128 / BITS;
    float x[COUNT];

    // Multiplied by `gain` where there is one; then the squares are added up too.
    __device__ __forceinline__ void read(const u16* row, const u16* gain, float& squares) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 8) {
            unpack(*(const uint4*)(row + i), x + i);
            if (gain) {
                float g[8];
                unpack(*(const uint4*)(gain + i), g);
#pragma unroll
                for (int k = 0; k < 8; k++) {
                    squares = fmaf(x[i + k], x[i + k], squares);
                    x[i + k] *= g[k];
                }
            }
        }
    }

    __device__ __forceinline__ float times(uint4 w) const {
        float sum = 0;
        if (BITS == 16) {
            float v[8];
            unpack(w, v);
#pragma unroll
            for (int i = 0; i < 8; i++) sum = fmaf(v[i], x[i], sum);
            return sum;
        }
        const u32 words[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            // As the mantissa of 2^23: a byte becomes a float by one shuffle and one subtraction.
            const u32 shifted = words[i] ^ 0x80808080u;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const u32 bits = __byte_perm(shifted, 0x4B000000u, 0x7440 + j);
                sum = fmaf(__uint_as_float(bits) - 8388736.0f, x[(4 * i + j) % COUNT], sum);
            }
        }
        return sum;
    }
};

// 32 columns for 4 bits, as pairs of float16: two at a time, or unpacking would take longer than
// reading. A sixteenth of each, so that sums of products with numbers up to 8 stay in range.
template <>
struct Columns<4> {
    static const int COUNT = 32;
    u32 x[COUNT / 2];

    __device__ __forceinline__ void read(const u16* row, const u16* gain, float&) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 8) {
            const uint4 eight = *(const uint4*)(row + i);
            const uint4 gains = gain ? *(const uint4*)(gain + i) : make_uint4(0, 0, 0, 0);
            const u32 two[4] = {eight.x, eight.y, eight.z, eight.w};
            const u32 by[4] = {gains.x, gains.y, gains.z, gains.w};
#pragma unroll
            for (int k = 0; k < 4; k++) {
#if BFLOAT16
                float low, high, g = 1, h = 1;
                unpack(two[k], low, high);
                if (gain) unpack(by[k], g, h);
                x[i / 2 + k] = pack_float16(low * g * 0.0625f, high * h * 0.0625f);
#else
                const u32 sixteenth = 0x2c002c00u;
                x[i / 2 + k] = multiply_float16(two[k], sixteenth);
                if (gain) x[i / 2 + k] = multiply_float16(x[i / 2 + k], by[k]);
#endif
            }
        }
    }

    __device__ __forceinline__ float times(uint4 w) const {
        const u32 words[4] = {w.x, w.y, w.z, w.w};
        u32 sums[2] = {0, 0};
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < 4; j += 2) {
                // Columns 2j and 2j + 1 lie in bits 4j and 16 + 4j. As the mantissa of 1024 they
                // are 1024 + n, and those four bits higher 1024 + 16 n; both become n - 8.
                const u32 word = words[i] >> (4 * j);
                const u32 even = (word & 0x000f000fu) | 0x64006400u;
                const u32 odd = (word & 0x00f000f0u) | 0x64006400u;
                const u32 one = 0x3c003c00u;
                sums[0] = multiply_add_float16(multiply_add_float16(even, one, 0xe408e408u),
                                               x[4 * i + j], sums[0]);
                sums[1] = multiply_add_float16(multiply_add_float16(odd, 0x2c002c00u, 0xd480d480u),
                                               x[4 * i + j + 1], sums[1]);
            }
        }
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 2; i++)
            sum += scale_to_float((u16)(sums[i] & 0xffff)) + scale_to_float((u16)(sums[i] >> 16));
        return 16 * sum;
    }
};

enum Ending { PLAIN, ADDED, GATED, FLOAT32 };

#define WARPS 4

// out = W x for one x, or W (x / rms(x) * gain). Each warp computes ROWS rows, of which GATED has
// half in the gates and half in the values behind them, with FETCHES loads of each under way.
template <int BITS, bool NORMALISED, Ending ENDING, int ROWS, int FETCHES>
__device__ __forceinline__ void multiply(const u8* weight, const void* scales, const u16* x,
                                         const u16* gain, float eps, const u16* added, void* out,
                                         int rows, int columns) {
    __shared__ float squares_of[WARPS];
    const int COUNT = Columns<BITS>::COUNT;
    const int SPAN = WARP * COUNT;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
    const int STEP = ENDING == GATED ? ROWS / 2 : ROWS;
    const int first = (blockIdx.x * WARPS + warp) * STEP;
    const int outputs = ENDING == GATED ? rows / 2 : rows;
    const size_t stride = (size_t)columns * BITS / 8;
    int row[ROWS];
    const u8* place[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        row[r] = min(first + r % STEP, outputs - 1) + (r / STEP) * outputs;
        place[r] = weight + row[r] * stride;
    }
    uint4 w[FETCHES][ROWS];
    int column = lane * COUNT;
#define FETCH                                                                               \
    _Pragma("unroll") for (int f = 0; f < FETCHES; f++) if (column + f * SPAN < columns)    \
        _Pragma("unroll") for (int r = 0; r < ROWS; r++)                                    \
            w[f][r] = read_once(place[r] + (size_t)(column + f * SPAN) * BITS / 8);
    FETCH  // Weights do not depend on what came before.
    await_inputs();
    float sums[ROWS] = {};
    float squares = 0;
    for (int span = 0; column < columns; span += FETCHES) {
#pragma unroll
        for (int f = 0; f < FETCHES; f++) {
            const int at = column + f * SPAN;
            if (at >= columns) break;
            if (BITS == 4 && NORMALISED && (span + f) % WARPS == warp) {
                // The warps of a block share this, which would take as long as the products.
                float v[8];
#pragma unroll
                for (int i = 0; i < COUNT; i += 8) {
                    unpack(*(const uint4*)(x + at + i), v);
#pragma unroll
                    for (int k = 0; k < 8; k++) squares = fmaf(v[k], v[k], squares);
                }
            }
            Columns<BITS> these;
            these.read(x + at, NORMALISED ? gain + at : (const u16*)0, squares);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                float scale = 1;
                if (BITS == 4)
                    scale = scale_to_float(
                        ((const u16*)scales)[(size_t)row[r] * (columns / 64) + at / 64]);
                sums[r] = fmaf(scale, these.times(w[f][r]), sums[r]);
            }
        }
        column += FETCHES * SPAN;
        FETCH
    }
#undef FETCH
    float factor = 1;
    if (NORMALISED) {
        float total = sum_over_warp(squares);
        if (BITS == 4) {
            if (lane == 0) squares_of[warp] = total;
            __syncthreads();
            total = 0;
#pragma unroll
            for (int i = 0; i < WARPS; i++) total += squares_of[i];
        }
        factor = rsqrtf(total / columns + eps);
    }
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        sums[r] = sum_over_warp(sums[r]) * factor;
        if (BITS == 8) sums[r] *= ((const float*)scales)[row[r]];
    }
    if (lane != 0) return;
#pragma unroll
    for (int r = 0; r < STEP; r++) {
        const int output = first + r;
        if (output >= outputs) break;
        if (ENDING == FLOAT32) {
            ((float*)out)[output] = sums[r];
        } else {
            float y = sums[r];
            if (ENDING == ADDED) y += to_float(added[output]);
            if (ENDING == GATED) y = silu(y) * sums[(r + STEP) % ROWS];
            ((u16*)out)[output] = to_half(y);
        }
    }
}

#define MULTIPLY(NAME, BITS, NORMALISED, ENDING, ROWS, FETCHES)                                 \
    extern "C" __global__ void __launch_bounds__(WARPS * WARP)                                  \
        NAME(const u8* weight, const void* scales, const u16* x, const u16* gain, float eps,    \
             const u16* added, void* out, int rows, int columns) {                              \
        multiply<BITS, NORMALISED, ENDING, ROWS, FETCHES>(weight, scales, x, gain, eps, added,  \
                                                          out, rows, columns);                  \
    }

MULTIPLY(norm_gemv, WEIGHT_BITS, true, PLAIN, ROWS_NORM_GEMV, FETCHES_NORM_GEMV)
MULTIPLY(gemv_add, WEIGHT_BITS, false, ADDED, ROWS_GEMV_ADD, FETCHES_GEMV_ADD)
MULTIPLY(norm_gemv_gated, WEIGHT_BITS, true, GATED, ROWS_NORM_GEMV_GATED, FETCHES_NORM_GEMV_GATED)
MULTIPLY(norm_gemv_logits, (WEIGHT_BITS < 16 ? 8 : 16), true, FLOAT32, ROWS_NORM_GEMV_LOGITS,
         FETCHES_NORM_GEMV_LOGITS)

// ---- a quantised matrix times few rows --------------------------------------------------------
// By the tensor cores' m16n8k16: sixteen rows of the matrix times eight of x. Which sixteen columns
// belong together is free as long as both sides agree, so each lane takes neighbouring ones.

#if WEIGHT_BITS < 16 && __CUDA_ARCH__ >= 800

__device__ __forceinline__ u32 one_and_add(u32 two, u32 added) {
    u32 y;
#if BFLOAT16
    asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(two), "r"(0x3f803f80u), "r"(added));
#else
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(two), "r"(0x3c003c00u), "r"(added));
#endif
    return y;
}

// What a lane reads at once of one row of the matrix: its sixteen of 64 columns, whole numbers that
// are exact in either 16-bit format.
template <int BITS>
struct Sixteen;

template <>
struct Sixteen<8> {
    uint4 v;

    __device__ __forceinline__ void read(const u8* place) { v = read_once(place); }

    // Of the four columns from 4 × `step` on, the first two and the others.
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
        // As the mantissa of 1024 they are 1152 too much.
        low = one_and_add(__byte_perm(shifted, 0x64646464u, 0x4140), 0xe480e480u);
        high = one_and_add(__byte_perm(shifted, 0x64646464u, 0x4342), 0xe480e480u);
#endif
    }
};

template <>
struct Sixteen<4> {
    uint2 v;

    __device__ __forceinline__ void read(const u8* place) {
        asm volatile("ld.global.nc.L1::no_allocate.v2.u32 {%0, %1}, [%2];"
                     : "=r"(v.x), "=r"(v.y)
                     : "l"(place));
    }

    __device__ __forceinline__ void pairs(int step, u32& low, u32& high) const {
        const u32 word = (step < 2 ? v.x : v.y) >> (step % 2 * 8);
        // As the mantissa of 128 and 1024, whose last place is 1.
#if BFLOAT16
        low = one_and_add((word & 0x000f000fu) | 0x43004300u, 0xc308c308u);
        high = one_and_add(((word >> 4) & 0x000f000fu) | 0x43004300u, 0xc308c308u);
#else
        low = one_and_add((word & 0x000f000fu) | 0x64006400u, 0xe408e408u);
        high = one_and_add(((word >> 4) & 0x000f000fu) | 0x64006400u, 0xe408e408u);
#endif
    }
};

__device__ __forceinline__ void multiply_tiles(float* sums, const u32* a, u32 low, u32 high) {
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
#define SKINNY_TILES 2  // Of sixteen rows of the matrix.

// out (count, rows) = x (count, columns) times the matrix, where rows of x lie `stride` apart. A
// block has 8 × TILES of these and 32 of the matrix, its warps take turns at 64 columns. Blocks that
// read the same of the matrix come one after the other, and the second finds it in the cache.
template <int BITS, int TILES>
__device__ __forceinline__ void skinny_matmul(const u8* weight, const void* scales, const u16* x,
                                             int stride, u16* out, int count, int rows,
                                             int columns) {
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
    Sixteen<BITS> w[FETCHES][SKINNY_TILES][2];
    u16 scale[FETCHES][SKINNY_TILES][2];
#define FETCH(f, chunk)                                                                    \
    if ((chunk) < chunks)                                                                  \
        _Pragma("unroll") for (int m = 0; m < SKINNY_TILES; m++)                              \
            _Pragma("unroll") for (int h = 0; h < 2; h++) {                                \
                const size_t place = (size_t)row[m][h] * chunks + (chunk);                 \
                w[f][m][h].read(weight + place * (8 * BITS) + quarter * (2 * BITS));       \
                if (BITS == 4) scale[f][m][h] = ((const u16*)scales)[place];               \
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
            float by[SKINNY_TILES][2];
            if (BITS == 4)
#pragma unroll
                for (int m = 0; m < SKINNY_TILES; m++)
#pragma unroll
                    for (int h = 0; h < 2; h++) by[m][h] = scale_to_float(scale[f][m][h]);
            // Eight of a lane's sixteen columns, in two steps.
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
                            multiply_tiles(total, a[m][0], b.x, b.y);
                            multiply_tiles(total, a[m][1], b.z, b.w);
                        } else {
                            float these[4] = {};
                            multiply_tiles(these, a[m][0], b.x, b.y);
                            multiply_tiles(these, a[m][1], b.z, b.w);
#pragma unroll
                            for (int i = 0; i < 4; i++)
                                total[i] = fmaf(by[m][i / 2], these[i], total[i]);
                        }
                    }
                }
            }
        }
    }
#undef FETCH
    // Always in the same order.
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

#define SKINNY(NAME, BITS, TILES)                                                                 \
    extern "C" __global__ void __launch_bounds__(SKINNY_WARPS * WARP, 2)                          \
        NAME(const u8* weight, const void* scales, const u16* x, int stride, u16* out,         \
             int count, int rows, int columns) {                                               \
        skinny_matmul<BITS, TILES>(weight, scales, x, stride, out, count, rows, columns);       \
    }

SKINNY(skinny_8, WEIGHT_BITS, 1)
SKINNY(skinny_32, WEIGHT_BITS, 4)
#if WEIGHT_BITS != 8
SKINNY(skinny_head_8, 8, 1)
SKINNY(skinny_head_32, 8, 4)
#endif
#endif

#if WEIGHT_BITS < 16
// The matrix in the model's precision again, eight columns per thread: 16 bytes, side by side.
extern "C" __global__ void dequantize(const u32* values, const void* scales, u16* out, int rows,
                                      int columns) {
    await_inputs();
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= (size_t)rows * columns) return;
    const int row = at / columns;
    float v[8];
#if WEIGHT_BITS == 8
    const float scale = ((const float*)scales)[row];
    const uint2 words = *(const uint2*)(values + at / 4);
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = scale * (float)(signed char)((i < 4 ? words.x : words.y) >> (8 * (i % 4)));
#else
    const int column = at % columns;
    const float scale =
        scale_to_float(((const u16*)scales)[(size_t)row * (columns / 64) + column / 64]);
    const u32 word = values[at / 8];
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = scale * ((float)((word >> (4 * (i / 2) + 16 * (i % 2))) & 15) - 8.0f);
#endif
    *(uint4*)(out + at) = pack(v);
}
#endif

// ---- small operations ------------------------------------------------------------------------

// hidden += delta (where there is one); out = hidden / rms(hidden) * gain. A block per row.
extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm(u16* hidden, const u16* delta, const u16* gain, float eps, u16* out,
                      int columns) {
    const int MOST = 4;  // Times 8 columns times 256 threads.
    __shared__ float parts[8];
    await_inputs();
    u16* mine = hidden + (size_t)blockIdx.x * columns;
    float v[MOST][8];
    float squares = 0;
#pragma unroll
    for (int i = 0; i < MOST; i++) {
        const int at = (i * 256 + threadIdx.x) * 8;
        if (at >= columns) break;
        unpack(*(const uint4*)(mine + at), v[i]);
        if (delta) {
            float d[8];
            unpack(*(const uint4*)(delta + (size_t)blockIdx.x * columns + at), d);
#pragma unroll
            for (int k = 0; k < 8; k++) v[i][k] += d[k];
            const uint4 rounded = pack(v[i]);
            *(uint4*)(mine + at) = rounded;
            unpack(rounded, v[i]);
        }
#pragma unroll
        for (int k = 0; k < 8; k++) squares = fmaf(v[i][k], v[i][k], squares);
    }
    squares = sum_over_warp(squares);
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = squares;
    __syncthreads();
    float total = 0;
#pragma unroll
    for (int i = 0; i < 8; i++) total += parts[i];
    const float factor = rsqrtf(total / columns + eps);
#pragma unroll
    for (int i = 0; i < MOST; i++) {
        const int at = (i * 256 + threadIdx.x) * 8;
        if (at >= columns) break;
        float g[8];
        unpack(*(const uint4*)(gain + at), g);
#pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] *= factor * g[k];
        *(uint4*)(out + (size_t)blockIdx.x * columns + at) = pack(v[i]);
    }
}

// gate = silu(gate) * value, in place, for rows of gates, each with its values behind it.
extern "C" __global__ void silu_and_mul(u16* gates, int rows, int inner) {
    await_inputs();
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= (size_t)rows * inner) return;
    u16* mine = gates + at / inner * 2 * inner + at % inner;
    float g[8], v[8];
    unpack(*(const uint4*)mine, g);
    unpack(*(const uint4*)(mine + inner), v);
#pragma unroll
    for (int k = 0; k < 8; k++) v[k] *= silu(g[k]);
    *(uint4*)mine = pack(v);
}

// ---- attention --------------------------------------------------------------------------------
// A row of `states` holds the query heads, the key heads, the value heads. The cache of a slot holds
// the key heads and then the value heads, each (length, HEAD_DIM). The sine carries the sign of
// rotate_half.

#define HALF_DIM (HEAD_DIM / 2)
#define CHUNKS (HEAD_DIM / 8)

// `x` turned, whose partner is `partner`; `cosine` and `sine` are those of its eight dimensions.
__device__ __forceinline__ void turn(const float* x, const float* partner, const float* cosine,
                                     const float* sine, float* out) {
    const float4 c[2] = {*(const float4*)cosine, *(const float4*)(cosine + 4)};
    const float4 s[2] = {*(const float4*)sine, *(const float4*)(sine + 4)};
#pragma unroll
    for (int k = 0; k < 8; k++)
        out[k] = fmaf(partner[k], (&s[k / 4].x)[k % 4], x[k] * (&c[k / 4].x)[k % 4]);
}

// Eight dimensions of a head from `at` on, turned to the position of `cosine` and `sine`.
__device__ __forceinline__ void turned(const u16* head, int at, const float* cosine,
                                       const float* sine, float* out) {
    float x[8], partner[8];
    unpack(*(const uint4*)(head + at), x);
    unpack(*(const uint4*)(head + (at + HALF_DIM) % HEAD_DIM), partner);
    turn(x, partner, cosine + at, sine + at, out);
}

// Prefill: turns queries and keys in place, and copies keys and values into one slot of the cache
// from position `first` on. Where `place` is given it says the position and the slot.
extern "C" __global__ void rope_and_cache(u16* states, u16* cache, const float* cosine,
                                         const float* sine, int key_heads, int length, int first,
                                         const long long* place, int count) {
    await_inputs();
    if (place) {
        first = (int)place[0];
        cache += (size_t)place[1] * 2 * key_heads * length * HEAD_DIM;
    }
    const int queries = key_heads * GROUP;
    const int heads = queries + 2 * key_heads;
    // A thread has eight dimensions of the lower half and their partners in the upper.
    const int item = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = item / (heads * (CHUNKS / 2));
    if (row >= count) return;
    const int head = item / (CHUNKS / 2) % heads;
    const int at = item % (CHUNKS / 2) * 8;
    u16* mine = states + ((size_t)row * heads + head) * HEAD_DIM;
    uint4 low = *(const uint4*)(mine + at), high = *(const uint4*)(mine + at + HALF_DIM);
    if (head < queries + key_heads) {
        float x[8], y[8], turned_low[8], turned_high[8];
        const float* c = cosine + (size_t)(first + row) * HEAD_DIM + at;
        const float* s = sine + (size_t)(first + row) * HEAD_DIM + at;
        unpack(low, x);
        unpack(high, y);
        turn(x, y, c, s, turned_low);
        turn(y, x, c + HALF_DIM, s + HALF_DIM, turned_high);
        low = pack(turned_low);
        high = pack(turned_high);
        *(uint4*)(mine + at) = low;
        *(uint4*)(mine + at + HALF_DIM) = high;
    }
    if (head >= queries) {
        u16* kept = cache + ((size_t)(head - queries) * length + first + row) * HEAD_DIM;
        *(uint4*)(kept + at) = low;
        *(uint4*)(kept + at + HALF_DIM) = high;
    }
}

#define GROUPS_OF_LANES (128 / CHUNKS)
#define AHEAD 4

// One decode step. Keeps key and value of each slot's position and attends to what is filled; a slot
// whose position is negative has nothing to say. Grid: (parts of `part` positions, key heads, slots);
// the last part of a head to end joins them all, in their order.
extern "C" __global__ void __launch_bounds__(128)
    decode_attention(const u16* states, u16* cache, const float* cosine, const float* sine,
           const long long* positions, u16* out, float* partial, int* ended, int length, int part,
           float scale) {
    __shared__ float merged[GROUP][GROUPS_OF_LANES][HEAD_DIM];
    __shared__ float maxima[GROUP][GROUPS_OF_LANES], totals[GROUP][GROUPS_OF_LANES];
    __shared__ bool is_last;
    await_inputs();
    const int key_heads = gridDim.y, key_head = blockIdx.y, slot = blockIdx.z;
    const int position = (int)positions[slot];
    const int begin = blockIdx.x * part;
    if (begin > position) return;
    const int end = min(begin + part, position + 1);
    const int queries = key_heads * GROUP;
    const u16* row = states + (size_t)slot * (queries + 2 * key_heads) * HEAD_DIM;
    u16* keys = cache + ((size_t)slot * 2 * key_heads + key_head) * length * HEAD_DIM;
    u16* values = keys + (size_t)key_heads * length * HEAD_DIM;
    const float* c = cosine + (size_t)position * HEAD_DIM;
    const float* s = sine + (size_t)position * HEAD_DIM;
    if (end == position + 1) {
        const int at = threadIdx.x % CHUNKS * 8;
        if (threadIdx.x < CHUNKS) {
            float x[8];
            turned(row + (size_t)(queries + key_head) * HEAD_DIM, at, c, s, x);
            *(uint4*)(keys + (size_t)position * HEAD_DIM + at) = pack(x);
        } else if (threadIdx.x < 2 * CHUNKS) {
            *(uint4*)(values + (size_t)position * HEAD_DIM + at) =
                *(const uint4*)(row + (size_t)(queries + key_heads + key_head) * HEAD_DIM + at);
        }
        __syncthreads();
    }
    // CHUNKS lanes share a position, eight dimensions each.
    const int at = threadIdx.x % CHUNKS * 8;
    const int lanes = threadIdx.x / CHUNKS;
    float query[GROUP][8], sums[GROUP][8], maximum[GROUP], total[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
        turned(row + (size_t)(key_head * GROUP + g) * HEAD_DIM, at, c, s, query[g]);
        maximum[g] = -1e30f;
        total[g] = 0;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            query[g][k] *= scale * 1.4426950408889634f;  // For powers of two.
            sums[g][k] = 0;
        }
    }
    // All lanes go round together, since they shuffle.
    for (int base = begin; base < end; base += AHEAD * GROUPS_OF_LANES) {
        uint4 key[AHEAD], value[AHEAD];
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            const int p = base + a * GROUPS_OF_LANES + lanes;
            if (p < end) {
                key[a] = *(const uint4*)(keys + (size_t)p * HEAD_DIM + at);
                value[a] = *(const uint4*)(values + (size_t)p * HEAD_DIM + at);
            } else {
                key[a] = value[a] = make_uint4(0, 0, 0, 0);
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            const bool is_there = base + a * GROUPS_OF_LANES + lanes < end;
            float k[8], v[8];
            unpack(key[a], k);
            unpack(value[a], v);
#pragma unroll
            for (int g = 0; g < GROUP; g++) {
                float score = 0;
#pragma unroll
                for (int i = 0; i < 8; i++) score = fmaf(query[g][i], k[i], score);
#pragma unroll
                for (int step = CHUNKS / 2; step > 0; step /= 2)
                    score += __shfl_xor_sync(EVERY_LANE, score, step);
                if (is_there) {
                    const float higher = fmaxf(maximum[g], score);
                    const float old = exp2f(maximum[g] - higher);
                    const float weight = exp2f(score - higher);
                    maximum[g] = higher;
                    total[g] = fmaf(total[g], old, weight);
#pragma unroll
                    for (int i = 0; i < 8; i++) sums[g][i] = fmaf(sums[g][i], old, weight * v[i]);
                }
            }
        }
    }
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
#pragma unroll
        for (int k = 0; k < 8; k++) merged[g][lanes][at + k] = sums[g][k];
        if (threadIdx.x % CHUNKS == 0) {
            maxima[g][lanes] = maximum[g];
            totals[g][lanes] = total[g];
        }
    }
    __syncthreads();
    const int parts = position / part + 1;
    const int dimension = threadIdx.x;
    u16* mine = out + ((size_t)slot * queries + key_head * GROUP) * HEAD_DIM;
    float* scratch = partial + ((size_t)slot * queries + key_head * GROUP) * gridDim.x * (HEAD_DIM + 2);
    if (dimension < HEAD_DIM) {
        for (int g = 0; g < GROUP; g++) {
            float highest = -1e30f, weights = 0, sum = 0;
            for (int i = 0; i < GROUPS_OF_LANES; i++) highest = fmaxf(highest, maxima[g][i]);
            for (int i = 0; i < GROUPS_OF_LANES; i++) {
                const float weight = exp2f(maxima[g][i] - highest);
                weights = fmaf(weight, totals[g][i], weights);
                sum = fmaf(weight, merged[g][i][dimension], sum);
            }
            if (parts == 1) {
                mine[g * HEAD_DIM + dimension] = to_half(sum / weights);
            } else {
                float* place = scratch + ((size_t)g * gridDim.x + blockIdx.x) * (HEAD_DIM + 2);
                place[dimension] = sum;
                if (dimension == 0) {
                    place[HEAD_DIM] = highest;
                    place[HEAD_DIM + 1] = weights;
                }
            }
        }
    }
    if (parts == 1) return;
    __threadfence();
    __syncthreads();
    int* count = ended + slot * key_heads + key_head;
    if (threadIdx.x == 0) is_last = atomicAdd(count, 1) == parts - 1;
    __syncthreads();
    if (!is_last) return;
    __threadfence();
    if (threadIdx.x == 0) *count = 0;
    if (dimension >= HEAD_DIM) return;
    for (int g = 0; g < GROUP; g++) {
        const volatile float* place = scratch + (size_t)g * gridDim.x * (HEAD_DIM + 2);
        float highest = -1e30f, weights = 0, sum = 0;
        for (int i = 0; i < parts; i++)
            highest = fmaxf(highest, place[i * (HEAD_DIM + 2) + HEAD_DIM]);
        for (int i = 0; i < parts; i++) {
            const float weight = exp2f(place[i * (HEAD_DIM + 2) + HEAD_DIM] - highest);
            weights = fmaf(weight, place[i * (HEAD_DIM + 2) + HEAD_DIM + 1], weights);
            sum = fmaf(weight, place[i * (HEAD_DIM + 2) + dimension], sum);
        }
        mine[g * HEAD_DIM + dimension] = to_half(sum / weights);
    }
}
