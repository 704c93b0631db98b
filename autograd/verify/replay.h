#pragma once

// Runs the records of a tape again. Internal, not installed.

#include <cstdint>
#include <vector>

#include "autograd/verify/subject.h"

namespace tapegrad::verify {

// A tape as a function of its leaves: the parameters and watched tensors. Its outputs are those given.
class TapeSubject final : public Subject {
 public:
  // With `promote`, everything that is float32 is float64 here, casts to float32 included.
  TapeSubject(const Tape& tape, const Tensors& ys, bool promote);
  // The tape of a recording of `of`, with its inputs in their order and by their names.
  TapeSubject(Recording& recording, const Subject& of, bool promote);
  Tensors run(std::span<const Tensor> inputs, Tape* tape) override;

  // The value on the tape of each input; kNone for one that took no part.
  static constexpr uint32_t kNone = UINT32_MAX;
  const std::vector<uint32_t>& leaves() const { return leaves_; }
  // Not 0: every leaf and every result on the way is off by half a unit of float32, up or down at random, and
  // by that of the terms that cancel inside an op which says so.
  void jitter(uint64_t seed) { jitter_seed_ = seed; }

 private:
  Tensor brought(const Tensor& x) const;

  const Tape& tape_;
  std::vector<uint32_t> ys_;
  bool promote_;
  uint64_t jitter_seed_ = 0;
  std::vector<uint32_t> leaves_;
};

// The options with every float32 in them replaced by float64.
OptionsBox promoted(OptionsRef options);

}  // namespace tapegrad::verify
