#include "autograd/kernels/copy.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/parallel.h"
#include "autograd/kernels/runs.h"
#include "autograd/kernels/tile.h"
#include "autograd/kernels/walk.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;  // elements of a piece of work
constexpr int64_t kTileRows = 64;
constexpr int64_t kFew = 16;  // repeats of one element that are not worth a run of their own

struct Plan {
  Axis axes[kMaxAxes];
  int rank = 0;
  bool empty = false;

  void erase(int at) { std::copy(axes + at + 1, axes + rank--, axes + at); }
};

// Axes of size 1 left out, neighbours that form one run joined.
Plan join(std::span<const int64_t> sizes, std::span<const int64_t> from, std::span<const int64_t> to) {
  Plan plan;
  for (size_t d = 0; d < sizes.size(); ++d) {
    const Axis axis = {sizes[d], from[d], to[d]};
    plan.empty |= axis.size == 0;
    if (axis.size == 1) continue;
    Axis* last = plan.rank > 0 ? &plan.axes[plan.rank - 1] : nullptr;
    if (last != nullptr && last->from == axis.from * axis.size && last->to == axis.to * axis.size) {
      *last = {last->size * axis.size, axis.from, axis.to};
    } else {
      plan.axes[plan.rank++] = axis;
    }
  }
  return plan;
}

// A run of two, four, … elements, up to 16 bytes, as one element where everything is a multiple of it.
// Returns the size of the element to move.
size_t widen(Plan& plan, size_t element, const void* from, const void* to) {
  if (plan.rank < 2) return element;
  const Axis run = plan.axes[plan.rank - 1];
  const size_t wide = element * static_cast<size_t>(std::min<int64_t>(run.size, 17));
  if (run.from != 1 || run.to != 1 || (wide != 2 && wide != 4 && wide != 8 && wide != 16)) return element;
  const size_t alignment = std::min<size_t>(wide, 8);
  if (reinterpret_cast<uintptr_t>(from) % alignment != 0 || reinterpret_cast<uintptr_t>(to) % alignment != 0)
    return element;
  for (int d = 0; d + 1 < plan.rank; ++d) {
    if (plan.axes[d].from % run.size != 0 || plan.axes[d].to % run.size != 0) return element;
  }
  --plan.rank;
  for (int d = 0; d < plan.rank; ++d) {
    plan.axes[d].from /= run.size;
    plan.axes[d].to /= run.size;
  }
  return wide;
}

int64_t count(const Plan& plan) {
  int64_t n = 1;
  for (int d = 0; d < plan.rank; ++d) n *= plan.axes[d].size;
  return n;
}

// Row by row along the last axis; long rows in pieces.
template <class E>
void copy_rows(const E* from, Plan plan, E* to) {
  const Axis run = plan.axes[--plan.rank];
  const int64_t piece = std::min(run.size, kGrain), pieces = (run.size + piece - 1) / piece;
  parallel_for(count(plan) * pieces, std::max<int64_t>(1, kGrain / piece), [&](int64_t begin, int64_t end) {
    Walk row(plan.axes, plan.rank, begin / pieces);
    for (int64_t k = begin; k < end; ++k) {
      const int64_t at = k % pieces * piece;
      copy_run(from + row.from() + at * run.from, run.from, to + row.to() + at * run.to, run.to,
               std::min(piece, run.size - at));
      if (k % pieces == pieces - 1) row.next();
    }
  });
}

// Where the last axis repeats one element a few times: along the axis before it.
template <class E>
void copy_repeats(const E* from, Plan plan, E* to) {
  const int64_t times = plan.axes[--plan.rank].size;
  const Axis run = plan.axes[--plan.rank];
  const int64_t piece = std::min(run.size, kGrain / times), pieces = (run.size + piece - 1) / piece;
  parallel_for(count(plan) * pieces, std::max<int64_t>(1, kGrain / (piece * times)),
               [&](int64_t begin, int64_t end) {
                 Walk row(plan.axes, plan.rank, begin / pieces);
                 for (int64_t k = begin; k < end; ++k) {
                   const int64_t at = k % pieces * piece;
                   repeat_run(from + row.from() + at * run.from, run.from, to + row.to() + at * times,
                              std::min(piece, run.size - at), times);
                   if (k % pieces == pieces - 1) row.next();
                 }
               });
}

