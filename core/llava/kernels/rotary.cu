// Prefill: rotary embedding of queries and keys, and the write to the KV cache.

#include "kv_cache.cuh"
#include "rotary.cuh"

// Rotates queries and keys of `states` (count, heads × HEAD_DIM) and copies keys and values into one
// slot of the cache, starting at position `first`. `scales` are those of a cache in 8 bits. If
// `begin_and_slot` is not null it points to both numbers, and `cache` is that of all slots: a captured
// graph can be replayed for others.
//
// The result is in `out` (before + count, heads × HEAD_DIM), after rows of the first `before` cached
// positions, whose queries are zeros. With `before` 0 it may be `states`.
extern "C" __global__ void rope_and_cache(const u16* states, const float* row_scales,
                                          const float* column_scales, float unit, u16* out, Cached* cache,
                                          float* scales, const float* cosine, const float* sine,
                                          int key_heads, int length, int first,
                                          const long long* begin_and_slot, int count, int before) {
    await_inputs();
    if (begin_and_slot) {
        first = (int)begin_and_slot[0];
        const size_t rows = (size_t)begin_and_slot[1] * 2 * key_heads * length;
        cache += rows * HEAD_DIM;
        scales += rows;
    }
    const Product all = {states, row_scales, column_scales, unit};
    const int queries = key_heads * GROUP;
    const int heads = queries + 2 * key_heads;
    // Each thread has eight dimensions of the lower half of a head and their partners in the upper.
    const int item = blockIdx.x * blockDim.x + threadIdx.x;
    const int row = item / (heads * (CHUNKS / 2)) - before;
    const bool is_new = row >= 0 && row < count;
    const int head = item / (CHUNKS / 2) % heads;
    const int at = item % (CHUNKS / 2) * 8;
    const int column = head * HEAD_DIM + at;
    float x[8], y[8];
    const size_t given = (size_t)(is_new ? row : 0) * heads * HEAD_DIM;
    const float row_scale = all.row_scale(is_new ? row : 0);
    all.read(given, column, row_scale, x);
    all.read(given, column + HALF_DIM, row_scale, y);
    if (is_new && head < queries + key_heads) {
        float rotated_low[8], rotated_high[8];
        const float* c = cosine + (size_t)(first + row) * HEAD_DIM + at;
        const float* s = sine + (size_t)(first + row) * HEAD_DIM + at;
        rotate(x, y, c, s, rotated_low);
        rotate(y, x, c + HALF_DIM, s + HALF_DIM, rotated_high);
#pragma unroll
        for (int k = 0; k < 8; k++) x[k] = rotated_low[k], y[k] = rotated_high[k];
    }
    const float scale = scale_to_cache<CHUNKS / 2>(larger(largest_of(x), largest_of(y)));
    if (row >= count) return;
    const size_t kept = (size_t)(head - queries) * length + (is_new ? first + row : row + before);
    if (!is_new) {
        if (head < queries) {
#pragma unroll
            for (int k = 0; k < 8; k++) x[k] = y[k] = 0;
        } else {
            const float own = cached_scale(scales, kept);
            unpack_cached(*(const CachedEight*)(cache + kept * HEAD_DIM + at), x);
            unpack_cached(*(const CachedEight*)(cache + kept * HEAD_DIM + at + HALF_DIM), y);
#pragma unroll
            for (int k = 0; k < 8; k++) x[k] *= own, y[k] *= own;
        }
    }
    // Values that stay where they are need not be written.
    if (head < queries + key_heads || out != states || row_scales) {
        u16* mine = out + (size_t)(before + row) * heads * HEAD_DIM + column;
        *(uint4*)mine = pack(x);
        *(uint4*)(mine + HALF_DIM) = pack(y);
    }
    if (!is_new || head < queries) return;
    *(CachedEight*)(cache + kept * HEAD_DIM + at) = pack_cached(x, scale);
    *(CachedEight*)(cache + kept * HEAD_DIM + at + HALF_DIM) = pack_cached(y, scale);
    if (CACHE_BITS == 8 && at == 0) scales[kept] = scale;
}
