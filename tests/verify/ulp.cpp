#include "tests/verify/ulp.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <regex>

#include "autograd/error.h"
#include "autograd/kernels/dispatch.h"
#include "autograd/text.h"
#include "autograd/threads.h"
#include "tests/verify/measure.h"

namespace tapegrad::verify {
namespace {

// Points of each kind; the hard ones come on top.
struct Effort {
  size_t mpfr_float32, mpfr_float64, mantissas, pairs;
};
Effort effort_of(bool exhaustive) {
  if (exhaustive) return {200'000, 1'000'000, 4096, 1 << 24};
  return {2'000, 4'000, 128, 1 << 16};
}

// All of one dtype, floating, and no more than two.
bool measurable(const Op& op) {
  return op.pointwise[0] != nullptr && op.pointwise[1] != nullptr && op.first_value == 0 &&
         !op.boolean_result && op.min_inputs == op.max_inputs && op.max_inputs <= 2;
}
bool needs_bound(const Op& op) { return op.max_inputs == 1 && op.vjp != nullptr; }

bool accepts(const Op& op, OptionsRef options) {
  try {
    run(op, std::vector<Tensor>(static_cast<size_t>(op.max_inputs), zeros({1}, float64)), options);
    return true;
  } catch (const ArgumentError&) {
    return false;
  }
}

// The default options, where the op takes them, and those of the samples.
std::vector<OptionsBox> option_sets(const Op& op) {
  if (op.options == nullptr) return {OptionsBox()};
  std::vector<OptionsBox> sets;
  const OptionsBox standard(op.options);
  if (accepts(op, standard.ref())) sets.push_back(standard);
  Samples samples(float64);
  op.samples(samples);
  for (const Sample& sample : samples.samples()) {
    const OptionsRef options = sample.options.ref();
    const bool known = std::any_of(sets.begin(), sets.end(),
                                   [&](const OptionsBox& set) { return equal(set.ref(), options); });
    if (options.type != nullptr && !known) sets.push_back(sample.options);
  }
  return sets;
}

template <class T>
void describe(const MeasuredOp& subject, const Worst<T>& worst, UlpRow& row) {
  if (worst.error <= row.error && !row.at.empty()) return;
  row.error = std::max(worst.error, 0.0);
  row.target = kernels::target_name(worst.target);
  // As many digits as tell a number from its neighbours.
  constexpr int kDigits = sizeof(T) == sizeof(float) ? 9 : 17;
  row.at.clear();
  for (int k = 0; k < subject.operands; ++k) {
    row.at += fmt::format("{}{} = {:.{}g}", k > 0 ? ", " : "", subject.op->operands[static_cast<size_t>(k)],
                          worst.at[k], kDigits);
  }
  row.at += fmt::format(" → {:.{}g}", worst.got, kDigits);
}

void measure_float64(const MeasuredOp& subject, const Effort& effort, UlpRow& row) {
  const Points<double> points = subject.operands == 1 ? unary_points<double>(effort.mpfr_float64, 64)
                                                      : binary_points<double>(effort.mpfr_float64, 64);
  describe(subject, against_mpfr(subject, points), row);
  row.inputs = static_cast<int64_t>(points.size());
}

void measure_float32(const MeasuredOp& subject, const Effort& effort, bool exhaustive, UlpRow& row) {
  const bool unary = subject.operands == 1;
  // MPFR, directly.
  const Points<float> direct =
      unary ? unary_points<float>(effort.mpfr_float32, 32) : binary_points<float>(effort.mpfr_float32, 32);
  describe(subject, against_mpfr(subject, direct), row);
  row.inputs = static_cast<int64_t>(direct.size());
  // The float64 kernel. Its own error, seen in float32, comes on top.
  const double bound = subject.op->ulp.float64;
  const double doubt = bound > 0.5 ? bound * 0x1p-29 : 0;
  auto add = [&](Worst<float> worst, int target, int64_t inputs) {
    worst.error += doubt;
    worst.target = target;
    describe(subject, worst, row);
    row.inputs += inputs;
  };
  Points<float> points;
  if (unary) {
    points.x[0] = every_exponent<float>(effort.mantissas, 33);
  } else {
    points = binary_points<float>(effort.pairs, 33);
  }
  for (int target = kernels::target_count() - 1; target >= 0; --target) {
    kernels::use_target(target);
    add(against_float64(subject, points), target, static_cast<int64_t>(points.size()));
  }
  if (unary && exhaustive) add(all_against_float64(subject), 0, int64_t{1} << 32);
}

}  // namespace

std::string UlpRow::verdict() const {
  if (!fault.empty()) return fault;
  if (bound == 0) return needed ? "no bound stated" : "–";
  return error <= bound ? "ok" : "exceeded";
}

std::vector<UlpRow> measure_ulp(const UlpOptions& options, std::span<const Op* const> ops) {
  const std::regex filter(options.filter);
  const Effort effort = effort_of(options.exhaustive);
  const int threads_before = num_threads();
  set_num_threads(1);  // the threads here are those of this loop
  Progress progress(options.progress);
  std::vector<UlpRow> rows;
  for (const Op* op : ops) {
    if (!measurable(*op) || !std::regex_search(std::string(op->name), filter)) continue;
    const Reference* reference = find_reference(op->name);
    const bool states = op->ulp.float32 > 0 || op->ulp.float64 > 0;
    if (!states && !needs_bound(*op) && reference == nullptr) continue;
    const std::vector<OptionsBox> sets = option_sets(*op);
    for (const OptionsBox& set : sets) {
      for (DType dtype : {float32, float64}) {
        UlpRow row{.op = std::string(op->name), .options = to_string(set.ref()), .dtype = dtype};
        row.bound = dtype == float32 ? op->ulp.float32 : op->ulp.float64;
        row.needed = needs_bound(*op);
        const auto start = std::chrono::steady_clock::now();
        MeasuredOp subject{op,
                           dtype == float32 ? in_float32(set.ref()) : set,
                           reference,
                           op->max_inputs,
                           options.threads,
                           &progress,
                           fmt::format("{} {}", op->name, name(dtype))};
        if (reference == nullptr) {
          row.fault = "no MPFR reference";
        } else if (dtype == float64) {
          measure_float64(subject, effort, row);
        } else {
          measure_float32(subject, effort, options.exhaustive && &set == &sets.front(), row);
        }
        row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        progress.clear();
        if (options.report) options.report(row);
        rows.push_back(row);
      }
    }
  }
  set_num_threads(threads_before);
  return rows;
}

}  // namespace tapegrad::verify
