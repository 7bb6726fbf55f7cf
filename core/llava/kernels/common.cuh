// Shared by all kernels: 16-bit numbers, warp reduction, stream order, streaming loads.
//
// NVRTC compiles every .cu file of this folder for one model (build.py), which defines
//   BFLOAT16     1 if activations and 16-bit weights are bfloat16, 0 if they are float16
//   HEAD_DIM     dimensions per attention head: 64 or 128
//   GROUP        query heads per key head: 1 to 8
//   HAS_BIAS     1 if queries, keys and values have biases, else 0
//   CACHE_BITS   of keys and values in the KV cache: 16 (BFLOAT16 says which) or 8
//   WEIGHTS      format of the decoder layers' weights: 16 (BFLOAT16 says which), 8 or 4 for integers
//                of so many bits, or E4M3 for floats of 8 bits, from compute capability 8.9 on
//   NORM_THREADS, GATED_THREADS   threads of a block for a row of the residual stream and of the MLP
//   GATED_CHUNKS   eights of columns of the latter that each thread has
// No CUDA header is needed. Compute capability 7.0 is the minimum.
//
// Every kernel calls `await_inputs` before it reads what an earlier kernel of the stream wrote, so
// that it may be launched before that kernel has ended (programmatic dependent launch).

#pragma once

typedef unsigned char u8;
typedef unsigned short u16;  // One float16 or bfloat16.
typedef unsigned int u32;

#define E4M3 (-8)
#define BITS_OF(FORMAT) ((FORMAT) == E4M3 ? 8 : (FORMAT))

#define WARP 32
#define EVERY_LANE 0xffffffffu

__device__ __forceinline__ float to_float(u16 x) {
#if BFLOAT16
    return __uint_as_float((u32)x << 16);
#else
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
#endif
}

__device__ __forceinline__ u16 to_half(float x) {
    u16 y;
#if BFLOAT16
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
#else
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
#endif
    return y;
}

// The scales of 4-bit weights are float16 in models of either dtype.
__device__ __forceinline__ float scale_to_float(u16 x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}

__device__ __forceinline__ void unpack(u32 two, float& low, float& high) {
    low = to_float((u16)(two & 0xffff));
    high = to_float((u16)(two >> 16));
}

__device__ __forceinline__ void unpack(uint4 eight, float* out) {
    unpack(eight.x, out[0], out[1]);
    unpack(eight.y, out[2], out[3]);
    unpack(eight.z, out[4], out[5]);
    unpack(eight.w, out[6], out[7]);
}

__device__ __forceinline__ u32 pack(float low, float high) {
    return (u32)to_half(low) | ((u32)to_half(high) << 16);
}

__device__ __forceinline__ uint4 pack(const float* eight) {
    return make_uint4(pack(eight[0], eight[1]), pack(eight[2], eight[3]),
                      pack(eight[4], eight[5]), pack(eight[6], eight[7]));
}

#if __CUDA_ARCH__ >= 890
// Four floats of 8 bits as two pairs of float16, which is exact.
__device__ __forceinline__ void unpack_e4m3(u32 four, u32& low, u32& high) {
    asm("{\n.reg .b16 a, b;\n"
        "mov.b32 {a, b}, %2;\n"
        "cvt.rn.f16x2.e4m3x2 %0, a;\n"
        "cvt.rn.f16x2.e4m3x2 %1, b;\n}"
        : "=r"(low), "=r"(high)
        : "r"(four));
}

__device__ __forceinline__ void unpack_e4m3(u32 four, float* out) {
    u32 low, high;
    unpack_e4m3(four, low, high);
    out[0] = scale_to_float((u16)(low & 0xffff));
    out[1] = scale_to_float((u16)(low >> 16));
    out[2] = scale_to_float((u16)(high & 0xffff));
    out[3] = scale_to_float((u16)(high >> 16));
}

__device__ __forceinline__ u32 pack_e4m3(const float* four) {
    u32 y;
    asm("{\n.reg .b16 a, b;\n"
        "cvt.rn.satfinite.e4m3x2.f32 a, %2, %1;\n"
        "cvt.rn.satfinite.e4m3x2.f32 b, %4, %3;\n"
        "mov.b32 %0, {a, b};\n}"
        : "=r"(y)
        : "f"(four[0]), "f"(four[1]), "f"(four[2]), "f"(four[3]));
    return y;
}
#endif

__device__ __forceinline__ float max_over_warp(float x) {
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2)
        x = fmaxf(x, __shfl_xor_sync(EVERY_LANE, x, step));
    return x;
}

__device__ __forceinline__ float sum_over_warp(float x) {
#pragma unroll
    for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(EVERY_LANE, x, step);
    return x;
}

__device__ __forceinline__ float silu(float x) { return __fdividef(x, 1.0f + __expf(-x)); }

// Allows the next kernel to start launching, then waits until the previous kernel has finished;
// reading its results earlier is a race. Every block must call this, even one without work.
__device__ __forceinline__ void await_inputs() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;");
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

// A 16-byte load that bypasses L1: weights are read once and would evict everything else.
__device__ __forceinline__ uint4 read_once(const void* address) {
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(address));
    return v;
}
