// GEMV: a weight matrix times one row of activations, fused with the RMS norm before it and with
// a bias or the residual add, the SiLU gate or the float32 conversion after it. Weights in 16, 8 or 4
// bits.
//
// For each kernel NAME, ROWS_NAME and LOADS_NAME are defined too (GemvTuning in build.py).

#include "common.cuh"

__device__ __forceinline__ u32 pack_float16(float low, float high) {
    u32 y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}

__device__ __forceinline__ u32 multiply_add_float16(u32 a, u32 b, u32 c) {
    u32 y;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(y) : "r"(a), "r"(b), "r"(c));
    return y;
}

// The activations that 16 bytes of weights are multiplied by: COUNT columns, 8 for 16-bit weights and
// 16 for 8-bit weights.
template <int FORMAT>
struct Columns {
    static const int COUNT = 128 / BITS_OF(FORMAT);
    float x[COUNT];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < COUNT; i++) x[i] = 0;
    }

    // Loads the columns. If `gain` is not null, multiplies by it and adds the squares to `squares`.
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
        if (FORMAT == 16) {
            float v[8];
            unpack(w, v);
#pragma unroll
            for (int i = 0; i < 8; i++) sum = fmaf(v[i], x[i], sum);
            return sum;
        }
        const u32 words[4] = {w.x, w.y, w.z, w.w};
#if __CUDA_ARCH__ >= 890
        if (FORMAT == E4M3) {
#pragma unroll
            for (int i = 0; i < 4; i++) {
                float four[4];
                unpack_e4m3(words[i], four);
#pragma unroll
                for (int j = 0; j < 4; j++) sum = fmaf(four[j], x[(4 * i + j) % COUNT], sum);
            }
            return sum;
        }
