#pragma once

// What losses of classes share: the dim of the classes, targets and class weights. Internal, not installed.

#include <string_view>

#include "autograd/apply.h"
#include "autograd/tape.h"

namespace tapegrad::ops {

// Logits [c], [n, c] or [n, c, d…] as [outer, classes, inner].
struct ClassDims {
  int dim;  // of the classes
  int64_t outer = 1, classes, inner = 1;
  Shape rows;  // the shape without it
};
ClassDims class_dims(const Shape& logits);
ClassDims class_dims(const Call& call, int logits);  // throws ShapeError for 0-d logits

// Throws unless operand `target` holds one class index for each row; DTypeError says `expected`.
void check_class_indices(const Call& call, const Shape& rows, int target, std::string_view expected);
// Throws unless operand `weight`, where there is one, is [classes] of the logits' dtype.
void check_class_weight(const Call& call, int64_t classes, int logits, int weight);

// Σ of the weights of the targets, those of ignored rows left out: what the mean divides by. weight −1:
// all 1. Throws IndexError for a target outside [0, classes).
double target_weights(const Call& call, int target, int weight, int64_t ignore_index, int64_t classes);

}  // namespace tapegrad::ops
