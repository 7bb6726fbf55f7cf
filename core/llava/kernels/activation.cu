// The gated activation of a Llama MLP.

#include "common.cuh"

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
