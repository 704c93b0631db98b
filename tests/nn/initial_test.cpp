#include "nn/initial.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "tests/nn/moments.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::test;
namespace init = tapegrad::nn::init;
using tapegrad::testing::message_of;

namespace {

const Shape kShape{300, 700};
constexpr double kCount = 300 * 700;

double largest(const Tensor& x) { return amax(abs(x)).item(); }

// How far the rows (or columns, where those are fewer) are from length `gain` and right angles.
double skew(const Tensor& x, double gain) {
  const Tensor m = reshape(x, {x.size(0), -1});
  const bool wide = m.size(0) <= m.size(1);
  const Tensor gram = matmul(m, m, !wide, wide);
  return largest(gram - init::eye(gram.shape(), x.dtype()) * (gain * gain));
}

}  // namespace

TEST_CASE("nn/initial: fans count what goes in and out, windows included") {
  CHECK(init::fans({3, 5}).in == 5);
  CHECK(init::fans({3, 5}).out == 3);
  CHECK(init::fans({3, 5, 2, 7}).in == 70);
  CHECK(init::fans({3, 5, 2, 7}).out == 42);
}

TEST_CASE("nn/initial: gains are PyTorch's") {
  for (const char* name : {"linear", "identity", "sigmoid"}) CHECK(init::calculate_gain(name) == 1);
  CHECK(init::calculate_gain("tanh") == 5.0 / 3);
  CHECK(init::calculate_gain("relu") == std::sqrt(2.0));
  CHECK(init::calculate_gain("selu") == 0.75);
  CHECK(init::calculate_gain("leaky_relu") == std::sqrt(2 / (1 + 0.01 * 0.01)));
  CHECK(init::calculate_gain("leaky_relu", 0.5) == std::sqrt(1.6));
}

TEST_CASE("nn/initial: uniform and Gaussian values have the bounds, means and variances they should") {
  Rng rng{1};
  check_uniform(moments(init::uniform(kShape, rng, -2, 5, float64)), -2, 5, kCount);
  check_moments(moments(init::normal(kShape, rng, 3, 0.5, float64)), 3, 0.25, 3, kCount);
  // Gain 3, with fans 700 and 300.
  const double x = 3 * std::sqrt(6.0 / 1000);
  check_uniform(moments(init::xavier_uniform(kShape, rng, 3, float64)), -x, x, kCount);
  check_moments(moments(init::xavier_normal(kShape, rng, 3, float64)), 0, 9 * 2.0 / 1000, 3, kCount);
  const double k = 5.0 / 3 * std::sqrt(3.0 / 300);
  check_uniform(moments(init::kaiming_uniform(kShape, rng, {0, init::Fan::out, "tanh"}, float64)), -k, k,
                kCount);
  check_moments(moments(init::kaiming_normal(kShape, rng, {1}, float64)), 0, 1.0 / 700, 3, kCount);
  const double l = std::sqrt(3.0 / 700);
  check_uniform(moments(init::lecun_uniform(kShape, rng, float64)), -l, l, kCount);
  check_moments(moments(init::lecun_normal(kShape, rng, float64)), 0, 1.0 / 700, 3, kCount);
}

TEST_CASE("nn/initial: the truncated normal stays inside, with the moments of what is left") {
  // Of z cut to [a, b]: with Z = Φ(b) − Φ(a), mean m = (φ(a) − φ(b))/Z, variance 1 + (aφ(a) − bφ(b))/Z − m².
  const auto phi = [](double z) { return std::exp(-z * z / 2) / std::sqrt(2 * 3.14159265358979323846); };
  const auto area = [](double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); };
  struct Cut {
    double a, b;
  };
  for (const Cut& cut : {Cut{-2, 2}, Cut{-1, 3}, Cut{0.5, 4}, Cut{-3, -1}, Cut{6, 8}}) {
    CAPTURE(cut.a);
    const double z = cut.a > 0 ? area(-cut.a) - area(-cut.b) : area(cut.b) - area(cut.a);
    const double m = (phi(cut.a) - phi(cut.b)) / z;
    const double v = 1 + (cut.a * phi(cut.a) - cut.b * phi(cut.b)) / z - m * m;
    Rng rng{2};
    // Mean 5, standard deviation 2.
    const Moments drawn =
        moments(init::trunc_normal(kShape, rng, 5, 2, 5 + 2 * cut.a, 5 + 2 * cut.b, float64));
    CHECK(drawn.low >= 5 + 2 * cut.a);
    CHECK(drawn.high <= 5 + 2 * cut.b);
    check_moments(drawn, 5 + 2 * m, 4 * v, 10, kCount);
  }
}

