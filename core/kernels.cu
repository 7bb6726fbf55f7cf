// The small operations of a Llama decoder, and the product of a matrix with few rows, for cards
// from compute capability 7.0 on. Compiled by NVRTC when a model is loaded, for that model's sizes:
//   BFLOAT16 (0 or 1), HEAD_DIM (64 or 128), GROUP (query heads per key head)
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

// ---- a matrix times few rows ------------------------------------------------------------------

// Sixteen bytes of weights as floats: 8 of 16 bits, 16 of 8 bits, 32 of 4 bits.
template <int BITS>
struct Weights;

template <>
struct Weights<16> {
    static const int COUNT = 8;
    static __device__ __forceinline__ float dot(uint4 w, const float* x) {
        float v[8];
        unpack(w, v);
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 8; i++) sum = fmaf(v[i], x[i], sum);
        return sum;
    }
};

template <>
struct Weights<8> {
    static const int COUNT = 16;
    static __device__ __forceinline__ float dot(uint4 w, const float* x) {
        const u32 words[4] = {w.x, w.y, w.z, w.w};
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
            // As the mantissa of 2^23: a byte becomes a float by one shuffle and one subtraction.
            const u32 shifted = words[i] ^ 0x80808080u;
#pragma unroll
            for (int j = 0; j < 4; j++) {
                const float v =
                    __uint_as_float(__byte_perm(shifted, 0x4B000000u, 0x7440 + j)) - 8388736.0f;
                sum = fmaf(v, x[4 * i + j], sum);
            }
        }
        return sum;
    }
};

template <>
struct Weights<4> {
    static const int COUNT = 32;
    static __device__ __forceinline__ float dot(uint4 w, const float* x) {
        const u32 words[4] = {w.x, w.y, w.z, w.w};
        float sum = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) {
#pragma unroll
            for (int j = 0; j < 4; j++) {
                // The pair of columns 2j and 2j + 1 lies in bits 4j and 16 + 4j.
                const u32 pair = (words[i] >> (4 * j)) & 0x000f000fu;
                const float low = __uint_as_float(0x4B000000u | (pair & 0xffffu)) - 8388616.0f;
                const float high = __uint_as_float(0x4B000000u | (pair >> 16)) - 8388616.0f;
                sum = fmaf(low, x[8 * i + 2 * j], sum);
                sum = fmaf(high, x[8 * i + 2 * j + 1], sum);
            }
        }
        return sum;
    }
};

enum Ending { PLAIN, ADDED, GATED, FLOAT32 };

// out = W x for one x, or W (x / rms(x) * gain). Each warp computes ROWS rows, of which GATED has
// half in the gates and half in the values behind them. `groups` is of 4-bit scales per row.
template <int BITS, bool NORMALISED, Ending ENDING, int ROWS, int UNROLL>
__device__ __forceinline__ void multiply(const u8* weight, const void* scales, const u16* x,
                                         const u16* gain, float eps, const u16* added, void* out,
                                         int rows, int columns) {
    const int COUNT = Weights<BITS>::COUNT;
    const int SPAN = WARP * COUNT;
    const int lane = threadIdx.x % WARP;
    const int warp = (blockIdx.x * blockDim.x + threadIdx.x) / WARP;
    const int STEP = ENDING == GATED ? ROWS / 2 : ROWS;
    const int first = warp * STEP;
    const int outputs = ENDING == GATED ? rows / 2 : rows;
    const size_t stride = (size_t)columns * BITS / 8;
    int row[ROWS];
    const u8* place[ROWS];
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const int output = min(first + r % STEP, outputs - 1);
        row[r] = output + (r / STEP) * outputs;
        place[r] = weight + row[r] * stride + lane * 16;
    }
    uint4 w[UNROLL][ROWS];
    int column = lane * COUNT;
