#include "autograd/debug.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad::detail {
namespace {

constexpr size_t kShown = 8;  // records of a path that are named

// What a floating tensor holds.
struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;  // of the finite elements
  int64_t nans = 0, infinities = 0;
  int64_t first_nan = -1, first_infinity = -1;
};

template <class T>
Range range_of(const T* x, int64_t count) {
  Range range;
  for (int64_t i = 0; i < count; ++i) {
    if (std::isnan(x[i])) {
      if (range.nans++ == 0) range.first_nan = i;
    } else if (std::isinf(x[i])) {
      if (range.infinities++ == 0) range.first_infinity = i;
    } else {
      range.low = std::min(range.low, static_cast<double>(x[i]));
      range.high = std::max(range.high, static_cast<double>(x[i]));
    }
  }
  return range;
}

Range range_of(const Body& x) {
  if (x.dtype == float32) return range_of(static_cast<const float*>(x.data), x.numel);
  if (x.dtype == float64) return range_of(static_cast<const double*>(x.data), x.numel);
  return {};
}

// "float32[3, 4] in [-1, 2.5] and 1 NaN".
std::string text_of(const Body& x) {
  const Range range = range_of(x);
  std::string text = describe(x);
  const char* joint = " in";
  if (range.low <= range.high) {
    text += fmt::format(" in [{:.6g}, {:.6g}]", range.low, range.high);
    joint = " and";
  }
  if (range.infinities > 0) {
    text += fmt::format("{} {} infinite", range.low <= range.high ? joint : " with", range.infinities);
  }
  if (range.nans > 0) {
    text += fmt::format("{} {} NaN", range.low <= range.high || range.infinities > 0 ? " and" : " with",
                        range.nans);
  }
  return text;
}

// "[1, 2]": element `flat` of x by its place along each dim.
std::string position(const Body& x, int64_t flat) {
  Dims place = x.shape();
  for (int d = x.rank; d-- > 0;) {
    place[d] = flat % x.dims()[d];
    flat /= x.dims()[d];
  }
  return fmt::format("[{}]", fmt::join(place, ", "));
}

// "holds 2 NaN of 12 elements, the first at [0, 1]"; empty if x may pass.
std::string complaint(const Body& x, bool infinity_given) {
  const Range range = range_of(x);
  if (range.nans > 0) {
    return fmt::format("holds {} NaN among {} elements, the first at {}", range.nans, x.numel,
                       position(x, range.first_nan));
  }
  if (range.infinities > 0 && !infinity_given) {
    return fmt::format("holds {} infinite among {} elements, the first at {}", range.infinities, x.numel,
                       position(x, range.first_infinity));
  }
  return {};
}

bool holds_infinity(const Body& x) { return range_of(x).infinities > 0; }

// Whether a number among the options is infinite.
class InfinityFinder final : public PassingVisitor {
 public:
  using PassingVisitor::field;
  void field(std::string_view, double& value) override { found |= std::isinf(value); }
  void field(std::string_view, std::optional<double>& value) override {
    found |= value && std::isinf(*value);
  }
  void field(std::string_view, std::vector<double>& values) override {
    for (double value : values) found |= std::isinf(value);
  }

  bool found = false;
};

bool holds_infinity(OptionsRef options) {
  if (options.type == nullptr) return false;
  OptionsBox copy(options);  // visitors may write
  InfinityFinder finder;
  options.type->visit(const_cast<void*>(copy.ref().data), finder);
  return finder.found;
}

// The tensor that an operand stands for; null for a number.
const Body* body_of(const Arg& arg) {
  if (arg.kind() == Arg::Kind::cell) return arg.cell()->value.handle();
  return arg.kind() == Arg::Kind::tensor ? arg.body() : nullptr;
}
const Body* body_of(const TapeImpl& tape, uint32_t index) {
  const Value& value = tape.values[index];
  if (value.kind == ValueKind::parameter) return tape.leaves[value.leaf].cell.handle()->value.handle();
  if (value.kind == ValueKind::real_literal || value.kind == ValueKind::integer_literal) return nullptr;
  return value.body;
}

std::string step_of(const Record& record) {
  return fmt::format("[{}]{}", record.op->name, location(record.where));
}

std::string join(const std::vector<std::string>& steps, const char* arrow) {
  if (steps.size() <= kShown) return fmt::format("{}", fmt::join(steps, arrow));
  return fmt::format("{}{}… {} more …{}{}", fmt::join(steps.begin(), steps.begin() + kShown - 1, arrow),
                     arrow, steps.size() - kShown, arrow, steps.back());
}

