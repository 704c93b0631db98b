#pragma once

// What a sweep did, record by record. Internal, not installed.

#include <cstdint>
#include <utility>
#include <vector>

#include "autograd/sweep.h"
#include "autograd/verify/subject.h"

namespace tapegrad::verify {

struct Contribution {
  int operand;
  Tensor value;
};

// One record that a cotangent reached.
struct Visit {
  size_t record;
  Tensors cotangents;  // of its outputs, undefined where none arrived
  std::vector<Contribution> contributions;
};

// The visits in the order of the sweep, so the last record first, what the sweep began with, and the
// gradients that it gave.
struct Trace final : SweepObserver {
  std::vector<std::pair<uint32_t, Tensor>> seeds;  // value, cotangent
  std::vector<Visit> visits;
  std::vector<std::pair<uint32_t, Tensor>> leaves;  // value, gradient

  void seeded(uint32_t value, const Tensor& cotangent) override;
  void reached(size_t record, std::span<const Tensor> cotangents) override;
  void contributed(int operand, const Tensor& contribution) override;
};

// Sweeps the tape from its outputs and writes down what happens.
Trace trace_sweep(Tape& tape, const Tensors& outputs, const Tensors& cotangents);

}  // namespace tapegrad::verify
