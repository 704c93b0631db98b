#include "autograd/kernels/index.h"

// Taking and gathering; adding and writing are in scatter.cpp.

#include <algorithm>
#include <cstring>

#include "autograd/kernels/elements.h"
#include "autograd/kernels/gather.h"
#include "autograd/kernels/inside.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/tile.h"
#include "autograd/kernels/tile_lanes.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;      // elements of a piece of work
constexpr int64_t kMostTurned = 1024;  // elements along dim of which a line each stays near
constexpr int64_t kTogether = 8;       // outer blocks for which an index is read once
constexpr int64_t kStrip = 256;        // columns gathered at a time, so that all rows of x stay near

bool outside(int64_t entry, int64_t n) { return static_cast<uint64_t>(entry) >= static_cast<uint64_t>(n); }

// `count` rows of `row` elements from the rows of x that the index names.
template <class E>
void take_rows(const E* x, const int64_t* index, E* y, int64_t n, int64_t row, int64_t begin, int64_t end,
               Outside& failed) {
  for (int64_t k = begin; k < end; ++k) {
    if (outside(index[k], n)) return failed.at(k);
    std::memcpy(static_cast<void*>(y + k * row), x + index[k] * row, static_cast<size_t>(row) * sizeof(E));
  }
}

// y[i] = x[at(i)] for i in [begin, end). Stores are what limits it, so four of 4 bytes become one.
template <class E, class At>
void pick(const E* x, E* y, int64_t begin, int64_t end, const At& at) {
  int64_t i = begin;
  if constexpr (sizeof(E) == 4) {
    using Vector [[gnu::vector_size(16)]] = E;
    for (; i + 4 <= end; i += 4) {
      const Vector v = {x[at(i)], x[at(i + 1)], x[at(i + 2)], x[at(i + 3)]};
      std::memcpy(y + i, &v, 16);
    }
  }
  for (; i < end; ++i) y[i] = x[at(i)];
}

// The same of rows of one element, in `blocks` outer blocks of x and y, for which the index is read once.
template <class E>
void take_elements(const E* x, const int64_t* index, E* y, int64_t n, int64_t count, int64_t blocks,
                   int64_t begin, int64_t end, Outside& failed) {
  const int64_t bad = first_outside(index + begin, end - begin, n);
  if (bad >= 0) return failed.at(begin + bad);
  int64_t k = begin;
  for (; k + 4 <= end; k += 4) {
    const int64_t at[] = {index[k], index[k + 1], index[k + 2], index[k + 3]};
    for (int64_t o = 0; o < blocks; ++o)
      pick(x + o * n, y + o * count + k, 0, 4, [&](int64_t i) { return at[i]; });
  }
  for (int64_t o = 0; o < blocks; ++o)
    pick(x + o * n, y + o * count, k, end, [=](int64_t i) { return index[i]; });
}

// The same of as many outer blocks as a cache line has elements, all entries being inside. Turned by a
// quarter, what an entry names in all blocks is one line: lines are picked, and turned back.
template <class E>
void take_lines(const E* x, const int64_t* index, E* y, int64_t n, int64_t count, TransposePicked<E> picked) {
  constexpr int64_t kLine = 64 / sizeof(E);
  alignas(64) E turned[kMostTurned * kLine];
  transpose_tile(x, n, turned, kLine, n, kLine);
  int64_t k = 0;
  for (; k + kLine <= count; k += kLine) picked(turned, index + k, y + k, count);
  for (int64_t o = 0; o < kLine; ++o) {
    for (int64_t i = k; i < count; ++i) y[o * count + i] = turned[index[i] * kLine + o];
  }
}

// take() of single elements from whole groups of outer blocks by take_lines(); returns how many blocks that
// were.
template <class E>
int64_t take_groups(const Slices& s, const E* x, const int64_t* index, E* y, TransposePicked<E> picked) {
  constexpr int64_t kLine = 64 / sizeof(E);
  const int64_t groups = s.outer / kLine;
  // Turning all of x must not take longer than what it saves.
  if (picked == nullptr || s.n > kMostTurned || 2 * s.count < s.n || groups == 0) return 0;
  const int64_t grain = std::max<int64_t>(1, kGrain / (kLine * s.count));
  parallel_for(groups, grain, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; ++g)
      take_lines(x + g * kLine * s.n, index, y + g * kLine * s.count, s.n, s.count, picked);
  });
  return groups * kLine;
}

