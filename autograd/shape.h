#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>

#include "autograd/export.h"

namespace tapegrad {

inline constexpr int kMaxRank = 8;

// A short list of integers kept in place: dimensions, sizes, shifts. At most kMaxRank of them, of any sign.
class TAPEGRAD_API Dims {
 public:
  constexpr Dims() = default;
  // Throws ShapeError beyond kMaxRank entries.
  Dims(std::initializer_list<int64_t> values)
      : Dims(std::span<const int64_t>(values.begin(), values.size())) {}
  explicit Dims(std::span<const int64_t> values);

  int size() const { return size_; }
  bool empty() const { return size_ == 0; }
  int64_t operator[](int i) const { return values_[i]; }
  int64_t& operator[](int i) { return values_[i]; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + size_; }
  // Throws ShapeError when kMaxRank entries are there already.
  void push_back(int64_t value);
  void insert(int at, int64_t value);
  void erase(int at);
  bool contains(int64_t value) const;
  bool operator==(const Dims& other) const;

 protected:
  int64_t values_[kMaxRank] = {};
  int32_t size_ = 0;
};

// The sizes of a tensor along its dimensions, row-major; {} is a single number (0-d).
// Every size is >= 0 and the number of elements fits in 63 bits.
class TAPEGRAD_API Shape : public Dims {
 public:
  Shape() = default;
  // Throws ShapeError on a negative size, more than kMaxRank dimensions or an overflowing element count.
  Shape(std::initializer_list<int64_t> sizes)
      : Shape(std::span<const int64_t>(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes);
  explicit Shape(const Dims& sizes) : Shape(std::span<const int64_t>(sizes.begin(), sizes.end())) {}

  int rank() const { return size_; }
  int64_t numel() const;
};

// The shape that two operands broadcast to (numpy's rule): aligned at the last dimension, sizes equal or 1.
// Returns false, and leaves `result` alone, when they do not fit; `axis` is then the dimension from the end
// (1-based).
TAPEGRAD_API bool broadcast(const Shape& a, const Shape& b, Shape& result, int& axis);

// Row-major strides in elements, with stride 0 where a dimension of `from` is repeated to reach `to`.
// `from` must broadcast to `to`.
TAPEGRAD_API Dims broadcast_strides(const Shape& from, const Shape& to);

}  // namespace tapegrad
