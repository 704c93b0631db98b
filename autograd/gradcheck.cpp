#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "autograd/ops.h"
#include "autograd/raise.h"
#include "autograd/random.h"
#include "autograd/tape.h"
#include "autograd/text.h"

namespace tapegrad {
namespace {

constexpr double kUnit = 0x1p-53;
constexpr double kSafety = 8;

std::vector<double> values_of(const Tensor& x) {
  if (x.dtype() == float64) return x.to_vector<double>();
  const std::vector<float> values = x.to_vector<float>();
  return {values.begin(), values.end()};
}

Tensor tensor_of(const std::vector<double>& values, const Shape& shape, DType dtype) {
  if (dtype == float64) return from_vector(values, shape);
  return from_vector(std::vector<float>(values.begin(), values.end()), shape);
}

double max_abs(const std::vector<double>& values) {
  double largest = 0;
  for (double v : values) largest = std::max(largest, std::fabs(v));
  return largest;
}

// Sum with the rounding errors carried along (Neumaier).
class CompensatedSum {
 public:
  void add(double x) {
    const double t = sum_ + x;
    error_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - t) + x : (x - t) + sum_;
    sum_ = t;
  }
  double value() const { return sum_ + error_; }

 private:
  double sum_ = 0;
  double error_ = 0;
};

// What is checked: a function whose inputs can be set and whose gradients can be asked for.
class Subject {
 public:
  virtual ~Subject() = default;
  virtual std::vector<double> evaluate(int input, const std::vector<double>& values) = 0;
  // The gradient of ⟨cotangent, f⟩ with respect to each input; empty for one that is not floating.
  virtual std::vector<std::vector<double>> gradients(uint64_t seed, std::vector<double>& cotangent,
                                                     std::vector<double>& outputs) = 0;
  virtual std::vector<Tensor> inputs() const = 0;

 protected:
  static Tensor random_cotangent(const Tensor& y, uint64_t seed, std::vector<double>& cotangent) {
    Rng rng(seed);
    const Tensor c = rng.normal(y.shape(), y.dtype());
    cotangent = values_of(c);
    return c;
  }
};

class InputSubject final : public Subject {
 public:
  InputSubject(detail::TensorFunction f, std::span<const Tensor> inputs)
      : f_(f), inputs_(inputs.begin(), inputs.end()) {}

  std::vector<double> evaluate(int input, const std::vector<double>& values) override {
    std::vector<Tensor> inputs = inputs_;
    Tensor& x = inputs[static_cast<size_t>(input)];
    x = tensor_of(values, x.shape(), x.dtype());
    return values_of(f_.call(f_.function, inputs));
  }
  std::vector<std::vector<double>> gradients(uint64_t seed, std::vector<double>& cotangent,
                                             std::vector<double>& outputs) override {
    Tape tape;
    std::vector<Tensor> inputs = inputs_;
    for (Tensor& x : inputs) {
      if (is_floating(x.dtype())) x = tape.watch(x.detach());
    }
    const Tensor y = f_.call(f_.function, inputs);
    outputs = values_of(y);
    const Gradients g = tape.gradient(y, random_cotangent(y, seed, cotangent));
    std::vector<std::vector<double>> result;
    for (const Tensor& x : inputs) {
      result.push_back(is_floating(x.dtype()) ? values_of(g.get_or_zeros(x)) : std::vector<double>());
    }
    return result;
  }
  std::vector<Tensor> inputs() const override { return inputs_; }

 private:
  detail::TensorFunction f_;
  std::vector<Tensor> inputs_;
};

class ParameterSubject final : public Subject {
 public:
  ParameterSubject(detail::TensorFunction f, const ParameterList& parameters)
      : f_(f), parameters_(parameters) {}

