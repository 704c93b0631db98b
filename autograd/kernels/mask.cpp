#include "autograd/kernels/mask.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/parallel.h"
#include "autograd/kernels/runs.h"
#include "autograd/kernels/scalar_lanes.h"
#include "autograd/kernels/walk.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;  // elements of a piece of work

// Rows along the last axis, pieces of them where they are long.
template <class E>
void run(const Axis* axes, int rank, const void* from, const bool* mask, const void* with, void* to) {
  const Axis last = axes[rank - 1];
  int64_t rows = 1;
  for (int d = 0; d + 1 < rank; ++d) rows *= axes[d].size;
  if (rows == 0 || last.size == 0) return;
  E value;
  std::memcpy(&value, with, sizeof(E));
  const auto* x = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  const int64_t piece = std::min(last.size, kGrain), pieces = (last.size + piece - 1) / piece;
  parallel_for(rows * pieces, std::max<int64_t>(1, kGrain / piece), [&](int64_t begin, int64_t end) {
    Walk row(axes, rank - 1, begin / pieces);
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p % pieces * piece, count = std::min(piece, last.size - first);
      const E* source = x + row.from() + first * last.from;
      const bool* masked = mask + row.to() + first * last.to;
      E* target = y + p / pieces * last.size + first;
      if (last.to == 0) {
        if (*masked) fill_run(target, count, value);
        else copy_run(source, last.from, target, 1, count);
      } else {
        const bool dense = last.to == 1 && last.from == 1;
        int64_t i = dense ? masked_fill_lanes(sizeof(E), source, masked, with, target, count) : 0;
        for (; i < count; ++i) target[i] = masked[i * last.to] ? value : source[i * last.from];
      }
      if (p % pieces == pieces - 1) row.next();
    }
  });
}

}  // namespace

void masked_fill(size_t element, std::span<const int64_t> sizes, const void* x,
                 std::span<const int64_t> x_strides, const bool* mask, std::span<const int64_t> mask_strides,
                 const void* value, void* y) {
  // Neighbours that form one run in both are joined.
  Axis axes[kMaxAxes];
  int rank = 0;
  for (size_t d = 0; d < sizes.size(); ++d) {
    const Axis axis = {sizes[d], x_strides[d], mask_strides[d]};
    Axis* last = rank > 0 ? &axes[rank - 1] : nullptr;
    if (last != nullptr && last->from == axis.from * axis.size && last->to == axis.to * axis.size) {
      *last = {last->size * axis.size, axis.from, axis.to};
    } else {
      axes[rank++] = axis;
    }
  }
  if (rank == 0) axes[rank++] = {1, 0, 0};
  switch (element) {
    case 1: return run<uint8_t>(axes, rank, x, mask, value, y);
    case 4: return run<uint32_t>(axes, rank, x, mask, value, y);
    default: return run<uint64_t>(axes, rank, x, mask, value, y);
  }
}

}  // namespace tapegrad::kernels
