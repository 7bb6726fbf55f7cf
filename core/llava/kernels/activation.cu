// The gated activation of a Llama MLP, and that of CLIP's vision tower.

#include "common.cuh"
#include "float8.cuh"
#include "product.cuh"

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

// x = x * sigmoid(1.702 * x) in place, as CLIP approximates GELU. Each thread computes eight of `count`.
extern "C" __global__ void quick_gelu(u16* states, int count) {
    await_inputs();
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= count) return;
    float x[8];
    unpack(*(const uint4*)(states + at), x);
#pragma unroll
    for (int k = 0; k < 8; k++) x[k] = __fdividef(x[k], 1.0f + __expf(-1.702f * x[k]));
    *(uint4*)(states + at) = pack(x);
}

#if FLOAT8_ROWS
// silu(gate) * value as rows in FP8 with their scales, `out` (rows, inner). One block per row.
extern "C" __global__ void __launch_bounds__(GATED_THREADS)
    silu_and_mul_e4m3(const u16* gates, const float* row_scales, const float* column_scales, float unit,
                      u8* out, float* scales, int inner) {
    await_inputs();
    const Product both = {gates, row_scales, column_scales, unit};
    const size_t mine = (size_t)blockIdx.x * 2 * inner;
    const float row_scale = both.row_scale(blockIdx.x);
    float v[GATED_CHUNKS][8];
#pragma unroll
    for (int i = 0; i < GATED_CHUNKS; i++) {
        const int at = (i * GATED_THREADS + threadIdx.x) * 8;
        if (at >= inner) break;
        float g[8];
        both.read(mine, at, row_scale, g);
        both.read(mine, inner + at, row_scale, v[i]);
#pragma unroll
        for (int k = 0; k < 8; k++) v[i][k] *= silu(g[k]);
    }
    write_e4m3<GATED_THREADS, GATED_CHUNKS>(v, out, scales, inner);
}
#endif
