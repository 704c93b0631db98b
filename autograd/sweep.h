#pragma once

// The backward sweep over a tape. Internal, not installed.

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "autograd/tape_impl.h"

namespace tapegrad {

// Told what a sweep does, for whoever verifies it.
class SweepObserver {
 public:
  virtual ~SweepObserver() = default;
  virtual void seeded(uint32_t value, const Tensor& cotangent) = 0;
  // The rule of a record is about to run; its outputs have these cotangents, undefined where none arrived.
  virtual void reached(size_t record, std::span<const Tensor> cotangents) = 0;
  // It added this, summed down to the operand's shape, to the cotangent of its operand.
  virtual void contributed(int operand, const Tensor& contribution) = 0;
};

class Sweep {
 public:
  Sweep(detail::TapeImpl& tape, GradientOptions options, bool consume, SourceLine where);
  ~Sweep();
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

  // Starts with a cotangent for y.
  void seed(const Tensor& y, const Tensor& cotangent);
  Gradients run();
  void observe(SweepObserver& observer) { observer_ = &observer; }

 private:
  friend class Vjp;

  bool reached(const Record& record) const;
  void check_versions() const;
  // Adds to the cotangent of a value; takes the contribution over.
  void accumulate(uint32_t value, Tensor&& contribution) {
    Tensor& slot = slots_[value];
    if (slot.defined()) {
      slot = add(slot, contribution);
    } else {
      slot.swap(contribution);
    }
  }
  void free_record(const Record& record);

  detail::TapeImpl& tape_;
  GradientOptions options_;
  bool consume_;
  const bool debug_;  // of the tape; its records are looked at by their gradients, not what a sweep records
  const SourceLine where_;  // of the call
  detail::TapeImpl* saved_current_;
  size_t records_;  // recorded when the sweep began; a differentiable sweep appends more
  size_t values_;
  Tensor* slots_;                // the cotangent of each value, undefined: none arrived
  std::vector<uint32_t> seeds_;  // the values it began with, where debug_
  SweepObserver* observer_ = nullptr;
};

}  // namespace tapegrad
