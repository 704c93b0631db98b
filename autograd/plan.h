#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "autograd/dtype.h"
#include "autograd/export.h"
#include "autograd/program.h"
#include "autograd/shape.h"

namespace tapegrad {

// An input that is not there: its shape and dtype.
struct TensorSpec {
  Shape shape;
  DType dtype = DType::float32;
};

namespace detail {
TAPEGRAD_API MemoryPlan plan_memory(CapturedFunction function, bool gradients,
                                    std::span<const TensorSpec> inputs);
}

// What a run of capture(f, x…) will hold, for x of these shapes: f runs on tensors without elements, no
// kernel runs, and nothing but headers is allocated. Cells and optimisers are left as they were.
//   const MemoryPlan memory = plan([&](Tensor x, Tensor y) { return cross_entropy(net(x), y); },
//                                  TensorSpec{{128, 784}}, TensorSpec{{128}, int64});
// Throws GraphError where f reads elements of what it was given or computes, or makes a parameter or buffer
// of it, and what capture throws. Tensors that f keeps elsewhere have no elements afterwards.
template <class F, class... S>
MemoryPlan plan(F f, const S&... inputs) {
  const TensorSpec list[] = {TensorSpec(inputs)..., TensorSpec()};
  return detail::plan_memory(detail::captured_function<sizeof...(S)>(std::move(f)), true,
                             std::span(list, sizeof...(S)));
}
// The same for capture_step(f, x…).
template <class F, class... S>
MemoryPlan plan_step(F f, const S&... inputs) {
  const TensorSpec list[] = {TensorSpec(inputs)..., TensorSpec()};
  return detail::plan_memory(detail::captured_function<sizeof...(S)>(std::move(f)), false,
                             std::span(list, sizeof...(S)));
}

}  // namespace tapegrad
