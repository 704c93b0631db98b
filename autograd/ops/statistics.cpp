// Variance and standard deviation.

#include <limits>

#include "autograd/kernels/center.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/reduce.h"
#include "autograd/pointwise.h"

namespace tapegrad {
namespace ops {
namespace {

struct SpreadOptions {
  std::optional<Dims> dim;
  int64_t correction = 1;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("correction", self.correction);
    f("keepdim", self.keepdim);
  }
};

struct Correction {
  int64_t correction = 1;
  static void fields(auto& self, auto&& f) { f("correction", self.correction); }
};

struct VarBackward {
  using Options = Correction;
  static constexpr std::string_view
      name = "var_backward",
      doc =
          "g·2(x − mean) / max(0, n − correction) along dim 1 of three; 0 where "
          "g is 0";
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
    if (x.numel() == 0) return;
    const auto n = static_cast<double>(x[1] - call.options<Options>().correction);
    kernels::scaled_offsets(call.dtype(1), call.data<void>(0), call.data<void>(1), 2 / std::max(0.0, n),
                            call.out_data(), x[0], x[1], x[2]);
  }
  static Cost cost(const Call& call) {
    return {3.0 * static_cast<double>(call.numel(1)), 2.0 * static_cast<double>(call.in(1).bytes())};
  }
  static void vjp(Vjp& v) {
    const auto& options = v.options<Options>();
    const Tensor& c = v.g();
    if (v.needs(0)) {
      const Tensor slope = apply(v.op(), {ones(v.shape(0), v.dtype(0)), v.input(1)}, options);
      v.add(0, sum(mul(c, slope), Dims{1}, true));
    }
    // Taking the mean away is symmetric.
    if (v.needs(1)) v.add(1, apply(v.op(), {v.input(0), c}, options));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({512, 1, 1}), s.normal({512, 1000, 1})}, Options{1});
      return s.add({s.normal({1, 1, 1000}), s.normal({1, 512, 1000})}, Options{1});
    }
    s.add({s.normal({1, 1, 1}), s.normal({1, 1, 1})}, Options{0});
    s.add({s.normal({3, 1, 1}), s.normal({3, 5, 1})}, Options{1});
    s.add({s.normal({2, 1, 3}), s.normal({2, 4, 3})}, Options{0});
    s.add({s.normal({2, 1, 3}), s.normal({2, 1, 3})}, Options{-1});
    s.add({s.normal({2, 1, 2}), s.normal({2, 0, 2})}, Options{1});
    s.add_error("three dimensions", {s.normal({3, 1}), s.normal({3, 4})}, Options{});
    s.add_error("size 1", {s.normal({3, 4, 1}), s.normal({3, 4, 1})}, Options{});
  }
};

Tensor var_backward(const Tensor& g, const Vjp& v) {
  const auto& options = v.options<SpreadOptions>();
  const JoinedDims joined(v.shape(0), options.dim);
  return joined.restore(apply(op<VarBackward>, {joined.join_reduced(g), joined.join(v.input(0))},
                              Correction{options.correction}));
}

template <kernels::Reduce Kind>
struct Spread : Reducing<Kind, true, false, SpreadOptions> {
  using Base = Reducing<Kind, true, false, SpreadOptions>;
  static void forward(Call& call) {
    Base::reduce(call, static_cast<double>(call.options<SpreadOptions>().correction));
  }
  static Cost cost(const Call& call) {
    Cost cost = Base::cost(call);
    cost.flops *= 4;
    return cost;
  }
  static void samples(Samples& s) {
    Base::cases(s, &Samples::normal, {{}, 0, false});
    if (s.benchmark()) return;
    s.add({s.normal({3, 4})}, SpreadOptions{});
    s.add({s.normal({5, 2})}, SpreadOptions{Dims{0}, 2, true});
    s.add({s.normal({2, 3, 2})}, SpreadOptions{Dims{0, 2}, 1, false});
    s.add({s.values({1e4, 1e4 + 1, 1e4 + 3})}, SpreadOptions{});
    const double nan = std::numeric_limits<double>::quiet_NaN();
    s.add_convention({.what = "of one element, correction 1: NaN, and so its gradient",
                      .inputs = {s.values({3})},
                      .options = SpreadOptions{},
                      .value = s.values(nan),
                      .gradients = {s.values({nan})}});
    s.add_convention({.what = "of one element, where the cotangent is 0: gradient 0",
                      .inputs = {s.values({3})},
                      .options = SpreadOptions{},
                      .value = s.values(nan),
                      .gradients = {s.values({0})},
                      .cotangent = s.values(0)});
    s.add_convention({.what = "of equal elements: 0 with gradient 0",
                      .inputs = {s.values({3, 3, 3})},
                      .options = SpreadOptions{},
                      .value = s.values(0),
                      .gradients = {s.values({0, 0, 0})}});
  }
};

struct Var : Spread<kernels::Reduce::var> {
  static constexpr std::string_view name = "var",
                                    doc =
                                        "Σ (x − mean)² / max(0, n − correction) over dim, without "
                                        "cancellation far from 0; NaN with NaN gradient where "
                                        "n = correction";
  static void vjp(Vjp& v) { v.add(0, var_backward(v.g(), v)); }
};

struct Std : Spread<kernels::Reduce::std> {
  static constexpr std::string_view name = "std",
                                    doc =
                                        "√var over dim; gradient 0 where all elements are equal, NaN where "
                                        "n = correction";
  static constexpr Flags flags = {.kinks = true};
  static void vjp(Vjp& v) {
    const Tensor y = v.output_tensor();
    const Tensor flat = eq(y.detach(), 0.0);
    const Tensor g = where(flat, 0.0, detail::pole_mul(v.g(), div(0.5, where(flat, 1.0, y))));
    v.add(0, var_backward(reshape(g, v.g().shape()), v));
  }
};

}  // namespace

std::span<const Op* const> statistics() {
  static constexpr const Op* kOps[] = {&op<Var>, &op<Std>, &op<VarBackward>};
  return kOps;
}

}  // namespace ops

Tensor var(const Arg& x, std::optional<Dims> dim, int64_t correction, bool keepdim) {
  return apply(op<ops::Var>, {x}, ops::SpreadOptions{dim, correction, keepdim});
}
Tensor std(const Arg& x, std::optional<Dims> dim, int64_t correction, bool keepdim) {
  return apply(op<ops::Std>, {x}, ops::SpreadOptions{dim, correction, keepdim});
}

}  // namespace tapegrad
