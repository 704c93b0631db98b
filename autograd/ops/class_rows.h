#pragma once

// Cross entropy of rows of logits. Internal, not installed.
//
// Row r of logits [outer, classes, inner] loses Σ_c a_c·(ln Σ e^x − x_c), where
//   a_c = weight_c·((1 − smoothing)·q_c + smoothing/classes)
// with q the probabilities of the row, and with a target class t instead
//   a_c = (1 − smoothing)·weight_t·[c = t] + weight_c·smoothing/classes;
// a row whose target is ignore_index loses 0. A class with a_c = 0 adds nothing, whatever its logit.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::ops {

struct ClassRows {
  DType dtype = DType::float32;
  int64_t outer = 1, classes = 0, inner = 1;
  const void* logits = nullptr;
  const int64_t* target = nullptr;      // [outer, inner], in [0, classes) or ignore_index
  const void* probabilities = nullptr;  // like logits, where there is no target
  const void* weight = nullptr;         // [classes]; null: all 1
  double smoothing = 0;
  int64_t ignore_index = 0;

  int64_t rows() const { return outer * inner; }
};

// The loss of each row [outer, inner].
void class_losses(const ClassRows& rows, void* each);
// Their sum; the same bits for any number of threads.
double class_loss_sum(const ClassRows& rows);
// dx = g·∂loss/∂logits; g is one number for each row, or (by_row false) the same for all.
void class_loss_backward(const ClassRows& rows, const void* g, bool by_row, void* dx);

}  // namespace tapegrad::ops
