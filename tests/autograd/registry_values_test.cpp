// Values of every op over its samples: float64 kernels against plain loops, float32 kernels against float64
// ones.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/support/nearness.h"
#include "tests/support/op_function.h"
#include "tests/support/reference.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

void compare(const Op& op, const Tensor& y, const Array& expected, DType dtype) {
  REQUIRE(y.shape() == expected.shape);
  const Array got = array_of(y);
  double scale = 1;
  for (double e : expected.v) scale = std::isfinite(e) ? std::max(scale, std::fabs(e)) : scale;
  const bool pointwise = is_held_by_element(op, dtype);
  for (size_t i = 0; i < got.v.size(); ++i) {
    INFO("element " << i << ": " << got[i] << ", expected " << expected[i]);
    if (same_special(got[i], expected[i])) continue;
    const double allowed =
        pointwise ? kPointwiseUlp * last_place(expected[i], dtype) : kRoundings * last_place(scale, dtype);
    CHECK(std::fabs(got[i] - expected[i]) <= (is_floating(y.dtype()) ? allowed : 0));
  }
}

std::vector<Array> arrays_of(std::span<const Tensor> tensors) {
  std::vector<Array> arrays;
  for (const Tensor& x : tensors) arrays.push_back(array_of(x));
  return arrays;
}

}  // namespace

TEST_CASE("autograd/registry_values: float64 against plain loops") {
  for (const Op* op : all_ops()) {
    INFO(std::string(op->name));
    const Samples samples = samples_of(*op);
    size_t compared = 0;
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const Sample& sample = samples.samples()[i];
      INFO("sample " << i);
      std::vector<Array> expected;
      REQUIRE_MESSAGE(
          reference(op->name, arrays_of(sample.inputs), fields_of(*op, sample.options.ref()), expected),
          std::string(op->name) << " has no reference");
      const std::vector<Tensor> got = run(*op, sample.inputs, sample.options.ref());
      REQUIRE(got.size() == expected.size());
      for (size_t k = 0; k < got.size(); ++k) {
        compare(*op, got[k], expected[k], float64);
        compared += static_cast<size_t>(got[k].numel());
      }
    }
    CHECK(compared > 0);
  }
}

TEST_CASE("autograd/registry_values: float32 kernels against float64 ones") {
  for (const Op* op : all_ops()) {
    if (op->name == "cast" || op->name == "assign") continue;  // bound to the dtype that their options name
    INFO(std::string(op->name));
    const Samples samples = samples_of(*op, float32);
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const Sample& sample = samples.samples()[i];
      INFO("sample " << i);
      std::vector<Tensor> wide;
      for (const Tensor& x : sample.inputs) wide.push_back(x.dtype() == float32 ? cast(x, float64) : x);
      const std::vector<Tensor> narrow_result = run(*op, sample.inputs, sample.options.ref());
      const std::vector<Tensor> wide_result = run(*op, wide, sample.options.ref());
      REQUIRE(narrow_result.size() == wide_result.size());
      for (size_t k = 0; k < narrow_result.size(); ++k) {
        if (is_floating(wide_result[k].dtype())) CHECK(narrow_result[k].dtype() == float32);
        compare(*op, narrow_result[k], array_of(wide_result[k]), float32);
      }
    }
  }
}

TEST_CASE("autograd/registry_values: integers") {
  const Tensor a = tensor({7, -3, 0, 9});
  const Tensor b = tensor({2, 5, -4, 9});
  CHECK(equal(a + b, tensor({9, 2, -4, 18})));
  CHECK(equal(a - b, tensor({5, -8, 4, 0})));
  CHECK(equal(a * b, tensor({14, -15, 0, 81})));
  CHECK(equal(-a, tensor({-7, 3, 0, -9})));
  CHECK(equal(maximum(a, b), tensor({7, 5, 0, 9})));
  CHECK(equal(minimum(a, b), tensor({2, -3, -4, 9})));
  CHECK(equal(abs(a), tensor({7, 3, 0, 9})));
  CHECK(equal(sign(a), tensor({1, -1, 0, 1})));
  CHECK(equal(square(a), tensor({49, 9, 0, 81})));
  CHECK(equal(sum(a), full({}, 13, int64)));
  CHECK(equal(a < b, tensor({false, true, false, false})));
  CHECK(equal(a >= 7, tensor({true, false, false, true})));
  CHECK(equal(where(a > b, a, b), tensor({7, 5, 0, 9})));
  CHECK_THROWS_AS(where(a > b, 1, 0), DTypeError);  // two numbers alone have no dtype
}

TEST_CASE("autograd/registry_values: casts") {
  CHECK(equal(cast(tensor({1.9, -1.9, 0.0}), int64), tensor({1, -1, 0})));
  CHECK(equal(cast(tensor({0.0, 2.5, -1.0}), boolean), tensor({false, true, true})));
  CHECK(equal(cast(tensor({true, false}), float32), tensor({1.0, 0.0})));
  CHECK(equal(cast(tensor({3, -4}), float64), tensor({3, -4}, float64)));
  CHECK(std::isinf(cast(full({}, 1e300, float64), float32).item<float>()));
  for (double bad : {1e19, -1e19, std::nan(""), HUGE_VAL}) {
    CHECK_THROWS_AS(cast(full({}, bad, float64), int64), ArgumentError);
  }
}

TEST_CASE("autograd/registry_values: sums of many elements") {
  const Tensor tenth = full({10'000'000}, 0.1f);
  const double exact = 10'000'000 * static_cast<double>(0.1f);
  CHECK(std::fabs(sum(tenth).item() - exact) <= 1e-6 * exact);
  CHECK(std::fabs(mean(tenth).item() - static_cast<double>(0.1f)) <= 1e-6 * static_cast<double>(0.1f));
}