  std::vector<double> evaluate(int input, const std::vector<double>& values) override {
    const CellRef& cell = parameters_[static_cast<size_t>(input)];
    const Tensor before = cell.value();
    assign(cell, tensor_of(values, before.shape(), before.dtype()));
    struct Restore {
      const CellRef& cell;
      const Tensor& value;
      ~Restore() { assign(cell, value); }
    } restore{cell, before};
    return values_of(f_.call(f_.function, {}));
  }
  std::vector<std::vector<double>> gradients(uint64_t seed, std::vector<double>& cotangent,
                                             std::vector<double>& outputs) override {
    Tape tape;
    const Tensor y = f_.call(f_.function, {});
    outputs = values_of(y);
    const Gradients g = tape.gradient(y, random_cotangent(y, seed, cotangent));
    std::vector<std::vector<double>> result;
    for (const CellRef& cell : parameters_) result.push_back(values_of(g.get_or_zeros(cell)));
    return result;
  }
  std::vector<Tensor> inputs() const override {
    std::vector<Tensor> values;
    for (const CellRef& cell : parameters_) values.push_back(cell.value());
    return values;
  }

 private:
  detail::TensorFunction f_;
  const ParameterList& parameters_;
};

}  // namespace

class GradientChecker {
 public:
  GradientChecker(Subject& subject, const GradcheckOptions& options) : subject_(subject), options_(options) {}

