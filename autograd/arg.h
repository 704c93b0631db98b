#pragma once

#include <concepts>
#include <cstdint>

#include "autograd/error.h"
#include "autograd/parameter.h"
#include "autograd/tensor.h"

namespace tapegrad {

// One operand of an op: a tensor, a parameter or buffer, a plain number, or nothing. Converts from each of
// them and notes the user's source line on the way; it only borrows, so it does not outlive the call. A
// number takes the dtype of the tensors beside it and travels in the record, not as a tensor.
class Arg {
 public:
  enum class Kind : uint8_t { none, tensor, cell, real, integer, live };

  Arg() = default;
  // Field by field. Copied as a block, right after its fields were written one by one, it would stall.
  Arg(const Arg& other)
      : body_(other.body_), where_{other.where_.file, other.where_.line}, kind_(other.kind_) {}
  Arg& operator=(const Arg& other) {
    body_ = other.body_;
    where_.file = other.where_.file;
    where_.line = other.where_.line;
    kind_ = other.kind_;
    return *this;
  }
  Arg(const Tensor& t, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : body_(t.handle()), where_{file, line}, kind_(t.defined() ? Kind::tensor : Kind::none) {}
  Arg(const Parameter& p, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : cell_(p.ref().handle()), where_{file, line}, kind_(cell_ != nullptr ? Kind::cell : Kind::none) {}
  Arg(const Buffer& b, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : cell_(b.ref().handle()), where_{file, line}, kind_(cell_ != nullptr ? Kind::cell : Kind::none) {}
  Arg(const CellRef& c, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : cell_(c.handle()), where_{file, line}, kind_(cell_ != nullptr ? Kind::cell : Kind::none) {}
  template <std::floating_point T>
  Arg(T value, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : real_(static_cast<double>(value)), where_{file, line}, kind_(Kind::real) {}
  template <std::integral T>
  Arg(T value, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : integer_(static_cast<int64_t>(value)), where_{file, line}, kind_(Kind::integer) {}

  // A number that changes from step to step, such as a step size: read now, and by a Program at each run.
  static Arg live(const double* number, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    Arg arg;
    arg.live_ = number;
    arg.where_ = {file, line};
    arg.kind_ = Kind::live;
    return arg;
  }

  // An operand that some tape keeps alive.
  static Arg borrow(detail::Body* body, const SourceLine& where) {
    Arg arg;
    arg.body_ = body;
    arg.where_ = where;
    arg.kind_ = Kind::tensor;
    return arg;
  }

  Kind kind() const { return kind_; }
  bool is_literal() const { return kind_ >= Kind::real; }
  const SourceLine& where() const { return where_; }
  detail::Body* body() const { return body_; }
  detail::Cell* cell() const { return cell_; }
  double real() const {
    if (kind_ == Kind::real) return real_;
    return kind_ == Kind::integer ? static_cast<double>(integer_) : *live_;
  }
  // Where a live number is read; null for others.
  const double* live() const { return kind_ == Kind::live ? live_ : nullptr; }
  int64_t integer() const { return integer_; }

 private:
  union {
    detail::Body* body_ = nullptr;
    detail::Cell* cell_;
    double real_;
    int64_t integer_;
    const double* live_;
  };
  SourceLine where_;
  Kind kind_ = Kind::none;
};

}  // namespace tapegrad
