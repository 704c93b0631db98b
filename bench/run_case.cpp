#include "bench/run_case.h"

#include <autograd/threads.h>

#include <algorithm>
#include <cstdlib>

#include "bench/allocations.h"
#include "bench/child.h"

namespace tapegrad::bench {
namespace {

int64_t steady_allocations(const Candidate& step) {
  step.run(3);
  AllocationScope scope;
  step.run(10);
  return (scope.count().allocations + 9) / 10;
}

// By a process of its own, as the pool of this one is warm.
long long peak_in_new_process(const std::string& id) {
  const Outcome o = run_program({"/proc/self/exe", "--peak-of-first-steps", id});
  return o.status == 0 ? std::atoll(o.output.c_str()) : -1;
}

void count_allocations(CaseResult& result, const Case& work) {
  result.peak_bytes = peak_in_new_process(work.id);
  result.allocations_eager = steady_allocations(work.eager);
  result.allocations_program = steady_allocations(work.program);
}

std::string named(const char* name, int threads) {
  return threads == 1 ? name : std::string(name) + "@" + std::to_string(threads);
}

void add(std::vector<Candidate>& list, const char* name, int threads,
         const std::function<void(int64_t)>& run) {
  if (!run) return;
  list.push_back({named(name, threads), [run, threads](int64_t n) {
                    set_num_threads(threads);
                    set_peer_threads(threads);
                    run(n);
                  }});
}

std::vector<Candidate> candidates(const Case& work, int threads) {
  std::vector<Candidate> list;
  if (work.limit) add(list, "limit", threads, work.limit(threads).run);
  add(list, "eager", threads, work.eager.run);
  add(list, "program", threads, work.program.run);
  add(list, "libtorch", threads, work.peer);
  if (threads > 1) return list;
  add(list, "forward", threads, work.forward.run);
  add(list, "gradient", threads, work.gradient.run);
  add(list, "program forward", threads, work.program_forward.run);
  add(list, "program gradient", threads, work.program_gradient.run);
  return list;
}

Judged judge(const Target& target, const Measurement& m, const std::string& name, int threads, double ops) {
  Judged judged;
  if (target.most < 0 || threads > 1) return judged;
  double margin = m.aa_spread;
  if (target.basis == Basis::nanoseconds) {
    judged.ratio = {m[name].seconds * 1e9 / ops, 0};
  } else {
    const char* const to = target.basis == Basis::limit ? "limit" : "libtorch";
    if (!m.has(to)) return judged;
    judged.ratio = m.ratio(name, to);
    margin = std::max(margin, judged.ratio.error / judged.ratio.value);
  }
  judged.mark = judged.ratio.value <= target.most                  ? Mark::met
                : judged.ratio.value * (1 - margin) <= target.most ? Mark::within_spread
                                                                   : Mark::missed;
  return judged;
}

// A speed-up should be at least `least`.
Mark judge_speedup(const Ratio& speedup, double least, double spread) {
  if (speedup.value >= least) return Mark::met;
  return speedup.value + speedup.error + spread * speedup.value >= least ? Mark::within_spread : Mark::missed;
}

void add_parts(CaseResult& result, const Measurement& m) {
  const auto us = [&](const char* name) { return m.has(name) ? m[name].seconds * 1e6 : -1; };
  const auto split = [](double forward, double gradient, double step, double& backward, double& update) {
    if (forward < 0) return;
    backward = (gradient < 0 ? step : gradient) - forward;
    if (gradient >= 0) update = step - gradient;
  };
  result.forward_us = us("forward");
  result.program_forward_us = us("program forward");
  split(result.forward_us, us("gradient"), result.eager_us, result.backward_us, result.update_us);
  split(result.program_forward_us, us("program gradient"), result.program_us, result.program_backward_us,
        result.program_update_us);
}

void add_speedups(CaseResult& result, const Measurement& m) {
  const auto speedup = [&](const char* name) {
    const std::string many = named(name, result.threads);
    return m.has(many) ? m.ratio(name, many) : Ratio{-1, 0};
  };
  result.limit_speedup = speedup("limit");
  result.eager_speedup = speedup("eager");
  result.program_speedup = speedup("program");
  result.peer_speedup = speedup("libtorch");
  const double least = std::max(0.97, 0.9 * result.limit_speedup.value);
  result.speedup = std::max(judge_speedup(result.eager_speedup, least, m.aa_spread),
                            judge_speedup(result.program_speedup, least, m.aa_spread));
}

CaseResult result_of(const Case& work, const Measurement& m, int threads) {
  CaseResult r;
  r.id = work.id;
  r.threads = threads;
  const auto us = [&](const char* name) {
    return m.has(named(name, threads)) ? m[named(name, threads)].seconds * 1e6 : -1;
  };
  r.limit_us = us("limit");
  r.eager_us = us("eager");
  r.program_us = us("program");
  r.peer_us = us("libtorch");
  const std::string eager = named("eager", threads), program = named("program", threads);
  if (r.limit_us >= 0) {
    r.eager_ratio = m.ratio(eager, named("limit", threads));
    r.program_ratio = m.ratio(program, named("limit", threads));
  }
  if (r.peer_us >= 0) {
    r.eager_to_peer = m.ratio(eager, named("libtorch", threads));
    r.program_to_peer = m.ratio(program, named("libtorch", threads));
  }
  r.eager = judge(work.eager_target, m, eager, threads, work.ops);
  r.program = judge(work.program_target, m, program, threads, work.ops);
  r.aa_spread = m.aa_spread;
  if (threads == 1) add_parts(r, m);
  else add_speedups(r, m);
  r.profile = work.profile;
  r.ops = work.ops;
  r.flops = work.flops;
  r.bytes = work.bytes;
  r.difference = work.difference;
  r.predicted_bytes = work.predicted_bytes;
  r.planned_bytes = work.planned_bytes;
  return r;
}

}  // namespace

long long peak_of_first_steps(const std::string& id) {
  const Case work = make_case(id, Parts::eager);
  const AllocationScope scope;
  work.eager.run(3);
  return scope.count().peak_bytes;
}

std::vector<CaseResult> run_case(const Case& work, const BenchOptions& options) {
  const int before = num_threads();
  set_num_threads(options.threads);
  CaseResult counted;
  count_allocations(counted, work);
  std::vector<Candidate> list = candidates(work, 1);
  if (options.threads > 1) {
    for (Candidate& c : candidates(work, options.threads)) list.push_back(std::move(c));
  }
  MeasureOptions m = options.quick ? quick_options() : MeasureOptions{};
  m.pin = options.threads == 1;
  m.clock = options.threads == 1 ? Clock::thread : Clock::wall;
  const Measurement measured = measure(list, m);
  set_num_threads(before);
  std::vector<CaseResult> results{result_of(work, measured, 1)};
  if (options.threads > 1) results.push_back(result_of(work, measured, options.threads));
  for (CaseResult& r : results) {
    r.allocations_eager = counted.allocations_eager;
    r.allocations_program = counted.allocations_program;
    r.peak_bytes = counted.peak_bytes;
  }
  return results;
}

}  // namespace tapegrad::bench
