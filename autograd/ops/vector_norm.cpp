// Norms of vectors.

#include <cmath>
#include <limits>

#include "autograd/ops/groups.h"
#include "autograd/ops/reduce.h"
#include "autograd/pointwise.h"

namespace tapegrad {
namespace ops {
namespace {

struct NormOptions {
  double p = 2;
  std::optional<Dims> dim;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("p", self.p);
    f("dim", self.dim);
    f("keepdim", self.keepdim);
  }
};

// r·|r|^(p − 2) of a whole p ≥ 3, by multiplications.
Tensor whole_slope(const Tensor& r, double p) {
  const bool odd = std::fmod(p, 2) != 0;
  Tensor slope = odd ? mul(r, abs(r)) : r;
  for (double left = p - (odd ? 3 : 2); left > 0; left -= 2) slope = mul(slope, square(r));
  return slope;
}

struct Norm : Reducing<kernels::Reduce::norm, true, false, NormOptions> {
  static constexpr std::string_view
      name = "norm",
      doc =
          "(Σ |x|^p)^(1/p) over dim, scaled so that only the result can over- or underflow; p = 0 counts "
          "what is not 0, p = ±inf gives the largest or smallest magnitude; gradient 0 at the zero vector "
          "and, for p < 1, at an element 0; ties at ±inf share it evenly";
  static constexpr Flags flags = {.kinks = true};

  static void shape(Call& call) {
    const double p = call.options<Options>().p;
    if (std::isnan(p)) call.argument_error("p is NaN");
    Reducing::shape(call);
    if ((p < 0 || std::isinf(p)) && call.numel(0) == 0) {
      const Shape y =
          reduced_shape(call.shape(0), resolve_dims(call, call.options<Options>().dim, call.rank(0)),
                        call.options<Options>().keepdim);
      if (y.numel() > 0) call.shape_error("no identity: the largest or smallest of no elements");
    }
  }
  static void forward(Call& call) { reduce(call, call.options<Options>().p); }
  static Cost cost(const Call& call) {
    Cost cost = Reducing::cost(call);
    cost.flops *= 2;
    return cost;
  }

  static void vjp(Vjp& v) {
    const auto& [p, dim, keepdim] = v.options<Options>();
    const Shape shape = v.shape(0);
    if (p == 0 || shape.numel() == 0) return v.add(0, zeros(shape, v.dtype(0)));
    const Tensor x = v.input_tensor(0);
    const Tensor g = unreduce(v.g(), shape, dim);
    if (p == 1) return v.add(0, mul(g, sign(x)));
    const Tensor y = unreduce(v.output(), shape, dim);
    if (std::isinf(p)) {
      const Tensor hit = cast(eq(abs(x.detach()), y.detach()), v.dtype(0));
      return v.add(0, mul(g, mul(sign(x), div(hit, sum(hit, dim, true)))));
    }
    // With 1 for a norm of 0 nothing is divided by 0, here or in a derivative of this.
    const Tensor none = eq(y.detach(), 0.0);
    const Tensor size = where(none, 1.0, y);
    const Tensor reaches = where(none, 0.0, g);
    if (p == 2) return v.add(0, mul(reaches, div(x, size)));
    if (p >= 3 && p <= 8 && p == std::trunc(p)) return v.add(0, mul(reaches, whole_slope(div(x, size), p)));
    Tensor ratio = div(abs(x), size);
    if (p > 1) return v.add(0, mul(reaches, mul(sign(x), pow(ratio, p - 1))));
    ratio = where(eq(x.detach(), 0.0), 1.0, ratio);
    v.add(0, mul(reaches, mul(sign(x), pow(ratio, p - 1))));
  }

  static void samples(Samples& s) {
    cases(s, &Samples::normal);
    const double inf = std::numeric_limits<double>::infinity();
    if (s.benchmark()) {
      for (double p : {1.0, inf, 3.0}) s.add({s.normal({1 << 20})}, Options{p, {}, false});
      return;
    }
    for (double p : {0.0, 1.0, 1.5, 3.0, 4.0, 7.0, 0.5, -1.0, -2.0}) {
      s.add({s.normal({3, 4})}, Options{p, {}, false});
      s.add({s.normal({2, 3, 4})}, Options{p, Dims{0, 2}, true});
    }
    for (double p : {inf, -inf}) {
      s.add({s.distinct({5})}, Options{p, {}, false});
      s.add({s.distinct({3, 4})}, Options{p, Dims{0}, false});
      s.add_error("no identity", {s.normal({0})}, Options{p, {}, false});
    }
    for (double p : {2.0, 1.0, inf, 0.5}) {
      s.add_convention({.what = "gradient 0 at the zero vector",
                        .inputs = {s.values({0, 0})},
                        .options = Options{p, {}, false},
                        .value = s.values(0),
                        .gradients = {s.values({0, 0})}});
    }
    s.add_convention({.what = "p = inf: a tie shares the gradient evenly, each with its sign",
                      .inputs = {s.values({-4, 1, 4, 2})},
                      .options = Options{inf, {}, false},
                      .value = s.values(4),
                      .gradients = {s.values({-0.5, 0, 0.5, 0})}});
    s.add_convention({.what = "of no elements: 0",
                      .inputs = {s.normal({0})},
                      .options = Options{},
                      .value = s.values(0),
                      .gradients = {s.normal({0})}});
    s.add_error("p is NaN", {s.normal({2})}, Options{std::numeric_limits<double>::quiet_NaN(), {}, false});
  }
};

}  // namespace

std::span<const Op* const> vector_norm() {
  static constexpr const Op* kOps[] = {&op<Norm>};
  return kOps;
}

}  // namespace ops

Tensor norm(const Arg& x, double p, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Norm>, {x}, ops::NormOptions{p, dim, keepdim});
}

}  // namespace tapegrad
