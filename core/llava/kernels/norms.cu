// RMS norm, together with the residual add before it.

#include "common.cuh"

// hidden += delta (if not null); out = hidden / rms(hidden) * gain. One block per row of `columns`.
extern "C" __global__ void __launch_bounds__(256)
    add_rms_norm(u16* hidden, const u16* delta, const u16* gain, float eps, u16* out,
                      int columns) {
    const int MOST = 4;  // Chunks per thread: 4 × 8 columns × 256 threads is the longest row.
    __shared__ float parts[8];
    await_inputs();
    u16* mine = hidden + (size_t)blockIdx.x * columns;
    float v[MOST][8];
    float squares = 0;
#pragma unroll
    for (int i = 0; i < MOST; i++) {
        const int at = (i * 256 + threadIdx.x) * 8;
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
    for (int i = 0; i < 8; i++) total += parts[i];
    const float factor = rsqrtf(total / columns + eps);
#pragma unroll
    for (int i = 0; i < MOST; i++) {
        const int at = (i * 256 + threadIdx.x) * 8;
        if (at >= columns) break;
        float g[8];
        unpack(*(const uint4*)(gain + at), g);
#pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] *= factor * g[k];
        *(uint4*)(out + (size_t)blockIdx.x * columns + at) = pack(v[i]);
    }
}
