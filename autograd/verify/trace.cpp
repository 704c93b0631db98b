#include "autograd/verify/trace.h"

namespace tapegrad::verify {

void Trace::seeded(uint32_t value, const Tensor& cotangent) { seeds.emplace_back(value, cotangent); }

void Trace::reached(size_t record, std::span<const Tensor> cotangents) {
  visits.push_back({record, {cotangents.begin(), cotangents.end()}, {}});
}

void Trace::contributed(int operand, const Tensor& contribution) {
  visits.back().contributions.push_back({operand, contribution});
}

Trace trace_sweep(Tape& tape, const Tensors& outputs, const Tensors& cotangents) {
  Trace trace;
  detail::TapeImpl& impl = *tape.impl();
  Sweep sweep(impl, {}, false, {});
  sweep.observe(trace);
  for (size_t k = 0; k < outputs.size(); ++k) {
    const detail::Body& y = *outputs[k].handle();
    if (y.tape == tape.serial() && y.tracked) sweep.seed(outputs[k], cotangents[k]);
  }
  const Gradients gradients = sweep.run();
  for (const Gradients::Entry& entry : gradients.entries()) {
    uint32_t value = static_cast<uint32_t>(entry.value);
    for (const detail::Leaf& leaf : impl.leaves) {
      if (entry.parameter.defined() && leaf.cell.handle() == entry.parameter.handle()) value = leaf.value;
    }
    trace.leaves.emplace_back(value, entry.gradient);
  }
  return trace;
}

}  // namespace tapegrad::verify
