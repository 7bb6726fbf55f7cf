// Dequantization: 8-bit or 4-bit weights back to the model's dtype, for products with many rows.

#include "common.cuh"

// `values` (rows, columns) times `scales` into `out` (rows, columns). Each thread writes eight
// neighbouring columns, 16 bytes.
extern "C" __global__ void dequantize(const u32* values, const void* scales, u16* out, int rows,
                                      int columns) {
    await_inputs();
    const size_t at = ((size_t)blockIdx.x * blockDim.x + threadIdx.x) * 8;
    if (at >= (size_t)rows * columns) return;
    const int row = at / columns;
    float v[8];
#if WEIGHT_BITS == 8
    const float scale = ((const float*)scales)[row];
    const uint2 words = *(const uint2*)(values + at / 4);
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = scale * (float)(signed char)((i < 4 ? words.x : words.y) >> (8 * (i % 4)));
#else
    const int column = at % columns;
    const float scale =
        scale_to_float(((const u16*)scales)[(size_t)row * (columns / 64) + column / 64]);
    const u32 word = values[at / 8];
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = scale * ((float)((word >> (4 * (i / 2) + 16 * (i % 2))) & 15) - 8.0f);
#endif
    *(uint4*)(out + at) = pack(v);
}
