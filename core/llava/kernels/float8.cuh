// A row of floats of 8 bits with one scale, the input of a product in FP8.

#pragma once

#include "common.cuh"

// Models with quantized layers multiply many rows in FP8 where the card does.
#define FLOAT8_ROWS (__CUDA_ARCH__ >= 890 && WEIGHTS < 16)

#if FLOAT8_ROWS
// Writes `values` to row `blockIdx.x` of `out`, which has `columns` columns, divided by the scale that
// makes the largest magnitude 448, and that scale to `scales`. Chunk i of a thread has eight columns
// from (i × THREADS + thread) × 8 on. Every thread of the block must call this.
template <int THREADS, int MOST_CHUNKS>
__device__ __forceinline__ void write_e4m3(const float (*values)[8], u8* out, float* scales,
                                           int columns) {
    __shared__ float maxima[THREADS / WARP];
    float largest = 0;
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        if ((i * THREADS + threadIdx.x) * 8 >= columns) break;
#pragma unroll
        for (int k = 0; k < 8; k++) largest = fmaxf(largest, fabsf(values[i][k]));
    }
    largest = max_over_warp(largest);
    if (threadIdx.x % WARP == 0) maxima[threadIdx.x / WARP] = largest;
    __syncthreads();
#pragma unroll
    for (int i = 0; i < THREADS / WARP; i++) largest = fmaxf(largest, maxima[i]);
    // So that a row of nothing stays nothing, and one of tiny values does not become infinite.
    const float scale = fmaxf(largest * (1.0f / 448), 1e-30f);
    const float inverse = 1.0f / scale;
    if (threadIdx.x == 0) scales[blockIdx.x] = scale;
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        float scaled[8];
#pragma unroll
        for (int k = 0; k < 8; k++) scaled[k] = values[i][k] * inverse;
        *(uint2*)(out + (size_t)blockIdx.x * columns + at) =
            make_uint2(pack_e4m3(scaled), pack_e4m3(scaled + 4));
    }
}
#endif
