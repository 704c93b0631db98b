// Profiles of tapes.

#include <chrono>
#include <utility>

#include "autograd/apply.h"
#include "autograd/profile.h"
#include "autograd/profile_impl.h"
#include "autograd/program/clock.h"
#include "autograd/program/cost.h"
#include "autograd/raise.h"
#include "autograd/sweep.h"
#include "autograd/tape_impl.h"

namespace tapegrad {
namespace {

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// Nothing is recorded while it lives.
struct Unrecorded {
  detail::TapeImpl* tape = std::exchange(detail::t_state.tape, nullptr);
  ~Unrecorded() { detail::t_state.tape = tape; }
};

// How long the rule of each record takes.
class RuleTimes final : public SweepObserver {
 public:
  explicit RuleTimes(std::vector<std::vector<float>>& times) : times_(times) {}
  void seeded(uint32_t, const Tensor&) override {}
  void contributed(int, const Tensor&) override {}
  void reached(size_t record, std::span<const Tensor>) override {
    close();
    record_ = record;
    last_ = now();
  }
  void close() {
    if (record_ == kNone) return;
    times_[record_].push_back(static_cast<float>(static_cast<double>(now() - last_) - detail::clock_cost()));
    record_ = kNone;
  }

 private:
  static constexpr size_t kNone = SIZE_MAX;
  std::vector<std::vector<float>>& times_;
  size_t record_ = kNone;
  int64_t last_ = 0;
};

// Where in a trace the calls of each record's rule begin.
class RuleCalls final : public SweepObserver {
 public:
  explicit RuleCalls(const detail::Trace& trace) : trace_(trace) {}
  void seeded(uint32_t, const Tensor&) override {}
  void contributed(int, const Tensor&) override {}
  void reached(size_t record, std::span<const Tensor>) override {
    begins.emplace_back(record, trace_.calls().size());
  }
  std::vector<std::pair<size_t, size_t>> begins;  // record, first call

 private:
  const detail::Trace& trace_;
};

class TapeProfile {
 public:
  TapeProfile(Tape& tape, const Tensor& y)
      : tape_(tape), y_(y), forward_(tape.size()), backward_(tape.size()) {}

  Profile run(double seconds) {
    const Unrecorded pause;
    std::vector<float> wholes;
    const int64_t start = now();
    Profile profile;
    do {
      const int64_t begin = now();
      for (size_t r = 0; r < tape_.size(); ++r) run_record(r);
      RuleTimes times(backward_);
      sweep(&times);
      times.close();
      wholes.push_back(static_cast<float>(now() - begin));
    } while (wholes.size() < kMostRuns &&
             (wholes.size() < 3 || static_cast<double>(now() - start) * 1e-9 < seconds));
    profile.runs = static_cast<int64_t>(wholes.size());
    profile.seconds = detail::median(std::move(wholes)) * 1e-9;
    add_records(profile);
    detail::sum_up_ops(profile);
    return profile;
  }

 private:
  static constexpr size_t kMostRuns = 101;  // their times are kept

  void sweep(SweepObserver* observer) {
    Sweep sweep(*tape_.impl(), {}, false, {});
    if (observer != nullptr) sweep.observe(*observer);
    sweep.seed(y_, Tensor());
    sweep.run();
  }

  std::vector<Arg> operands(const Record& record) {
    std::vector<Arg> args;
    held_.clear();
    for (uint32_t i = 0; i < record.input_count; ++i) {
      const detail::Value& value = tape_.impl()->values[record.inputs[i]];
      if (value.kind == ValueKind::real_literal) {
        args.emplace_back(value.real);
      } else if (value.kind == ValueKind::integer_literal) {
        args.emplace_back(value.integer);
      } else {
        held_.push_back(tape_.value(record.inputs[i]));
        args.push_back(Arg::borrow(held_.back().handle(), record.where));
      }
    }
    return args;
  }

  void run_record(size_t r) {
    const Record& record = tape_[r];
    if (record.op->flags.writes_state) return;
    held_.reserve(record.input_count);
    const std::vector<Arg> args = operands(record);
    const int64_t begin = now();
    const Tensor result = apply(*record.op, args, record.option_ref());
    forward_[r].push_back(static_cast<float>(static_cast<double>(now() - begin) - detail::clock_cost()));
  }

  ProfileEntry entry(size_t r, bool backward, const std::vector<float>& times) const {
    const Record& record = tape_[r];
    const Tensor result = tape_.value(record.first_output);
    return {.op = fmt::format("{}{}", record.op->name, backward ? " backward" : ""),
            .result = fmt::format("{}[{}]", name(result.dtype()), fmt::join(result.shape(), ", ")),
            .where = record.where,
            .seconds = std::max(0.0, detail::median(times) * 1e-9)};
  }

  static void add_cost(ProfileEntry& entry, const detail::Trace& trace, size_t first, size_t end) {
    for (size_t c = first; c < end; ++c) {
      const detail::TraceCall& call = trace.calls()[c];
      const Cost cost = detail::cost_of(trace, call);
      entry.flops += cost.flops;
      entry.bytes += cost.bytes;
      entry.peak_seconds += detail::peak_seconds(cost, detail::rate_dtype(trace, call));
    }
  }

  void add_records(Profile& profile) {
    size_t step = 0;
    for (size_t r = 0; r < tape_.size(); ++r) {
      if (forward_[r].empty()) continue;
      ProfileEntry e = entry(r, false, forward_[r]);
      e.step = step++;
      detail::Trace trace;
      {
        const detail::Tracing tracing(trace);
        apply(*tape_[r].op, operands(tape_[r]), tape_[r].option_ref());
      }
      add_cost(e, trace, 0, trace.calls().size());
      profile.records.push_back(std::move(e));
    }
    detail::Trace trace;
    RuleCalls rules(trace);
    {
      const detail::Tracing tracing(trace);
      sweep(&rules);
    }
    for (size_t k = 0; k < rules.begins.size(); ++k) {
      const auto [r, first] = rules.begins[k];
      ProfileEntry e = entry(r, true, backward_[r]);
      e.step = step++;
      add_cost(e, trace, first,
               k + 1 < rules.begins.size() ? rules.begins[k + 1].second : trace.calls().size());
      profile.records.push_back(std::move(e));
    }
  }

  Tape& tape_;
  const Tensor& y_;
  std::vector<std::vector<float>> forward_, backward_;  // nanoseconds of each record, run by run
  std::vector<Tensor> held_;
};

}  // namespace

Profile profile(Tape& tape, const Tensor& y, ProfileOptions options) {
  return TapeProfile(tape, y).run(options.seconds);
}

}  // namespace tapegrad
