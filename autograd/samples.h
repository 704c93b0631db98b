#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/apply.h"
#include "autograd/export.h"
#include "autograd/op.h"
#include "autograd/options.h"
#include "autograd/random.h"
#include "autograd/tensor.h"

namespace tapegrad {

// One call of an op that every check runs: gradients, reference values, replay, benchmark.
struct Sample {
  std::vector<Tensor> inputs;
  OptionsBox options;
};

// A call that must throw, and a word its message must contain.
struct ErrorSample {
  std::vector<Tensor> inputs;
  OptionsBox options;
  std::string_view gist;
};

// What holds by convention at one point: a kink, a tie, a pole, nothing at all to reduce. Drives a test and
// the table in autograd/README.md. NaN equals NaN, and −0 is told from 0.
struct Convention {
  std::string_view what;  // in words, as the table shows it: "a tie gives each side half"
  std::vector<Tensor> inputs = {};
  OptionsBox options = {};
  Tensor value = {};                   // the first output
  std::vector<Tensor> gradients = {};  // of Σ cotangent·value by each operand; undefined or missing: none
  Tensor cotangent = {};               // undefined: ones
};

// What an op's `samples` fills: inputs of one dtype (where the op takes floats) from a fixed seed. An op adds
// its ordinary cases (0-d, size 1, size 0, broadcast) and its awkward points, and at least one call that must
// throw.
class TAPEGRAD_API Samples {
 public:
  enum class Purpose : uint8_t { check, benchmark };

  explicit Samples(DType dtype, uint64_t seed = 1, Purpose purpose = Purpose::check)
      : dtype_(dtype), rng_(seed), purpose_(purpose) {}

  // Set: the op adds calls of the sizes that people run, to be timed, and no others.
  bool benchmark() const { return purpose_ == Purpose::benchmark; }

  DType dtype() const { return dtype_; }
  Rng& rng() { return rng_; }
  Tensor normal(const Shape& shape) { return rng_.normal(shape, dtype_); }
  Tensor uniform(const Shape& shape, double low, double high) {
    return rng_.uniform(shape, low, high, dtype_);
  }
  // Distinct values at least 0.1 apart, for ops whose kinks lie at ties.
  Tensor distinct(const Shape& shape);
  Tensor values(const detail::Nested& list) { return tensor(list, dtype_); }
  Tensor integers(const Shape& shape, int64_t low, int64_t high) { return rng_.integers(shape, low, high); }

  // Cold, and with them the functions that call them: samples are compiled for size.
  [[gnu::cold]] void add(std::vector<Tensor> inputs, OptionsRef options = {});
  [[gnu::cold]] void add_error(std::string_view gist, std::vector<Tensor> inputs, OptionsRef options = {});
  [[gnu::cold]] void add_convention(Convention convention);

  const std::vector<Sample>& samples() const { return samples_; }
  const std::vector<ErrorSample>& errors() const { return errors_; }
  const std::vector<Convention>& conventions() const { return conventions_; }

 private:
  DType dtype_;
  Rng rng_;
  Purpose purpose_;
  std::vector<Sample> samples_;
  std::vector<ErrorSample> errors_;
  std::vector<Convention> conventions_;
};

// Runs an op on a sample; inputs may be replaced by others of the same shapes. Errors name the caller's line.
inline std::vector<Tensor> run(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                               const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  std::vector<Arg> args;
  args.reserve(inputs.size());
  for (const Tensor& x : inputs) args.emplace_back(x, file, line);
  return apply_all(op, std::span<const Arg>(args), options);
}

}  // namespace tapegrad
