#pragma once

// Elements picked and placed by an index. Internal, not installed.

#include <cstddef>
#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

// Every function here returns the place of the first entry of the index that lies outside [0, n), or −1 if
// there is none. When there is one, the result is partly written and of no use.
//
// What adds or overwrites does so, at each element of the result, in the order of the index, so the bits do
// not depend on the number of threads.

// An index of whole slices: x is [outer, n, inner], the index has `count` entries.
struct Slices {
  int64_t outer, n, inner, count;
};

// y[o, k] = x[o, index[k]]; elements of 1, 4 or 8 bytes.
int64_t take(size_t element, const Slices& shape, const void* x, const int64_t* index, void* y);

// y[o, index[k]] += src[o, k]; entries equal to `skip` are left out. float32, float64, int64.
int64_t add_slices(DType dtype, const Slices& shape, const void* src, const int64_t* index, void* y,
                   int64_t skip = -1);

// An index of single elements, of x's rank and along dim: entry (i, j, …) stands for x's element at (i, j, …)
// with the entry itself in the place of dim. rank >= 1.
struct Elements {
  int rank;
  int dim;
  int64_t n;           // x's size along dim
  int64_t sizes[8];    // of the index
  int64_t strides[8];  // of x, which is dense
  int64_t src[8];      // strides of what is placed, which is dense and may be larger than the index
};

// y[k] = the element of x that entry k stands for; elements of 1, 4 or 8 bytes.
int64_t gather(size_t element, const Elements& shape, const void* x, const int64_t* index, void* y);

// The element of y that entry (i, j, …) stands for += src[i, j, …]. float32, float64, int64.
int64_t scatter_add(DType dtype, const Elements& shape, const void* src, const int64_t* index, void* y);

// The element of y that entry (i, j, …) stands for = src[i, j, …]; of several the last one stays.
int64_t scatter(size_t element, const Elements& shape, const void* src, const int64_t* index, void* y);

}  // namespace tapegrad::kernels
