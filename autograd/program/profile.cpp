// Profiles of programs.

#include "autograd/profile.h"

#include <algorithm>
#include <chrono>

#include "autograd/profile_impl.h"
#include "autograd/program/clock.h"
#include "autograd/program/cost.h"
#include "autograd/program/replay.h"
#include "autograd/raise.h"

namespace tapegrad {
namespace {

using detail::Plan;
using detail::Step;

ProfileEntry entry_of(const Plan& plan, size_t s, uint32_t c, double seconds) {
  const detail::TraceCall& call = plan.trace->calls()[c];
  const Cost cost = detail::cost_in_step(plan, plan.steps[s], call);
  const detail::TraceValue& result = plan.trace->values()[call.outputs[0]];
  return {.op = std::string(call.op->name),
          .result = fmt::format("{}[{}]", name(result.dtype), fmt::join(result.shape, ", ")),
          .where = call.where,
          .step = s,
          .seconds = seconds,
          .flops = cost.flops,
          .bytes = cost.bytes,
          .peak_seconds = detail::peak_seconds(cost, detail::rate_dtype(*plan.trace, call))};
}

// A step's time, divided among its records as their kernels take it on blocks in the first-level cache.
void add_step(Profile& profile, const Plan& plan, size_t s, double seconds) {
  const Step& step = plan.steps[s];
  std::vector<double> weights;
  double all = 0;
  for (const uint32_t c : step.calls) {
    const double weight =
        step.calls.size() > 1 ? detail::block_seconds(plan, step, plan.trace->calls()[c]) : 1.0;
    weights.push_back(weight);
    all += weight;
  }
  for (size_t k = 0; k < step.calls.size(); ++k) {
    profile.records.push_back(entry_of(plan, s, step.calls[k], seconds * weights[k] / all));
  }
}

}  // namespace

Profiler::Profiler(const Program& program) : program_(program) {
  detail::Replay* const replay = program_.last_replay();
  if (replay == nullptr) raise<GraphError>("[Profiler] the program has not been recorded yet");
  if (replay->is_timed()) raise<GraphError>("[Profiler] the program has a profiler already");
  replay_ = replay;
  clock_ = new detail::StepClock(replay->plan().steps.size());
  replay->time(clock_);
}

Profiler::~Profiler() {
  replay_->time(nullptr);
  delete clock_;
}

Profile Profiler::profile() const {
  if (clock_->runs() == 0) raise<GraphError>("[Profiler] no run was timed yet");
  Profile profile;
  profile.seconds = clock_->run_seconds();
  profile.runs = clock_->runs();
  const Plan& plan = replay_->plan();
  const std::vector<double> seconds = clock_->step_seconds();
  for (size_t s = 0; s < plan.steps.size(); ++s) add_step(profile, plan, s, seconds[s]);
  detail::sum_up_ops(profile);
  return profile;
}

Profile profile(Program& program, std::span<const Tensor> inputs, ProfileOptions options) {
  using Clock = std::chrono::steady_clock;
  for (int i = 0; i < 3; ++i) program.run(inputs);  // the second compares
  // From here on what is timed is the recording alone.
  struct Unchecked {
    Program& program;
    int64_t every = program.check_every();
    explicit Unchecked(Program& p) : program(p) { program.check_every(0); }
    ~Unchecked() { program.check_every(every); }
  } const unchecked(program);
  const Profiler profiler(program);
  const auto start = Clock::now();
  int64_t runs = 0;
  do {
    program.run(inputs);
  } while (++runs < 3 || std::chrono::duration<double>(Clock::now() - start).count() < options.seconds);
  return profiler.profile();
}

}  // namespace tapegrad
