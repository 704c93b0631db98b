#include "autograd/verify/records.h"

#include <algorithm>
#include <cmath>
#include <tuple>

#include "autograd/raise.h"
#include "autograd/text.h"
#include "autograd/verify/check.h"

namespace tapegrad::verify {

Expected expected_of(const Op& op) {
  return {.kinks = op.flags.kinks || op.flags.jump,
          .jump = op.flags.jump,
          .nonfinite = op.flags.poles,
          .zero_gradient = op.flags.zero_gradient};
}

namespace {

class Records {
 public:
  Records(Tape& tape, const Trace& trace, const GradcheckOptions& options, ReportBuilder& report)
      : tape_(tape), trace_(trace), options_(options), report_(report), sums_(tape.values()) {}

  std::vector<Culprit> run() {
    for (const auto& [value, cotangent] : trace_.seeds) add_up(value, cotangent);
    std::vector<bool> visited(tape_.size());
    for (const Visit& visit : trace_.visits) {
      const Record& record = tape_[visit.record];
      visited[visit.record] = true;
      const bool ok = replays(visit.record, record) && received(visit, record) && derives(visit, record);
      if (ok) report_.verified_record();
      for (const Contribution& c : visit.contributions)
        add_up(record.inputs[static_cast<size_t>(c.operand)], c.value);
    }
    for (size_t r = tape_.size(); r-- > 0;) {
      for (uint32_t k = 0; k < tape_[r].output_count && !visited[r]; ++k) {
        if (sums_[tape_[r].first_output + k].defined())
          blame(r, "a cotangent reached it, and the sweep passed it over");
      }
    }
    for (const auto& [value, gradient] : trace_.leaves) {
      if (tape_.kind(value) == ValueKind::produced || same_bits(gradient, sums_[value])) continue;
      report_.fault(
          Verdict::structure, -1,
          fmt::format("the gradient of leaf %{} is not the sum of what the records contributed", value));
    }
    return std::move(excused_);
  }

 private:
  void add_up(uint32_t value, const Tensor& contribution) {
    Tensor& sum = sums_[value];
    sum = sum.defined() ? add(sum, contribution) : contribution;
  }

  Culprit accused(size_t r, int operand, int64_t element, std::string what) const {
    const Record& record = tape_[r];
    const std::string options = to_string(record.option_ref());
    std::string op(record.op->name);
    if (!options.empty()) op += "(" + options + ")";
    return {r, std::move(op), record.where, operand, element, std::move(what)};
  }
  void blame(size_t r, std::string what) { report_.culprit(accused(r, -1, -1, std::move(what))); }

  bool replays(size_t r, const Record& record) {
    std::vector<Arg> args;
    Tensors held;
    for (uint32_t i = 0; i < record.input_count; ++i) held.push_back(tape_.value(record.inputs[i]).detach());
    for (uint32_t i = 0; i < record.input_count; ++i) {
      const detail::Value& value = tape_.impl()->values[record.inputs[i]];
      if (value.kind == ValueKind::real_literal) args.emplace_back(value.real);
      else if (value.kind == ValueKind::integer_literal) args.emplace_back(value.integer);
      else args.emplace_back(held[i]);
    }
    const Tensors outputs = apply_all(*record.op, std::span<const Arg>(args), record.option_ref());
    for (uint32_t k = 0; k < record.output_count; ++k) {
      if (same_bits(outputs[k], tape_.value(record.first_output + k))) continue;
      blame(r,
            fmt::format("run again on its saved inputs, output {} has other bits: a saved value is stale, or "
                        "the op is not deterministic",
                        k));
      return false;
    }
    return true;
  }

