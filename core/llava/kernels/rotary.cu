// Prefill: rotary embedding of queries and keys, and the write to the KV cache.

#include "rotary.cuh"

// Rotates queries and keys of `states` (count, heads × HEAD_DIM) in place and copies keys and values
// into one slot of the cache, starting at position `first`. If `begin_and_slot` is not null it points
// to both numbers, and `cache` is that of all slots: a captured graph can be replayed for others.
extern "C" __global__ void rope_and_cache(u16* states, u16* cache, const float* cosine,
                                         const float* sine, int key_heads, int length, int first,
                                         const long long* begin_and_slot, int count) {
    await_inputs();
    if (begin_and_slot) {
        first = (int)begin_and_slot[0];
        cache += (size_t)begin_and_slot[1] * 2 * key_heads * length * HEAD_DIM;
    }
    const int queries = key_heads * GROUP;
    const int heads = queries + 2 * key_heads;
    // Each thread has eight dimensions of the lower half of a head and their partners in the upper.
    const int item = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = item / (heads * (CHUNKS / 2));
    if (row >= count) return;
    const int head = item / (CHUNKS / 2) % heads;
    const int at = item % (CHUNKS / 2) * 8;
    u16* mine = states + ((size_t)row * heads + head) * HEAD_DIM;
    uint4 low = *(const uint4*)(mine + at), high = *(const uint4*)(mine + at + HALF_DIM);
    if (head < queries + key_heads) {
        float x[8], y[8], rotated_low[8], rotated_high[8];
        const float* c = cosine + (size_t)(first + row) * HEAD_DIM + at;
        const float* s = sine + (size_t)(first + row) * HEAD_DIM + at;
        unpack(low, x);
        unpack(high, y);
        rotate(x, y, c, s, rotated_low);
        rotate(y, x, c + HALF_DIM, s + HALF_DIM, rotated_high);
        low = pack(rotated_low);
        high = pack(rotated_high);
        *(uint4*)(mine + at) = low;
        *(uint4*)(mine + at + HALF_DIM) = high;
    }
    if (head >= queries) {
        u16* kept = cache + ((size_t)(head - queries) * length + first + row) * HEAD_DIM;
        *(uint4*)(kept + at) = low;
        *(uint4*)(kept + at + HALF_DIM) = high;
    }
}
