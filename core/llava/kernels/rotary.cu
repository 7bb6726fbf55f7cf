// Prefill: rotary embedding of queries and keys, and the write to the KV cache.

#include "kv_cache.cuh"
#include "rotary.cuh"

// Rotates queries and keys of `states` (count, heads × HEAD_DIM) in place and copies keys and values
// into one slot of the cache, starting at position `first`. `scales` are those of a cache in 8 bits.
// If `begin_and_slot` is not null it points to both numbers, and `cache` is that of all slots: a
// captured graph can be replayed for others.
extern "C" __global__ void rope_and_cache(u16* states, Cached* cache, float* scales,
                                         const float* cosine, const float* sine, int key_heads,
                                         int length, int first, const long long* begin_and_slot,
                                         int count) {
    await_inputs();
    if (begin_and_slot) {
        first = (int)begin_and_slot[0];
        const size_t rows = (size_t)begin_and_slot[1] * 2 * key_heads * length;
        cache += rows * HEAD_DIM;
        scales += rows;
    }
    const int queries = key_heads * GROUP;
    const int heads = queries + 2 * key_heads;
    // Each thread has eight dimensions of the lower half of a head and their partners in the upper.
    const int item = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = item / (heads * (CHUNKS / 2));
    const bool is_there = row < count;
    const int head = item / (CHUNKS / 2) % heads;
    const int at = item % (CHUNKS / 2) * 8;
    u16* mine = states + ((size_t)(is_there ? row : 0) * heads + head) * HEAD_DIM;
    const uint4 low = *(const uint4*)(mine + at), high = *(const uint4*)(mine + at + HALF_DIM);
    float x[8], y[8];
    unpack(low, x);
    unpack(high, y);
    if (is_there && head < queries + key_heads) {
        float rotated_low[8], rotated_high[8];
        const float* c = cosine + (size_t)(first + row) * HEAD_DIM + at;
        const float* s = sine + (size_t)(first + row) * HEAD_DIM + at;
        rotate(x, y, c, s, rotated_low);
        rotate(y, x, c + HALF_DIM, s + HALF_DIM, rotated_high);
#pragma unroll
        for (int k = 0; k < 8; k++) x[k] = rotated_low[k], y[k] = rotated_high[k];
        *(uint4*)(mine + at) = pack(x);
        *(uint4*)(mine + at + HALF_DIM) = pack(y);
    }
    const float scale = scale_to_cache<CHUNKS / 2>(fmaxf(largest_of(x), largest_of(y)));
    if (!is_there || head < queries) return;
    const size_t kept = (size_t)(head - queries) * length + first + row;
    *(CachedEight*)(cache + kept * HEAD_DIM + at) = pack_cached(x, scale);
    *(CachedEight*)(cache + kept * HEAD_DIM + at + HALF_DIM) = pack_cached(y, scale);
    if (CACHE_BITS == 8 && at == 0) scales[kept] = scale;
}
