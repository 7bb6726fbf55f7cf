// Attention of one decode step over the KV cache, split along the positions (flash decoding).

#include "rotary.cuh"

#define GROUPS_OF_LANES (128 / CHUNKS)
#define AHEAD 4

// One decode step for each slot. Writes the key and value of the slot's position to the cache, then
// attends to all positions up to it. Skips a slot whose position is negative (idle); its row of `out`
// is undefined. Grid: (parts of `part` positions, key heads, slots). The last block of a head to
// finish combines the partial results of all parts, in the order of the positions.
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
            load_rotated(row + (size_t)(queries + key_head) * HEAD_DIM, at, c, s, x);
            *(uint4*)(keys + (size_t)position * HEAD_DIM + at) = pack(x);
        } else if (threadIdx.x < 2 * CHUNKS) {
            *(uint4*)(values + (size_t)position * HEAD_DIM + at) =
                *(const uint4*)(row + (size_t)(queries + key_heads + key_head) * HEAD_DIM + at);
        }
        __syncthreads();
    }
    // CHUNKS neighbouring lanes share a position, eight dimensions each.
    const int at = threadIdx.x % CHUNKS * 8;
    const int lanes = threadIdx.x / CHUNKS;
    float query[GROUP][8], sums[GROUP][8], maximum[GROUP], total[GROUP];
#pragma unroll
    for (int g = 0; g < GROUP; g++) {
        load_rotated(row + (size_t)(key_head * GROUP + g) * HEAD_DIM, at, c, s, query[g]);
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
    for (int g = 0; g < GROUP; g++) {
        const volatile float* results = scratch + (size_t)g * gridDim.x * (HEAD_DIM + 2);
        float highest = -1e30f, weights = 0, sum = 0;
        for (int i = 0; i < parts; i++)
            highest = fmaxf(highest, results[i * (HEAD_DIM + 2) + HEAD_DIM]);
        for (int i = 0; i < parts; i++) {
            const float weight = exp2f(results[i * (HEAD_DIM + 2) + HEAD_DIM] - highest);
            weights = fmaf(weight, results[i * (HEAD_DIM + 2) + HEAD_DIM + 1], weights);
            sum = fmaf(weight, results[i * (HEAD_DIM + 2) + dimension], sum);
        }
        mine[g * HEAD_DIM + dimension] = to_half(sum / weights);
    }
}
