// Every op's conventions at kinks, ties and poles, as its samples state them: value and gradients, to the
// bit.

#include <doctest/doctest.h>

#include <string>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

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
        CHECK_MESSAGE(same_bits(y, point.value), to_string(y));
        ++points;
        if (point.gradients.empty()) continue;
        const Tensor c = point.cotangent.defined() ? point.cotangent : ones(y.shape(), y.dtype());
        const Gradients g = tape.gradient(y, c);
        for (size_t i = 0; i < point.gradients.size(); ++i) {
          if (!point.gradients[i].defined()) continue;
          CHECK_MESSAGE(same_bits(g[inputs[i]], point.gradients[i]), i << ": " << to_string(g[inputs[i]]));
        }
      }
    }
  }
  CHECK(points > 0);
}
