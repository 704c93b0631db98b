#include "autograd/gradcheck.h"

#include <algorithm>
#include <optional>

#include "autograd/raise.h"
#include "autograd/samples.h"
#include "autograd/verify/check.h"
#include "autograd/verify/precision.h"
#include "autograd/verify/records.h"
#include "autograd/verify/replay.h"
#include "autograd/verify/structure.h"
#include "autograd/verify/trace.h"

namespace tapegrad {
namespace {

using verify::Recording;
using verify::Subject;
using verify::TapeSubject;
using verify::Tensors;

void require_sense(const GradcheckOptions& options) {
  if (!(options.tolerance > 0 && options.tolerance < 1))
    raise<ArgumentError>("[gradcheck] tolerance must be between 0 and 1, given {}", options.tolerance);
  if (options.max_entries < 0)
    raise<ArgumentError>("[gradcheck] max_entries must not be negative, given {}", options.max_entries);
  if (options.projections < 1)
    raise<ArgumentError>("[gradcheck] expected at least one projection, given {}", options.projections);
}

bool is_single(const Subject& subject) {
  return std::any_of(subject.varied().begin(), subject.varied().end(),
                     [&](int i) { return subject.inputs()[static_cast<size_t>(i)].dtype() == float32; });
}

// Looks for the record of the subject's tape that is wrong.
void locate(Subject& subject, const GradcheckOptions& options, ReportBuilder& report) {
  Recording recording(subject, subject.inputs());
  const verify::Trace trace = verify::trace_sweep(
      recording.tape(), recording.outputs(), verify::normal_like(recording.outputs(), options.seed * 1000));
  check_records(recording.tape(), trace, options, report);
}

void check_double(Subject& subject, const GradcheckOptions& options, ReportBuilder& report) {
  if (!options.second_order) {
    verify::Check(subject, options, report).run();
    if (!report.report().ok() && options.locate) locate(subject, options, report);
    return;
  }
  const Tensors outputs = verify::evaluate(subject, subject.inputs());
  verify::GradientSubject gradient(subject, verify::normal_like(outputs, options.seed * 1000 + 500));
  GradcheckOptions second = options;
  second.expected.zero_gradient = true;  // as of every function that is linear
  verify::Check(gradient, second, report).run();
  if (!report.report().ok() && options.locate) locate(gradient, second, report);
}

Report check(Subject& subject, const GradcheckOptions& options) {
  require_sense(options);
  ReportBuilder report(options.seed);
  report.inputs_of(subject);
  if (options.structure) check_structure(subject, options.seed, report);
  if (!is_single(subject)) {
    check_double(subject, options, report);
    return report.take();
  }
  Recording recording(subject, subject.inputs());
  TapeSubject exact(recording, subject, /*promote=*/true);
  check_double(exact, options, report);
  const Tensors cotangents = verify::normal_like(recording.outputs(), options.seed * 1000 + 700);
  check_precision(exact, cotangents, recording.gradient(cotangents), report);
  return report.take();
}

// The gradients of a trace by input of a subject that replays its tape; zeros where none arrived.
Tensors leaf_gradients(const verify::Trace& trace, const TapeSubject& subject) {
  Tensors result;
  for (int i : subject.varied()) {
    const auto at = static_cast<size_t>(i);
    const auto found = std::find_if(trace.leaves.begin(), trace.leaves.end(),
                                    [&](const auto& leaf) { return leaf.first == subject.leaves()[at]; });
    const Tensor& x = subject.inputs()[at];
    result.push_back(found != trace.leaves.end() ? found->second : zeros(x.shape(), x.dtype()));
  }
  return result;
}

Report check_double_tape(Tape& tape, const Tensor& y, const Tensor& cotangent, TapeSubject& whole,
                         const GradcheckOptions& options, ReportBuilder& report) {
  const verify::Trace trace = verify::trace_sweep(tape, {y}, {cotangent});
  std::vector<Culprit> excused = check_records(tape, trace, options, report);
  const Tensor c = cotangent.defined() ? cotangent : ones(y.shape(), y.dtype());
  GradcheckOptions through = options;
  through.expected.zero_gradient = true;  // a leaf that took no part
  verify::Check(whole, through, report).run_recorded({c}, leaf_gradients(trace, whole));
  const Report& found = report.report();
  const auto wrong = [](const CheckedEntry& e) { return verify::refuted(e.verdict); };
  if (found.culprits().empty() && found.undecided().empty() && found.faults().empty() &&
      std::any_of(found.entries().begin(), found.entries().end(), wrong)) {
    if (excused.empty()) {
      report.fault(
          Verdict::structure, -1,
          "every record is right and the gradients of the leaves are not: the sweep visits records in a "
          "wrong order or passes some over");
    }
    for (Culprit& record : excused) report.undecided(std::move(record));
  }
  return report.take();
}

}  // namespace

namespace detail {

Report gradcheck_inputs(TensorFunction f, std::span<const Tensor> inputs, const GradcheckOptions& options) {
  verify::FunctionSubject subject(f, inputs);
  return check(subject, options);
}

Report gradcheck_parameters(TensorFunction f, const ParameterList& parameters,
                            const GradcheckOptions& options) {
  verify::FunctionSubject subject(f, parameters);
  return check(subject, options);
}

}  // namespace detail

Report gradcheck(const Op& op, const Sample& sample, GradcheckOptions options) {
  if (op.vjp == nullptr) {
    raise<ArgumentError>("[gradcheck] {} has no derivative: {}", op.name,
                         op.flags.non_differentiable != nullptr ? op.flags.non_differentiable : "no VJP");
  }
  options.expected = verify::expected_of(op);
  // One sample may have nothing but zeros, such as a negative number under relu.
  options.expected.zero_gradient = true;
  verify::OpSubject subject(op, sample.inputs, sample.options.ref());
  return check(subject, options);
}

Report gradcheck(Tape& tape, const Tensor& y, const Tensor& cotangent, const GradcheckOptions& options) {
  require_sense(options);
  // What cannot be swept throws here as it does there.
  if (!y.defined() || y.handle()->tape != tape.serial() || !y.handle()->tracked) tape.gradient(y, cotangent);
  ReportBuilder report(options.seed);
  TapeSubject whole(tape, {y}, /*promote=*/true);
  report.inputs_of(whole);
  bool single = false;
  for (uint32_t value = 0; value < tape.values(); ++value) {
    const Tensor x = tape.value(value);
    single |= x.defined() && x.dtype() == float32;
  }
  if (!single) return check_double_tape(tape, y, cotangent, whole, options, report);
  // The float32 sweep, its records' replays, and a float64 tape of the same records.
  const verify::Trace trace = verify::trace_sweep(tape, {y}, {cotangent});
  check_records(tape, trace, options, report);
  const Tensor c = cotangent.defined() ? cotangent : ones(y.shape(), y.dtype());
  check_precision(whole, {c}, leaf_gradients(trace, whole), report);
  Recording exact(whole, whole.inputs());
  TapeSubject again(exact, whole, /*promote=*/false);
  const Tensor c64 = c.dtype() == float32 ? cast(c.detach(), float64) : c;
  return check_double_tape(exact.tape(), exact.outputs()[0], c64, again, options, report);
}

}  // namespace tapegrad