#endif
#pragma unroll
        for (int i = 0; i < 4; i++) {
            // A byte put into the mantissa of 2^23 becomes a float by one byte permutation and one
            // subtraction.
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

// 4-bit weights: 32 columns as pairs of float16, since unpacking to float32 would take longer than
// the loads. Activations are divided by 16, so that float16 sums of products with integers of
// magnitude up to 8 stay in range.
template <>
struct Columns<4> {
    static const int COUNT = 32;
    u32 x[COUNT / 2];

    __device__ __forceinline__ void clear() {
#pragma unroll
        for (int i = 0; i < COUNT / 2; i++) x[i] = 0;
    }

    __device__ __forceinline__ void read(const u16* row, const u16* gain, float& squares) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 8) {
            const uint4 eight = *(const uint4*)(row + i);
            const uint4 gains = gain ? *(const uint4*)(gain + i) : make_uint4(0, 0, 0, 0);
            const u32 two[4] = {eight.x, eight.y, eight.z, eight.w};
            const u32 by[4] = {gains.x, gains.y, gains.z, gains.w};
#pragma unroll
            for (int k = 0; k < 4; k++) {
                float low, high, g = 1, h = 1;
                unpack(two[k], low, high);
                if (gain) {
                    squares = fmaf(low, low, fmaf(high, high, squares));
                    unpack(by[k], g, h);
                }
                x[i / 2 + k] = pack_float16(low * g * 0.0625f, high * h * 0.0625f);
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
                // Columns 2j and 2j + 1 are in bits 4j and 16 + 4j. Put into the mantissa of 1024
                // they read as 1024 + n, and those four bits higher as 1024 + 16 n; one FMA turns
                // either into n - 8.
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

// What is done with the product: stored, added to `added`, gated by SiLU, or stored as float32.
enum Epilogue { STORE, ADD, GATE, STORE_FLOAT32 };

#define MOST_WARPS 16
#define MOST_ROWS 64  // Of the matrix, for one block.

// Each of `sums` over the lanes of the warp, in a few steps for all of them: lane `n` returns that of
// number n / (WARP / COUNT).
template <int COUNT>
__device__ __forceinline__ float sum_each_over_warp(float* sums) {
    int step = WARP / 2;
#pragma unroll
    for (int half = COUNT / 2; half > 0; half /= 2, step /= 2) {
        const bool is_upper = threadIdx.x & step;
#pragma unroll
        for (int i = 0; i < half; i++) {
            const float given = is_upper ? sums[i] : sums[i + half];
            sums[i] = (is_upper ? sums[i + half] : sums[i]) + __shfl_xor_sync(EVERY_LANE, given, step);
        }
    }
#pragma unroll
    for (; step > 0; step /= 2) sums[0] += __shfl_xor_sync(EVERY_LANE, sums[0], step);
    return sums[0];
}

// out = W x for one x, or W (x / rms(x) * gain) if NORMALIZED. `weight` is (rows, columns); `scales`
// is float32 (rows,) in 8 bits and E4M3, and float16 (rows, columns / 64) in 4 bits.
//
// A block computes `share` outputs. Each warp has its own columns, LOADS times 16 bytes a lane, and
// keeps their activations in registers, so that they are read once for all rows of the block. The
// weights of ROWS rows are in flight. With GATE half of them are gate rows, and half are the matching
// value rows in the lower half of the matrix.
template <int FORMAT, bool NORMALIZED, Epilogue EPILOGUE, int ROWS, int LOADS>
__device__ __forceinline__ void gemv(const u8* weight, const void* scales, const u16* x, const u16* gain,
                                     float eps, const u16* added, void* out, int rows, int columns,
                                     int share) {
    __shared__ float partial[MOST_ROWS][MOST_WARPS + 1];
    __shared__ float squares_of[MOST_WARPS];
    const int BITS = BITS_OF(FORMAT);
    const int COUNT = Columns<FORMAT>::COUNT;
    const int SPAN = WARP * COUNT;
    const int STEP = EPILOGUE == GATE ? ROWS / 2 : ROWS;
    const int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
    const int outputs = EPILOGUE == GATE ? rows / 2 : rows;
    const int first = blockIdx.x * share, end = min(first + share, outputs);
    const int column = warp * LOADS * SPAN + lane * COUNT;
    const size_t stride = (size_t)columns * BITS / 8;
    weight += (size_t)column * BITS / 8;
    uint4 w[ROWS][LOADS];
    u16 group_scales[ROWS][LOADS];
#pragma unroll
    for (int r = 0; r < ROWS; r++)
#pragma unroll
        for (int l = 0; l < LOADS; l++) w[r][l] = make_uint4(0, 0, 0, 0), group_scales[r][l] = 0;

    const auto fetch = [&](int r, int base) {
        const size_t row = min(base + r % STEP, outputs - 1) + (r / STEP) * outputs;
#pragma unroll
        for (int l = 0; l < LOADS; l++) {
            const int at = column + l * SPAN;
            if (at >= columns) break;
            w[r][l] = read_once(weight + row * stride + (size_t)l * SPAN * BITS / 8);
            if (BITS == 4) group_scales[r][l] = ((const u16*)scales)[row * (columns / 64) + at / 64];
        }
    };
#pragma unroll
    for (int r = 0; r < ROWS; r++) fetch(r, first);
    await_inputs();  // Weights do not depend on earlier kernels.

    Columns<FORMAT> activations[LOADS];
    float squares = 0;
#pragma unroll
    for (int l = 0; l < LOADS; l++) {
        const int at = column + l * SPAN;
        if (at < columns)
            activations[l].read(x + at, NORMALIZED ? gain + at : (const u16*)0, squares);
        else
            activations[l].clear();
    }
    if (NORMALIZED) {
        squares = sum_over_warp(squares);
        if (lane == 0) squares_of[warp] = squares;
    }
    for (int base = first; base < end; base += STEP) {
        float sums[ROWS];
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            sums[r] = 0;
#pragma unroll
            for (int l = 0; l < LOADS; l++) {
                const float scale = BITS == 4 ? scale_to_float(group_scales[r][l]) : 1;
                sums[r] = fmaf(scale, activations[l].times(w[r][l]), sums[r]);
            }
            if (base + STEP < end) fetch(r, base + STEP);
        }
        const float sum = sum_each_over_warp<ROWS>(sums);
        const int row = (base - first) / STEP * ROWS + lane / (WARP / ROWS);
        if (lane % (WARP / ROWS) == 0) partial[row][warp] = sum;
    }
    __syncthreads();
    float factor = 1;
    if (NORMALIZED) {
        float total = 0;
        for (int i = 0; i < warps; i++) total += squares_of[i];
        factor = rsqrtf(total / columns + eps);
    }
    for (int i = threadIdx.x; i < end - first; i += blockDim.x) {
        const int output = first + i, row = i / STEP * ROWS + i % STEP;
        float y = 0, value = 0;
        for (int part = 0; part < warps; part++) {
            y += partial[row][part];
            if (EPILOGUE == GATE) value += partial[row + STEP][part];
        }
        y *= factor, value *= factor;
        if (BITS == 8) {
            y *= ((const float*)scales)[output];
            if (EPILOGUE == GATE) value *= ((const float*)scales)[output + outputs];
        }
        if (EPILOGUE == STORE_FLOAT32) {
            ((float*)out)[output] = y;
        } else {
            if (EPILOGUE == ADD) y += to_float(added[output]);
            if (EPILOGUE == GATE) y = silu(y) * value;
            ((u16*)out)[output] = to_half(y);
        }
    }
}

#define GEMV(NAME, FORMAT, NORMALIZED, EPILOGUE, ROWS, LOADS)                                     \
    extern "C" __global__ void __launch_bounds__(MOST_WARPS * WARP)                               \
        NAME(const u8* weight, const void* scales, const u16* x, const u16* gain, float eps,      \
             const u16* added, void* out, int rows, int columns, int share) {                     \
        gemv<FORMAT, NORMALIZED, EPILOGUE, ROWS, LOADS>(weight, scales, x, gain, eps, added, out, \
                                                        rows, columns, share);                    \
    }

// What the bias of queries, keys and values is added to has no residual.
GEMV(norm_gemv, WEIGHTS, true, (HAS_BIAS ? ADD : STORE), ROWS_NORM_GEMV, LOADS_NORM_GEMV)
GEMV(gemv_add, WEIGHTS, false, ADD, ROWS_GEMV_ADD, LOADS_GEMV_ADD)
GEMV(norm_gemv_gated, WEIGHTS, true, GATE, ROWS_NORM_GEMV_GATED, LOADS_NORM_GEMV_GATED)
GEMV(norm_gemv_logits, (WEIGHTS < 16 ? 8 : 16), true, STORE_FLOAT32, ROWS_NORM_GEMV_LOGITS,
     LOADS_NORM_GEMV_LOGITS)