// The ops that a value came through, back to a leaf, each by the first operand that was recorded.
std::string origin(const TapeImpl& tape, uint32_t value) {
  std::vector<std::string> steps;
  for (;;) {
    const Value& at = tape.values[value];
    if (at.kind == ValueKind::parameter) {
      steps.push_back(fmt::format("parameter \"{}\"", tape.leaves[at.leaf].cell.name()));
      break;
    }
    if (at.kind != ValueKind::produced) {
      steps.emplace_back(at.kind == ValueKind::watched ? "a watched tensor" : "a constant");
      break;
    }
    const Record& record = tape.records[tape.producer(value)];
    steps.push_back(step_of(record));
    const uint32_t* const end = record.inputs + record.input_count;
    value = *std::find_if(record.inputs, end, [&](uint32_t input) { return tape.values[input].tracked; });
  }
  return join(steps, " ← ");
}

// The records from behind `record` to one of the values that the sweep began with.
std::string way_out(const TapeImpl& tape, const Record& record, std::span<const uint32_t> outputs) {
  constexpr size_t kNone = SIZE_MAX, kOutput = SIZE_MAX - 1;
  std::vector<size_t> next(tape.values.size(), kNone);  // the record by which a value reaches an output
  for (uint32_t value : outputs) next[value] = kOutput;
  const auto reaching = [&](const Record& r) {
    uint32_t value = r.first_output;
    while (value < r.first_output + r.output_count && next[value] == kNone) ++value;
    return value;  // one past the outputs if none reaches
  };
  size_t r = tape.records.size();
  while (r-- > 0 && &tape.records[r] != &record) {
    const Record& later = tape.records[r];
    if (reaching(later) == later.first_output + later.output_count) continue;
    for (uint32_t i = 0; i < later.input_count; ++i) {
      if (next[later.inputs[i]] == kNone) next[later.inputs[i]] = r;
    }
  }
  std::vector<std::string> steps;
  for (size_t at = next[reaching(record)]; at != kOutput; at = next[reaching(tape.records[at])]) {
    steps.push_back(step_of(tape.records[at]));
  }
  return steps.empty() ? "it is the output" : "to the output: " + join(steps, " → ");
}

}  // namespace

void check_outputs(const TapeImpl& tape, const Op& op, OptionsRef options, const SourceLine& where,
                   std::span<const Arg> args, std::span<Body* const> outputs) {
  bool given = holds_infinity(options);
  for (const Arg& arg : args) {
    const Body* body = body_of(arg);
    given = given || (body != nullptr ? holds_infinity(*body) : std::isinf(arg.real()));
  }
  for (size_t k = 0; k < outputs.size(); ++k) {
    const std::string fault = complaint(*outputs[k], given);
    if (fault.empty()) continue;
    std::string text = fmt::format("[{}] output {} {}", op.name, k, fault);
    for (size_t i = 0; i < args.size(); ++i) {
      const Body* body = body_of(args[i]);
      text += fmt::format("{}{}: {}", i == 0 ? " — " : ", ", operand_name(op, static_cast<int>(i)),
                          body != nullptr ? text_of(*body) : fmt::format("{}", args[i].real()));
    }
    NumericError error(text + location(where));
    for (size_t i = 0; i < args.size(); ++i) {
      const Body* body = args[i].kind() == Arg::Kind::tensor ? args[i].body() : nullptr;
      if (body == nullptr || body->tape != tape.serial) continue;
      error.add_context(
          fmt::format("{} came from {}", operand_name(op, static_cast<int>(i)), origin(tape, body->value)));
    }
    throw error;
  }
}

void check_gradient(const TapeImpl& tape, const Record& record, int i, std::span<const Tensor> slots,
                    std::span<const uint32_t> outputs) {
  const Body& gradient = *slots[record.inputs[i]].handle();
  std::string values;
  bool given = holds_infinity(record.option_ref());
  const auto look = [&](const std::string& name, const Body* body) {
    if (body == nullptr) return;
    values += fmt::format("{}{}: {}", values.empty() ? " — " : ", ", name, text_of(*body));
    given = given || holds_infinity(*body);
  };
  for (uint32_t k = 0; k < record.output_count; ++k) {
    const Tensor& g = slots[record.first_output + k];
    look(record.output_count == 1 ? "cotangent" : fmt::format("cotangent {}", k), g.handle());
  }
  for (uint32_t k = 0; k < record.input_count; ++k) {
    look(operand_name(*record.op, static_cast<int>(k)), body_of(tape, record.inputs[k]));
  }
  const std::string fault = complaint(gradient, given);
  if (fault.empty()) return;
  NumericError error(fmt::format("[{}] the gradient of operand {} {}{}{}", record.op->name,
                                 operand_name(*record.op, i), fault, values, location(record.where)));
  error.add_context(way_out(tape, record, outputs));
  throw error;
}

void check_cotangent(const Body& cotangent, const SourceLine& where) {
  const std::string fault = complaint(cotangent, true);
  if (!fault.empty())
    raise<NumericError>("[gradient] the cotangent {} — {}{}", fault, describe(cotangent), location(where));
}

}  // namespace tapegrad::detail
