#include "autograd/kernels/index.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "autograd/kernels/inside.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/tile.h"
#include "autograd/kernels/tile_lanes.h"
#include "autograd/kernels/walk.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;      // elements of a piece of work
constexpr int64_t kMostTurned = 1024;  // elements along dim of which a line each stays near
constexpr int64_t kTogether = 8;       // outer blocks for which an index is read once
constexpr int64_t kStrip = 256;        // columns gathered at a time, so that all rows of x stay near
constexpr int64_t kEntries = 512;  // entries read twice, to look whether they are inside and to follow them
constexpr int64_t kBand = 16;      // columns that one thread has for itself: a cache line

// The first place outside that any thread met.
class Outside {
 public:
  void at(int64_t place) {
    int64_t first = first_.load(std::memory_order_relaxed);
    while (place < first && !first_.compare_exchange_weak(first, place, std::memory_order_relaxed)) {
    }
  }
  int64_t first() const {
    const int64_t first = first_.load(std::memory_order_relaxed);
    return first == INT64_MAX ? -1 : first;
  }

 private:
  std::atomic<int64_t> first_{INT64_MAX};
};

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

template <class E>
void add_row(E* to, const E* from, int64_t n) {
  constexpr int64_t kLanes = 16 / sizeof(E);
  using Vector [[gnu::vector_size(16)]] = E;
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    Vector a, b;
    std::memcpy(&a, to + i, 16);
    std::memcpy(&b, from + i, 16);
    a += b;
    std::memcpy(to + i, &a, 16);
  }
  for (; i < n; ++i) to[i] += from[i];
}

// What one thread adds: of some outer blocks some columns, where the entry is in [low, high).
struct Share {
  int64_t outer_begin, outer_end, column_begin, column_end, low, high;
};

// Cuts [outer, n, columns] into shares that touch different elements, and calls work(share) for each. Small
// work is one share. The cut follows the number of threads, which no bit of the result depends on.
template <class Work>
void for_shares(int64_t outer, int64_t n, int64_t columns, int64_t work_size, const Work& work) {
  const int64_t threads = work_size < 2 * kGrain || n == 0 ? 1 : num_threads();
  auto cut = [&](int64_t size, int64_t unit, auto&& give) {
    const int64_t step = (size + threads * unit - 1) / (threads * unit) * unit;
    parallel_for((size + step - 1) / step, 1, [&](int64_t first, int64_t last) {
      for (int64_t p = first; p < last; ++p) give(p * step, std::min(size, (p + 1) * step));
    });
  };
  if (threads == 1) return work(Share{0, outer, 0, columns, 0, n});
  if (outer >= 2 * threads) {
    cut(outer, 1, [&](int64_t a, int64_t b) { work(Share{a, b, 0, columns, 0, n}); });
  } else if (columns >= 2 * kBand) {
    cut(columns, kBand, [&](int64_t a, int64_t b) { work(Share{0, outer, a, b, 0, n}); });
  } else {
    cut(n, 1, [&](int64_t a, int64_t b) { work(Share{0, outer, 0, columns, a, b}); });
  }
}

template <class E>
int64_t add_slices(const Slices& s, const void* from, const int64_t* index, void* to, int64_t skip) {
  Outside failed;
  const auto* src = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  for_shares(s.outer, s.n, s.inner, s.outer * s.count * s.inner, [&](const Share& mine) {
    const int64_t width = mine.column_end - mine.column_begin;
    for (int64_t o = mine.outer_begin; o < mine.outer_end; ++o) {
      const E* block = src + o * s.count * s.inner + mine.column_begin;
      E* target = y + o * s.n * s.inner + mine.column_begin;
      for (int64_t k = 0; k < s.count; ++k) {
        const int64_t at = index[k];
        if (outside(at, s.n)) return failed.at(k);
        if (at < mine.low || at >= mine.high || at == skip) continue;
        if (width == 1) target[at * s.inner] += block[k * s.inner];
        else add_row(target + at * s.inner, block + k * s.inner, width);
      }
    }
  });
  return failed.first();
}

// The axes of an index of single elements: those before dim, those from dim on without the last, and the
// last.
struct Axes {
  Axis outer[kMaxAxes], middle[kMaxAxes];
  int outer_rank = 0, middle_rank = 0;
  int64_t outer_size = 1, middle_size = 1;
  int64_t run = 1;       // entries along the last axis
  int64_t run_step = 0;  // of x from one of them to the next
  int64_t dim_step = 0;  // of x along dim
};

Axes axes_of(const Elements& s) {
  Axes a;
  const int last = s.rank - 1;
  int64_t dense[kMaxAxes];
  int64_t stride = 1;
  for (int d = last; d >= 0; --d) {
    dense[d] = stride;
    stride *= s.sizes[d];
  }
  a.run = s.sizes[last];
  a.run_step = s.dim == last ? 0 : s.strides[last];
  a.dim_step = s.strides[s.dim];
  for (int d = 0; d < last; ++d) {
    const Axis axis = {s.sizes[d], d == s.dim ? 0 : s.strides[d], dense[d]};
    (d < s.dim ? a.outer[a.outer_rank++] : a.middle[a.middle_rank++]) = axis;
    (d < s.dim ? a.outer_size : a.middle_size) *= axis.size;
  }
  return a;
}