  Report run(std::span<const CellRef> names) {
    const std::vector<std::vector<double>> gradients =
        subject_.gradients(options_.seed, cotangent_, outputs_);
    for (size_t j = 0; j < outputs_.size(); ++j) whole_mass_ += std::fabs(cotangent_[j] * outputs_[j]);
    const std::vector<Tensor> inputs = subject_.inputs();
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (is_floating(inputs[i].dtype()))
        check_input(static_cast<int>(i), values_of(inputs[i]), gradients[i]);
    }
    report_.write_text(names);
    return std::move(report_);
  }

 private:
  struct Estimate {
    double value = 0;
    double bar = INFINITY;
    bool finite = true;
  };

  void check_input(int input, const std::vector<double>& x, const std::vector<double>& gradient) {
    input_ = input;
    x_ = x;
    scale_g_ = max_abs(gradient);
    double squares = 0;
    for (double v : x) squares += v * v;
    rms_ = squares > 0 ? std::sqrt(squares / static_cast<double>(x.size())) : 1;
    const auto count = static_cast<int64_t>(x.size());
    Rng rng(options_.seed + static_cast<uint64_t>(input) * 1000 + 1);
    const bool all = count <= options_.max_entries;
    for (int64_t k = 0; k < std::min(count, options_.max_entries); ++k) {
      const int64_t at = all ? k : rng.integer(0, count);
      direction_.assign(x.size(), 0.0);
      direction_[static_cast<size_t>(at)] = 1;
      const double size = std::fabs(x[static_cast<size_t>(at)]);
      const double scales[] = {std::max(size, 0.01 * rms_), std::max(size, rms_), std::max(size, 1.0)};
      judge(at, gradient[static_cast<size_t>(at)], scales);
    }
    for (int p = 0; !all && p < options_.projections; ++p) {
      double along = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        direction_[i] = rng.normal() * std::max(std::fabs(x[i]), 0.1 * rms_);
        along += direction_[i] * gradient[i];
      }
      const double scales[] = {1.0, 0x1p-3, 0x1p-6};
      judge(-1, along, scales);
    }
  }

  // f along the direction: Σ c·(f(x + t·v) − f(x)). `t` becomes the step that rounding left of it.
  double phi(double& t) {
    std::vector<double> moved = x_;
    double achieved = 0;
    double weight = 0;
    for (size_t i = 0; i < moved.size(); ++i) {
      if (direction_[i] == 0) continue;
      moved[i] = x_[i] + t * direction_[i];
      achieved += (moved[i] - x_[i]) * direction_[i];
      weight += direction_[i] * direction_[i];
    }
    t = achieved / weight;
    const std::vector<double> y = subject_.evaluate(input_, moved);
    CompensatedSum sum;
    double mass = 0;
    for (size_t j = 0; j < y.size(); ++j) {
      // An output that did not move carries no rounding error into the difference.
      if (y[j] == outputs_[j]) continue;
      sum.add(cotangent_[j] * (y[j] - outputs_[j]));
      mass += std::fabs(cotangent_[j]) * std::max(std::fabs(y[j]), std::fabs(outputs_[j]));
    }
    mass_ = std::max(mass_, mass);
    return sum.value();
  }

  // Three central differences at h, h/2, h/4, extrapolated; keeps the level whose error is smallest.
  void ladder(double h, double& value, double& truncation, double& roundoff, bool& finite) {
    constexpr int kLevels = 3;
    double table[kLevels][kLevels];
    double weights[kLevels][kLevels];  // Σ|w|/h of each entry, for the noise it carries
    double best = INFINITY;
    for (int k = 0; k < kLevels; ++k, h /= 2) {
      double up = h;
      double down = -h;
      const double high = phi(up);
      const double low = phi(down);
      table[k][0] = (high - low) / (up - down);
      weights[k][0] = 1 / h;
      if (!std::isfinite(table[k][0])) finite = false;
      for (int j = 1; j <= k; ++j) {
        const double power = std::ldexp(1.0, 2 * j);
        table[k][j] = (power * table[k][j - 1] - table[k - 1][j - 1]) / (power - 1);
        weights[k][j] = (power * weights[k][j - 1] + weights[k - 1][j - 1]) / (power - 1);
        const double error =
            std::max(std::fabs(table[k][j] - table[k][j - 1]), std::fabs(table[k][j] - table[k - 1][j - 1]));
        const double noise = 2 * kUnit * mass_ * weights[k][j];
        if (error + noise < best) {
          best = error + noise;
          value = table[k][j];
          truncation = error;
          roundoff = noise;
        }
      }
    }
    if (!std::isfinite(best)) finite = false;
  }

  Estimate differences(double scale) {
    const double h = std::ldexp(1.0, static_cast<int>(std::floor(std::log2(scale))) - 5);
    double value[2] = {}, truncation[2] = {}, roundoff[2] = {};
    Estimate estimate;
    ladder(h, value[0], truncation[0], roundoff[0], estimate.finite);
    ladder(0.34375 * h, value[1], truncation[1], roundoff[1], estimate.finite);
    if (!estimate.finite) return estimate;
    const int better = truncation[0] + roundoff[0] <= truncation[1] + roundoff[1] ? 0 : 1;
    estimate.value = value[better];
    estimate.bar = kSafety * (std::max(truncation[0], truncation[1]) + std::max(roundoff[0], roundoff[1]) +
                              std::fabs(value[0] - value[1]));
    return estimate;
  }

  void judge(int64_t entry, double gradient, std::span<const double> scales) {
    Estimate best;
    mass_ = 0;
    bool any_finite = false;
    double used = scales[0];
    auto size = [&] { return std::max({std::fabs(gradient), std::fabs(best.value), 1e-3 * scale_g_}); };
    // Smaller steps where the first ones cross a kink or leave the domain.
    for (double shrink : {1.0, 0x1p-4, 0x1p-8, 0x1p-12, 0x1p-16, 0x1p-20}) {
      for (double scale : scales) {
        const Estimate e = differences(scale * shrink);
        any_finite |= e.finite;
        if (e.finite && e.bar < best.bar) {
          best = e;
          used = scale * shrink;
        }
        if (best.bar <= 1e-3 * options_.tolerance * size()) break;
      }
      if (best.bar <= options_.tolerance * size() || (best.value == 0 && gradient == 0 && best.bar == 0))
        break;
    }
    CheckedEntry checked{input_, entry, gradient, best.value, best.bar, Verdict::noisy};
    const double allowance = 256 * kUnit * std::max(std::fabs(gradient), scale_g_);
    const double r = best.bar + allowance;
    // Terms of a gradient that cancel leave rounding errors of their own size, which is that of c·f over the
    // scale.
    const double zero = r + 256 * kUnit * whole_mass_ / scales[0];
    const bool within = std::fabs(gradient - best.value) <= r;  // false for NaN
    if (!any_finite || !std::isfinite(gradient)) {
      checked.verdict = Verdict::nonfinite;
    } else if (within && r <= options_.tolerance * size()) {
      checked.verdict = Verdict::agree;
    } else if (std::fabs(gradient) <= zero && std::fabs(best.value) <= zero &&
               (mass_ == 0 || best.bar <= std::ldexp(mass_, -39) / used)) {
      // As narrow as the noise of the widest step allows: kSafety·6.6·2u·32/0.34375 = 2^−39.7.
      checked.verdict = Verdict::agree_zero;
    } else if (!within) {
      checked.verdict = Verdict::disagree;
    }
    report_.entries_.push_back(checked);
  }

  Subject& subject_;
  const GradcheckOptions& options_;
  Report report_;
  std::vector<double> cotangent_, outputs_, x_, direction_;
  double mass_ = 0;        // Σ|c·f| over the outputs that moved: what rounding errors are proportional to
  double whole_mass_ = 0;  // Σ|c·f| over all outputs
  double scale_g_ = 0;
  double rms_ = 0;
  int input_ = 0;
};

