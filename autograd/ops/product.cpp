#include "autograd/ops/product.h"

#include "autograd/kernels/scan.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/reduce.h"
#include "autograd/pointwise.h"

namespace tapegrad {
namespace ops {
namespace {

struct CumprodBackward {
  using Options = ScanOptions;
  static constexpr std::string_view
      name = "cumprod_backward",
      doc = "Σ_{k≥i} g_k·Π_{j≤k, j≠i} x_j along dim, by two scans and no division";
  static constexpr std::string_view operands[] = {"g", "x"};
  static void shape(Call& call) {
    call.require_floating(0);
    call.require_same_dtype(0, 1);
    resolve_dim(call, call.options<Options>().dim);
    if (!(call.shape(0) == call.shape(1))) call.shape_error("shapes differ");
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    const auto& options = call.options<Options>();
    const Along a = along(call.shape(0), resolve_dim(call, options.dim));
    kernels::running_product_backward(call.dtype(0), {a.outer, a.n, a.inner, options.reverse},
                                      call.data<void>(0), call.data<void>(1), call.out_data());
  }
  static Cost cost(const Call& call) {
    return {4.0 * static_cast<double>(call.numel(0)), 3.0 * static_cast<double>(call.in(0).bytes())};
  }
  static void vjp(Vjp& v) {
    // The gradient is before·s with before_i = Π_{j<i} x_j and s_i = g_i + x_{i+1}·s_{i+1}; order as in the
    // scan.
    const auto& options = v.options<Options>();
    const ScanOptions back{options.dim, !options.reverse};
    const Tensor x = v.input_tensor(1);
    const Tensor before = shifted(running_product(x, options), options, false, 1);
    const Tensor t = linear_scan(x, mul(v.g(), before), options);
    if (v.needs(0)) v.add(0, t);
    if (!v.needs(1)) return;
    const Tensor s = linear_scan(shifted(x, options, true, 0), v.input(0), back);
    const Tensor later = shifted(linear_scan(x, mul(v.g(), s), back), options, true, 0);
    v.add(1, add(mul(before, later), mul(s, shifted(t, options, false, 0))));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({512, 1000}), s.uniform({512, 1000}, 0.9, 1.1)}, Options{1});
    }
    s.add({s.normal({}), s.normal({})}, Options{0});
    s.add({s.normal({5}), s.normal({5})}, Options{-1});
    s.add({s.normal({3, 4}), s.normal({3, 4})}, Options{1, true});
    s.add({s.normal({2, 3, 4}), s.normal({2, 3, 4})}, Options{1});
    s.add({s.normal({5}), s.values({2.0, 0.0, 3.0, 0.0, 4.0})}, Options{0});
    s.add({s.normal({0, 4}), s.normal({0, 4})}, Options{1});
    s.add_error("shapes differ", {s.normal({3}), s.normal({4})}, Options{0});
  }
};

