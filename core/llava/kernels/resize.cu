// A picture becomes the pixel values of a padded square, to the last bit as by Pillow's bicubic
// resizing (core/picture/bicubic.py). A pixel is four bytes: red, green, blue, and one that is free.

#include "common.cuh"

#define WEIGHT_BITS 22
#define THREADS 256

struct Colour {
    int sums[3];

    __device__ __forceinline__ Colour() {
        for (int c = 0; c < 3; c++) sums[c] = 1 << (WEIGHT_BITS - 1);
    }

    __device__ __forceinline__ void add(u32 pixel, int weight) {
#pragma unroll
        for (int c = 0; c < 3; c++) sums[c] += (int)(pixel >> (8 * c) & 255) * weight;
    }

    __device__ __forceinline__ u32 byte(int channel) const {
        return min(max(sums[channel] >> WEIGHT_BITS, 0), 255);
    }
};

// `pixels` (height, width) become `narrow` (height, size). The square begins `left` columns before the
// picture; what is outside of it has the colour `padding`. `first` is int32 (size,), `weights` int32
// (taps, size).
extern "C" __global__ void __launch_bounds__(THREADS)
    resize_across(const u32* pixels, int width, int height, int left, u32 padding, const int* first,
                  const int* weights, int taps, u32* narrow, int size) {
    await_inputs();
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= height * size) return;
    const int x = i % size, begin = first[x] - left;
    const u32* row = pixels + (size_t)(i / size) * width;
    Colour colour;
    for (int t = 0; t < taps; t++) {
        const int column = begin + t;
        colour.add(column >= 0 && column < width ? row[column] : padding, weights[t * size + x]);
    }
    narrow[i] = colour.byte(0) | colour.byte(1) << 8 | colour.byte(2) << 16;
}

// `narrow` (height, size) becomes `values`, float32 (3, size, size). The square begins `top` rows before
// it. `normalised` is float32 (3, 256): the value of each byte in each channel.
extern "C" __global__ void __launch_bounds__(THREADS)
    resize_down(const u32* narrow, int height, int top, u32 padding, const int* first,
                const int* weights, int taps, const float* normalised, float* values, int size) {
    await_inputs();
    const int i = blockIdx.x * THREADS + threadIdx.x;
    if (i >= size * size) return;
    const int x = i % size, y = i / size, begin = first[y] - top;
    Colour colour;
    for (int t = 0; t < taps; t++) {
        const int row = begin + t;
        colour.add(row >= 0 && row < height ? narrow[row * size + x] : padding, weights[t * size + y]);
    }
#pragma unroll
    for (int c = 0; c < 3; c++) values[c * size * size + i] = normalised[c * 256 + colour.byte(c)];
}
