// The likeliest token of each slot becomes its next one.

#include "common.cuh"

#define THREADS 1024
#define BROKEN (-1)

struct Best {
    float logit;
    int id;
    bool is_broken;  // One of the logits was not a number.
};

// The first of the highest logits, as torch's argmax.
__device__ __forceinline__ Best better(const Best& a, const Best& b) {
    const bool is_b = b.logit > a.logit || (b.logit == a.logit && b.id < a.id);
    return {is_b ? b.logit : a.logit, is_b ? b.id : a.id, a.is_broken || b.is_broken};
}

__device__ __forceinline__ Best best_over_warp(Best best) {
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2)
        best = better(best, {__shfl_xor_sync(EVERY_LANE, best.logit, step),
                             __shfl_xor_sync(EVERY_LANE, best.id, step),
                             (bool)__shfl_xor_sync(EVERY_LANE, (int)best.is_broken, step)});
    return best;
}

// `logits` is float32 (slots, vocabulary), `ids` and `positions` are int64 (slots,). A slot with a
// negative position is idle and stays as it is; the others move one position further. Grid: slots.
extern "C" __global__ void __launch_bounds__(THREADS)
    next_token(const float* logits, long long* ids, long long* positions, int vocabulary) {
    __shared__ Best of_warps[THREADS / WARP];
    await_inputs();
    const long long position = positions[blockIdx.x];
    if (position < 0) return;
    const float* mine = logits + (size_t)blockIdx.x * vocabulary;
    const float infinity = __int_as_float(0x7f800000);
    Best best = {-infinity, 0x7fffffff, false};
#pragma unroll 8
    for (int id = threadIdx.x; id < vocabulary; id += THREADS) {
        const float logit = mine[id];
        best = better(best, {logit, id, logit != logit});
    }
    best = best_over_warp(best);
    const int warp = threadIdx.x / WARP, lane = threadIdx.x % WARP;
    if (lane == 0) of_warps[warp] = best;
    __syncthreads();
    if (warp != 0) return;
    best = best_over_warp(of_warps[lane]);
    if (lane != 0) return;
    const bool is_finite = best.logit > -infinity && best.logit < infinity;
    ids[blockIdx.x] = best.is_broken || !is_finite ? BROKEN : best.id;
    positions[blockIdx.x] = position + 1;
}