// Where another axis is the dense one in `from`: tiles over it and the last.
template <class E>
void copy_tiles(const E* from, Plan plan, int near, E* to) {
  const Axis columns = plan.axes[--plan.rank], rows = plan.axes[near];
  plan.erase(near);
  const int64_t height = std::min(rows.size, kTileRows), width = std::min(columns.size, kGrain / height);
  const int64_t down = (rows.size + height - 1) / height, across = (columns.size + width - 1) / width;
  const int64_t tiles = down * across;
  parallel_for(count(plan) * tiles, std::max<int64_t>(1, kGrain / (height * width)),
               [&](int64_t begin, int64_t end) {
                 Walk matrix(plan.axes, plan.rank, begin / tiles);
                 for (int64_t k = begin; k < end; ++k) {
                   const int64_t r = k % tiles / across * height, c = k % across * width;
                   transpose_tile(from + matrix.from() + r + c * columns.from, columns.from,
                                  to + matrix.to() + r * rows.to + c, rows.to,
                                  std::min(height, rows.size - r), std::min(width, columns.size - c));
                   if (k % tiles == tiles - 1) matrix.next();
                 }
               });
}

template <class E>
void copy(const void* from, Plan& plan, void* to) {
  const auto* source = static_cast<const E*>(from);
  auto* target = static_cast<E*>(to);
  if (plan.rank == 0) plan.axes[plan.rank++] = {1, 1, 1};
  const Axis& last = plan.axes[plan.rank - 1];
  if (last.to == 1 && last.from != 0 && last.from != 1) {
    for (int d = plan.rank - 2; d >= 0; --d) {
      if (plan.axes[d].from == 1) return copy_tiles(source, plan, d, target);
    }
  }
  const Axis* before = plan.rank > 1 ? &last - 1 : nullptr;
  if (before != nullptr && last.from == 0 && last.to == 1 && last.size <= kFew && before->to == last.size)
    return copy_repeats(source, plan, target);
  copy_rows(source, plan, target);
}

template <class E>
void fill_with(void* to, int64_t n, const void* value) {
  E element;
  std::memcpy(&element, value, sizeof(E));
  auto* target = static_cast<E*>(to);
  parallel_for(n, kGrain,
               [&](int64_t begin, int64_t end) { fill_run(target + begin, end - begin, element); });
}

}  // namespace

void copy_strided(size_t element, std::span<const int64_t> sizes, const void* from,
                  std::span<const int64_t> from_strides, void* to, std::span<const int64_t> to_strides) {
  Plan plan = join(sizes, from_strides, to_strides);
  if (plan.empty) return;
  switch (widen(plan, element, from, to)) {
    case 1: return copy<uint8_t>(from, plan, to);
    case 2: return copy<uint16_t>(from, plan, to);
    case 4: return copy<uint32_t>(from, plan, to);
    case 8: return copy<uint64_t>(from, plan, to);
    default: return copy<Wide>(from, plan, to);
  }
}

void copy_strided(size_t element, const void* from, std::span<const int64_t> strides,
                  std::span<const int64_t> sizes, void* to) {
  int64_t dense[kMaxAxes];
  int64_t stride = 1;
  for (size_t d = sizes.size(); d-- > 0;) {
    dense[d] = stride;
    stride *= sizes[d];
  }
  copy_strided(element, sizes, from, strides, to, {dense, sizes.size()});
}

void fill(size_t element, void* to, int64_t n, const void* value) {
  switch (element) {
    case 1: return fill_with<uint8_t>(to, n, value);
    case 4: return fill_with<uint32_t>(to, n, value);
    default: return fill_with<uint64_t>(to, n, value);
  }
}

}  // namespace tapegrad::kernels
