// Attention of one decode step over the KV cache, split along the positions (flash decoding).

#include "attention.cuh"

#define GROUPS_OF_LANES (128 / CHUNKS)
// Positions that are loaded at once: as many bytes in flight for 8 bits as for 16.
#define AHEAD (CACHE_BITS == 8 && GROUP <= 2 ? 8 : 4)

// One decode step for each slot. Writes the key and value of the slot's position to the cache, then
// attends to all positions up to it. Skips a slot whose position is negative (idle); its row of `out`
// is undefined. Grid: (parts of `part` positions, key heads, slots). The last block of a head to
// finish combines the partial results of all parts, in the order of the positions. `scales` are those
// of a cache in 8 bits, (slots, 2 × key heads, length).
extern "C" __global__ void __launch_bounds__(128)
    decode_attention(const u16* states, const float* row_scales, const float* column_scales, float unit,
                     Cached* cache, float* scales, const float* cosine, const float* sine,
                     const long long* positions, u16* out, float* partial, int* ended, int length,
                     int part, float scale) {
    __shared__ float merged[GROUP][GROUPS_OF_LANES][HEAD_DIM];
    __shared__ float maxima[GROUP][GROUPS_OF_LANES], totals[GROUP][GROUPS_OF_LANES];
    __shared__ Own own;
    // What earlier steps have left is read before the kernel before this one has ended: it writes the
    // states alone.
    const int position = (int)positions[blockIdx.z];
    const int begin = blockIdx.x * part;
    if (begin > position) {
        await_inputs();
        return;
    }
    const int end = min(begin + part, position + 1);
    Head head = head_of({states, row_scales, column_scales, unit}, cache, scales, cosine, sine, position,
                        length);
    // CHUNKS neighbouring lanes share a position, eight dimensions each.
    const int at = threadIdx.x % CHUNKS * 8;
    const int lanes = threadIdx.x / CHUNKS;
    CachedEight key[AHEAD], value[AHEAD];
    float key_scale[AHEAD], value_scale[AHEAD];
    const auto fetch_keys = [&](int base) {
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            const int p = base + a * GROUPS_OF_LANES + lanes;
            const bool is_cached = p < min(end, position);
            key[a] = is_cached ? *(const CachedEight*)(head.keys + (size_t)p * HEAD_DIM + at)
                               : nothing_cached();
            key_scale[a] = is_cached ? cached_scale(head.key_scales, p) : 0;
        }
    };
    const auto fetch_values = [&](int base) {
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            const int p = base + a * GROUPS_OF_LANES + lanes;
            const bool is_cached = p < min(end, position);
            value[a] = is_cached ? *(const CachedEight*)(head.values + (size_t)p * HEAD_DIM + at)
                                 : nothing_cached();
            value_scale[a] = is_cached ? cached_scale(head.value_scales, p) : 0;
        }
    };
    fetch_keys(begin);
    fetch_values(begin);
    await_inputs();
    head.row_scale = head.states.row_scale(blockIdx.z);
    if (end == position + 1) write_own(head, own);
    float query[GROUP][8], sums[GROUP][8], maximum[GROUP], total[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
        load_query(head, g, at, query[g]);
        maximum[g] = -1e30f;
        total[g] = 0;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            query[g][k] *= scale * 1.4426950408889634f;  // log2(e), for exp2f.
            sums[g][k] = 0;
        }
    }
    // All lanes of a warp run the same iterations, since they exchange values by shuffles.
    for (int base = begin; base < end; base += AHEAD * GROUPS_OF_LANES) {
        const int next = base + AHEAD * GROUPS_OF_LANES;
        float weights[GROUP][AHEAD];
#pragma unroll
        for (int a = 0; a < AHEAD; a++)
            if (base + a * GROUPS_OF_LANES + lanes == position) {
                key[a] = own.key[at / 8], key_scale[a] = own.key_scale;
                value[a] = own.value[at / 8], value_scale[a] = own.value_scale;
            }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            float k[8];
            unpack_cached(key[a], k);
#pragma unroll
            for (int g = 0; g < GROUP; g++) {
                float score = 0;
#pragma unroll
                for (int i = 0; i < 8; i++) score = fmaf(query[g][i], k[i], score);
#pragma unroll
                for (int step = CHUNKS / 2; step > 0; step /= 2)
                    score += __shfl_xor_sync(EVERY_LANE, score, step);
                weights[g][a] = score * key_scale[a];
            }
        }
        if (next < end) fetch_keys(next);
#pragma unroll
        for (int g = 0; g < GROUP; g++) {
            float higher = maximum[g];
#pragma unroll
            for (int a = 0; a < AHEAD; a++)
                if (base + a * GROUPS_OF_LANES + lanes < end) higher = fmaxf(higher, weights[g][a]);
            const float old = exp2f(maximum[g] - higher);
            maximum[g] = higher;
            total[g] *= old;
#pragma unroll
            for (int i = 0; i < 8; i++) sums[g][i] *= old;
#pragma unroll
            for (int a = 0; a < AHEAD; a++) {
                const bool is_there = base + a * GROUPS_OF_LANES + lanes < end;
                const float weight = is_there ? exp2f(weights[g][a] - higher) : 0;
                total[g] += weight;
                weights[g][a] = weight * value_scale[a];
            }
        }
#pragma unroll
        for (int a = 0; a < AHEAD; a++) {
            float v[8];
            unpack_cached(value[a], v);
#pragma unroll
            for (int g = 0; g < GROUP; g++)
#pragma unroll
                for (int i = 0; i < 8; i++) sums[g][i] = fmaf(weights[g][a], v[i], sums[g][i]);
        }
        if (next < end) fetch_values(next);
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
    combine(merged, maxima, totals, head, part, out, partial, ended);
}
