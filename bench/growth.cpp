#include "bench/growth.h"

#include <autograd/autograd.h>

#include <algorithm>
#include <chrono>

#include "bench/allocations.h"

namespace tapegrad::bench {
namespace {

// Seconds of recording and sweeping a chain.
double chain(const Parameter& p, long long records) {
  const auto start = std::chrono::steady_clock::now();
  {
    Tape tape;
    Tensor x = p;
    for (long long i = 0; i < records; ++i) x = x * 1.0000001f;
    tape.gradient(x);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::vector<Growth> run_growth(bool quick) {
  const Parameter p(full({}, 0.5));
  std::vector<Growth> all;
  const AllocationScope scope;  // memory that a shorter chain left to the pool counts for the longer one
  for (long long records = 100; records <= (quick ? 1'000'000 : 10'000'000); records *= 10) {
    double best = 1e9, spent = 0;
    for (int run = 0; run < 3 || (spent < 0.2 && run < 1000); ++run) {
      const double taken = chain(p, records);
      spent += taken;
      best = std::min(best, taken);
    }
    const auto count = static_cast<double>(records);
    all.push_back({records, best * 1e9 / count, static_cast<double>(scope.count().peak_bytes) / count});
  }
  return all;
}

}  // namespace tapegrad::bench
