// What a multiplication leaves for the kernel that reads it.

#pragma once

#include "common.cuh"

// A product of two matrices, (rows, columns). Where it was multiplied in FP8 without its scales, each
// value is still to be multiplied by that of its row, that of its column and `unit`.
struct Product {
    const u16* values;
    const float *row_scales, *column_scales;  // Null without.
    float unit;

    __device__ __forceinline__ float row_scale(int row) const {
        return row_scales ? row_scales[row] * unit : 1;
    }

    // Eight columns from `at` on, of the row that begins at `row`.
    __device__ __forceinline__ void read(size_t row, int at, float row_scale, float* out) const {
        unpack(*(const uint4*)(values + row + at), out);
        if (!row_scales) return;
        const float4 c[2] = {*(const float4*)(column_scales + at), *(const float4*)(column_scales + at + 4)};
#pragma unroll
        for (int k = 0; k < 8; k++) out[k] *= row_scale * (&c[k / 4].x)[k % 4];
    }
};
