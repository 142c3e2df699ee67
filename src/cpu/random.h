// Map: which types | uniform, normal | integers | bernoulli | other distributions | single draws
//
// Fills of contiguous buffers from a Generator: PyTorch's numbers, bit for bit, on every instruction set.
// Results do not depend on the thread count: generation is serial. A destination that is not contiguous is
// filled through a buffer, in memory order. Every function takes the generator's mutex but the single draws
// at the end.
//
// Where the C library's log, sin, cos and so on take part (everything but uniforms, integers, bernoulli and
// the float32 normal of 16 and more), the last bit is the C library's.
#pragma once

#include <cstdint>

#include "bolide/half.h"
#include "core/rng.h"

namespace bolide::random {

// T is one of float, double, Half, BFloat16 (complex: their real view).

// In [from, to]; float and double round the bounds to T first. Half and BFloat16 are drawn as float and
// rounded; what would round to `to` becomes `from`.
template <class T>
void uniform(Generator& generator, T* out, int64_t n, double from, double to);

// 16 and more values go the block way, fewer the scalar way. A destination that is not contiguous must use
// normal_scalar, whatever its size: the numbers differ.
template <class T>
void normal(Generator& generator, T* out, int64_t n, double mean, double std);
template <class T>
void normal_scalar(Generator& generator, T* out, int64_t n, double mean, double std);

// ---- integers: T is also bool, uint8_t, int8_t, int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_ ---

// base + (draw mod range); range 0 stands for 2^64. Draws of 64 bits from range 2^28 on.
template <class T>
void integers(Generator& generator, T* out, int64_t n, uint64_t range, int64_t base);

// random_(): all values of an integer type from 0 on, 0 ... 2^digits of a floating one.
template <class T>
void integers_full(Generator& generator, T* out, int64_t n);

// Bounds [from, to) moved inwards so that no rounding to T leaves them; integer types keep theirs.
struct Bounds {
  int64_t from, to;
};
template <class T>
Bounds fitting_bounds(int64_t from, int64_t to);

// A permutation of 0 ... n-1. T is any of the types above but bool.
template <class T>
void randperm(Generator& generator, T* out, int64_t n);

// ---- bernoulli -------------------------------------------------------------------------------

// `on` with probability p, else 0, any type of 1, 2, 4 or 8 bytes: masks, and dropout's noise already scaled.
template <class T>
void bernoulli(Generator& generator, T* out, int64_t n, double p, T on);

// One probability per element. P is float, double, Half or BFloat16; float64 takes 53-bit draws, the others
// 24.
template <class T, class P>
void bernoulli_each(Generator& generator, T* out, const P* p, int64_t n);

// ---- other distributions: T is float, double, Half, BFloat16; geometric also the integer types ---

template <class T>
void exponential(Generator& generator, T* out, int64_t n, double lambda);
template <class T>
void geometric(Generator& generator, T* out, int64_t n, double p);
template <class T>
void cauchy(Generator& generator, T* out, int64_t n, double median, double sigma);
template <class T>
void log_normal(Generator& generator, T* out, int64_t n, double mean, double std);

// One row of multinomial with replacement: `samples` categories drawn with the n probabilities, which need
// not sum to one (the caller has checked that they are finite, not negative and not all zero).
template <class P>
void multinomial_row(Generator& generator, const P* probabilities, int64_t n, int64_t* out, int64_t samples);

// ---- single draws: hold generator.mutex() -----------------------------------------------------

double sample_poisson(Generator& generator, double rate);
double sample_binomial(Generator& generator, double count, double p);
// The caller raises the result to the smallest normal number of its type. A float takes part as a float at
// first, which shows in the result.
double sample_gamma(Generator& generator, float alpha);
double sample_gamma(Generator& generator, double alpha);

}  // namespace bolide::random