#define FETCH(at)                                                                        \
    _Pragma("unroll") for (int u = 0; u < UNROLL; u++) if ((at) + u * SPAN < columns)    \
        _Pragma("unroll") for (int r = 0; r < ROWS; r++)                                 \
            w[u][r] = read_once(place[r] + (size_t)((at) - lane * COUNT + u * SPAN) * BITS / 8);
    FETCH(column);  // Weights do not depend on what came before.
    await_inputs();
    if (first >= outputs) return;
    float sums[ROWS] = {};
    float squares = 0;
    while (column < columns) {
#pragma unroll
        for (int u = 0; u < UNROLL; u++) {
            const int at = column + u * SPAN;
            if (at < columns) {
                float v[COUNT];
#pragma unroll
                for (int i = 0; i < COUNT; i += 8) {
                    unpack(*(const uint4*)(x + at + i), v + i);
                    if (NORMALISED) {
                        float g[8];
                        unpack(*(const uint4*)(gain + at + i), g);
#pragma unroll
                        for (int k = 0; k < 8; k++) {
                            squares = fmaf(v[i + k], v[i + k], squares);
                            v[i + k] *= g[k];
                        }
                    }
                }
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    const float dot = Weights<BITS>::dot(w[u][r], v);
                    if (BITS == 4) {
                        const u16 scale = ((const u16*)scales)[(size_t)row[r] * (columns / 64) + at / 64];
                        sums[r] = fmaf(scale_to_float(scale), dot, sums[r]);
                    } else {
                        sums[r] += dot;
                    }
                }
            }
        }
        column += UNROLL * SPAN;
        FETCH(column);
    }
#undef FETCH
    float factor = 1;
    if (NORMALISED) factor = rsqrtf(sum_over_warp(squares) / columns + eps);
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
            if (ENDING == GATED) y = silu(y) * sums[r + STEP];
            ((u16*)out)[output] = to_half(y);
        }
    }
}

#define MULTIPLY(NAME, BITS, NORMALISED, ENDING, ROWS, UNROLL)                                  \
    extern "C" __global__ void __launch_bounds__(128)                                           \
        NAME(const u8* weight, const void* scales, const u16* x, const u16* gain, float eps,    \
             const u16* added, void* out, int rows, int columns) {                              \
        multiply<BITS, NORMALISED, ENDING, ROWS, UNROLL>(weight, scales, x, gain, eps, added,   \
                                                         out, rows, columns);                   \
    }

#if WEIGHT_BITS == 16
MULTIPLY(multiply_normalised, 16, true, PLAIN, WARP_ROWS, FETCHES)
MULTIPLY(multiply_added, 16, false, ADDED, WARP_ROWS, FETCHES)
MULTIPLY(multiply_gated, 16, true, GATED, WARP_ROWS, FETCHES)
MULTIPLY(multiply_head, 16, true, FLOAT32, WARP_ROWS, FETCHES)
#else
MULTIPLY(multiply_normalised, WEIGHT_BITS, true, PLAIN, WARP_ROWS, FETCHES)
MULTIPLY(multiply_added, WEIGHT_BITS, false, ADDED, WARP_ROWS, FETCHES)
MULTIPLY(multiply_gated, WEIGHT_BITS, true, GATED, WARP_ROWS, FETCHES)
MULTIPLY(multiply_head, 8, true, FLOAT32, 4, 1)

// The matrix in the model's precision again, sixteen bytes of it per thread.
extern "C" __global__ void dequantise(const u8* values, const void* scales, u16* out, int rows,
                                      int columns) {
    await_inputs();
    const int COUNT = Weights<WEIGHT_BITS>::COUNT;
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * COUNT;
    if (at >= (size_t)rows * columns) return;
    const int row = at / columns, column = at % columns;
    const uint4 w = read_once(values + at * WEIGHT_BITS / 8);
    const u32 words[4] = {w.x, w.y, w.z, w.w};
    float v[COUNT];
#if WEIGHT_BITS == 8
    const float scale = ((const float*)scales)[row];
#pragma unroll
    for (int i = 0; i < 16; i++) v[i] = scale * (float)(signed char)(words[i / 4] >> (8 * (i % 4)));
#else
    const float scale =
        scale_to_float(((const u16*)scales)[(size_t)row * (columns / 64) + column / 64]);
#pragma unroll
    for (int i = 0; i < 32; i++) {
        const int shift = 4 * ((i % 8) / 2) + 16 * (i % 2);
        v[i] = scale * ((float)((words[i / 8] >> shift) & 15) - 8.0f);
    }
#endif
#pragma unroll
    for (int i = 0; i < COUNT; i += 8) *(uint4*)(out + at + i) = pack(v + i);
}
#endif

