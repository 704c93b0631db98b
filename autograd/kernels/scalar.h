#pragma once

// Pointwise kernels beside those of lanes.h: integers, comparisons, choices, logic and conversions. Written
// in plain C++, and most of them on vector lanes too (scalar_lanes.h), with the same results to the bit.
// Internal, not installed.

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "autograd/dtype.h"
#include "autograd/kernels/lanes.h"

namespace tapegrad::kernels {

// Each is a LaneKernel; a bool is one byte, and a result is 0 or 1.
enum class Scalar : uint8_t {
  // int64; results wrap around modulo 2^64
  add,
  sub,
  mul,
  neg,
  abs,
  sign,
  square,
  maximum,
  minimum,
  identity,
  clamp,  // (x, min, max): min(max(x, min), max)
  // every dtype: (T, T) → bool; with a NaN only `ne` holds
  eq,
  ne,
  lt,
  le,
  gt,
  ge,
  // every dtype: (bool, T, T) → T, the second operand where the first holds
  where,
  // every dtype: T → bool
  isnan,
  isinf,
  isfinite,
  // bool
  logical_not,
  logical_and,
  logical_or,
  logical_xor,

  count
};

inline constexpr size_t kScalars = static_cast<size_t>(Scalar::count);

// Whether there is a kernel for operands of that dtype.
constexpr bool scalar_takes(Scalar which, DType dtype) {
  if (which < Scalar::eq) return dtype == DType::int64;
  if (which >= Scalar::logical_not) return dtype == DType::boolean;
  return true;
}

namespace detail {

// Calls the kernel; there must be one.
void run_scalar(Scalar which, DType dtype, const void* const* in, const int64_t* step, void* out, int64_t n);

template <size_t Which, size_t Type>
void scalar_entry(const void* const* in, const int64_t* step, void* out, int64_t n) {
  run_scalar(static_cast<Scalar>(Which), static_cast<DType>(Type), in, step, out, n);
}

template <size_t Which, size_t... Type>
constexpr std::array<LaneKernel, kDTypes> scalar_row(std::index_sequence<Type...>) {
  return {(scalar_takes(static_cast<Scalar>(Which), static_cast<DType>(Type)) ? &scalar_entry<Which, Type>
                                                                              : nullptr)...};
}
template <size_t... Which>
constexpr std::array<std::array<LaneKernel, kDTypes>, kScalars> scalar_rows(std::index_sequence<Which...>) {
  return {scalar_row<Which>(std::make_index_sequence<kDTypes>{})...};
}
inline constexpr auto kScalarKernels = scalar_rows(std::make_index_sequence<kScalars>{});

}  // namespace detail

// The kernel for operands of that dtype, or null.
constexpr LaneKernel scalar_kernel(Scalar which, DType dtype) {
  return detail::kScalarKernels[static_cast<size_t>(which)][static_cast<size_t>(dtype)];
}

// The one in plain C++.
LaneKernel plain_scalar_kernel(Scalar which, DType dtype);

// Converts n elements as a C++ cast does: float64 to float32 rounds to nearest and overflows to ±inf,
// floating point to int64 drops the fraction, anything but 0 becomes true. Returns false if a value is NaN or
// outside the range of int64 where that is wanted; 0 is stored in its place.
bool cast(DType from, const void* in, DType to, void* out, int64_t n);
// The same in plain C++, on one thread.
bool plain_cast(DType from, const void* in, DType to, void* out, int64_t n);

// Sets n elements to `value`, converted as `cast` does from float64; false under the same condition.
bool fill(DType dtype, double value, void* out, int64_t n);

}  // namespace tapegrad::kernels
