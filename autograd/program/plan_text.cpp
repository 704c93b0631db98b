#include <fmt/format.h>

#include "autograd/program/plan.h"
#include "autograd/text.h"

namespace tapegrad::detail {
namespace {

using Kind = TraceValue::Kind;

std::string value_text(const Plan& plan, uint32_t v) {
  const TraceValue& value = plan.trace->values()[v];
  const Place& place = plan.places[value.root];
  switch (value.kind) {
    case Kind::number: return value.live != nullptr ? "a live number" : fmt::format("{}", value.number);
    case Kind::input: return fmt::format("input {}", value.index);
    case Kind::cell: return fmt::format("\"{}\"", value.cell.name());
    case Kind::constant: return fmt::format("constant %{}", v);
    case Kind::produced: break;
  }
  return plan.folded[v] && place.home == Home::constant ? fmt::format("constant %{}", v)
                                                        : fmt::format("%{}", v);
}

std::string home_text(const Plan& plan, uint32_t v) {
  const Place& place = plan.places[plan.trace->values()[v].root];
  switch (place.home) {
    case Home::arena:
      return fmt::format("@{}{}", place.offset, place.reuses != UINT32_MAX ? " in place" : "");
    case Home::slice: return "slice";
    case Home::scratch: return fmt::format("scratch {}", place.index);
    case Home::result: return fmt::format("result {}", place.index);
    case Home::update:
      return fmt::format("into \"{}\"", plan.trace->writes()[plan.updates[place.index]].cell.name());
    default: return "";
  }
}

std::string call_text(const Plan& plan, const TraceCall& call, bool group) {
  std::string text;
  for (size_t k = 0; k < call.outputs.size(); ++k) {
    const uint32_t v = call.outputs[k];
    const TraceValue& value = plan.trace->values()[v];
    text += fmt::format("{}%{}: {}[{}] {}", k > 0 ? ", " : "", v, name(value.dtype),
                        fmt::join(value.shape, ", "), home_text(plan, v));
  }
  const std::string options = to_string(call.options.ref());
  text += fmt::format(" = {}{} ", call.op->name, options.empty() ? "" : "(" + options + ")");
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const uint32_t v = group ? plan.splats[call.inputs[i]] : call.inputs[i];
    text += (i > 0 ? ", " : "") + value_text(plan, v);
  }
  return text + location(call.where) + "\n";
}

}  // namespace

std::string to_string(const Plan& plan) {
  std::string text;
  for (size_t s = 0; s < plan.steps.size(); ++s) {
    const Step& step = plan.steps[s];
    if (step.group && step.calls.size() > 1) {
      text +=
          fmt::format("{:>4}  together, {} elements{}:\n", s, step.count,
                      step.folded              ? std::string(", folded into a product")
                      : step.done_before       ? ", done before"
                      : step.beside != kNoStep ? fmt::format(", behind a product, with step {}", step.beside)
                      : step.head              ? ", behind a product"
                                               : "");
      for (size_t at = 0; at < step.calls.size(); ++at) {
        text += "        " + call_text(plan, plan.trace->calls()[step.calls[at]], !step.is_head(at));
      }
    } else {
      text += fmt::format("{:>4}  {}", s, call_text(plan, plan.trace->calls()[step.calls[0]], step.group));
    }
    for (const Slope& slope : plan.slopes) {
      if (slope.step != s) continue;
      const TraceCall& call = plan.trace->calls()[slope.backward];
      text += fmt::format("        %{} becomes the slope of {} for %{}\n", call.inputs[1], call.op->name,
                          call.outputs[0]);
    }
  }
  for (const uint32_t w : plan.copies) {
    const TraceWrite& write = plan.trace->writes()[w];
    text += fmt::format("      \"{}\" becomes {}\n", write.cell.name(), value_text(plan, write.value));
  }
  return text + fmt::format("program: {} steps, {} calls recorded, {} dropped, arena {} bytes\n",
                            plan.steps.size(), plan.trace->calls().size(), plan.dropped, plan.arena_bytes);
}

}  // namespace tapegrad::detail
