#include "autograd/kernels/dot.h"

#include <algorithm>

#include "autograd/kernels/pairwise.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/reduce.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kPiece = 65536;
constexpr int64_t kMostPieces = 256;

template <class T>
void dot_pieces(DType dtype, const T* a, const T* b, int64_t n, T* y) {
  if (n <= kPiece) return row_dot(dtype, a, b, y, 1, n);
  const int64_t piece = std::max(kPiece, (n + kMostPieces - 1) / kMostPieces);
  const int64_t pieces = (n + piece - 1) / piece;
  T parts[kMostPieces];
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      row_dot(dtype, a + p * piece, b + p * piece, parts + p, 1, std::min(piece, n - p * piece));
    }
  });
  PairwiseSum<double> tree;
  for (int64_t p = 0; p < pieces; ++p) tree.add(static_cast<double>(parts[p]));
  *y = static_cast<T>(tree.total());
}

}  // namespace

void dot(DType dtype, const void* a, const void* b, int64_t n, void* y) {
  if (dtype == DType::float32) {
    dot_pieces(dtype, static_cast<const float*>(a), static_cast<const float*>(b), n, static_cast<float*>(y));
  } else {
    dot_pieces(dtype, static_cast<const double*>(a), static_cast<const double*>(b), n,
               static_cast<double*>(y));
  }
}

}  // namespace tapegrad::kernels