  bool received(const Visit& visit, const Record& record) {
    for (uint32_t k = 0; k < record.output_count; ++k) {
      const Tensor &got = visit.cotangents[k], &sum = sums_[record.first_output + k];
      if (got.defined() == sum.defined() && (!got.defined() || same_bits(got, sum))) continue;
      blame(visit.record,
            fmt::format("the cotangent of output {} is not the sum of what was contributed to it: something "
                        "was lost, counted twice or misrouted",
                        k));
      return false;
    }
    return true;
  }

  bool derives(const Visit& visit, const Record& record) {
    OpSubject subject(tape_, record);
    for (int i : subject.varied()) {
      if (subject.inputs()[static_cast<size_t>(i)].dtype() != float64) return true;
    }
    Tensors cotangents;
    for (uint32_t k = 0; k < record.output_count; ++k) {
      const Tensor y = tape_.value(record.first_output + k);
      if (!is_floating(y.dtype())) continue;
      if (y.dtype() != float64) return true;
      cotangents.push_back(visit.cotangents[k].defined() ? visit.cotangents[k] : zeros(y.shape(), float64));
    }
    Tensors gradients;
    for (int i : subject.varied()) {
      Tensor sum;
      for (const Contribution& c : visit.contributions) {
        if (c.operand == i) sum = sum.defined() ? add(sum, c.value) : c.value;
      }
      const Tensor& x = subject.inputs()[static_cast<size_t>(i)];
      gradients.push_back(sum.defined() ? sum : zeros(x.shape(), float64));
    }
    GradcheckOptions options = options_;
    options.expected = expected_of(*record.op);
    // What is 0 here need not be 0 elsewhere.
    options.expected.zero_gradient = true;
    ReportBuilder part(options.seed);
    Check(subject, options, part).run_recorded(std::move(cotangents), std::move(gradients));
    report_.absorb(part.report());
    const auto words = [&](const CheckedEntry& e) {
      const std::string where =
          e.input < 0 ? "along a random direction"
          : e.entry < 0
              ? subject.input_name(e.input) + " along a random direction"
              : fmt::format("{} {}", subject.input_name(e.input),
                            index_text(e.entry, subject.inputs()[static_cast<size_t>(e.input)].shape()));
      return accused(visit.record, e.input, e.entry,
                     fmt::format("{}: {}, gradient {:.10g}, difference {:.10g} ± {:.2g}", where,
                                 name(e.verdict), e.gradient, e.difference, e.bar));
    };
    const CheckedEntry *worst = nullptr, *by_point = nullptr;
    for (const CheckedEntry& e : part.report().entries()) {
      if (excused(e.verdict) && (by_point == nullptr || e.entry >= 0)) by_point = &e;
      if (e.passed) continue;
      // What is refuted says more than what cannot be told, and an entry more than a direction.
      const auto rank = [](const CheckedEntry& entry) {
        return std::tuple(refuted(entry.verdict), entry.entry >= 0,
                          std::fabs(entry.gradient - entry.difference) / std::max(entry.bar, 1e-300));
      };
      if (worst == nullptr || rank(e) > rank(*worst)) worst = &e;
    }
    if (worst == nullptr) {
      if (by_point != nullptr) excused_.push_back(words(*by_point));
      return true;
    }
    // Rule: undecided
    if (refuted(worst->verdict)) report_.culprit(words(*worst));
    else report_.undecided(words(*worst));
    return false;
  }

  Tape& tape_;
  const Trace& trace_;
  const GradcheckOptions& options_;
  ReportBuilder& report_;
  Tensors sums_;  // by value: what was contributed so far
  std::vector<Culprit> excused_;
};

}  // namespace

std::vector<Culprit> check_records(Tape& tape, const Trace& trace, const GradcheckOptions& options,
                                   ReportBuilder& report) {
  detail::TapeImpl* const current = detail::t_state.tape;
  detail::t_state.tape = nullptr;
  struct Restore {
    detail::TapeImpl* tape;
    ~Restore() { detail::t_state.tape = tape; }
  } restore{current};
  return Records(tape, trace, options, report).run();
}

}  // namespace tapegrad::verify
