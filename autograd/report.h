#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/error.h"
#include "autograd/export.h"
#include "autograd/shape.h"

namespace tapegrad {

// What a check of a derivative found. The first three pass; a jump and a non-finite value pass where they are
// declared.
enum class Verdict : uint8_t {
  agree,             // within the error bar, and the bar is small
  agree_zero,        // both are zero as far as can be resolved
  kink_in,           // the point is a kink, and the gradient lies between the one-sided derivatives
  jump,              // the value jumps here
  nonfinite,         // a value or a derivative is NaN or infinite
  disagree,          // further apart than the error bar allows
  kink_out,          // the point is a kink, and the gradient lies outside the one-sided derivatives
  noisy,             // the bar is too wide to tell
  nondeterministic,  // two runs differ
  structure,         // the gradient breaks a rule that every gradient keeps; see StructureFault
  vacuous,           // every derivative of an input is 0, or nothing was checked
};
TAPEGRAD_API std::string_view name(Verdict verdict);

// One derivative that was checked: along entry `entry` of an input, or along a random direction (entry −1;
// input −1: through all inputs at once).
struct CheckedEntry {
  int input;
  int64_t entry;
  double gradient;    // what the tape says
  double difference;  // what finite differences say
  double bar;         // how far off the difference may be
  double scale;       // the size of derivative that bar is judged against
  double step;        // the widest step taken for the difference
  int evaluations;    // of the function, for this entry
  Verdict verdict;
  bool passed;
};

// A rule that holds for every gradient, whatever the function, and does not hold here.
struct StructureFault {
  Verdict verdict;  // structure, nondeterministic, nonfinite or vacuous
  int input;        // −1: none in particular
  std::string what;
};

// A record of a tape whose derivative is wrong, or could not be decided.
struct Culprit {
  size_t record;   // its place on the tape
  std::string op;  // with its options
  SourceLine where;
  int operand;       // −1: none in particular
  int64_t element;   // of the operand, −1: none in particular
  std::string what;  // for the reader: the operand by name and the element by index, the verdict, the numbers
};

struct CheckedInput {
  std::string name;
  std::string type;  // "float64[3, 4]"
  Shape shape;
};

// The outcome of a gradient check. ok() is true when every derivative agrees, no rule is broken, no record is
// wrong or undecided, at least one derivative was checked, and every canary was caught: a derivative shifted
// by ten times its bar must be called wrong.
class TAPEGRAD_API Report {
 public:
  bool ok() const;
  explicit operator bool() const { return ok(); }

  const std::vector<CheckedEntry>& entries() const { return entries_; }
  const std::vector<StructureFault>& faults() const { return faults_; }
  // Records of the tape that are wrong, the last on the tape first, which is where the sweep met them.
  const std::vector<Culprit>& culprits() const { return culprits_; }
  // Records whose derivative is neither shown to be right nor to be wrong: bars too wide to tell, a jump or a
  // pole that the op does not declare.
  const std::vector<Culprit>& undecided() const { return undecided_; }
  // Records of the tape that were replayed and verified with the cotangent that really reached them.
  size_t records_verified() const { return records_verified_; }
  // The derivative furthest from agreement: failures first, then by |gradient − difference| / bar. Throws
  // ArgumentError when none was checked.
  const CheckedEntry& worst() const;
  // The relative error bar that the fraction q of the derivatives stays below; 0 when none agrees.
  double resolution(double q) const;
  int64_t evaluations() const { return evaluations_; }
  int canaries() const { return canaries_; }
  int canaries_caught() const { return canaries_caught_; }

  // A verdict, one line per input with its worst entry, and one line per failure. `colour`: with the escape
  // sequences of a terminal.
  std::string text(bool colour = false) const;
  // The same as one JSON object.
  std::string json() const;

 private:
  friend class ReportBuilder;

  std::vector<CheckedInput> inputs_;
  std::vector<CheckedEntry> entries_;
  std::vector<StructureFault> faults_;
  std::vector<Culprit> culprits_, undecided_;
  size_t records_verified_ = 0;
  int64_t evaluations_ = 0;
  int canaries_ = 0;
  int canaries_caught_ = 0;
  uint64_t seed_ = 0;
  std::string note_;  // a line more, such as how far float32 is from float64
};

// Prints the text, in colour where `file` is a terminal and NO_COLOR is not set.
TAPEGRAD_API void print(const Report& report, std::FILE* file = stdout);

}  // namespace tapegrad
