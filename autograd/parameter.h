#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "autograd/tensor.h"

namespace tapegrad {

struct Op;

namespace detail {
struct Cell;
}

// A counted handle on a cell: the place where a value lives that changes over time. Copies share the cell;
// what optimisers and parameter lists hold.
class TAPEGRAD_API CellRef {
 public:
  CellRef() = default;
  CellRef(const CellRef& other);
  CellRef(CellRef&& other) noexcept : cell_(other.cell_) { other.cell_ = nullptr; }
  CellRef& operator=(CellRef other) noexcept;
  ~CellRef();

  bool defined() const { return cell_ != nullptr; }
  // Process-wide unique, never reused; 0 for an undefined handle.
  uint64_t id() const;
  // Counts the assignments so far.
  uint64_t version() const;
  // The present value as a constant snapshot: later assignments do not change it.
  Tensor value() const;
  // True if the value has x's shape and dtype.
  bool fits(const Tensor& x) const;
  // The name given, or "parameter 7" after the id.
  std::string_view name() const;
  bool named() const;
  void set_name(std::string_view name) const;
  // False for a buffer and for a frozen parameter: ops record it as a constant.
  bool requires_grad() const;
  // Freezes a parameter, or lets it learn again. A tape that saw it before keeps what it recorded. Throws
  // ArgumentError for a buffer.
  void requires_grad_(bool on = true) const;

  detail::Cell* handle() const { return cell_; }
  static CellRef adopt(detail::Cell* cell) {
    CellRef ref;
    ref.cell_ = cell;
    return ref;
  }
  static CellRef share(detail::Cell* cell);

 private:
  detail::Cell* cell_ = nullptr;
};

using ParameterList = std::vector<CellRef>;

// A trainable value. Moving a Parameter keeps its cell, copying one clones the value into a new cell with a
// new id, assigning copies into place. Used in an op while a tape records, it is tracked.
class TAPEGRAD_API Parameter {
 public:
  Parameter() = default;
  explicit Parameter(const Tensor& value, std::string_view name = {});  // throws DTypeError unless floating
  Parameter(const Parameter& other);
  Parameter(Parameter&&) noexcept = default;
  Parameter& operator=(const Parameter& other);
  Parameter& operator=(Parameter&& other) noexcept = default;
  // Writes a new value of the same shape and dtype; throws ShapeError or DTypeError otherwise.
  Parameter& operator=(const Tensor& value);
  ~Parameter() = default;

  // The present value; while a tape records on this thread, as a tracked leaf of that tape.
  operator Tensor() const;
  Tensor value() const { return cell_.value(); }
  Tensor detach() const { return cell_.value(); }
  DType dtype() const { return cell_.value().dtype(); }
  Shape shape() const { return cell_.value().shape(); }
  int64_t numel() const { return cell_.value().numel(); }
  bool defined() const { return cell_.defined(); }
  std::string_view name() const { return cell_.name(); }
  const CellRef& ref() const { return cell_; }

  // See CellRef. A frozen parameter gets no gradient, so no optimiser steps it; a copy of it is frozen too.
  bool requires_grad() const { return cell_.requires_grad(); }
  Parameter& requires_grad_(bool on = true) {
    cell_.requires_grad_(on);
    return *this;
  }
  // Makes this the same parameter as `other`, whose cell both then hold; its own is let go. Counted, learned
  // and saved once. A copy of either has a cell of its own again. Throws ShapeError or DTypeError when they
  // differ in shape or dtype.
  Parameter& tie(const Parameter& other);

 private:
  CellRef cell_;
};

// State that a layer carries and that gradients do not reach: running statistics, a dropout counter. Any
// dtype.
class TAPEGRAD_API Buffer {
 public:
  Buffer() = default;
  explicit Buffer(const Tensor& value, std::string_view name = {});
  Buffer(const Buffer& other);
  Buffer(Buffer&&) noexcept = default;
  Buffer& operator=(const Buffer& other);
  Buffer& operator=(Buffer&& other) noexcept = default;
  Buffer& operator=(const Tensor& value);
  ~Buffer() = default;

  operator Tensor() const { return cell_.value(); }
  Tensor value() const { return cell_.value(); }
  bool defined() const { return cell_.defined(); }
  std::string_view name() const { return cell_.name(); }
  const CellRef& ref() const { return cell_; }

 private:
  CellRef cell_;
};

// Writes `value` into the cell and raises its version. Snapshots taken before keep what they were.
// Throws ShapeError or DTypeError when value is not like what the cell holds, naming the caller's line.
TAPEGRAD_API void assign(const CellRef& cell, const Tensor& value, const char* file = __builtin_FILE(),
                         int line = __builtin_LINE());

}  // namespace tapegrad
