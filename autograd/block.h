#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "autograd/dtype.h"
#include "autograd/export.h"
#include "autograd/op.h"

namespace tapegrad {

namespace detail {
// The kernel of a pointwise op of the library, by name. Throws DTypeError if the op does not take the dtype.
TAPEGRAD_API PointwiseKernel pointwise_kernel(std::string_view op, DType dtype);
}  // namespace detail

// Up to 256 elements of one operand, in L1: what a pointwise formula computes with. Every operator is one
// call of the library's own vector kernel, so a user's formula needs no compiler flags to be fast.
template <class E>
class Block {
 public:
  static constexpr int64_t kSize = 256;

  // A view of `count` elements, or of one value for all of them (step 0).
  Block(const E* data, int64_t step, int64_t count) : data_(data), step_(step), count_(count) {}
  Block(double value) : data_(own_), step_(0), count_(0) { own_[0] = static_cast<E>(value); }
  Block(const Block& other) : data_(other.data_), step_(other.step_), count_(other.count_) {
    if (other.data_ != other.own_) return;
    data_ = own_;
    std::memcpy(own_, other.own_, step_ == 0 ? sizeof(E) : static_cast<size_t>(count_) * sizeof(E));
  }
  Block& operator=(const Block& other) {
    if (this == &other) return *this;
    new (this) Block(other);
    return *this;
  }

  const E* data() const { return data_; }
  int64_t step() const { return step_; }
  int64_t count() const { return count_; }

  // f of the operands, by the kernel of a pointwise op. R is the element of the result.
  template <class R = E, class... Blocks>
  static Block<R> call(PointwiseKernel kernel, const Blocks&... operands) {
    const void* in[] = {operands.data()...};
    const int64_t step[] = {operands.step()...};
    int64_t count = 0;
    ((count = operands.count() > count ? operands.count() : count), ...);
    Block<R> result(typename Block<R>::Uninitialised{}, count);
    kernel(in, step, result.own_, count > 0 ? count : 1);  // a formula of numbers alone gives one
    return result;
  }

  friend Block operator+(const Block& a, const Block& b) { return binary<0>(a, b); }
  friend Block operator-(const Block& a, const Block& b) { return binary<1>(a, b); }
  friend Block operator*(const Block& a, const Block& b) { return binary<2>(a, b); }
  friend Block operator/(const Block& a, const Block& b) { return binary<3>(a, b); }
  friend Block operator-(const Block& a) {
    static const PointwiseKernel kernel = detail::pointwise_kernel("neg", dtype_of<E>());
    return call(kernel, a);
  }
  friend Block<bool> operator<(const Block& a, const Block& b) { return compare<0>(a, b); }
  friend Block<bool> operator<=(const Block& a, const Block& b) { return compare<1>(a, b); }
  friend Block<bool> operator>(const Block& a, const Block& b) { return compare<2>(a, b); }
  friend Block<bool> operator>=(const Block& a, const Block& b) { return compare<3>(a, b); }
  friend Block<bool> eq(const Block& a, const Block& b) { return compare<4>(a, b); }
  // Chooses by the condition; the side not chosen has no influence, not even a NaN.
  friend Block where(const Block<bool>& condition, const Block& a, const Block& b) {
    static const PointwiseKernel kernel = detail::pointwise_kernel("where", dtype_of<E>());
    return call(kernel, condition, a, b);
  }

 private:
  template <class>
  friend class Block;
  struct Uninitialised {};
  Block(Uninitialised, int64_t count) : data_(own_), step_(count > 0), count_(count) {}

  template <int K>
  static Block binary(const Block& a, const Block& b) {
    static constexpr std::string_view kNames[] = {"add", "sub", "mul", "div"};
    static const PointwiseKernel kernel = detail::pointwise_kernel(kNames[K], dtype_of<E>());
    return call(kernel, a, b);
  }
  template <int K>
  static Block<bool> compare(const Block& a, const Block& b) {
    static constexpr std::string_view kNames[] = {"lt", "le", "gt", "ge", "eq"};
    static const PointwiseKernel kernel = detail::pointwise_kernel(kNames[K], dtype_of<E>());
    return call<bool>(kernel, a, b);
  }

  const E* data_;
  int64_t step_;
  int64_t count_;
  alignas(64) E own_[kSize];
};

}  // namespace tapegrad
