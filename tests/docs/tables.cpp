#include "tests/docs/tables.h"

#include <fmt/format.h>

#include "autograd/error.h"
#include "autograd/samples.h"
#include "tests/docs/cells.h"
#include "tests/docs/nn_tables.h"
#include "tests/docs/optim_tables.h"

namespace tapegrad::docs {
namespace {

Samples samples_of(const Op& op) {
  Samples samples(float64);
  op.samples(samples);
  return samples;
}

// Whether one of the headers declares a function of that name.
bool has_function(std::string_view headers, std::string_view name) {
  return headers.find(fmt::format(" {}(const Arg&", name)) != std::string_view::npos ||
         headers.find(fmt::format(" {}(std::", name)) != std::string_view::npos ||
         headers.find(fmt::format(" {}(const CellRef&", name)) != std::string_view::npos;
}

std::string operand(const Op& op, size_t i) {
  return op.max_inputs < 0 ? fmt::format("{}[{}]", op.operands[0], i) : std::string(op.operands[i]);
}

void join(std::string& text, std::string_view part, std::string_view separator = "; ") {
  if (part.empty()) return;
  if (!text.empty()) text += separator;
  text += part;
}

std::string convention_words(const Op& op) {
  const Flags& flags = op.flags;
  if (flags.non_differentiable != nullptr) return fmt::format("no gradient: {}", flags.non_differentiable);
  std::string text;
  if (flags.kinks) join(text, "kinks");
  if (flags.jump) join(text, "jumps");
  if (flags.poles) join(text, "poles");
  if (flags.zero_gradient) join(text, "gradient 0");
  if (flags.random) join(text, "random");
  if (flags.writes_state) join(text, "writes state");
  if (!samples_of(op).conventions().empty()) join(text, "see below");
  return text;
}

std::string bound_words(const Ulp& ulp) {
  if (ulp.float32 == 0 && ulp.float64 == 0) return "";
  return fmt::format("{:g}, {:g}", ulp.float32, ulp.float64);
}

std::string with_commas(size_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

}  // namespace

std::string op_table(std::string_view headers, std::span<const Op* const> ops) {
  std::vector<Row> rows = {{"op", "ULP", "conventions", "options", "what it gives"}};
  std::vector<std::string> others;
  for (const Op* op : ops) {
    if (has_function(headers, op->name)) {
      rows.push_back({fmt::format("`{}`", op->name), bound_words(op->ulp), convention_words(*op),
                      defaults(op->options), std::string(op->doc)});
    } else {
      others.push_back(fmt::format("`{}`", op->name));
    }
  }
  return markdown(rows) + "\nOps that others are made of, most of them gradients:\n\n" + wrapped(others) +
         "\n";
}

std::string convention_table(std::span<const Op* const> ops) {
  std::vector<Row> rows = {{"op", "at", "value", "gradients", "in words"}};
  for (const Op* op : ops) {
    const Samples samples = samples_of(*op);
    for (const Convention& point : samples.conventions()) {
      std::string at, gradients;
      for (size_t i = 0; i < point.inputs.size(); ++i) {
        join(at, fmt::format("{} = {}", operand(*op, i), numbers(point.inputs[i])), ", ");
      }
      join(at, chosen(point.options.ref()));
      if (point.cotangent.defined()) join(at, "cotangent " + numbers(point.cotangent));
      for (const Tensor& g : point.gradients) join(gradients, numbers(g), ", ");
      rows.push_back(
          {fmt::format("`{}`", op->name), at, numbers(point.value), gradients, std::string(point.what)});
    }
  }
  return markdown(rows);
}

namespace {
std::string table(std::string_view name, std::string_view headers) {
  if (name == "ops") return op_table(headers);
  if (name == "conventions") return convention_table();
  if (name == "optimizers") return optimizer_table();
  if (name == "schedules") return schedule_table(headers);
  if (name == "layers") return layer_table(layer_headers());
  if (name == "metrics") return metric_table(metric_headers());
  if (name == "initializers") return initializer_table();
  if (name == "activations") return activation_list();
  throw ArgumentError(
      fmt::format("no table '{}'; there are ops, conventions, optimizers, schedules, layers, "
                  "metrics, initializers and activations",
                  name));
}
}  // namespace

std::string with_tables(std::string_view page, std::string_view headers) {
  constexpr std::string_view kStart = "<!-- generated: ", kEnd = "<!-- end -->";
  std::string result;
  size_t from = 0;
  for (size_t at = page.find(kStart); at != std::string_view::npos; at = page.find(kStart, from)) {
    const size_t line_end = page.find('\n', at), end = page.find(kEnd, at), next = page.find(kStart, at + 1);
    if (end == std::string_view::npos || end > next || line_end > end) {
      throw ArgumentError("a generated part of the page has no line <!-- end -->");
    }
    const std::string_view line = page.substr(at + kStart.size(), line_end - at - kStart.size());
    const std::string_view name = line.substr(0, line.find(' '));
    result += page.substr(from, line_end + 1 - from);
    result += "\n" + table(name, headers) + "\n";
    from = end;
  }
  return result + std::string(page.substr(from));
}

std::string counts(std::span<const Op* const> ops) {
  size_t calls = 0, conventions = 0, errors = 0;
  for (const Op* op : ops) {
    const Samples samples = samples_of(*op);
    calls += samples.samples().size();
    conventions += samples.conventions().size();
    errors += samples.errors().size();
  }
  return fmt::format("{} ops with {} sample calls, {} conventions and {} calls that must throw, per dtype",
                     ops.size(), with_commas(calls), with_commas(conventions), with_commas(errors));
}

}  // namespace tapegrad::docs
