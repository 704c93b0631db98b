#pragma once

// Verifies the gradient of a float64 subject against differences. Internal, not installed.

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/random.h"
#include "autograd/verify/builder.h"
#include "autograd/verify/line.h"
#include "autograd/verify/subject.h"
#include "autograd/verify/verdict.h"

namespace tapegrad::verify {

class Check {
 public:
  Check(Subject& subject, const GradcheckOptions& options, ReportBuilder& report);

  // Under random signed cotangents, with the gradients of the tape.
  void run();
  // Along random directions, with the one cotangent and the gradients (by varied input) that a tape recorded.
  // If a direction fails, the entries are searched for the wrong one.
  void run_recorded(Tensors cotangents, Tensors gradients);

 private:
  void start();
  void take_gradients(int count);
  void entries(size_t v, std::span<const int64_t> which);
  void directions_of_input(size_t v);
  void directions(std::span<const int> cotangents);
  // True if the last direction in the report failed, or passed because of some point on its way.
  bool doubtful() const {
    const CheckedEntry& last = report_.report().entries().back();
    return !last.passed || excused(last.verdict);
  }
  // True if the direction, which is the last one in the report, passes.
  bool search(int q, const Tensors& direction);
  // bends: right entry by entry, and some are at kinks or the part is noisy; unknown: not looked at to the
  // end, or not decided
  enum class Part : uint8_t { right, bends, wrong, unknown };
  Part search_part(int q, const Tensors& direction, size_t v, int64_t begin, int64_t end);
  // Where something passed because of the point: a direction that moves equal values together, along which
  // ties stay ties and their function is smooth.
  void ties();
  void note_vacuous();

  // `together`: equal values of all inputs have the same part.
  Tensors random_direction(bool together = false);
  double typical_entry(int q, size_t v) const { return largest_[static_cast<size_t>(q)][v]; }
  // Estimates and judges one line, and adds what was found to the report. True if it passed.
  bool check(Line& line, std::span<const int> which, const double* gradients, const double* typical,
             std::span<const double> scales, int input, int64_t entry);
  void try_canary(Line& line, std::span<const Evidence> evidence, bool whole);

  Subject& subject_;
  const GradcheckOptions& options_;
  ReportBuilder& report_;
  Ground ground_;
  std::vector<Tensors> gradients_;            // by cotangent, one for each varied input
  std::vector<std::vector<double>> largest_;  // by cotangent and varied input: max|g|
  double largest_input_ = 0;                  // max|x| over all floating inputs
  double products_ = 1;                       // how much larger the product of all inputs is
  std::vector<double> rms_;                   // of each varied input, 1 where it is 0
  std::vector<bool> moved_;                   // some derivative of the varied input is not 0
  Rng rng_;
  double early_ = 1e-3;          // of the tolerance: a bar this sharp ends the search for a sharper one,
  double enough_ = 0.1;          // and one this sharp spares the slow way
  int64_t last_evaluation_ = 0;  // of a search
  bool canary_due_ = true;       // one canary goes through all rules
};

}  // namespace tapegrad::verify
