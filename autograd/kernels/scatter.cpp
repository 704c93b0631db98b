#include <algorithm>
#include <cstring>

#include "autograd/kernels/elements.h"
#include "autograd/kernels/index.h"
#include "autograd/kernels/inside.h"
#include "autograd/kernels/parallel.h"

// Adding and writing where an index says.

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrain = 32768;  // elements of a piece of work
constexpr int64_t kBand = 16;      // columns that one thread has for itself: a cache line

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

// to[index[k]·inner] += from[k·inner].
template <class E>
void add_elements(const E* from, const int64_t* index, int64_t count, int64_t inner, E* to) {
  if (inner == 1) {
    for (int64_t k = 0; k < count; ++k) to[index[k]] += from[k];
  } else {
    for (int64_t k = 0; k < count; ++k) to[index[k] * inner] += from[k * inner];
  }
}

template <class E>
int64_t add_slices(const Slices& s, const void* from, const int64_t* index, void* to, int64_t skip) {
  const int64_t bad = first_outside(index, s.count, s.n);
  if (bad >= 0) return bad;
  const auto* src = static_cast<const E*>(from);
  auto* y = static_cast<E*>(to);
  for_shares(s.outer, s.n, s.inner, s.outer * s.count * s.inner, [&](const Share& mine) {
    const int64_t width = mine.column_end - mine.column_begin;
    const bool all = mine.low == 0 && mine.high == s.n && skip < 0;
    for (int64_t o = mine.outer_begin; o < mine.outer_end; ++o) {
      const E* block = src + o * s.count * s.inner + mine.column_begin;
      E* target = y + o * s.n * s.inner + mine.column_begin;
      if (width == 1 && all) {
        add_elements(block, index, s.count, s.inner, target);
        continue;
      }
      for (int64_t k = 0; k < s.count; ++k) {
        const int64_t at = index[k];
        if (at >= mine.low && at < mine.high && at != skip)
          add_row(target + at * s.inner, block + k * s.inner, width);
      }
    }
  });
  return -1;
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
    const bool all = mine.low == 0 && mine.high == s.n;
    // Of entries [i, stop) of a row, all of them inside.
    const auto visit_some = [&](const int64_t* entry, int64_t source, int64_t offset, int64_t i,
                                int64_t stop) {
      if (all && a.run_step == 0 && a.dim_step == 1) {
        for (; i < stop; ++i) visit(source + i, offset + entry[i]);
      } else if (all) {
        for (; i < stop; ++i) visit(source + i, offset + entry[i] * a.dim_step + i * a.run_step);
      } else {
        for (; i < stop; ++i) {
          if (entry[i] >= mine.low && entry[i] < mine.high)
            visit(source + i, offset + entry[i] * a.dim_step + i * a.run_step);
        }
      }
    };
    const int64_t begin = columns == 1 ? 0 : mine.column_begin;
    const int64_t end = columns == 1 ? a.run : mine.column_end;
    Walk block(a.outer, a.outer_rank, mine.outer_begin), block_src(outer_src, a.outer_rank, mine.outer_begin);
    for (int64_t o = mine.outer_begin; o < mine.outer_end; ++o, block.next(), block_src.next()) {
      Walk row(a.middle, a.middle_rank, 0), row_src(middle_src, a.middle_rank, 0);
      for (int64_t r = 0; r < a.middle_size; ++r, row.next(), row_src.next()) {
        const int64_t place = block.to() + row.to();
        for (int64_t i = begin; i < end; i += kEntries) {
          const int64_t stop = std::min(end, i + kEntries);
          const int64_t bad = first_outside(index + place + i, stop - i, s.n);
          if (bad >= 0) return failed.at(place + i + bad);
          visit_some(index + place, block_src.from() + row_src.from(), block.from() + row.from(), i, stop);
        }
      }
    }
  });
  return failed.first() < 0 ? -1 : first_outside(index, count, s.n);
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

int64_t add_slices(DType dtype, const Slices& shape, const void* src, const int64_t* index, void* y,
                   int64_t skip) {
  switch (dtype) {
    case DType::float32: return add_slices<float>(shape, src, index, y, skip);
    case DType::float64: return add_slices<double>(shape, src, index, y, skip);
    default: return add_slices<int64_t>(shape, src, index, y, skip);
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
