// Rotary position embedding of eight dimensions of a head, shared by prefill and decode.
//
// A row of `states` contains the query heads, the key heads, then the value heads. The cache of one
// slot contains the key heads, then the value heads, each (length, HEAD_DIM). `cosine` and `sine` are
// float32 (length, HEAD_DIM); the sine has the sign of rotate_half built in.

#pragma once

#include "product.cuh"

#define HALF_DIM (HEAD_DIM / 2)
#define CHUNKS (HEAD_DIM / 8)

// Rotates `x` into `out`. `partner` is half a head away; `cosine` and `sine` belong to the eight
// dimensions of `x`.
__device__ __forceinline__ void rotate(const float* x, const float* partner, const float* cosine,
                                     const float* sine, float* out) {
    const float4 c[2] = {*(const float4*)cosine, *(const float4*)(cosine + 4)};
    const float4 s[2] = {*(const float4*)sine, *(const float4*)(sine + 4)};
#pragma unroll
    for (int k = 0; k < 8; k++)
        out[k] = fmaf(partner[k], (&s[k / 4].x)[k % 4], x[k] * (&c[k / 4].x)[k % 4]);
}

// Loads dimensions `at` to `at + 7` of the head that begins at column `head` of the row of `states` that
// begins at `row`, and rotates them to the position whose table rows are `cosine` and `sine`.
__device__ __forceinline__ void load_rotated(const Product& states, size_t row, float row_scale, int head,
                                             int at, const float* cosine, const float* sine, float* out) {
    float x[8], partner[8];
    states.read(row, head + at, row_scale, x);
    states.read(row, head + (at + HALF_DIM) % HEAD_DIM, row_scale, partner);
    rotate(x, partner, cosine + at, sine + at, out);
}
