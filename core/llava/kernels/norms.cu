// RMS norm, together with the residual add before it.

#include "common.cuh"
#include "float8.cuh"

#define NORM_THREADS 256

// hidden += delta (if not null); v = hidden / rms(hidden) * gain. One block per row of `columns`, of
// which a thread has chunks of eight: 4 × 8 columns × 256 threads is the longest row.
__device__ __forceinline__ void add_and_normalize(u16* hidden, const u16* delta, const u16* gain,
                                                  float eps, int columns, float (*v)[8]) {
    __shared__ float parts[NORM_THREADS / WARP];
    u16* mine = hidden + (size_t)blockIdx.x * columns;
    float squares = 0;
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * NORM_THREADS + threadIdx.x) * 8;
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
        for (int k = 0; k < 8; k++) squares = fmaf(v[i][k], v[i][k], squares);
    }
    squares = sum_over_warp(squares);
    if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = squares;
    __syncthreads();
    float total = 0;
#pragma unroll
    for (int i = 0; i < NORM_THREADS / WARP; i++) total += parts[i];
    const float factor = rsqrtf(total / columns + eps);
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
    add_rms_norm(u16* hidden, const u16* delta, const u16* gain, float eps, u16* out,
                 int columns) {
    await_inputs();
    float v[MOST_CHUNKS][8];
    add_and_normalize(hidden, delta, gain, eps, columns, v);
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * NORM_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        *(uint4*)(out + (size_t)blockIdx.x * columns + at) = pack(v[i]);
    }
}

#if FLOAT8_ROWS
// The same, with the result as a row in FP8 and its scale.
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
    add_rms_norm_e4m3(u16* hidden, const u16* delta, const u16* gain, float eps, u8* out,
                      float* scales, int columns) {
    await_inputs();
    float v[MOST_CHUNKS][8];
    add_and_normalize(hidden, delta, gain, eps, columns, v);
    write_e4m3<NORM_THREADS>(v, out, scales, columns);
}

// `states` (rows, columns) as rows in FP8 with their scales.
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
    round_to_e4m3(const u16* states, u8* out, float* scales, int columns) {
    await_inputs();
    float v[MOST_CHUNKS][8];
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * NORM_THREADS + threadIdx.x) * 8;
        if (at >= columns) break;
        unpack(*(const uint4*)(states + (size_t)blockIdx.x * columns + at), v[i]);
    }
    write_e4m3<NORM_THREADS>(v, out, scales, columns);
}
#endif
