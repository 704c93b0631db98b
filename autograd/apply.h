#pragma once

#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string_view>
#include <vector>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/op.h"
#include "autograd/options.h"

namespace tapegrad {

namespace detail {
class PlannedCall;
}

// The one door: checks the operands, asks the shape rule for the outputs, allocates them, runs the kernel,
// and records the op if a tape records on this thread and an operand is tracked. A trailing Arg{} is an
// operand left out. Returns the first output. Throws the errors of the op's shape rule, and a GraphError when
// an operand was recorded on another live tape.
TAPEGRAD_API Tensor apply(const Op& op, std::span<const Arg> inputs, OptionsRef options = {});
inline Tensor apply(const Op& op, std::initializer_list<Arg> inputs, OptionsRef options = {}) {
  return apply(op, std::span<const Arg>(inputs.begin(), inputs.size()), options);
}

// The same, with every output.
TAPEGRAD_API std::vector<Tensor> apply_all(const Op& op, std::span<const Arg> inputs,
                                           OptionsRef options = {});
inline std::vector<Tensor> apply_all(const Op& op, std::initializer_list<Arg> inputs,
                                     OptionsRef options = {}) {
  return apply_all(op, std::span<const Arg>(inputs.begin(), inputs.size()), options);
}

// Runs the op, unrecorded, and writes its output into the cell: in place for a pointwise op when only the
// cell holds its memory. How optimisers step.
TAPEGRAD_API void update(const CellRef& cell, const Op& op, std::initializer_list<Arg> inputs,
                         OptionsRef options = {});
// The same with several outputs, the first into the first cell and so on; in place also for an op with the
// flag in_place. Nothing is written unless all of them fit.
TAPEGRAD_API void update(std::span<const CellRef> cells, const Op& op, std::span<const Arg> inputs,
                         OptionsRef options = {});

// What one call would cost; runs the shape rule and not the kernel. Throws as the call would.
TAPEGRAD_API Cost cost_of(const Op& op, std::span<const Tensor> inputs, OptionsRef options = {});

// While it lives, every op on this thread reports one source line: a layer's caller instead of the layer. The
// outermost one holds unless `force`.
class TAPEGRAD_API CallSite {
 public:
  explicit CallSite(const SourceLine& where, bool force = false);
  explicit CallSite(const Arg& x) : CallSite(x.where()) {}
  ~CallSite();
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;

  // The line that ops report now, for errors of who holds it.
  const SourceLine& where() const;

 private:
  SourceLine saved_;
};

// One op that is being run: what its shape rule, cost and forward kernel see. A literal operand appears as a
// 0-d tensor of its neighbours' dtype.
class TAPEGRAD_API Call {
 public:
  const Op& op() const { return *op_; }
  const SourceLine& where() const { return where_; }

  int inputs() const { return inputs_; }
  const detail::Body& in(int i) const { return *in_[i]; }
  DType dtype(int i) const { return in_[i]->dtype; }
  int rank(int i) const { return in_[i]->rank; }
  Shape shape(int i) const { return in_[i]->shape(); }
  int64_t numel(int i) const { return in_[i]->numel; }
  // True for a number, which appears as a 0-d tensor.
  bool literal(int i) const { return args_[i].is_literal(); }
  template <class T>
  const T* data(int i) const {
    return static_cast<const T*>(in_[i]->data);
  }
  template <class O>
  const O& options() const {
    return *static_cast<const O*>(options_.data);
  }

  const void* option_data() const { return options_.data; }

  bool same_shape(int i, int j) const {
    const detail::Body &a = in(i), &b = in(j);
    if (a.rank != b.rank) return false;
    for (int d = 0; d < a.rank; ++d) {
      if (a.dims()[d] != b.dims()[d]) return false;
    }
    return true;
  }

  // For shape rules: the outputs in order. `alias` declares one that shares the memory of an input.
  void output(DType dtype, std::span<const int64_t> dims, int64_t numel);
  void output(DType dtype, const Shape& shape) { output(dtype, {shape.begin(), shape.end()}, shape.numel()); }
  // One of input i's shape.
  void output_like(DType dtype, int i) { output(dtype, {in(i).dims(), in(i).rank}, in(i).numel); }
  void alias(int input, const Shape& shape);

  int outputs() const { return outputs_; }
  const detail::Body& out(int k = 0) const { return *out_[k]; }
  template <class T = void>
  T* out_data(int k = 0) const {
    return static_cast<T*>(out_[k]->data);
  }

  // A dimension counted from the end if negative; throws IndexError outside `rank`.
  int dim(int64_t dim, int rank) const;
  // Throw an error that names the op, `what`, every operand and the source line.
  [[noreturn]] void shape_error(std::string_view what) const;
  [[noreturn]] void dtype_error(std::string_view what) const;
  [[noreturn]] void index_error(std::string_view what) const;
  [[noreturn]] void argument_error(std::string_view what) const;
  // DTypeError unless the operand is float32 or float64.
  void require_floating(int i) const;
  // DTypeError unless both operands have one dtype.
  void require_same_dtype(int i, int j) const;

 private:
  friend class Invocation;
  friend class detail::PlannedCall;
  Call() = default;
  void push(detail::Body* body);
  std::string word(std::string_view what) const;

  const Op* op_;
  OptionsRef options_;
  SourceLine where_;
  const detail::Body** in_;
  const Arg* args_;
  int inputs_;
  int outputs_ = 0;
  int out_capacity_;
  detail::Body** out_;
  detail::Body* inline_out_[4];
  std::span<const CellRef> into_;  // cells whose memory the outputs may take
  bool headers_only_ = false;      // outputs get no memory for elements
};

}  // namespace tapegrad
