// Activations, clamp, rounding and logic beyond what the loops over all ops check: options on the short and
// on the long way through apply, int64 and bool, use inside formulas and as layers.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "autograd/pointwise.h"
#include "nn/activation.h"
#include "tests/support/op_function.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// Value and gradient of f at x under a signed cotangent.
template <class F>
std::vector<Tensor> value_and_gradient(const F& f, const Tensor& x) {
  Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor y = f(watched);
  const Gradients g = tape.gradient(y, Rng(3).normal({1}, x.dtype()) * ones(y.shape(), y.dtype()));
  return {y, g[watched]};
}

struct Mixed {
  static constexpr std::string_view name = "mixed", doc = "y = silu(x)·mish(x) + selu(x)";
  static auto f(auto x) {
    using namespace math;
    return silu(x) * mish(x) + selu(x);
  }
};

}  // namespace

TEST_CASE("autograd/activation: options count alike on small and on large tensors") {
  // Up to 256 elements go the short way, more the long one.
  const auto functions = {+[](const Tensor& x) { return leaky_relu(x, 0.25); },
                          +[](const Tensor& x) { return elu(x, 1.5); },
                          +[](const Tensor& x) { return softplus(x, 2, 3); },
                          +[](const Tensor& x) { return hardtanh(x, -0.5, 1.25); },
                          +[](const Tensor& x) { return clamp(x, {}, 0.75); }};
  for (DType dtype : {float32, float64}) {
    const Tensor x = Rng(1).uniform({4, 200}, -3, 3, dtype);
    for (const auto& f : functions) {
      const std::vector<Tensor> all = value_and_gradient(f, x);
      for (int64_t row = 0; row < 4; ++row) {
        const std::vector<Tensor> part = value_and_gradient(f, reshape(slice(x, 0, row, row + 1), {200}));
        for (size_t k = 0; k < all.size(); ++k) {
          CHECK(same_bits(part[k], reshape(slice(all[k], 0, row, row + 1), {200})));
        }
      }
    }
  }
}

TEST_CASE("autograd/activation: options reach the second derivative") {
  Tape tape;
  const Tensor x = tape.watch(tensor({-1.0, -0.25, 2.0}, float64));
  const Tensor c = tensor({1.0, -2.0, 3.0}, float64);
  const Tensor y = elu(x, 2) + softplus(x, 0.5, 3);
  const Tensor g = tape.gradient(y, c, {.differentiable = true})[x];
  const Tensor bend = tape.gradient(g, c)[x];
  for (size_t i = 0; i < 3; ++i) {
    const double v = x.data<double>()[i], s = 1 / (1 + std::exp(-0.5 * v)), w = c.data<double>()[i];
    const double want = w * w * ((v > 0 ? 0 : 2 * std::exp(v)) + 0.5 * s * (1 - s));
    CHECK(std::fabs(bend.data<double>()[i] - want) <= 1e-15 * std::fabs(want) * 8);
  }
}

TEST_CASE("autograd/activation: faulty options throw on every way, naming the line") {
  for (const Shape& shape : {Shape{3}, Shape{1000}}) {
    const Tensor x = ones(shape);
    CHECK_THROWS_AS(clamp(x), ArgumentError);
    const std::string text = message_of<ArgumentError>([&] { hardtanh(x, 2, 1); });
    CHECK(text.starts_with("[hardtanh] expected min_val ≤ max_val, given min_val 2 and max_val 1"));
    CHECK(text.find("activation_test.cpp:") != std::string::npos);
  }
}

TEST_CASE("autograd/activation: clamp of integers") {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();
  const Tensor x = tensor({-7, 0, 5, 9});
  CHECK(equal(clamp(x, -2, 5), tensor({-2, 0, 5, 5})));
  CHECK(equal(clamp(x, 1), tensor({1, 1, 5, 9})));
  CHECK(equal(clamp(x, {}, 1), tensor({-7, 0, 1, 1})));
  CHECK(equal(clamp(x, 4, 2), tensor({2, 2, 2, 2})));
  const Tensor ends = full({2}, 1, int64) * kMost;
  CHECK(equal(clamp(ends, 3), ends));
  CHECK(equal(clamp(full({2}, 1, int64) * kLeast, {}, 3), full({2}, 1, int64) * kLeast));
  CHECK_THROWS_AS(clamp(x, 0.5), DTypeError);
  CHECK_THROWS_AS(clamp(x, 0x1p53), DTypeError);  // no double tells 2^53 from 2^53 + 1
  CHECK_THROWS_AS(clamp(x, std::nan("")), DTypeError);
}

TEST_CASE("autograd/activation: relu6 is hardtanh from 0 to 6") {
  const Tensor x = tensor({-1.0, 0.0, 3.0, 6.0, 7.0});
  CHECK(equal(relu6(x), tensor({0.0, 0.0, 3.0, 6.0, 6.0})));
}

TEST_CASE("autograd/activation: integers are whole already") {
  const Tensor x = tensor({-7, 0, 5});
  for (const Tensor& y : {floor(x), ceil(x), round(x), trunc(x)}) CHECK(equal(y, x));
  CHECK(equal(isfinite(x), tensor({true, true, true})));
  CHECK(equal(isnan(x), tensor({false, false, false})));
}

TEST_CASE("autograd/activation: truth tables") {
  const Tensor a = tensor({false, false, true, true}), b = tensor({false, true, false, true});
  CHECK(equal(logical_not(a), tensor({true, true, false, false})));
  CHECK(equal(logical_and(a, b), tensor({false, false, false, true})));
  CHECK(equal(logical_or(a, b), tensor({false, true, true, true})));
  CHECK(equal(logical_xor(a, b), tensor({false, true, true, false})));
}

TEST_CASE("autograd/activation: inside a formula, to second order") {
  const Tensor x = Rng(4).uniform({40}, -3, 3, float64);
  const Tensor y = apply(op<Mixed>, {x});
  CHECK(allclose(y, silu(x) * mish(x) + selu(x), 1e-15, 1e-15));
  CHECK(gradcheck([&](std::span<const Tensor> v) { return apply(op<Mixed>, {v[0]}); }, {x}).ok());
  const Samples samples = samples_of(op<Mixed>);
  CHECK(gradcheck(op<Mixed>, samples.samples()[2], {.second_order = true}).ok());
}

TEST_CASE("autograd/activation: as activations of layers, found by name") {
  const Tensor x = Rng(5).uniform({20}, -8, 8);
  const std::pair<const nn::Activation*, Tensor> pairs[] = {
      {&nn::leaky_relu, leaky_relu(x)}, {&nn::elu, elu(x)},    {&nn::selu, selu(x)},
      {&nn::softplus, softplus(x)},     {&nn::silu, silu(x)},  {&nn::mish, mish(x)},
      {&nn::hardtanh, hardtanh(x)},     {&nn::relu6, relu6(x)}};
  for (const auto& [activation, want] : pairs) {
    CHECK(equal((*activation)(x), want));
    const nn::Activation* found = nn::find_activation(activation->name);
    REQUIRE(found != nullptr);
    CHECK(equal((*found)(x), want));
  }
}
