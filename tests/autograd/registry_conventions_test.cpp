// Every op's conventions at kinks, ties and poles, as its samples state them: value and gradients, to the
// bit; any NaN equals any other.

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

template <class E>
bool same_elements(const Tensor& a, const Tensor& b) {
  const auto x = a.data<E>(), y = b.data<E>();
  for (size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) != std::isnan(y[i])) return false;
    if (!std::isnan(x[i]) && !(x[i] == y[i] && std::signbit(x[i]) == std::signbit(y[i]))) return false;
  }
  return true;
}

bool same(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  if (a.dtype() == float32) return same_elements<float>(a, b);
  if (a.dtype() == float64) return same_elements<double>(a, b);
  return same_bits(a, b);
}

}  // namespace

TEST_CASE("autograd/registry_conventions: values and gradients are as stated") {
  size_t points = 0;
  for (const Op* op : all_ops()) {
    for (DType dtype : {float32, float64}) {
      const Samples samples = samples_of(*op, dtype);
      for (const Convention& point : samples.conventions()) {
        INFO(std::string(op->name) << ": " << std::string(point.what));
        Tape tape;
        const std::vector<Tensor> inputs = watch_all(tape, point.inputs);
        const Tensor y = run(*op, inputs, point.options.ref())[0];
        CHECK_MESSAGE(same(y, point.value), to_string(y));
        ++points;
        if (point.gradients.empty()) continue;
        const Tensor c = point.cotangent.defined() ? point.cotangent : ones(y.shape(), y.dtype());
        const Gradients g = tape.gradient(y, c);
        for (size_t i = 0; i < point.gradients.size(); ++i) {
          if (!point.gradients[i].defined()) continue;
          const Tensor gradient = g[inputs[i]];
          CHECK_MESSAGE(same(gradient, point.gradients[i]), i << ": " << to_string(gradient));
        }
      }
    }
  }
  CHECK(points > 70);
}