std::string_view name(Verdict verdict) {
  constexpr std::string_view kNames[] = {"agree", "agree_zero", "DISAGREE", "NOISY", "NONFINITE"};
  return kNames[static_cast<int>(verdict)];
}

namespace {

bool passes(const CheckedEntry& entry) {
  return entry.verdict == Verdict::agree || entry.verdict == Verdict::agree_zero;
}

double badness(const CheckedEntry& entry) {
  const double gap = std::fabs(entry.gradient - entry.difference);
  return (passes(entry) ? 0.0 : 1e300) + (entry.bar > 0 ? gap / entry.bar : gap);
}

}  // namespace

bool Report::ok() const { return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), passes); }

const CheckedEntry& Report::worst() const {
  if (entries_.empty())
    raise<ArgumentError>("[gradcheck] nothing was checked: no floating input has an element");
  return *std::max_element(
      entries_.begin(), entries_.end(),
      [](const CheckedEntry& a, const CheckedEntry& b) { return badness(a) < badness(b); });
}

void Report::write_text(std::span<const CellRef> names) {
  std::string text;
  auto line = [&](const CheckedEntry& e) {
    const std::string input = names.empty()
                                  ? fmt::format("input {}", e.input)
                                  : fmt::format("\"{}\"", names[static_cast<size_t>(e.input)].name());
    const std::string at = e.entry < 0 ? "a random direction" : fmt::format("entry {}", e.entry);
    return fmt::format("{} at {}, {}: gradient {:.10g}, difference {:.10g} ± {:.2g}", name(e.verdict), input,
                       at, e.gradient, e.difference, e.bar);
  };
  if (entries_.empty()) {
    text = "gradcheck: nothing was checked";
  } else {
    const auto bad =
        std::count_if(entries_.begin(), entries_.end(), [](const CheckedEntry& e) { return !passes(e); });
    text = fmt::format("gradcheck: {} of {} derivatives agree\n  worst: {}",
                       static_cast<size_t>(entries_.size()) - static_cast<size_t>(bad), entries_.size(),
                       line(worst()));
    int shown = 0;
    for (const CheckedEntry& e : entries_) {
      if (passes(e)) continue;
      if (++shown > 10) break;
      text += "\n  " + line(e);
    }
    if (bad > 10) text += fmt::format("\n  … and {} more", bad - 10);
  }
  text_.assign(text.begin(), text.end());
}

namespace detail {

Report gradcheck_inputs(TensorFunction f, std::span<const Tensor> inputs, const GradcheckOptions& options) {
  InputSubject subject(f, inputs);
  return GradientChecker(subject, options).run({});
}

Report gradcheck_parameters(TensorFunction f, const ParameterList& parameters,
                            const GradcheckOptions& options) {
  ParameterSubject subject(f, parameters);
  return GradientChecker(subject, options).run(parameters);
}

}  // namespace detail
}  // namespace tapegrad
