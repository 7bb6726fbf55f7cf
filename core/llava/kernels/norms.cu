// RMS norm and layer norm, together with the residual add before them.

#include "common.cuh"
#include "float8.cuh"
#include "product.cuh"

#define MOST_CHUNKS 2  // Of eight columns, per thread: NORM_THREADS is for these.
#define ROUND_THREADS 256
#define MOST_ROUND_CHUNKS 4
#define LAYER_NORM_THREADS 128
#define MOST_LAYER_NORM_CHUNKS 4

// Over all threads of the block, which must call this; `parts` has room for each warp's sum.
__device__ __forceinline__ float sum_over_block(float x, float* parts) {
    x = sum_over_warp(x);
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = x;
    __syncthreads();
    float total = 0;
    for (int i = 0; i < blockDim.x / WARP; i++) total += parts[i];
    return total;
}

// hidden += delta (if not null); v = hidden / rms(hidden) * gain. One block per row of `columns`.
__device__ __forceinline__ void add_and_normalize(u16* hidden, const Product& delta, const u16* gain,
                                                  float eps, int columns, float (*v)[8]) {
    __shared__ float parts[NORM_THREADS / WARP];
    u16* mine = hidden + (size_t)blockIdx.x * columns;
    const float row_scale = delta.row_scale(blockIdx.x);
    float squares = 0;
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * NORM_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        unpack(*(const uint4*)(mine + at), v[i]);
        if (delta.values) {
            float d[8];
            delta.read((size_t)blockIdx.x * columns, at, row_scale, d);
#pragma unroll
            for (int k = 0; k < 8; k++) v[i][k] += d[k];
            const uint4 rounded = pack(v[i]);
            *(uint4*)(mine + at) = rounded;
            unpack(rounded, v[i]);
        }
#pragma unroll
        for (int k = 0; k < 8; k++) squares = fmaf(v[i][k], v[i][k], squares);
    }
    const float factor = rsqrtf(sum_over_block(squares, parts) / columns + eps);
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * NORM_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        float g[8];
        unpack(*(const uint4*)(gain + at), g);
#pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] *= factor * g[k];
    }
}

extern "C" __global__ void __launch_bounds__(NORM_THREADS)
    add_rms_norm(u16* hidden, const u16* delta, const float* row_scales, const float* column_scales,
                 float unit, const u16* gain, float eps, u16* out, int columns) {
    await_inputs();
    float v[MOST_CHUNKS][8];
    add_and_normalize(hidden, {delta, row_scales, column_scales, unit}, gain, eps, columns, v);
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * NORM_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        *(uint4*)(out + (size_t)blockIdx.x * columns + at) = pack(v[i]);
    }
}

// hidden += delta (if not null); out = (hidden - mean) / deviation * gain + bias, in a vision tower. One
// block per row; 4 × 8 columns × 128 threads is the longest.
extern "C" __global__ void __launch_bounds__(LAYER_NORM_THREADS)
    add_layer_norm(u16* hidden, const u16* delta, const u16* gain, const u16* bias, float eps, u16* out,
                   int columns) {
    __shared__ float parts[2][LAYER_NORM_THREADS / WARP];
    await_inputs();
    u16* mine = hidden + (size_t)blockIdx.x * columns;
    float v[MOST_LAYER_NORM_CHUNKS][8];
    float sum = 0;
#pragma unroll
    for (int i = 0; i < MOST_LAYER_NORM_CHUNKS; i++) {
        const int at = (i * LAYER_NORM_THREADS + threadIdx.x) * 8;
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
        for (int k = 0; k < 8; k++) sum += v[i][k];
    }
    const float mean = sum_over_block(sum, parts[0]) / columns;
    float squares = 0;
#pragma unroll
    for (int i = 0; i < MOST_LAYER_NORM_CHUNKS; i++) {
        if ((i * LAYER_NORM_THREADS + threadIdx.x) * 8 >= columns) break;
#pragma unroll
        for (int k = 0; k < 8; k++) {
            v[i][k] -= mean;
            squares = fmaf(v[i][k], v[i][k], squares);
        }
    }
    const float factor = rsqrtf(sum_over_block(squares, parts[1]) / columns + eps);
#pragma unroll
    for (int i = 0; i < MOST_LAYER_NORM_CHUNKS; i++) {
        const int at = (i * LAYER_NORM_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        float g[8], b[8];
        unpack(*(const uint4*)(gain + at), g);
        unpack(*(const uint4*)(bias + at), b);
#pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] = fmaf(v[i][k] * factor, g[k], b[k]);
        *(uint4*)(out + (size_t)blockIdx.x * columns + at) = pack(v[i]);
    }
}

#if FLOAT8_ROWS
// The same as `add_rms_norm`, with the result as a row in FP8 and its scale.
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
    add_rms_norm_e4m3(u16* hidden, const u16* delta, const float* row_scales,
                      const float* column_scales, float unit, const u16* gain, float eps, u8* out,
                      float* scales, int columns) {
    await_inputs();
    float v[MOST_CHUNKS][8];
    add_and_normalize(hidden, {delta, row_scales, column_scales, unit}, gain, eps, columns, v);
    write_e4m3<NORM_THREADS, MOST_CHUNKS>(v, out, scales, columns);
}

// `states` (rows, columns) as rows in FP8 with their scales; the longest is 4 × 8 × 256 columns.
extern "C" __global__ void __launch_bounds__(ROUND_THREADS)
    round_to_e4m3(const u16* states, u8* out, float* scales, int columns) {
    await_inputs();
    float v[MOST_ROUND_CHUNKS][8];
#pragma unroll
    for (int i = 0; i < MOST_ROUND_CHUNKS; i++) {
        const int at = (i * ROUND_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        unpack(*(const uint4*)(states + (size_t)blockIdx.x * columns + at), v[i]);
    }
    write_e4m3<ROUND_THREADS, MOST_ROUND_CHUNKS>(v, out, scales, columns);
}
#endif