struct ProdBackward {
  static constexpr std::string_view name = "prod_backward",
                                    doc = "g·Π_{j≠i} x_j along dim 1 of three, by two scans and no division";
  static constexpr std::string_view operands[] = {"g", "x"};
  static void shape(Call& call) {
    call.require_floating(1);
    call.require_same_dtype(0, 1);
    if (call.rank(1) != 3) call.shape_error("expected x of three dimensions");
    const Shape x = call.shape(1);
    if (!(call.shape(0) == Shape{x[0], 1, x[2]})) call.shape_error("expected g of size 1 along dimension 1");
    call.output(call.dtype(1), x);
  }
  static void forward(Call& call) {
    const Shape x = call.shape(1);
    kernels::product_backward(call.dtype(1), {x[0], x[1], x[2], false}, call.data<void>(0),
                              call.data<void>(1), call.out_data());
  }
  static Cost cost(const Call& call) {
    return {4.0 * static_cast<double>(call.numel(1)), 2.0 * static_cast<double>(call.in(1).bytes())};
  }
  static void vjp(Vjp& v) {
    const Tensor& c = v.g();
    if (v.needs(0)) {
      const Tensor others = apply(v.op(), {ones(v.shape(0), v.dtype(0)), v.input(1)});
      v.add(0, sum(mul(c, others), Dims{1}, true));
    }
    if (!v.needs(1)) return;
    // Σ_{i≠k} c_i·Π_{j≠i,k} x_j, from what lies before k and what lies behind it.
    const ScanOptions there{1, false}, back{1, true};
    const Tensor x = v.input_tensor(1);
    const Tensor before = shifted(running_product(x, there), there, false, 1);
    const Tensor behind = shifted(running_product(x, back), back, false, 1);
    const Tensor sums_before = shifted(linear_scan(x, mul(c, before), there), there, false, 0);
    const Tensor sums_behind = shifted(linear_scan(x, mul(c, behind), back), back, false, 0);
    v.add(1, mul(v.input(0), add(mul(sums_before, behind), mul(before, sums_behind))));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({512, 1, 1}), s.uniform({512, 1000, 1}, 0.9, 1.1)});
    }
    s.add({s.normal({1, 1, 1}), s.normal({1, 1, 1})});
    s.add({s.normal({3, 1, 1}), s.normal({3, 5, 1})});
    s.add({s.normal({2, 1, 3}), s.normal({2, 4, 3})});
    s.add({s.normal({1, 1, 2}), s.values({{{2.0, 0.0}, {0.0, 0.0}, {3.0, 5.0}, {4.0, 7.0}}})});
    s.add({s.normal({2, 1, 2}), s.normal({2, 0, 2})});
    s.add_error("three dimensions", {s.normal({3, 1}), s.normal({3, 4})});
    s.add_error("size 1", {s.normal({3, 4, 1}), s.normal({3, 4, 1})});
  }
};

struct Prod : Reducing<kernels::Reduce::prod, true, true> {
  static constexpr std::string_view name = "prod", doc =
                                                       "Π x over dim, in float64; 1 for no elements; the "
                                                       "gradient is the product of the others, also where "
                                                       "some are 0";
  static void vjp(Vjp& v) {
    const JoinedDims joined(v.shape(0), v.options<Options>().dim);
    v.add(0, joined.restore(apply(op<ProdBackward>, {joined.join_reduced(v.g()), joined.join(v.input(0))})));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      for (const std::optional<Dims>& dim : {std::optional<Dims>(), {Dims{1}}, {Dims{0}}})
        s.add({s.uniform({512, 1000}, 0.9, 1.1)}, Options{dim, false});
      return;
    }
    cases(s, &Samples::normal);
    s.add({s.values({2.0, 0.0, 3.0})}, Options{});
    s.add({s.values({{2.0, 0.0, 3.0}, {0.0, 0.0, 4.0}, {0.0, 0.0, 0.0}})}, Options{Dims{1}, true});
    s.add_convention({.what = "the gradient at zeros is the product of the others",
                      .inputs = {s.values({{2, 0, 3}, {2, 0, 0}, {0, 0, 0}})},
                      .options = Options{Dims{1}, false},
                      .value = s.values({0, 0, 0}),
                      .gradients = {s.values({{0, 6, 0}, {0, 0, 0}, {0, 0, 0}})}});
    s.add_convention({.what = "of no elements: 1",
                      .inputs = {s.normal({0})},
                      .options = Options{},
                      .value = s.values(1),
                      .gradients = {s.normal({0})}});
  }
};

}  // namespace

Tensor running_product_backward(const Arg& g, const Arg& x, const ScanOptions& options) {
  return apply(op<CumprodBackward>, {g, x}, options);
}

std::span<const Op* const> product() {
  static constexpr const Op* kOps[] = {&op<Prod>, &op<ProdBackward>, &op<CumprodBackward>};
  return kOps;
}

}  // namespace ops

Tensor prod(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Prod>, {x}, ops::ReduceOptions{dim, keepdim});
}

}  // namespace tapegrad
