// Elements of the KV cache: 16 bits like the activations, or integers of 8 bits. Integers have one
// float32 scale per head and position, the largest magnitude / 127.

#pragma once

#include "common.cuh"

#if CACHE_BITS == 8
typedef signed char Cached;
typedef uint2 CachedEight;
#else
typedef u16 Cached;
typedef uint4 CachedEight;
#endif

// Without the scale.
__device__ __forceinline__ void unpack_cached(CachedEight eight, float* out) {
#if CACHE_BITS == 8
    // As the low byte of a float's 23 bits after 2^23: sooner than a conversion of each integer.
    const u32 halves[2] = {eight.x ^ 0x80808080u, eight.y ^ 0x80808080u};
#pragma unroll
    for (int k = 0; k < 8; k++)
        out[k] = __uint_as_float(__byte_perm(halves[k / 4], 0x4b000000u, 0x7540 + k % 4)) - 8388736.0f;
#else
    unpack(eight, out);
#endif
}

__device__ __forceinline__ CachedEight nothing_cached() {
#if CACHE_BITS == 8
    return make_uint2(0, 0);
#else
    return make_uint4(0, 0, 0, 0);
#endif
}

// The scale of the head and position number `at`.
__device__ __forceinline__ float cached_scale(const float* scales, size_t at) {
#if CACHE_BITS == 8
    return scales[at];
#else
    return 1;
#endif
}

// The larger of two magnitudes, or NaN if one of them is: fmaxf would drop it, and integers have none.
__device__ __forceinline__ float larger(float a, float b) {
    const u32 x = __float_as_uint(a), y = __float_as_uint(b);
    return __uint_as_float(x > y ? x : y);
}

// The largest magnitude of eight numbers; NaN if one of them is.
__device__ __forceinline__ float largest_of(const float* eight) {
    float largest = 0;
#pragma unroll
    for (int k = 0; k < 8; k++) largest = larger(largest, fabsf(eight[k]));
    return largest;
}

// The largest of `LANES` neighbouring lanes. All lanes of the warp must call this.
template <int LANES>
__device__ __forceinline__ float largest_over(float largest) {
#pragma unroll
    for (int step = LANES / 2; step > 0; step /= 2)
        largest = larger(largest, __shfl_xor_sync(EVERY_LANE, largest, step));
    return largest;
}

// The size of a step, of which `most` make the `largest` magnitude. Never 0, and not finite if that is
// not: so broken numbers reach the logits, and an answer of nonsense is reported.
__device__ __forceinline__ float step_of(float largest, float most) {
    const float step = largest * (1.0f / most);
    return step < 1e-30f ? 1e-30f : step;
}

// The scale for a head whose `LANES` neighbouring lanes each have a `largest` magnitude. All lanes of
// the warp must call this.
template <int LANES>
__device__ __forceinline__ float scale_to_cache(float largest) {
#if CACHE_BITS == 8
    return step_of(largest_over<LANES>(largest), 127);
#else
    return 1;
#endif
}

__device__ __forceinline__ CachedEight pack_cached(const float* eight, float scale) {
#if CACHE_BITS == 8
    const float inverse = 1.0f / scale;
    u32 halves[2] = {0, 0};
#pragma unroll
    for (int k = 0; k < 8; k++)
        halves[k / 4] |= ((u32)__float2int_rn(eight[k] * inverse) & 0xff) << (k % 4 * 8);
    return make_uint2(halves[0], halves[1]);
#else
    return pack(eight);
#endif
}
