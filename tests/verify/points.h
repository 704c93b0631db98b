#pragma once

// Inputs at which pointwise functions are likely to be wrong, and random ones of every magnitude.

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tapegrad::verify {

// Operands of n calls: x[k][i] is operand k of call i.
template <class T>
struct Points {
  std::vector<T> x[2];
  size_t size() const { return x[0].size(); }
};

// Zeros, ends of the range, powers of two, multiples of π/2 and of ln 2, where results over- and underflow
// or saturate, integers and halves, and the neighbours of all these. A few thousand, without repetition.
template <class T>
const std::vector<T>& hard_values();

// hard_values and `random` others.
template <class T>
Points<T> unary_points(size_t random, uint64_t seed);

// A grid of awkward values by each other, and `random` pairs: of every magnitude, of like magnitude, close
// to each other, and such that a^b is in range.
template <class T>
Points<T> binary_points(size_t random, uint64_t seed);

// Every sign and exponent, infinities and NaN among them, with `mantissas` random mantissas each.
template <class T>
std::vector<T> every_exponent(size_t mantissas, uint64_t seed);

}  // namespace tapegrad::verify
