// The gated activation of a Llama MLP.

#include "common.cuh"
#include "float8.cuh"

// gate = silu(gate) * value in place. `gates` is (rows, 2 × inner): each row has its `inner` gates
// first, then its values. Each thread computes eight columns.
extern "C" __global__ void silu_and_mul(u16* gates, int rows, int inner) {
    await_inputs();
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= (size_t)rows * inner) return;
    u16* mine = gates + at / inner * 2 * inner + at % inner;
    float g[8], v[8];
    unpack(*(const uint4*)mine, g);
    unpack(*(const uint4*)(mine + inner), v);
#pragma unroll
    for (int k = 0; k < 8; k++) v[k] *= silu(g[k]);
    *(uint4*)mine = pack(v);
}

#if FLOAT8_ROWS
#define GATED_THREADS 512

// silu(gate) * value as rows in FP8 with their scales, `out` (rows, inner). One block per row; 4 × 8
// columns × 512 threads is the longest.
extern "C" __global__ void __launch_bounds__(GATED_THREADS)
    silu_and_mul_e4m3(const u16* gates, u8* out, float* scales, int inner) {
    await_inputs();
    const u16* mine = gates + (size_t)blockIdx.x * 2 * inner;
    float v[MOST_CHUNKS][8];
#pragma unroll
    for (int i = 0; i < MOST_CHUNKS; i++) {
        const int at = (i * GATED_THREADS + threadIdx.x) * 8;
        if (at >= inner) break;
        float g[8];
        unpack(*(const uint4*)(mine + at), g);
        unpack(*(const uint4*)(mine + inner + at), v[i]);
#pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] *= silu(g[k]);
    }
    write_e4m3<GATED_THREADS>(v, out, scales, inner);
}
#endif
