#pragma once

// Times several ways of doing the same work against each other on a machine that is never quite idle. They
// run in turn, a batch of each per round, and what counts is the ratio within a round: a disturbance that
// lasts longer than a round falls on all of them.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace tapegrad::bench {

// One way of doing the work; run(n) does it n times.
struct Candidate {
  std::string name;
  std::function<void(int64_t)> run;
};

// The candidate whose work is one call of f. The loop over calls is compiled here, around f itself.
template <class F>
Candidate candidate(std::string name, F f) {
  return {std::move(name), [f = std::move(f)](int64_t n) mutable {
            for (int64_t i = 0; i < n; ++i) f();
          }};
}

// wall is time as it passes. thread is the processor time of the calling thread, from which time lost to
// other processes is missing; for work that stays on that thread.
enum class Clock { wall, thread };

struct MeasureOptions {
  double min_seconds = 1.0;       // for a candidate, all rounds together
  double batch_seconds = 200e-6;  // for one batch at least
  int min_rounds = 15;
  int max_rounds = 1000;
  Clock clock = Clock::wall;
  bool pin = true;  // keep the calling thread on the core it is on; off for work on several threads
};

// Options for a look in passing: a tenth of the time.
MeasureOptions quick_options();

// A ratio of times: median over rounds of the ratio within the round.
struct Ratio {
  double value;
  double error;  // half the width of the 95 % interval of that median
};

struct Timing {
  std::string name;
  double seconds;              // for doing the work once: median over rounds
  double ratio;                // to the first candidate: median over rounds of the ratio within the round
  double ratio_error;          // half the width of the 95 % interval of that median
  std::vector<double> rounds;  // seconds in each round
};

// The first candidate takes part twice, under its own name and once more. Were the machine perfect, the ratio
// of the two would be 1: aa_ratio is its median. aa_spread is |aa_ratio - 1| plus the half width of its 95 %
// interval; two candidates whose ratio is closer to 1 than that cannot be told apart.
struct Measurement {
  std::vector<Timing> timings;  // in the order of the candidates
  double aa_ratio;
  double aa_spread;
  int rounds;

  // The timing of that name; throws std::out_of_range.
  const Timing& operator[](std::string_view name) const;
  bool has(std::string_view name) const;
  // The time of one to that of the other.
  Ratio ratio(std::string_view of, std::string_view to) const;
};

// Half widths are 1.96 * 1.2533 * 1.4826 * MAD / sqrt(rounds), the error of a median under normal noise with
// its width taken from the median absolute deviation. Throws std::invalid_argument without candidates.
Measurement measure(const std::vector<Candidate>& candidates, const MeasureOptions& options = {});

// The middle value, or the mean of the two in the middle; throws std::invalid_argument if there is none.
double median(std::vector<double> values);

// Keeps the calling thread on one core while it lives: the one it is on, or the given one. Does nothing where
// the system does not allow it; pinned() tells.
class PinnedThread {
 public:
  explicit PinnedThread(int core = -1);
  ~PinnedThread();
  PinnedThread(const PinnedThread&) = delete;
  PinnedThread& operator=(const PinnedThread&) = delete;
  bool pinned() const { return core_ >= 0; }
  int core() const { return core_; }  // -1 if not pinned

 private:
  int core_ = -1;
  std::vector<unsigned char> before_;  // the affinity to go back to
};

}  // namespace tapegrad::bench
