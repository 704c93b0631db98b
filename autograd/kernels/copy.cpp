#include "autograd/kernels/copy.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/parallel.h"

namespace tapegrad::kernels {
namespace {

constexpr int kMaxDims = 8;
constexpr int64_t kTile = 16;  // rows × columns of a transposition that share cache lines
constexpr int64_t kGrainElements = 32768;

struct Plan {
  int64_t sizes[kMaxDims];
  int64_t strides[kMaxDims];
  int rank = 0;
};

Plan join(std::span<const int64_t> strides, std::span<const int64_t> sizes) {
  Plan plan;
  for (size_t d = 0; d < sizes.size(); ++d) {
    if (sizes[d] == 1) continue;
    if (plan.rank > 0 && plan.strides[plan.rank - 1] == strides[d] * sizes[d]) {
      plan.sizes[plan.rank - 1] *= sizes[d];
      plan.strides[plan.rank - 1] = strides[d];
      continue;
    }
    plan.sizes[plan.rank] = sizes[d];
    plan.strides[plan.rank++] = strides[d];
  }
  // At least two dims, so that the copy is rows of runs.
  while (plan.rank < 2) {
    std::copy_backward(plan.sizes, plan.sizes + plan.rank, plan.sizes + plan.rank + 1);
    std::copy_backward(plan.strides, plan.strides + plan.rank, plan.strides + plan.rank + 1);
    plan.sizes[0] = 1;
    plan.strides[0] = 0;
    ++plan.rank;
  }
  if (plan.sizes[plan.rank - 1] == 1) plan.strides[plan.rank - 1] = 1;
  return plan;
}

template <class E>
void copy_run(const E* from, int64_t stride, E* to, int64_t n) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(n) * sizeof(E));
  } else if (stride == 0) {
    std::fill(to, to + n, *from);
  } else {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * stride];
  }
}

// Rows [begin, end) of the last two dims taken as a matrix, in tiles where the rows are the near ones in
// memory.
template <class E>
void copy_matrix(const E* from, int64_t row_stride, int64_t stride, E* to, int64_t rows, int64_t n) {
  if (stride == 0 || stride == 1 || row_stride != 1) {
    for (int64_t r = 0; r < rows; ++r) copy_run(from + r * row_stride, stride, to + r * n, n);
    return;
  }
  for (int64_t r = 0; r < rows; r += kTile) {
    const int64_t r_end = std::min(rows, r + kTile);
    for (int64_t c = 0; c < n; c += kTile) {
      const int64_t c_end = std::min(n, c + kTile);
      for (int64_t i = r; i < r_end; ++i) {
        for (int64_t j = c; j < c_end; ++j) to[i * n + j] = from[i + j * stride];
      }
    }
  }
}

template <class E>
void copy(const E* from, const Plan& plan, E* to) {
  const int last = plan.rank - 1;
  const int64_t n = plan.sizes[last];
  int64_t rows = 1;
  for (int d = 0; d < last; ++d) rows *= plan.sizes[d];
  if (rows == 0 || n == 0) return;
  const int64_t near = plan.sizes[last - 1];
  parallel_for(rows, std::max<int64_t>(kTile, kGrainElements / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end;) {
      // Where row r starts, and how many rows follow in the same matrix.
      int64_t rest = r;
      int64_t offset = 0;
      for (int d = last - 1; d >= 0; --d) {
        offset += rest % plan.sizes[d] * plan.strides[d];
        rest /= plan.sizes[d];
      }
      const int64_t count = std::min(end - r, near - r % near);
      copy_matrix(from + offset, plan.strides[last - 1], plan.strides[last], to + r * n, count, n);
      r += count;
    }
  });
}

}  // namespace

void copy_strided(size_t element, const void* from, std::span<const int64_t> strides,
                  std::span<const int64_t> sizes, void* to) {
  const Plan plan = join(strides, sizes);
  switch (element) {
    case 1: return copy(static_cast<const uint8_t*>(from), plan, static_cast<uint8_t*>(to));
    case 4: return copy(static_cast<const uint32_t*>(from), plan, static_cast<uint32_t*>(to));
    default: return copy(static_cast<const uint64_t*>(from), plan, static_cast<uint64_t*>(to));
  }
}

}  // namespace tapegrad::kernels