template <class E>
int64_t take(Slices s, const void* from, const int64_t* index, void* to) {
  Outside failed;
  const auto* x = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  if constexpr (sizeof(E) == 4 || sizeof(E) == 8) {
    if (s.inner == 1 && s.outer > 1 && s.count > 0) {
      const int64_t bad = first_outside(index, s.count, s.n);
      if (bad >= 0) return bad;
      int64_t done = 0;
      if constexpr (sizeof(E) == 4) done = take_groups(s, x, index, y, transpose_picked_32());
      else done = take_groups(s, x, index, y, transpose_picked_64());
      if (done == s.outer) return -1;
      s.outer -= done;
      x += done * s.n;
      y += done * s.count;
    }
  }
  const int64_t together = s.inner == 1 ? std::min(s.outer, kTogether) : 1;
  const int64_t piece = std::max<int64_t>(1, kGrain / (together * std::max<int64_t>(1, s.inner)));
  const int64_t pieces = (s.count + piece - 1) / piece;
  const int64_t groups = (s.outer + together - 1) / together;
  const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.count * s.inner * together));
  parallel_for(groups * pieces, grain, [&](int64_t first, int64_t last) {
    for (int64_t p = first; p < last; ++p) {
      const int64_t o = p / pieces * together, begin = p % pieces * piece;
      const int64_t end = std::min(s.count, begin + piece);
      const E* source = x + o * s.n * s.inner;
      E* target = y + o * s.count * s.inner;
      if (s.inner == 1) {
        take_elements(source, index, target, s.n, s.count, std::min(together, s.outer - o), begin, end,
                      failed);
      } else {
        take_rows(source, index, target, s.n, s.inner, begin, end, failed);
      }
    }
  });
  return failed.first();
}

// Whether the index covers all of x before dim, so that outer blocks follow each other in both.
bool whole_blocks(const Elements& s) {
  int64_t stride = s.n * s.strides[s.dim];
  for (int d = s.dim - 1; d >= 0; --d) {
    if (s.sizes[d] != 1 && s.strides[d] != stride) return false;
    stride *= s.sizes[d];
  }
  return true;
}

template <class E>
int64_t gather(const Elements& s, const void* from, const int64_t* index, void* to) {
  Outside failed;
  const Axes a = axes_of(s);
  if (a.outer_size * a.middle_size * a.run == 0) return -1;
  const auto* x = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  int64_t done = 0;
  if constexpr (sizeof(E) >= 4) {
    // The rows of a matrix for each outer block, all of them in x.
    if (a.middle_rank == 1 && a.run_step == 1 && whole_blocks(s)) {
      done = gather_columns({a.outer_size, s.n, a.dim_step, a.middle_size, a.run}, x, index, y);
      if (done < 0) return first_outside(index, a.outer_size * a.middle_size * a.run, s.n);
      if (done == a.run) return -1;
    }
  }
  // Strip by strip of the last axis, through all rows.
  const int64_t strip = std::min(a.run - done, a.run_step == 0 ? kEntries : kStrip);
  const int64_t strips = (a.run - done + strip - 1) / strip, tasks = strips * a.middle_size;
  parallel_for(a.outer_size * tasks, std::max<int64_t>(1, kGrain / strip), [&](int64_t begin, int64_t end) {
    Walk block(a.outer, a.outer_rank, begin / tasks), row(a.middle, a.middle_rank, begin % a.middle_size);
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = done + p % tasks / a.middle_size * strip, last = std::min(a.run, first + strip);
      const int64_t place = block.to() + row.to();
      const int64_t bad = first_outside(index + place + first, last - first, s.n);
      if (bad >= 0) return failed.at(place + first + bad);
      const E* source = x + block.from() + row.from();
      const int64_t* entry = index + place;
      if (a.run_step == 0 && a.dim_step == 1) {
        pick(source, y + place, first, last, [=](int64_t i) { return entry[i]; });
      } else {
        pick(source, y + place, first, last,
             [=](int64_t i) { return entry[i] * a.dim_step + i * a.run_step; });
      }
      row.next();
      if (p % tasks == tasks - 1) block.next();
    }
  });
  return failed.first() < 0 ? -1 : first_outside(index, a.outer_size * a.middle_size * a.run, s.n);
}

}  // namespace

int64_t take(size_t element, const Slices& shape, const void* x, const int64_t* index, void* y) {
  // Rows of up to 16 bytes move as one element.
  Slices one = shape;
  one.inner = 1;
  switch (static_cast<size_t>(std::min<int64_t>(shape.inner, 17)) * element) {
    case 1: return take<uint8_t>(one, x, index, y);
    case 2: return take<uint16_t>(one, x, index, y);
    case 4: return take<uint32_t>(one, x, index, y);
    case 8: return take<uint64_t>(one, x, index, y);
    case 16: return take<Wide>(one, x, index, y);
    default: break;
  }
  switch (element) {
    case 1: return take<uint8_t>(shape, x, index, y);
    case 4: return take<uint32_t>(shape, x, index, y);
    default: return take<uint64_t>(shape, x, index, y);
  }
}

int64_t gather(size_t element, const Elements& shape, const void* x, const int64_t* index, void* y) {
  switch (element) {
    case 1: return gather<uint8_t>(shape, x, index, y);
    case 4: return gather<uint32_t>(shape, x, index, y);
    default: return gather<uint64_t>(shape, x, index, y);
  }
}

}  // namespace tapegrad::kernels
