#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/copy.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Elements repeated.

namespace tapegrad {
namespace ops {
namespace {

struct Expand {
  struct Options {
    Dims shape;
    static void fields(auto& self, auto&& f) { f("shape", self.shape); }
  };
  static constexpr std::string_view name = "expand", doc = "x repeated to the shape that it broadcasts to";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    const Shape wanted = checked_shape(call, call.options<Options>().shape);
    const Shape x = call.shape(0);
    Shape joined;
    int axis = 0;
    if (!broadcast(x, wanted, joined, axis) || !(joined == wanted)) {
      call.shape_error(fmt::format("x does not broadcast to [{}]", fmt::join(wanted, ", ")));
    }
    if (x == wanted) return call.alias(0, x);
    call.output(call.dtype(0), wanted);
  }
  static void forward(Call& call) {
    if (call.out().owner != nullptr) return;  // the same shape: shared, nothing to copy
    const Shape y = call.out().shape();
    const Dims strides = broadcast_strides(call.shape(0), y);
    kernels::copy_strided(element_size(call.dtype(0)), call.data<void>(0), {strides.begin(), strides.end()},
                          {y.begin(), y.end()}, call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) { v.add(0, sum_to_size(v.g(), v.shape(0))); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1, 1024})}, Options{{1024, 1024}});
    s.add({s.normal({})}, Options{{2, 3}});
    s.add({s.normal({3})}, Options{{3}});
    s.add({s.normal({3, 1})}, Options{{2, 3, 4}});
    s.add({s.normal({1, 3})}, Options{{0, 3}});
    s.add_error("x does not broadcast to [2]", {s.normal({3})}, Options{{2}});
    s.add_error("x does not broadcast to [3]", {s.normal({2, 3})}, Options{{3}});
    s.add_error("negative size -1", {s.normal({3})}, Options{{2, -1}});
    s.add_error("overflow", {s.normal({1})}, Options{{int64_t{1} << 40, int64_t{1} << 40}});
  }
};

struct RepeatInterleave {
  struct Options {
    int64_t repeats = 1;
    std::optional<int64_t> dim;
    static void fields(auto& self, auto&& f) {
      f("repeats", self.repeats);
      f("dim", self.dim);
    }
  };
  static constexpr std::string_view name = "repeat_interleave",
                                    doc =
                                        "each slice along dim `repeats` times, one after the other; dim "
                                        "absent: each element of x flattened";
  static constexpr std::string_view operands[] = {"x"};
  // x as [outer, n, inner], the repeats going between n and inner.
  static Along parts(const Shape& x, const std::optional<int64_t>& dim) {
    if (!dim) return {1, x.numel(), 1};
    return along(x, static_cast<int>(*dim < 0 ? *dim + std::max(1, x.rank()) : *dim));
  }
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    if (o.repeats < 0) call.argument_error(fmt::format("expected repeats >= 0, given {}", o.repeats));
    Dims y = call.shape(0);
    int at = 0;
    if (o.dim) at = resolve_dim(call, *o.dim);
    if (!o.dim || y.empty()) y = {call.numel(0)};
    if (__builtin_mul_overflow(y[at], o.repeats, &y[at])) call.shape_error("element count: overflow");
    call.output(call.dtype(0), checked_shape(call, y));
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    const Along a = parts(call.shape(0), o.dim);
    const int64_t sizes[] = {a.outer, a.n, o.repeats, a.inner};
    const int64_t strides[] = {a.n * a.inner, a.inner, 0, 1};
    kernels::copy_strided(element_size(call.dtype(0)), call.data<void>(0), strides, sizes, call.out_data());
  }
  static Cost cost(const Call& call) {
    return {0, static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Along a = parts(v.shape(0), o.dim);
    v.add(0, reshape(sum(reshape(v.g(), {a.outer, a.n, o.repeats, a.inner}), Dims{2}), v.shape(0)));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({512, 1024})}, Options{2, 0});
      s.add({s.normal({512, 1024})}, Options{2, 1});
      return;
    }
    s.add({s.normal({})}, Options{3, {}});
    s.add({s.normal({})}, Options{2, 0});
    s.add({s.normal({4})}, Options{1, 0});
    s.add({s.normal({2, 3})}, Options{2, {}});
    s.add({s.normal({2, 3})}, Options{3, 0});
    s.add({s.normal({2, 3, 2})}, Options{2, -2});
    s.add({s.normal({2, 3})}, Options{0, 1});
    s.add({s.normal({0, 3})}, Options{2, 1});
    s.add_error("expected repeats >= 0, given -1", {s.normal({3})}, Options{-1, 0});
    s.add_error("dimension 1 is out of range", {s.normal({3})}, Options{2, 1});
    s.add_error("overflow", {s.normal({3})}, Options{int64_t{1} << 62, 0});
  }
};

}  // namespace

std::span<const Op* const> repeat() {
  static constexpr const Op* kOps[] = {&op<Expand>, &op<RepeatInterleave>};
  return kOps;
}

}  // namespace ops

Tensor expand(const Arg& x, const Dims& shape) {
  return apply(op<ops::Expand>, {x}, ops::Expand::Options{shape});
}
Tensor repeat_interleave(const Arg& x, int64_t repeats, std::optional<int64_t> dim) {
  return apply(op<ops::RepeatInterleave>, {x}, ops::RepeatInterleave::Options{repeats, dim});
}

}  // namespace tapegrad
