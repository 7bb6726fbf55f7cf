// Dequantization of 8-bit or 4-bit integers, for products with many rows: to the model's dtype, or to
// floats of 8 bits where the card multiplies those.

#include "common.cuh"
#include "float8.cuh"

// Eight neighbouring weights of `values` (rows, columns) from `column` of `row` on. They are yet to
// be multiplied by the scale that is returned.
__device__ __forceinline__ float eight_integers(const u32* values, const void* scales, int row,
                                                int column, int columns, float* v) {
    const size_t at = (size_t)row * columns + column;
#if WEIGHTS == 8
    const uint2 words = *(const uint2*)(values + at / 4);
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] = (float)(signed char)((i < 4 ? words.x : words.y) >> (8 * (i % 4)));
    return ((const float*)scales)[row];
#else
    const u32 word = values[at / 8];
#pragma unroll
    for (int i = 0; i < 8; i++)
        v[i] = (float)((word >> (4 * (i / 2) + 16 * (i % 2))) & 15) - 8.0f;
    return scale_to_float(((const u16*)scales)[(size_t)row * (columns / 64) + column / 64]);
#endif
}

// `values` times `scales` into `out` (rows, columns). Each thread writes eight columns, 16 bytes.
// Grid: (rows, blocks of columns), since to divide by the columns would take longer than to read.
extern "C" __global__ void dequantize(const u32* values, const void* scales, u16* out,
                                      int columns) {
    await_inputs();
    const int row = blockIdx.x, column = (blockIdx.y * blockDim.x + threadIdx.x) * 8;
    if (column >= columns) return;
    float v[8];
    const float scale = eight_integers(values, scales, row, column, columns, v);
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] *= scale;
    *(uint4*)(out + (size_t)row * columns + column) = pack(v);
}

#if FLOAT8_ROWS
// The same as floats of 8 bits that are yet to be multiplied by a scale for each row: in 8 bits that
// is the integers' own, in 4 bits `row_scales` float32 (rows,).
extern "C" __global__ void dequantize_e4m3(const u32* values, const void* scales,
                                           const float* row_scales, u8* out, int columns) {
    await_inputs();
    const int row = blockIdx.x, column = (blockIdx.y * blockDim.x + threadIdx.x) * 8;
    if (column >= columns) return;
    float v[8];
    const float scale = eight_integers(values, scales, row, column, columns, v);
#if WEIGHTS == 4
    const float factor = scale / row_scales[row];
#pragma unroll
    for (int i = 0; i < 8; i++) v[i] *= factor;
#endif
    *(uint2*)(out + (size_t)row * columns + column) = make_uint2(pack_e4m3(v), pack_e4m3(v + 4));
}
#endif
