#pragma once

// What reductions share. Internal, not installed.

#include <optional>

#include "autograd/kernels/reduce.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/samples.h"

namespace tapegrad::ops {

struct ReduceOptions {
  std::optional<Dims> dim;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("keepdim", self.keepdim);
  }
};

// The kept and the reduced dims of x with their strides.
kernels::Reduction plan(const Shape& shape, const Dims& dims);

// The reduced dims of x joined to one: x as [outer, n, inner], permuted only where they are not neighbours.
class JoinedDims {
 public:
  JoinedDims(const Shape& x, const std::optional<Dims>& dim);
  // x, or another tensor of its shape.
  Tensor join(const Arg& x) const;
  // A result of the reduction, in either form, as [outer, 1, inner].
  Tensor join_reduced(const Arg& y) const;
  // Undoes join.
  Tensor restore(const Arg& joined) const;

 private:
  Shape shape_, permuted_;
  Dims order_, back_;  // empty where nothing is permuted
  int64_t outer_ = 1, n_ = 1, inner_ = 1;
};

// The parts of a reduction. Identity: it has a value for no elements. Integers: it takes int64 too.
template <kernels::Reduce Kind, bool Identity, bool Integers, class O = ReduceOptions>
struct Reducing {
  using Options = O;
  static constexpr std::string_view operands[] = {"x"};

  static void shape(Call& call) {
    if (!Integers || call.dtype(0) == DType::boolean) call.require_floating(0);
    const auto& options = call.options<Options>();
    const Shape x = call.shape(0);
    const Dims dims = resolve_dims(call, options.dim, x.rank());
    const Shape y = reduced_shape(x, dims, options.keepdim);
    if (!Identity && x.numel() == 0 && y.numel() > 0) {
      call.shape_error("no identity: the largest or smallest of no elements");
    }
    call.output(call.dtype(0), y);
  }
  static void reduce(Call& call, double parameter) {
    if (call.out().numel == 0) return;
    const Shape x = call.shape(0);
    const Dims dims = resolve_dims(call, call.options<Options>().dim, x.rank());
    kernels::reduce(Kind, call.dtype(0), plan(x, dims), call.data<void>(0), call.out_data(), parameter);
  }
  static void forward(Call& call) { reduce(call, 0); }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)), static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void cases(Samples& s, Tensor (Samples::*draw)(const Shape&), Options options = {}) {
    auto over = [&](std::optional<Dims> dim, bool keepdim = false) {
      options.dim = dim;
      options.keepdim = keepdim;
      return options;
    };
    if (s.benchmark()) {
      s.add({(s.*draw)({1 << 20})}, over({}));
      s.add({(s.*draw)({512, 1000})}, over(Dims{1}));
      s.add({(s.*draw)({512, 1000})}, over(Dims{0}));
      return;
    }
    s.add({(s.*draw)({})}, over({}));
    s.add({(s.*draw)({1})}, over({}));
    s.add({(s.*draw)({7})}, over(Dims{0}, true));
    s.add({(s.*draw)({3, 4})}, over({}));
    s.add({(s.*draw)({3, 4})}, over(Dims{1}));
    s.add({(s.*draw)({3, 4})}, over(Dims{-2}, true));
    s.add({(s.*draw)({2, 3, 4})}, over(Dims{0, 2}));
    s.add({(s.*draw)({2, 3, 4})}, over(Dims{1}));
    s.add({(s.*draw)({0, 3})}, over(Dims{1}));
    s.add_error("out of range", {(s.*draw)({3})}, over(Dims{1}));
    s.add_error("listed twice", {(s.*draw)({3, 2})}, over(Dims{1, -1}));
    if (!Identity) s.add_error("no identity", {(s.*draw)({0, 3})}, over(Dims{0}));
    if (Identity) s.add({(s.*draw)({0, 3})}, over(Dims{0}));
  }
  static void samples(Samples& s) { cases(s, &Samples::normal); }
};

}  // namespace tapegrad::ops
