// One op over its samples, dtypes, scales and orders.

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/samples.h"
#include "tests/support/op_function.h"
#include "tests/verify/gradients.h"

namespace tapegrad::verify {
namespace {

constexpr size_t kWords = 5;  // alarms kept in words, of each op

void say(std::vector<std::string>& list, std::string text) {
  if (list.size() < kWords) list.push_back(std::move(text));
}

void add(Tally& tally, const Report& report, const std::string& where, bool sharp) {
  tally.evaluations += report.evaluations();
  bool alarm = false, undecided = false;
  for (const CheckedEntry& e : report.entries()) {
    ++tally.entries;
    ++tally.verdicts[static_cast<size_t>(e.verdict)];
    if (sharp && e.verdict == Verdict::agree && e.scale > 0)
      tally.bars.push_back(static_cast<float>(e.bar / e.scale));
    if (e.passed) continue;
    if (e.verdict == Verdict::noisy) {
      ++tally.undecided;
      undecided = true;
    } else {
      ++tally.false_alarms;
      alarm = true;
    }
  }
  for (const StructureFault& fault : report.faults()) {
    ++tally.verdicts[static_cast<size_t>(fault.verdict)];
    ++tally.false_alarms;
    alarm = true;
  }
  // A canary that got through: the check would have passed a fault.
  if (report.canaries_caught() < report.canaries()) {
    ++tally.false_alarms;
    alarm = true;
  }
  if (alarm) say(tally.alarms, where + ": " + report.text());
  if (undecided) say(tally.undecided_at, where + ": " + report.text());
}

bool finite(const Tensor& x) {
  for (double v : cast(x, float64).to_vector<double>()) {
    if (!std::isfinite(v)) return false;
  }
  return true;
}

class Matrix {
 public:
  Matrix(const Op& op, uint64_t seed, const MatrixEffort& effort, Tally& tally)
      : op_(op), seed_(seed), effort_(effort), tally_(tally) {}

  void run() {
    for (DType dtype : {float64, float32}) {
      Samples samples(dtype, seed_);
      op_.samples(samples);
      for (size_t i = 0; i < samples.samples().size(); ++i) {
        const Sample& sample = samples.samples()[i];
        const testing::OpFunction f(op_, sample);
        if (f.elements() == 0 || f.joined(f.variables()).numel() == 0) continue;
        const std::string text = f.text(i) + ", seed " + std::to_string(seed_);
        if (effort_.base) {
          check(sample, dtype, text, /*structure=*/true);
          if (dtype == float64) repeated(sample, text);
        }
        for (double scale : effort_.scales) scaled(sample, scale, dtype, text);
      }
    }
  }

 private:
  GradcheckOptions options(DType dtype) const {
    GradcheckOptions options{.seed = seed_, .max_entries = effort_.entries, .structure = false};
    options.locate = false;
    // float32 costs eight replays more, and differences are those of float64.
    if (dtype == float32) options.max_entries = std::min<int64_t>(options.max_entries, 8);
    return options;
  }

  template <class F>
  void guarded(const std::string& text, bool sharp, const F& f) {
    try {
      add(tally_, f(), text, sharp);
    } catch (const Error& error) {
      ++tally_.false_alarms;
      say(tally_.alarms, text + " threw " + error.what());
    }
  }

  void check(const Sample& sample, DType dtype, const std::string& text, bool structure) {
    GradcheckOptions first = options(dtype);
    first.structure = structure;
    guarded(text, dtype == float64, [&] { return gradcheck(op_, sample, first); });
    GradcheckOptions second = options(dtype);
    second.second_order = true;
    second.max_entries = effort_.second_order_entries;
    second.projections = 1;
    guarded(text + ", second order", false, [&] { return gradcheck(op_, sample, second); });
  }

  // One tensor as every operand of its shape.
  void repeated(const Sample& sample, const std::string& text) {
    const testing::OpFunction f(op_, sample, /*repeated=*/true);
    if (!f.shares()) return;
    try {
      if (!finite(f.joined(f.variables()))) return;
    } catch (const Error&) {
      return;  // one operand's values are outside the domain of another
    }
    GradcheckOptions first = options(float64);
    first.expected = {.kinks = op_.flags.kinks || op_.flags.jump,
                      .jump = op_.flags.jump,
                      .nonfinite = op_.flags.poles,
                      .zero_gradient = true};
    const auto joined = [&](std::span<const Tensor> x) { return f.joined(x); };
    guarded(text + ", operands shared", false, [&] { return gradcheck(joined, f.variables(), first); });
  }

  void scaled(const Sample& sample, double scale, DType dtype, const std::string& text) {
    Sample other = sample;
    for (size_t i = 0; i < other.inputs.size(); ++i) {
      Tensor& x = other.inputs[i];
      if (is_floating(x.dtype()) && (op_.constant_operands >> i & 1) == 0) x = (x * scale).detach();
    }
    try {
      const testing::OpFunction f(op_, other);
      if (!finite(f.joined(f.variables()))) throw ArgumentError("outside the domain");
    } catch (const Error&) {
      ++tally_.skipped;
      return;
    }
    check(other, dtype, text + ", times " + std::to_string(scale), /*structure=*/false);
  }

  const Op& op_;
  uint64_t seed_;
  const MatrixEffort& effort_;
  Tally& tally_;
};

}  // namespace

void check_matrix(const Op& op, uint64_t seed, const MatrixEffort& effort, Tally& tally) {
  Matrix(op, seed, effort, tally).run();
}

void Tally::merge(const Tally& other) {
  entries += other.entries;
  for (size_t i = 0; i < kVerdicts; ++i) verdicts[i] += other.verdicts[i];
  undecided += other.undecided;
  false_alarms += other.false_alarms;
  evaluations += other.evaluations;
  skipped += other.skipped;
  bars.insert(bars.end(), other.bars.begin(), other.bars.end());
  alarms.insert(alarms.end(), other.alarms.begin(), other.alarms.end());
  undecided_at.insert(undecided_at.end(), other.undecided_at.begin(), other.undecided_at.end());
}

double Tally::resolution(double q) const {
  if (bars.empty()) return 0;
  std::vector<float> sorted = bars;
  const auto at = sorted.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(sorted.size() - 1));
  std::nth_element(sorted.begin(), at, sorted.end());
  return *at;
}

}  // namespace tapegrad::verify
