#include "bench/growth.h"

#include <autograd/autograd.h>
#include <time.h>

#include <algorithm>

#include "bench/allocations.h"

namespace tapegrad::bench {
namespace {

// In processor time: a long chain takes longer than a process may run undisturbed.
double now() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Seconds of recording and sweeping a chain; the mean of as many as make 10⁴ records, where one is short.
double chain(const Parameter& p, long long records) {
  const long long chains = std::max(10'000 / records, 1LL);
  const double start = now();
  for (long long k = 0; k < chains; ++k) {
    Tape tape;
    Tensor x = p;
    for (long long i = 0; i < records; ++i) x = x * 1.0000001f;
    tape.gradient(x);
  }
  return (now() - start) / static_cast<double>(chains);
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
