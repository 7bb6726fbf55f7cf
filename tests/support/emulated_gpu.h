// What the kernels of core/llava/kernels need of CUDA, for a C++ compiler: a block's threads are
// contexts of one thread, which take turns wherever they wait for one another. Blocks run one after
// the other. Built by emulated_kernels.py.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <ucontext.h>

using std::max;
using std::min;

#define __device__
#define __global__
#define __forceinline__ inline
#define __shared__ static
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

typedef unsigned int word;
struct uint2 { word x, y; };
struct alignas(16) uint4 { word x, y, z, w; };
struct alignas(16) float4 { float x, y, z, w; };
static uint2 make_uint2(word x, word y) { return {x, y}; }
static uint4 make_uint4(word x, word y, word z, word w) { return {x, y, z, w}; }

struct Place { int x, y, z; };
Place threadIdx, blockIdx, gridDim, blockDim;

// ---- threads that take turns

struct Meeting {
    int expected, arrived = 0, number = 0;
    void wait();
    void leave() {
        if (--expected > 0 && arrived == expected) arrived = 0, number++;
    }
};

const int MOST_THREADS = 1024, WARP_SIZE = 32, STACK = 1 << 17;
ucontext_t scheduler, contexts[MOST_THREADS];
bool is_over[MOST_THREADS];
int current;
Meeting whole, warps[MOST_THREADS / WARP_SIZE];
void (*kernel)();
static char stacks[MOST_THREADS * STACK];

void Meeting::wait() {
    const int before = number;
    if (++arrived == expected) {
        arrived = 0, number++;
        return;
    }
    while (number == before) swapcontext(&contexts[current], &scheduler);
}

void thread() {
    kernel();
    is_over[current] = true;
    warps[current / WARP_SIZE].leave();
    whole.leave();
}

void run(int x, int y, int z, int threads, void (*function)()) {
    gridDim = {x, y, z}, blockDim = {threads, 1, 1}, kernel = function;
    for (int block = 0; block < x * y * z; block++) {
        blockIdx = {block % x, block / x % y, block / x / y};
        whole = {threads};
        for (int i = 0; i < threads; i++) {
            if (i % WARP_SIZE == 0) warps[i / WARP_SIZE] = {WARP_SIZE};
            is_over[i] = false;
            getcontext(&contexts[i]);
            contexts[i].uc_stack.ss_sp = &stacks[(size_t)i * STACK];
            contexts[i].uc_stack.ss_size = STACK;
            contexts[i].uc_link = &scheduler;
            makecontext(&contexts[i], thread, 0);
        }
        for (int left = threads; left > 0;)
            for (int i = left = 0; i < threads; i++)
                if (!is_over[i]) {
                    current = i, threadIdx = {i, 0, 0};
                    swapcontext(&scheduler, &contexts[i]);
                    left += !is_over[i];
                }
    }
}

static void __syncthreads() { whole.wait(); }
static void __threadfence() {}
static int atomicAdd(int* sum, int more) { return (*sum += more) - more; }

// ---- between the lanes of a warp

word given[MOST_THREADS];

static word exchanged(word mine, int lane) {
    const int first = current / WARP_SIZE * WARP_SIZE;
    given[current] = mine;
    warps[current / WARP_SIZE].wait();
    const word theirs = given[first + lane % WARP_SIZE];
    warps[current / WARP_SIZE].wait();
    return theirs;
}

static float __uint_as_float(word x) {
    float y;
    memcpy(&y, &x, 4);
    return y;
}

static word __float_as_uint(float x) {
    word y;
    memcpy(&y, &x, 4);
    return y;
}

static word __shfl_sync(word, word x, int lane) { return exchanged(x, lane); }
static float __shfl_sync(word, float x, int lane) {
    return __uint_as_float(exchanged(__float_as_uint(x), lane));
}
static float __shfl_xor_sync(word mask, float x, int step) {
    return __shfl_sync(mask, x, threadIdx.x % WARP_SIZE ^ step);
}

word fragments[MOST_THREADS][6];

// mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32, by the fragments of the PTX manual.
static void multiply_integers(int* c, const word* a, word b0, word b1) {
    const int lane = current % WARP_SIZE, first = current - lane, group = lane / 4, t = lane % 4;
    memcpy(fragments[current], a, 16);
    fragments[current][4] = b0, fragments[current][5] = b1;
    warps[current / WARP_SIZE].wait();
    for (int i = 0; i < 4; i++) {
        const int row = group + i / 2 * 8, column = 2 * t + i % 2;
        for (int k = 0; k < 32; k++) {
            const int half = k / 16, owner = k % 16 / 4, shift = k % 4 * 8;
            const word* left = fragments[first + row % 8 * 4 + owner];
            const word* right = fragments[first + column * 4 + owner];
            c[i] += (signed char)(left[2 * half + row / 8] >> shift) *
                    (signed char)(right[4 + half] >> shift);
        }
    }
    warps[current / WARP_SIZE].wait();
}

// ---- numbers

static word __byte_perm(word a, word b, word selected) {
    unsigned char bytes[8];
    memcpy(bytes, &a, 4), memcpy(bytes + 4, &b, 4);
    word out = 0;
    for (int i = 0; i < 4; i++) out |= (word)bytes[selected >> 4 * i & 7] << 8 * i;
    return out;
}

static int __float2int_rn(float x) {
    if (std::isnan(x)) return 0;
    return (int)std::clamp((double)std::nearbyint(x), -2147483648.0, 2147483647.0);
}

static float divided(float a, float b) { return a / b; }
#define __fdividef divided
#define __expf std::exp

static float rsqrtf(float x) { return 1 / std::sqrt(x); }

// A number of float16, and the nearest number of float16.
static double from_float16(unsigned short x) {
    const int exponent = x >> 10 & 31, mantissa = x & 1023;
    const double sign = x >> 15 ? -1 : 1;
    if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
    return sign * std::ldexp(exponent ? mantissa + 1024 : mantissa, std::max(exponent, 1) - 25);
}

static unsigned short rounded_to_float16(double x) {
    const unsigned short sign = std::signbit(x) << 15;
    if (std::isnan(x)) return 0x7fff;
    const double size = std::abs(x);
    if (size >= 65520) return sign | 0x7c00;
    const int exponent = std::max(size > 0 ? std::ilogb(size) : -14, -14);
    // The mantissa carries over into the exponent where it is rounded up to the next power of two.
    const int mantissa = (int)std::nearbyint(std::ldexp(size, 10 - exponent));
    return sign | (((exponent + 14) << 10) + mantissa);
}

// A float of 8 bits, e4m3.
static double from_e4m3(unsigned char x) {
    const int exponent = x >> 3 & 15, mantissa = x & 7;
    if ((x & 127) == 127) return NAN;
    return (x >> 7 ? -1 : 1) * std::ldexp(exponent ? mantissa + 8 : mantissa, std::max(exponent, 1) - 10);
}

static unsigned char rounded_to_e4m3(float x) {
    const unsigned char sign = std::signbit(x) << 7;
    if (std::isnan(x)) return 0x7f;
    const double size = std::min(std::abs((double)x), 448.0);
    const int exponent = std::max(size > 0 ? std::ilogb(size) : -6, -6);
    return sign | (((exponent + 6) << 3) + (int)std::nearbyint(std::ldexp(size, 3 - exponent)));
}

static unsigned short rounded_to_bfloat16(float x) {
    word bits = __float_as_uint(x);
    if (std::isnan(x)) return 0x7fff;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}
