#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace tapegrad {

// A number of the language, which becomes an element.
template <class N>
concept Number = std::is_arithmetic_v<N>;

// What the elements of a tensor are. Dtypes never mix silently: an op on two of them throws a DTypeError.
enum class DType : uint8_t { float32, float64, int64, boolean };

inline constexpr int kDTypes = 4;
inline constexpr DType float32 = DType::float32;
inline constexpr DType float64 = DType::float64;
inline constexpr DType int64 = DType::int64;
inline constexpr DType boolean = DType::boolean;

namespace detail {
inline constexpr size_t kElementSizes[kDTypes] = {4, 8, 8, 1};  // out here: within, each call would build it
}

// Bytes of one element; a boolean is one byte, 0 or 1.
constexpr size_t element_size(DType dtype) { return detail::kElementSizes[static_cast<int>(dtype)]; }

constexpr bool is_floating(DType dtype) { return dtype == DType::float32 || dtype == DType::float64; }

// "float32", "float64", "int64", "bool".
constexpr std::string_view name(DType dtype) {
  constexpr std::string_view kNames[kDTypes] = {"float32", "float64", "int64", "bool"};
  return kNames[static_cast<int>(dtype)];
}

// The dtype that stores C++ type T (float, double, int64_t or bool).
template <class T>
constexpr DType dtype_of() = delete;
template <>
constexpr DType dtype_of<float>() {
  return DType::float32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::float64;
}
template <>
constexpr DType dtype_of<int64_t>() {
  return DType::int64;
}
template <>
constexpr DType dtype_of<bool>() {
  return DType::boolean;
}

}  // namespace tapegrad
