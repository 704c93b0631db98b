#include <limits>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

struct Erf : LaneOp<Erf, formula::Erf, Lane::erf, Lane::erf_backward> {
  static constexpr std::string_view doc = "y = 2/√π·∫₀ˣ e^(−t²) dt";
  static constexpr Ulp ulp = {0.75, 2.25};
};
struct Erfc : LaneOp<Erfc, formula::Erfc, Lane::erfc, Lane::erfc_backward> {
  static constexpr std::string_view doc = "y = 1 − erf x, with all its digits down to denormal numbers";
  static constexpr Ulp ulp = {0.55, 4};
};

struct GeluOptions {
  Approximate approximate = Approximate::none;
  static void fields(auto& self, auto&& f) { f("approximate", self.approximate); }
};

// Kernels of gelu read which form as one more number, see number_options.
template <Lane None, Lane Tanh, size_t Operands, class E>
void gelu_kernel(const void* const* in, const int64_t* step, void* out, int64_t n) {
  const bool tanh = *static_cast<const E*>(in[Operands]) != 0;
  (tanh ? lane_kernel<Tanh, E> : lane_kernel<None, E>)(in, step, out, n);
}
template <Lane None, Lane Tanh, size_t Operands>
struct GeluParts : PointwiseParts {
  using Options = GeluOptions;
  static constexpr int numbers = 1;
  static bool number_options(const Options& options, double* to) {
    to[0] = options.approximate == Approximate::tanh;
    return true;
  }
  static constexpr std::array<PointwiseKernel, kDTypes> kernels = {&gelu_kernel<None, Tanh, Operands, float>,
                                                                   &gelu_kernel<None, Tanh, Operands, double>,
                                                                   nullptr, nullptr};
};

constexpr Approximate kForms[] = {Approximate::none, Approximate::tanh};

// The second derivative of gelu, which is 0 to the last denormal number from 40 on.
Tensor gelu_bend(const Tensor& input, Approximate form) {
  const Tensor far = abs(input) >= 40.0;
  const Tensor x = where(far, 0.0, input);
  const Tensor square = x * x;
  if (form == Approximate::none)  // φ(x)·(2 − x²)
    return where(far, 0.0, exp(square * -0.5) * (2.0 - square) * 0.39894228040143267794);
  // x·σ(v) twice, with v = 2√(2/π)·(x + 0.044715·x³).
  constexpr double kC0 = 1.5957691216057307117, kC1 = kC0 * 0.044715;
  const Tensor v = x * (square * kC1 + kC0);
  const Tensor v1 = square * (3 * kC1) + kC0;
  const Tensor s = sigmoid(v), r = sigmoid(-v);
  return where(far, 0.0, s * r * (2.0 * v1 + x * (x * (6 * kC1) + (r - s) * v1 * v1)));
}

struct GeluBackward : GeluParts<Lane::gelu_backward, Lane::gelu_tanh_backward, 2> {
  static constexpr std::string_view name = "gelu_backward", doc = "g times the derivative";
  static constexpr std::string_view operands[] = {"g", "x"};
  static void vjp(Vjp& v) {
    const Options& options = v.options<Options>();
    if (v.needs(0)) v.add(0, apply(v.op(), {v.g(), v.input(1)}, options));
    if (v.needs(1)) v.add(1, mul(mul(v.g(), v.input(0)), gelu_bend(v.input_tensor(1), options.approximate)));
  }
  static void samples(Samples& s) {
    for (Approximate form : kForms) {
      const Options options{form};
      if (s.benchmark()) {
        s.add({s.normal({1 << 20}), s.normal({1 << 20})}, options);
        continue;
      }
      for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{0, 2}, Shape{2, 1, 300}})
        s.add({s.normal(shape), s.uniform(shape, -0.5, 3)}, options);  // not where the two terms cancel
      s.add({s.normal({4}), s.values({-3.0, -2.0, -1.25, -1.0})}, options);
    }
    if (!s.benchmark()) s.add_error("do not broadcast", {s.normal({4}), s.normal({3})});
  }
};

struct Gelu : GeluParts<Lane::gelu, Lane::gelu_tanh, 1> {
  static constexpr std::string_view
      name = "gelu",
      doc =
          "y = x·Φ(x), Φ(x) = erfc(−x/√2)/2; approximate = tanh: x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2. "
          "−0 at −inf; gradients −0 at −inf and 1 at inf";
  static constexpr Ulp ulp = {0.55, 4};
  static constexpr std::string_view operands[] = {"x"};
  static void vjp(Vjp& v) { v.add(0, apply(op<GeluBackward>, {v.g(), v.input(0)}, v.options<Options>())); }
  static void samples(Samples& s) {
    for (Approximate form : kForms) {
      const Options options{form};
      if (s.benchmark()) {
        s.add({s.normal({1024})}, options);
        s.add({s.normal({1 << 20})}, options);
        continue;
      }
      for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{0, 2}, Shape{2, 1, 300}})
        s.add({s.uniform(shape, -3, 3)}, options);
      s.add_convention({.what = "−0 at −inf, and the limits of the gradient",
                        .inputs = {s.values({-kInf, kInf, -0.0})},
                        .options = OptionsRef(options),
                        .value = s.values({-0.0, kInf, -0.0}),
                        .gradients = {s.values({-0.0, 1.0, 0.5})}});
    }
    if (!s.benchmark()) s.add_error("use cast", {zeros({3}, boolean)});
  }
};

}  // namespace

std::span<const Op* const> error_function() {
  static constexpr const Op* kOps[] = {
      &op<Erf>, &op<Erfc>, &op<Gelu>, &op<Erf::BackwardOp<0>>, &op<Erfc::BackwardOp<0>>, &op<GeluBackward>};
  return kOps;
}

}  // namespace ops

Tensor erf(const Arg& x) { return apply(op<ops::Erf>, {x}); }
Tensor erfc(const Arg& x) { return apply(op<ops::Erfc>, {x}); }
Tensor gelu(const Arg& x, Approximate approximate) {
  return apply(op<ops::Gelu>, {x}, ops::GeluOptions{approximate});
}

}  // namespace tapegrad
