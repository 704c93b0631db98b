#pragma once

// What ops with an index have in common. Internal, not installed.

#include "autograd/kernels/index.h"
#include "autograd/ops/dims.h"

namespace tapegrad::ops {

struct IndexOption {
  int64_t dim = 0;
  static void fields(auto& self, auto&& f) { f("dim", self.dim); }
};

// For gradients: the shape of what was indexed.
struct IndexBackwardOptions {
  int64_t dim = 0;
  Shape shape;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("shape", self.shape);
  }
};

// DTypeError unless operand i is int64.
void require_index(const Call& call, int i);

// Throws the IndexError of the entry at `place` of operand i, none if place is −1.
void check_inside(const Call& call, int i, int64_t place, int64_t size);

// Every entry of operand i in [0, size).
void check_all_inside(const Call& call, int i, int64_t size);

// Of ops that index whole slices of x: the sizes with the index in the place of dim. Throws ShapeError for an
// index of more than one dimension.
Shape sliced_shape(const Call& call, const Shape& x, int64_t dim, int index);
kernels::Slices slices(const Call& call, const Shape& x, int64_t dim, int index);

// Of ops that index single elements of x: throws ShapeError unless the index has x's rank and is nowhere
// larger but along dim.
void check_elements(const Call& call, const Shape& x, int64_t dim, int index);
// src is the shape of what is placed, for ops that place.
kernels::Elements elements(const Call& call, const Shape& x, int64_t dim, int index, const Shape& src);

// Copies operand i to the result.
void start_with(Call& call, int i);
// Fills the result with 0.
void start_with_zeros(Call& call);

// Bytes of the operands and the result, each once.
Cost traffic(const Call& call);

}  // namespace tapegrad::ops