// ---- small operations ------------------------------------------------------------------------

// hidden += delta (where there is one); out = hidden / rms(hidden) * gain. A block per row.
extern "C" __global__ void __launch_bounds__(256)
    add_and_normalise(u16* hidden, const u16* delta, const u16* gain, float eps, u16* out,
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

// out = silu(gate) * value for rows of gates, each with its values behind it.
extern "C" __global__ void gate(const u16* gates, u16* out, int rows, int inner) {
    await_inputs();
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= (size_t)rows * inner) return;
    const size_t row = at / inner, column = at % inner;
    float g[8], v[8];
    unpack(*(const uint4*)(gates + row * 2 * inner + column), g);
    unpack(*(const uint4*)(gates + row * 2 * inner + inner + column), v);
#pragma unroll
    for (int k = 0; k < 8; k++) v[k] *= silu(g[k]);
    *(uint4*)(out + at) = pack(v);
}

// ---- attention --------------------------------------------------------------------------------
// A row of `states` holds the query heads, the key heads, the value heads. The cache of a slot holds
// the key heads and then the value heads, each (length, HEAD_DIM). The sine carries the sign of
// rotate_half.

#define HALF_DIM (HEAD_DIM / 2)
#define CHUNKS (HEAD_DIM / 8)

// Eight dimensions of a head from `at` on, turned to `position`.
__device__ __forceinline__ void turned(const u16* head, int at, const float* cosine,
                                       const float* sine, float* out) {
    float x[8], partner[8];
    unpack(*(const uint4*)(head + at), x);
    unpack(*(const uint4*)(head + (at + HALF_DIM) % HEAD_DIM), partner);
#pragma unroll
    for (int k = 0; k < 8; k++) out[k] = fmaf(partner[k], sine[at + k], x[k] * cosine[at + k]);
}

// Prefill: turns the queries in place, and writes keys and values of one slot from `begin` on.
extern "C" __global__ void turn_and_keep(u16* states, u16* cache, const float* cosine,
                                         const float* sine, int key_heads, int length, int begin,
                                         int count) {
    await_inputs();
    const int queries = key_heads * GROUP;
    const int heads = queries + 2 * key_heads;
    // A thread has eight dimensions of the lower half and their partners in the upper.
    const int item = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = item / (heads * (CHUNKS / 2));
    if (row >= count) return;
    const int head = item / (CHUNKS / 2) % heads;
    const int at = item % (CHUNKS / 2) * 8;
    u16* source = states + ((size_t)row * heads + head) * HEAD_DIM;
    u16* target = source;
    if (head >= queries)
        target = cache + ((size_t)(head - queries) * length + begin + row) * HEAD_DIM;
    uint4 low, high;
    if (head < queries + key_heads) {
        float x[8];
        const float* c = cosine + (size_t)(begin + row) * HEAD_DIM;
        const float* s = sine + (size_t)(begin + row) * HEAD_DIM;
        turned(source, at, c, s, x);
        low = pack(x);
        turned(source, at + HALF_DIM, c, s, x);
        high = pack(x);
    } else {
        low = *(const uint4*)(source + at);
        high = *(const uint4*)(source + at + HALF_DIM);
    }
    *(uint4*)(target + at) = low;
    *(uint4*)(target + at + HALF_DIM) = high;
}

#define GROUPS_OF_LANES (128 / CHUNKS)
#define AHEAD 4

// One decode step. Keeps key and value of each slot's position and attends to what is filled; a slot
// whose position is negative has nothing to say. Grid: (parts of `part` positions, key heads, slots);
// the last part of a head to end joins them all, in their order.
extern "C" __global__ void __launch_bounds__(128)
    attend(const u16* states, u16* cache, const float* cosine, const float* sine,
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
