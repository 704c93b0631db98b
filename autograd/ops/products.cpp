#include <fmt/format.h>

#include "autograd/kernels/dot.h"
#include "autograd/kernels/gemm.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Products of fixed ranks.

namespace tapegrad {
namespace ops {
namespace {

void check_vectors(const Call& call) {
  call.require_same_dtype(0, 1);
  call.require_floating(0);
  if (call.rank(0) != 1 || call.rank(1) != 1) {
    call.shape_error(
        fmt::format("expected 1-d tensors, given {} and {} dimensions", call.rank(0), call.rank(1)));
  }
}

Cost product_cost(const Call& call, double flops) {
  return {flops, static_cast<double>(call.in(0).bytes() + call.in(1).bytes() + call.out().bytes())};
}

struct Bmm {
  static constexpr std::string_view name = "bmm",
                                    doc = "the matrix product of each pair: [b, n, k]·[b, k, m] → [b, n, m]";
  static constexpr std::string_view operands[] = {"a", "b"};
  static void shape(Call& call) {
    call.require_same_dtype(0, 1);
    call.require_floating(0);
    if (call.rank(0) != 3 || call.rank(1) != 3) {
      call.shape_error(
          fmt::format("expected 3-d tensors, given {} and {} dimensions", call.rank(0), call.rank(1)));
    }
    const Shape a = call.shape(0), b = call.shape(1);
    if (a[0] != b[0]) call.shape_error(fmt::format("batch sizes differ: {} and {}", a[0], b[0]));
    if (a[2] != b[1]) call.shape_error(fmt::format("inner dimensions differ: {} and {}", a[2], b[1]));
    call.output(call.dtype(0), checked_shape(call, {a[0], a[1], b[2]}));
  }
  static void forward(Call& call) {
    const Shape a = call.shape(0), b = call.shape(1);
    kernels::Gemm g{.m = a[1], .n = b[2], .k = a[2]};
    g.batch = a[0];
    g.stride_a = g.m * g.k;
    g.stride_b = g.k * g.n;
    g.stride_c = g.m * g.n;
    kernels::gemm(call.dtype(0), g, call.data<void>(0), call.data<void>(1), nullptr, call.out_data());
  }
  static Cost cost(const Call& call) {
    return product_cost(call,
                        2.0 * static_cast<double>(call.out().numel) * static_cast<double>(call.shape(0)[2]));
  }
  static void vjp(Vjp& v) {
    if (v.needs(0)) v.add(0, matmul(v.g(), v.input(1), false, true));
    if (v.needs(1)) v.add(1, matmul(v.input(0), v.g(), true, false));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({32, 64, 64}), s.normal({32, 64, 64})});
    s.add({s.normal({2, 3, 4}), s.normal({2, 4, 2})});
    s.add({s.normal({1, 1, 1}), s.normal({1, 1, 1})});
    s.add({s.normal({3, 2, 2}), s.normal({3, 2, 2})});
    s.add({s.normal({2, 3, 0}), s.normal({2, 0, 2})});
    s.add({s.normal({0, 3, 4}), s.normal({0, 4, 2})});
    s.add_error("batch sizes differ: 2 and 3", {s.normal({2, 3, 4}), s.normal({3, 4, 2})});
    s.add_error("inner dimensions differ: 4 and 5", {s.normal({2, 3, 4}), s.normal({2, 5, 2})});
    s.add_error("expected 3-d tensors, given 2 and 3", {s.normal({3, 4}), s.normal({2, 4, 2})});
  }
};

struct Outer {
  static constexpr std::string_view name = "outer", doc = "y[i][j] = a[i]·b[j]: [n], [m] → [n, m]";
  static constexpr std::string_view operands[] = {"a", "b"};
  static void shape(Call& call) {
    check_vectors(call);
    call.output(call.dtype(0), checked_shape(call, {call.numel(0), call.numel(1)}));
  }
  static void forward(Call& call) {
    const kernels::Gemm g{.m = call.numel(0), .n = call.numel(1), .k = 1};
    kernels::gemm(call.dtype(0), g, call.data<void>(0), call.data<void>(1), nullptr, call.out_data());
  }
  static Cost cost(const Call& call) { return product_cost(call, static_cast<double>(call.out().numel)); }
  static void vjp(Vjp& v) {
    if (v.needs(0)) v.add(0, matmul(v.g(), v.input(1)));
    if (v.needs(1)) v.add(1, matmul(v.input(0), v.g()));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024}), s.normal({1024})});
    s.add({s.normal({3}), s.normal({4})});
    s.add({s.normal({3}), s.normal({3})});
    s.add({s.normal({1}), s.normal({1})});
    s.add({s.normal({0}), s.normal({2})});
    s.add({s.normal({2}), s.normal({0})});
    s.add_error("expected 1-d tensors, given 2 and 1", {s.normal({2, 3}), s.normal({3})});
    s.add_error("expected 1-d tensors, given 1 and 0", {s.normal({3}), s.normal({})});
  }
};

struct Dot {
  static constexpr std::string_view
      name = "dot",
      doc = "Σ a[i]·b[i], 0 for no elements; off by at most (log₂ n + 8)·u·Σ|a[i]·b[i]|";
  static constexpr std::string_view operands[] = {"a", "b"};
  static void shape(Call& call) {
    check_vectors(call);
    if (call.numel(0) != call.numel(1)) {
      call.shape_error(fmt::format("sizes differ: {} and {}", call.numel(0), call.numel(1)));
    }
    call.output(call.dtype(0), Shape());
  }
  static void forward(Call& call) {
    kernels::dot(call.dtype(0), call.data<void>(0), call.data<void>(1), call.numel(0), call.out_data());
  }
  static Cost cost(const Call& call) { return product_cost(call, 2.0 * static_cast<double>(call.numel(0))); }
  static void vjp(Vjp& v) {
    if (v.needs(0)) v.add(0, mul(v.g(), v.input(1)));
    if (v.needs(1)) v.add(1, mul(v.g(), v.input(0)));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1 << 20}), s.normal({1 << 20})});
    s.add({s.normal({5}), s.normal({5})});
    s.add({s.normal({1}), s.normal({1})});
    s.add({s.normal({0}), s.normal({0})});
    s.add_error("sizes differ: 3 and 4", {s.normal({3}), s.normal({4})});
    s.add_error("expected 1-d tensors, given 2 and 2", {s.normal({2, 3}), s.normal({2, 3})});
  }
};

}  // namespace

std::span<const Op* const> products() {
  static constexpr const Op* kOps[] = {&op<Bmm>, &op<Outer>, &op<Dot>};
  return kOps;
}

}  // namespace ops

Tensor bmm(const Arg& a, const Arg& b) { return apply(op<ops::Bmm>, {a, b}); }
Tensor outer(const Arg& a, const Arg& b) { return apply(op<ops::Outer>, {a, b}); }
Tensor dot(const Arg& a, const Arg& b) { return apply(op<ops::Dot>, {a, b}); }

}  // namespace tapegrad
