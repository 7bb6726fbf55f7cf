// What both kernels of a decode step's attention share: the position's own key and value, and how
// partial results become one.

#pragma once

#include "kv_cache.cuh"
#include "rotary.cuh"

// Queries whose parts are combined at once: the loads of many wait together.
#define AT_ONCE (GROUP > 4 ? GROUP : 1)

// One head of one slot, as a block sees it. `keys` and `values` are (length, HEAD_DIM).
struct Head {
    Product states;
    size_t row;  // Where the slot's query heads, key heads and value heads begin.
    float row_scale;  // Of the row, once `await_inputs` was called.
    Cached *keys, *values;
    float *key_scales, *value_scales;
    const float *cosine, *sine;  // Of the slot's position.
    int position, queries;
};

// The head and the slot of this block, of a grid of (parts, key heads, slots).
__device__ __forceinline__ Head head_of(const Product& states, Cached* cache, float* scales,
                                        const float* cosine, const float* sine, int position,
                                        int length) {
    const int key_heads = gridDim.y, key_head = blockIdx.y, slot = blockIdx.z;
    const int queries = key_heads * GROUP;
    const size_t keys = ((size_t)slot * 2 * key_heads + key_head) * length;
    const size_t values = keys + (size_t)key_heads * length;
    return {states,
            (size_t)slot * (queries + 2 * key_heads) * HEAD_DIM,
            1,
            cache + keys * HEAD_DIM,
            cache + values * HEAD_DIM,
            scales + keys,
            scales + values,
            cosine + (size_t)position * HEAD_DIM,
            sine + (size_t)position * HEAD_DIM,
            position,
            queries};
}

// Dimensions `at` to `at + 7` of query `number` of this key head, rotated.
__device__ __forceinline__ void load_query(const Head& head, int number, int at, float* out) {
    load_rotated(head.states, head.row, head.row_scale, (blockIdx.y * GROUP + number) * HEAD_DIM, at,
                 head.cosine, head.sine, out);
}

// The position's own key and value, for the block that attends to it.
struct Own {
    CachedEight key[CHUNKS], value[CHUNKS];
    float key_scale, value_scale;
};

// Writes the position's own key and value to the cache, and to `own` in shared memory. Every thread of
// the block must call this.
__device__ __forceinline__ void write_own(const Head& head, Own& own) {
    if (threadIdx.x < WARP) {
        const int at = threadIdx.x % CHUNKS * 8;
        const bool is_key = threadIdx.x < CHUNKS;
        const int key_head = blockIdx.y, key_heads = gridDim.y;
        float x[8];
        const int key = (head.queries + key_head) * HEAD_DIM;
        if (is_key)
            load_rotated(head.states, head.row, head.row_scale, key, at, head.cosine, head.sine, x);
        else
            head.states.read(head.row, key + key_heads * HEAD_DIM + at, head.row_scale, x);
        const float own_scale = scale_to_cache<CHUNKS>(largest_of(x));
        if (threadIdx.x < 2 * CHUNKS) {
            Cached* cached = (is_key ? head.keys : head.values) + (size_t)head.position * HEAD_DIM;
            const CachedEight eight = pack_cached(x, own_scale);
            *(CachedEight*)(cached + at) = eight;
            (is_key ? own.key : own.value)[at / 8] = eight;
            if (at == 0) {
                (is_key ? own.key_scale : own.value_scale) = own_scale;
                if (CACHE_BITS == 8)
                    (is_key ? head.key_scales : head.value_scales)[head.position] = own_scale;
            }
        }
    }
    __syncthreads();
}

// Combines the sums of `COUNT` sets of positions, each (HEAD_DIM,) with its maximum and its total of
// weights, and writes the result to `out`, or to `partial` where the head has several parts. The last
// block of a head to finish combines the parts, in the order of the positions; `ended` counts them.
// `merged`, `maxima` and `totals` are in shared memory. Every thread of the block must call this.
template <int COUNT>
__device__ __forceinline__ void combine(const float (*merged)[COUNT][HEAD_DIM],
                                        const float (*maxima)[COUNT], const float (*totals)[COUNT],
                                        const Head& head, int part, u16* out, float* partial,
                                        int* ended) {
    __shared__ bool is_last;
    const int key_head = blockIdx.y, key_heads = gridDim.y, slot = blockIdx.z;
    const int parts = head.position / part + 1;
    const int dimension = threadIdx.x;
    const size_t first = (size_t)slot * head.queries + key_head * GROUP;
    u16* mine = out + first * HEAD_DIM;
    float* scratch = partial + first * gridDim.x * (HEAD_DIM + 2);
    if (dimension < HEAD_DIM) {
        for (int g = 0; g < GROUP; g++) {
            float highest = -1e30f, weights = 0, sum = 0;
            for (int i = 0; i < COUNT; i++) highest = fmaxf(highest, maxima[g][i]);
            for (int i = 0; i < COUNT; i++) {
                const float weight = exp2f(maxima[g][i] - highest);
                weights = fmaf(weight, totals[g][i], weights);
                sum = fmaf(weight, merged[g][i][dimension], sum);
            }
            if (parts == 1) {
                mine[g * HEAD_DIM + dimension] = to_half(sum / weights);
            } else {
                float* result = scratch + ((size_t)g * gridDim.x + blockIdx.x) * (HEAD_DIM + 2);
                result[dimension] = sum;
                if (dimension == 0) {
                    result[HEAD_DIM] = highest;
                    result[HEAD_DIM + 1] = weights;
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
    for (int g = 0; g < GROUP; g += AT_ONCE) {
        const volatile float* results = scratch + (size_t)g * gridDim.x * (HEAD_DIM + 2);
        const auto of_query = [&](int j) { return results + (size_t)j * gridDim.x * (HEAD_DIM + 2); };
        float highest[AT_ONCE], weights[AT_ONCE], sum[AT_ONCE];
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++) highest[j] = -1e30f, weights[j] = 0, sum[j] = 0;
        for (int i = 0; i < parts; i++)
#pragma unroll
            for (int j = 0; j < AT_ONCE; j++)
                highest[j] = fmaxf(highest[j], of_query(j)[i * (HEAD_DIM + 2) + HEAD_DIM]);
#pragma unroll 4
        for (int i = 0; i < parts; i++)
#pragma unroll
            for (int j = 0; j < AT_ONCE; j++) {
                const float weight = exp2f(of_query(j)[i * (HEAD_DIM + 2) + HEAD_DIM] - highest[j]);
                weights[j] = fmaf(weight, of_query(j)[i * (HEAD_DIM + 2) + HEAD_DIM + 1], weights[j]);
                sum[j] = fmaf(weight, of_query(j)[i * (HEAD_DIM + 2) + dimension], sum[j]);
            }
#pragma unroll
        for (int j = 0; j < AT_ONCE; j++)
            mine[(g + j) * HEAD_DIM + dimension] = to_half(sum[j] / weights[j]);
    }
}
