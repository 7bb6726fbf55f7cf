// Attention of one decode step over a KV cache in 8 bits, by the tensor cores' products of integers:
// keys and values go into them as they lie in memory. A query is one integer of 16 bits for each
// dimension, as two of 8, and so are the weights of the values, which costs no precision that counts.
//
// Fragments of m16n8k32, of lane 4 × g + t: A has rows g and g + 8, B has column g, each with four
// bytes from 4 × t on and from 16 + 4 × t on; C has rows g and g + 8, columns 2 × t and 2 × t + 1.
// Which dimension or position such a place stands for is free, so a lane loads 16 bytes at a time.

#include "attention.cuh"

#define WARPS 4
#define TILE 32  // Positions that a warp handles at once.
#define QUERY_TILES ((GROUP + 3) / 4)  // Of eight columns: four queries, each by two integers.
#define KEY_WORDS (HEAD_DIM / 16)
#define VALUE_WORDS (HEAD_DIM / 32)
// As many as leave registers for all queries.
#define BLOCKS_PER_MULTIPROCESSOR (HEAD_DIM == 128 && GROUP > 4 ? 3 : 4)
#define LARGEST 32512.0f  // 127 × 256: the upper integer stays within 8 bits.

__device__ __forceinline__ void multiply(int* c, const u32* a, u32 b0, u32 b1) {
    asm("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
        "{%8, %9}, {%0, %1, %2, %3};"
        : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// `x` as 256 × upper + lower, both of 8 bits; `shift` is where they go in a word.
__device__ __forceinline__ void put_halves(int x, int shift, u32& upper, u32& lower) {
    const int high = (x + 128) >> 8;
    upper |= (u32)(high & 0xff) << shift;
    lower |= (u32)((x - (high << 8)) & 0xff) << shift;
}

// Four words of four dimensions at one position each become words of four positions.
__device__ __forceinline__ void transpose(u32 a, u32 b, u32 c, u32 d, u32* out) {
    const u32 ab[2] = {__byte_perm(a, b, 0x5140), __byte_perm(a, b, 0x7362)};
    const u32 cd[2] = {__byte_perm(c, d, 0x5140), __byte_perm(c, d, 0x7362)};
#pragma unroll
    for (int i = 0; i < 4; i++) out[i] = __byte_perm(ab[i / 2], cd[i / 2], i % 2 ? 0x7632 : 0x5410);
}

template <typename Reduce>
__device__ __forceinline__ float over_rows(float x, Reduce reduce) {
#pragma unroll
    for (int step = 4; step < WARP; step *= 2)
        x = reduce(x, __shfl_xor_sync(EVERY_LANE, x, step));
    return x;
}

struct Higher {
    __device__ __forceinline__ float operator()(float a, float b) const { return fmaxf(a, b); }
};

struct Larger {
    __device__ __forceinline__ float operator()(float a, float b) const { return larger(a, b); }
};

struct Sum {
    __device__ __forceinline__ float operator()(float a, float b) const { return a + b; }
};

// As `decode_attention`, with the same parameters and the same grid.
extern "C" __global__ void __launch_bounds__(WARPS* WARP, BLOCKS_PER_MULTIPROCESSOR)
    decode_attention_int8(const u16* states, const float* row_scales, const float* column_scales,
                          float unit, Cached* cache, float* scales, const float* cosine,
                          const float* sine, const long long* positions, u16* out, float* partial,
                          int* ended, int length, int part, float scale) {
    __shared__ __align__(16) u8 queries[GROUP][2][HEAD_DIM];
    __shared__ float query_scales[GROUP];
    __shared__ float merged[GROUP][WARPS][HEAD_DIM];
    __shared__ float maxima[GROUP][WARPS], totals[GROUP][WARPS];
    __shared__ Own own;
    await_inputs();
    const int position = (int)positions[blockIdx.z];
    const int begin = blockIdx.x * part;
    if (begin > position) return;
    const int end = min(begin + part, position + 1);
    Head head = head_of({states, row_scales, column_scales, unit}, cache, scales, cosine, sine, position,
                        length);
    head.row_scale = head.states.row_scale(blockIdx.z);
    if (end == position + 1) write_own(head, own);
    {
        const int number = min((int)threadIdx.x / CHUNKS, GROUP - 1), at = threadIdx.x % CHUNKS * 8;
        float x[8];
        load_query(head, number, at, x);
        const float step_size = step_of(largest_over<CHUNKS>(largest_of(x)), LARGEST);
        u32 upper[2] = {0, 0}, lower[2] = {0, 0};
#pragma unroll
        for (int k = 0; k < 8; k++)
            put_halves(__float2int_rn(x[k] / step_size), k % 4 * 8, upper[k / 4], lower[k / 4]);
        if (threadIdx.x < GROUP * CHUNKS) {
            *(uint2*)(queries[number][0] + at) = make_uint2(upper[0], upper[1]);
            *(uint2*)(queries[number][1] + at) = make_uint2(lower[0], lower[1]);
            if (at == 0) query_scales[number] = step_size * scale * 1.4426950408889634f;  // log2(e).
        }
    }
    __syncthreads();
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    const int g = lane / 4, t = lane % 4;
    u32 query[QUERY_TILES][KEY_WORDS];
    float query_scale[QUERY_TILES], maximum[QUERY_TILES], total[QUERY_TILES];
    float sums[HEAD_DIM / 8][2];
#pragma unroll
    for (int n = 0; n < QUERY_TILES; n++) {
        const u8* mine = queries[(4 * n + g / 2) % GROUP][g % 2] + t * 16;
#pragma unroll
        for (int i = 0; i < KEY_WORDS; i += 4) *(uint4*)(query[n] + i) = *(const uint4*)(mine + i * 16);
        query_scale[n] = query_scales[(4 * n + t) % GROUP];
        maximum[n] = -1e30f;
        total[n] = 0;
    }
#pragma unroll
    for (int j = 0; j < HEAD_DIM / 8; j++) sums[j][0] = sums[j][1] = 0;

    for (int base = begin + warp * TILE; base < end; base += WARPS * TILE) {
        // Of positions base + g + 8 × s.
        u32 key[4][KEY_WORDS];
        float key_scale[4], value_scale[4];
        // Of positions base + 4 × p + t + 8 × s, dimensions from g × HEAD_DIM / 8 on.
        u32 value[2][4][VALUE_WORDS];
#pragma unroll
        for (int s = 0; s < 4; s++) {
            const int at = base + g + 8 * s;
            const bool is_there = at < end;
            const Cached* mine = head.keys + (size_t)at * HEAD_DIM + t * 16;
#pragma unroll
            for (int i = 0; i < KEY_WORDS; i += 4)
                *(uint4*)(key[s] + i) = is_there ? *(const uint4*)(mine + i * 16) : make_uint4(0, 0, 0, 0);
            key_scale[s] = is_there ? head.key_scales[at] : 0;
            value_scale[s] = is_there ? head.value_scales[at] : 0;
        }
#pragma unroll
        for (int p = 0; p < 2; p++)
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const int at = base + 4 * p + t + 8 * s;
                const Cached* mine = head.values + (size_t)at * HEAD_DIM + g * (HEAD_DIM / 8);
#if HEAD_DIM == 128
                *(uint4*)value[p][s] = at < end ? *(const uint4*)mine : make_uint4(0, 0, 0, 0);
#else
                *(uint2*)value[p][s] = at < end ? *(const uint2*)mine : make_uint2(0, 0);
#endif
            }

        const float largest = over_rows(larger(larger(value_scale[0], value_scale[1]),
                                               larger(value_scale[2], value_scale[3])), Larger());
        const float step_size = step_of(largest, LARGEST), inverse = 1.0f / step_size;
        u32 weights[4];  // The rows of A: the upper integers of query g, and the lower ones.
        float before = 1;
#pragma unroll
        for (int n = 0; n < QUERY_TILES; n++) {
            int products[2][4] = {{0, 0, 0, 0}, {0, 0, 0, 0}};
#pragma unroll
            for (int i = 0; i < KEY_WORDS; i += 2)
#pragma unroll
                for (int m = 0; m < 2; m++) {
                    const u32 rows[4] = {key[2 * m][i], key[2 * m + 1][i], key[2 * m][i + 1],
                                         key[2 * m + 1][i + 1]};
                    multiply(products[m], rows, query[n][i], query[n][i + 1]);
                }
            float score[4], higher = maximum[n];
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const int* both = products[s / 2] + s % 2 * 2;
                score[s] = (float)(both[0] * 256 + both[1]) * (query_scale[n] * key_scale[s]);
                if (base + g + 8 * s < end) higher = fmaxf(higher, score[s]);
            }
            higher = over_rows(higher, Higher());
            const float old = exp2f(maximum[n] - higher);
            maximum[n] = higher;
            total[n] *= old;
            u32 upper = 0, lower = 0;
#pragma unroll
            for (int s = 0; s < 4; s++) {
                const float weight = base + g + 8 * s < end ? exp2f(score[s] - higher) : 0;
                total[n] += weight;
                put_halves(__float2int_rn(weight * value_scale[s] * inverse), 8 * s, upper, lower);
            }
            // From the lanes that have them to those of row g.
            const bool is_mine = QUERY_TILES == 1 || g / 4 == n;
#pragma unroll
            for (int p = 0; p < 2; p++) {
                const int from = (4 * p + t) * 4 + g % 4;
                const u32 a = __shfl_sync(EVERY_LANE, upper, from);
                const u32 b = __shfl_sync(EVERY_LANE, lower, from);
                if (is_mine) weights[2 * p] = a, weights[2 * p + 1] = b;
            }
            const float factor = __shfl_sync(EVERY_LANE, old, g % 4);
            if (is_mine) before = factor;
        }
#pragma unroll
        for (int i = 0; i < VALUE_WORDS; i++) {
            u32 columns[2][4];
#pragma unroll
            for (int p = 0; p < 2; p++)
                transpose(value[p][0][i], value[p][1][i], value[p][2][i], value[p][3][i], columns[p]);
#pragma unroll
            for (int d = 0; d < 4; d++) {
                int products[4] = {0, 0, 0, 0};
                multiply(products, weights, columns[0][d], columns[1][d]);
                float* sum = sums[i * 4 + d];
#pragma unroll
                for (int e = 0; e < 2; e++)
                    sum[e] = fmaf(sum[e], before, (float)(products[e] * 256 + products[2 + e]) * step_size);
            }
        }
    }
#pragma unroll
    for (int n = 0; n < QUERY_TILES; n++) {
        const float weights = over_rows(total[n], Sum());
        if (g == 0 && 4 * n + t < GROUP) {
            maxima[4 * n + t][warp] = maximum[n];
            totals[4 * n + t][warp] = weights;
        }
    }
    if (g < GROUP)
#pragma unroll
        for (int j = 0; j < HEAD_DIM / 8; j++)
#pragma unroll
            for (int e = 0; e < 2; e++) merged[g][warp][(2 * t + e) * (HEAD_DIM / 8) + j] = sums[j][e];
    __syncthreads();
    combine(merged, maxima, totals, head, part, out, partial, ended);
}