TEST_CASE("nn/initial: orthogonal rows or columns to 1e-12") {
  for (const Shape& shape : {Shape{1, 1}, Shape{4, 4}, Shape{70, 33}, Shape{33, 70}, Shape{5, 3, 4},
                             Shape{200, 200}, Shape{1, 9}, Shape{9, 1}}) {
    Rng rng{3};
    const Tensor q = init::orthogonal(shape, rng, 1, float64);
    CHECK(q.shape() == shape);
    CHECK(skew(q, 1) <= 1e-12);
    CHECK(skew(init::orthogonal(shape, rng, 2.5, float64), 2.5) <= 1e-12 * 2.5 * 2.5);
    // Elements are rounded once, so a sum of n squares is off by n·2⁻²⁴ of at most 1, and some more.
    CHECK(skew(init::orthogonal(shape, rng), 1) <= 2e-5);
  }
  Rng rng{4};
  CHECK(init::orthogonal({0, 3}, rng).shape() == Shape{0, 3});
  // Uniformly distributed: the sign of the first element is no convention of the method.
  int positive = 0;
  for (int i = 0; i < 200; ++i)
    positive += init::orthogonal({3, 3}, rng, 1, float64)[0][0].item() > 0 ? 1 : 0;
  CHECK(std::abs(positive - 100) <= 5 * 7.1);  // five standard deviations of 200 fair coins
}

TEST_CASE("nn/initial: eye and sparse") {
  CHECK(equal(init::eye({2, 3}), tensor({{1.0, 0.0, 0.0}, {0.0, 1.0, 0.0}})));
  Rng rng{5};
  const Tensor x = init::sparse({10, 2000}, rng, 0.25, 0.5, float64);
  const Tensor zeros_in_column = sum(cast(eq(x, 0.0), int64), Dims{0});
  CHECK(equal(zeros_in_column, cast(full({2000}, 3, float64), int64)));  // 2.5 rounded up
  const Moments m = moments(x);
  check_moments({m.mean, m.variance, m.low, m.high}, 0, 0.7 * 0.25, 3 / 0.7, 20000);
  // The zeros are spread evenly: each of the rows has 600 of them, with variance 2000·0.3·0.7.
  const Tensor in_row = sum(cast(eq(x, 0.0), int64), Dims{1});
  for (int64_t count : in_row.to_vector<int64_t>()) CHECK(std::abs(count - 600) <= 5 * std::sqrt(420.0));
  CHECK(largest(init::sparse({3, 3}, rng, 1)) == 0);
}

TEST_CASE("nn/initial: the same seed gives the same values, and float32 those of float64 rounded") {
  const auto all = [](uint64_t seed, DType dtype) {
    Rng rng{seed};
    const Shape s{4, 6};
    return std::vector<Tensor>{init::uniform(s, rng, 0, 1, dtype),
                               init::normal(s, rng, 0, 1, dtype),
                               init::trunc_normal(s, rng, 0, 1, -2, 2, dtype),
                               init::xavier_uniform(s, rng, 1, dtype),
                               init::kaiming_uniform(s, rng, {}, dtype),
                               init::lecun_uniform(s, rng, dtype),
                               init::orthogonal(s, rng, 1, dtype),
                               init::sparse(s, rng, 0.5, 1, dtype)};
  };
  const auto a = all(7, float64), b = all(7, float64), c = all(8, float64), single = all(7, float32);
  for (size_t i = 0; i < a.size(); ++i) {
    CHECK(equal(a[i], b[i]));
    CHECK_FALSE(equal(a[i], c[i]));
    CHECK(equal(cast(a[i], float32), single[i]));
  }
}

TEST_CASE("nn/initial: what makes no sense is said") {
  Rng rng{6};
  CHECK(message_of<ArgumentError>([] { init::calculate_gain("tahn"); }) ==
        "[calculate_gain] unknown nonlinearity 'tahn', did you mean 'tanh'?");
  CHECK(message_of<ArgumentError>([&] {
          init::kaiming_normal({2, 2}, rng, {0, init::Fan::in, "rleu"});
        }) == "[calculate_gain] unknown nonlinearity 'rleu', did you mean 'relu'?");
  CHECK(message_of<ShapeError>([&] { init::xavier_normal({3}, rng); }) ==
        "[xavier_normal] expected at least two dimensions, given shape [3]");
  CHECK(message_of<ShapeError>([&] {
          init::eye({3, 3, 3});
        }) == "[eye] expected a matrix, given shape [3, 3, 3]");
  CHECK(message_of<DTypeError>([&] {
          init::orthogonal({3, 3}, rng, 1, int64);
        }) == "[orthogonal] expected float32 or float64, given int64");
  CHECK(message_of<ArgumentError>([&] {
          init::orthogonal({3, 3}, rng, -1);
        }) == "[orthogonal] gain must be finite and at least 0, given -1");
  CHECK(message_of<ArgumentError>([&] { init::normal({3}, rng, 0, NAN); }) ==
        "[normal] std must be finite and at least 0, given nan");
  CHECK(message_of<ArgumentError>([&] { init::uniform({3}, rng, 1, 0); }) ==
        "[uniform] expected finite a ≤ b, given a = 1, b = 0");
  CHECK(message_of<ArgumentError>([&] { init::trunc_normal({3}, rng, 0, 1, 2, 2); }) ==
        "[trunc_normal] expected a < b with values between them, given a = 2, b = 2, mean = 0, std = 1");
  CHECK(message_of<ArgumentError>([&] {
          init::sparse({3, 3}, rng, 1.5);
        }) == "[sparse] sparsity must be in [0, 1], given 1.5");
}
