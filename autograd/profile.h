#pragma once

#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "autograd/error.h"
#include "autograd/export.h"
#include "autograd/program.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"

namespace tapegrad {

// The time of one record, or of all records of one op, in one run.
struct ProfileEntry {
  std::string op;           // its name; "matmul backward" for the rule that a sweep ran of a record
  std::string result = {};  // the first result's dtype and shape; empty for an op's total
  SourceLine where = {};    // of a record
  size_t step = 0;          // of a record: those of one step of a program run together, block by block
  int64_t calls = 1;        // records
  double seconds = 0;       // the median over the runs that were timed
  double flops = 0;         // from the op's cost
  double bytes = 0;         // read and written; within a step of several records, what goes in and out of it
  double peak_seconds = 0;  // what the machine would need at least, see Profile

  // The share of what the machine can do, 1 at best; 0 where nothing is computed or moved.
  double share_of_peak() const { return seconds > 0 ? peak_seconds / seconds : 0; }
};

// Where the time of a run goes. The time at the machine's peak is flops at peak_flops, or bytes at the rate
// of an addition that touches as many, whichever takes longer; both rates are measured in this process, for
// the dtype and the number of threads in use.
struct TAPEGRAD_API Profile {
  double seconds = 0;                 // of a whole run, the median; more than the records take together
  int64_t runs = 0;                   // that were timed
  std::vector<ProfileEntry> records;  // in the order in which they run
  std::vector<ProfileEntry> ops;      // all records of an op together, the longest first

  // Two tables, the longest first: ops, and the `rows` longest records.
  std::string text(size_t rows = 20) const;
  // One run as a JSON object that chrome://tracing and Perfetto read: the records' times end to end.
  std::string chrome_trace() const;
};

inline std::string to_string(const Profile& profile) { return profile.text(); }
inline void print(const Profile& profile, std::FILE* file = stdout) {
  std::fprintf(file, "%s", profile.text().c_str());
}
// Flops per second of vector multiply-adds between registers on all threads in use, measured when first asked
// for. float32 and float64.
TAPEGRAD_API double peak_flops(DType dtype);
// Writes chrome_trace() to a file; throws ResourceError where that is impossible.
TAPEGRAD_API void save_chrome_trace(const std::string& path, const Profile& profile);

namespace detail {
class StepClock;
}  // namespace detail

// Looks at the clock between the steps of a program's runs, as long as it lives: of the recording that ran
// last, and of so many runs that they take 2 % longer altogether. A program that has none runs as if
// there were no such class. One at a time for a program.
class TAPEGRAD_API Profiler {
 public:
  // Throws GraphError where nothing is recorded, or another one is at it.
  explicit Profiler(const Program& program);
  ~Profiler();
  Profiler(const Profiler&) = delete;
  Profiler& operator=(const Profiler&) = delete;

  // Of the runs so far; throws GraphError if none was timed.
  Profile profile() const;

 private:
  Program program_;
  detail::Replay* replay_;
  detail::StepClock* clock_;
};

struct ProfileOptions {
  double seconds = 0.5;  // how long to look, at least three runs
};

// Runs the program on these inputs again and again. A step that trains, trains.
TAPEGRAD_API Profile profile(Program& program, std::span<const Tensor> inputs, ProfileOptions options = {});
inline Profile profile(Program& program, std::initializer_list<Tensor> inputs, ProfileOptions options = {}) {
  return profile(program, std::span<const Tensor>(inputs.begin(), inputs.size()), options);
}
// Runs every record again on what the tape holds, and the sweep from y, which has one element, again and
// again. Nothing is recorded; effects (`assign`) are left out.
TAPEGRAD_API Profile profile(Tape& tape, const Tensor& y, ProfileOptions options = {});

}  // namespace tapegrad