template <class E>
int64_t gather(const Elements& s, const void* from, const int64_t* index, void* to) {
  Outside failed;
  const Axes a = axes_of(s);
  if (a.outer_size * a.middle_size * a.run == 0) return -1;
  const auto* x = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  // Strip by strip of the last axis, through all rows.
  const int64_t strip = std::min(a.run, a.run_step == 0 ? kEntries : kStrip);
  const int64_t strips = (a.run + strip - 1) / strip, tasks = strips * a.middle_size;
  parallel_for(a.outer_size * tasks, std::max<int64_t>(1, kGrain / strip), [&](int64_t begin, int64_t end) {
    Walk block(a.outer, a.outer_rank, begin / tasks), row(a.middle, a.middle_rank, begin % a.middle_size);
    for (int64_t p = begin; p < end; ++p) {
      const int64_t first = p % tasks / a.middle_size * strip, last = std::min(a.run, first + strip);
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
  return failed.first();
}

// Calls visit(offset in src of entry k, offset in x of the element that it stands for), in order for each
// element.
template <class Visit>
int64_t for_entries(const Elements& s, const int64_t* index, const Visit& visit) {
  Outside failed;
  const Axes a = axes_of(s);
  const int64_t count = a.outer_size * a.middle_size * a.run;
  if (count == 0) return -1;
  Axis outer_src[kMaxAxes], middle_src[kMaxAxes];
  for (int d = 0; d < a.outer_rank; ++d) outer_src[d] = {s.sizes[d], s.src[d], 0};
  for (int d = 0; d < a.middle_rank; ++d) middle_src[d] = {s.sizes[s.dim + d], s.src[s.dim + d], 0};
  const int64_t columns = s.dim == s.rank - 1 ? 1 : a.run;
  for_shares(a.outer_size, s.n, columns, count, [&](const Share& mine) {
    const int64_t begin = columns == 1 ? 0 : mine.column_begin;
    const int64_t end = columns == 1 ? a.run : mine.column_end;
    Walk block(a.outer, a.outer_rank, mine.outer_begin), block_src(outer_src, a.outer_rank, mine.outer_begin);
    for (int64_t o = mine.outer_begin; o < mine.outer_end; ++o, block.next(), block_src.next()) {
      Walk row(a.middle, a.middle_rank, 0), row_src(middle_src, a.middle_rank, 0);
      for (int64_t r = 0; r < a.middle_size; ++r, row.next(), row_src.next()) {
        const int64_t offset = block.from() + row.from(), place = block.to() + row.to();
        const int64_t source = block_src.from() + row_src.from();
        for (int64_t i = begin; i < end; ++i) {
          const int64_t at = index[place + i];
          if (outside(at, s.n)) return failed.at(place + i);
          if (at < mine.low || at >= mine.high) continue;
          visit(source + i, offset + at * a.dim_step + i * a.run_step);
        }
      }
    }
  });
  return failed.first();
}

template <class E>
int64_t scatter_add(const Elements& s, const void* from, const int64_t* index, void* to) {
  const auto* src = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  return for_entries(s, index, [=](int64_t k, int64_t at) { y[at] += src[k]; });
}

template <class E>
int64_t scatter(const Elements& s, const void* from, const int64_t* index, void* to) {
  const auto* src = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  return for_entries(s, index, [=](int64_t k, int64_t at) { y[at] = src[k]; });
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

int64_t add_slices(DType dtype, const Slices& shape, const void* src, const int64_t* index, void* y,
                   int64_t skip) {
  switch (dtype) {
    case DType::float32: return add_slices<float>(shape, src, index, y, skip);
    case DType::float64: return add_slices<double>(shape, src, index, y, skip);
    default: return add_slices<int64_t>(shape, src, index, y, skip);
  }
}

int64_t gather(size_t element, const Elements& shape, const void* x, const int64_t* index, void* y) {
  switch (element) {
    case 1: return gather<uint8_t>(shape, x, index, y);
    case 4: return gather<uint32_t>(shape, x, index, y);
    default: return gather<uint64_t>(shape, x, index, y);
  }
}

int64_t scatter_add(DType dtype, const Elements& shape, const void* src, const int64_t* index, void* y) {
  switch (dtype) {
    case DType::float32: return scatter_add<float>(shape, src, index, y);
    case DType::float64: return scatter_add<double>(shape, src, index, y);
    default: return scatter_add<int64_t>(shape, src, index, y);
  }
}

int64_t scatter(size_t element, const Elements& shape, const void* src, const int64_t* index, void* y) {
  switch (element) {
    case 1: return scatter<uint8_t>(shape, src, index, y);
    case 4: return scatter<uint32_t>(shape, src, index, y);
    default: return scatter<uint64_t>(shape, src, index, y);
  }
}

}  // namespace tapegrad::kernels
