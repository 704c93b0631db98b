#include "autograd/kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/pairwise.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/simd_targets.h"

#ifndef TAPEGRAD_KERNELS_REDUCE_TABLE
#define TAPEGRAD_KERNELS_REDUCE_TABLE
namespace tapegrad::kernels {
// The kernels of reductions, for one element type and target.
template <class T>
struct ReduceKernels {
  double (*sum)(const T* x, int64_t n);
  double (*product)(const T* a, const T* b, int64_t n);
  T (*largest)(const T* x, int64_t n);
  T (*smallest)(const T* x, int64_t n);
  double (*sum_exp)(const T* x, T shift, int64_t n);
  // Column sums of n rows of `columns`, the rows `stride` apart; columns ≤ kColumns.
  void (*column_sums)(const T* x, int64_t n, int64_t columns, int64_t stride, T* y);
};
inline constexpr int64_t kColumns = 64;
}  // namespace tapegrad::kernels
#endif

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/reduce.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/rows-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

template <class T>
HWY_ATTR double sum_exp(const T* x, T shift, int64_t n) {
  return row_exp(x, shift, static_cast<T*>(nullptr), n);
}

// The sums of a block of rows, column by column. Added outside the vector code, once for eight rows.
template <class T, size_t N>
struct Columns {
  T v[N];
  Columns operator+(const Columns& other) const {
    Columns sum;
    for (size_t i = 0; i < N; ++i) sum.v[i] = v[i] + other.v[i];
    return sum;
  }
};

// Four vectors of columns at a time: blocks of eight rows, then the pairwise tree.
template <class T>
HWY_ATTR void column_sums(const T* x, int64_t n, int64_t columns, int64_t stride, T* y) {
  const RowTag<T> d;
  constexpr size_t kWidth = 4 * MaxLanes(d);
  const auto lanes = static_cast<int64_t>(Lanes(d));
  int64_t c = 0;
  for (; c + 4 * lanes <= columns; c += 4 * lanes) {
    PairwiseSum<Columns<T, kWidth>> tree;
    for (int64_t i = 0; i < n;) {
      const T* row = x + i * stride + c;
      auto a = LoadU(d, row), b = LoadU(d, row + lanes), e = LoadU(d, row + 2 * lanes),
           f = LoadU(d, row + 3 * lanes);
      const int64_t end = std::min(n, i + 8);
      for (++i; i < end; ++i) {
        row += stride;
        a = Add(a, LoadU(d, row));
        b = Add(b, LoadU(d, row + lanes));
        e = Add(e, LoadU(d, row + 2 * lanes));
        f = Add(f, LoadU(d, row + 3 * lanes));
      }
      Columns<T, kWidth> block;
      StoreU(a, d, block.v);
      StoreU(b, d, block.v + lanes);
      StoreU(e, d, block.v + 2 * lanes);
      StoreU(f, d, block.v + 3 * lanes);
      tree.add(block);
    }
    const Columns<T, kWidth> total = tree.total();
    std::copy(total.v, total.v + 4 * lanes, y + c);
  }
  for (; c < columns; ++c) {
    PairwiseSum<double> tree;
    for (int64_t i = 0; i < n;) {
      double block = static_cast<double>(x[i * stride + c]);
      const int64_t end = std::min(n, i + 8);
      for (++i; i < end; ++i) block += static_cast<double>(x[i * stride + c]);
      tree.add(block);
    }
    y[c] = static_cast<T>(tree.total());
  }
}

template <class T>
constexpr ReduceKernels<T> kKernels = {&row_sum<T>,         &row_product<T>, &row_extreme<1, T>,
                                       &row_extreme<-1, T>, &sum_exp<T>,     &column_sums<T>};

}  // namespace

const ReduceKernels<float>* reduce_float() { return &kKernels<float>; }
const ReduceKernels<double>* reduce_double() { return &kKernels<double>; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(reduce_float);
HWY_EXPORT(reduce_double);

namespace {

constexpr int64_t kPiece = 65536;  // elements of a long row that one thread sums
constexpr int64_t kMostPieces = 2048;
constexpr int64_t kGrainElements = 32768;

template <class T>
const ReduceKernels<T>& kernels_of() {
  if constexpr (sizeof(T) == 4) return *target(HWY_DISPATCH_TABLE(reduce_float))();
  else return *target(HWY_DISPATCH_TABLE(reduce_double))();
}

// One dim of x as the walk sees it.
struct Dim {
  int64_t size, stride;
  bool reduced;
};

struct Plan {
  Dim dims[16];
  int rank = 0;
};

// The dims in order of memory, neighbours of one kind joined.
Plan collapse(const Reduction& shape) {
  Plan plan;
  int k = 0;
  int r = 0;
  while (k < shape.rank_kept || r < shape.rank_reduced) {
    const bool take_kept =
        r == shape.rank_reduced || (k < shape.rank_kept && shape.kept_stride[k] > shape.reduced_stride[r]) ||
        (k < shape.rank_kept && shape.kept_stride[k] == shape.reduced_stride[r] && shape.kept[k] == 1);
    const Dim dim = take_kept ? Dim{shape.kept[k], shape.kept_stride[k], false}
                              : Dim{shape.reduced[r], shape.reduced_stride[r], true};
    ++(take_kept ? k : r);
    if (dim.size == 1) continue;
    if (plan.rank > 0 && plan.dims[plan.rank - 1].reduced == dim.reduced) {
      plan.dims[plan.rank - 1].size *= dim.size;
      plan.dims[plan.rank - 1].stride = dim.stride;
    } else {
      plan.dims[plan.rank++] = dim;
    }
  }
  return plan;
}

// Σ over one dense row; long rows in pieces, whose sums are joined as a tree.
template <class T>
double sum_long(const T* x, int64_t n) {
  const auto sum = kernels_of<T>().sum;
  if (n <= kPiece) return sum(x, n);
  const int64_t piece = std::max(kPiece, (n + kMostPieces - 1) / kMostPieces);
  const int64_t pieces = (n + piece - 1) / piece;
  double parts[kMostPieces];
  parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) parts[p] = sum(x + p * piece, std::min(piece, n - p * piece));
  });
  PairwiseSum<double> tree;
  for (int64_t p = 0; p < pieces; ++p) tree.add(parts[p]);
  return tree.total();
}

template <class T>
double log_sum_exp(const T* x, int64_t n) {
  const T largest = kernels_of<T>().largest(x, n);
  if (!std::isfinite(largest)) return static_cast<double>(largest);
  return static_cast<double>(largest) + std::log(kernels_of<T>().sum_exp(x, largest, n));
}

template <class T>
T reduce_row(Reduce kind, const T* x, int64_t n) {
  switch (kind) {
    case Reduce::sum: return static_cast<T>(sum_long(x, n));
    case Reduce::mean: return static_cast<T>(sum_long(x, n) / static_cast<double>(n));
    case Reduce::amax: return kernels_of<T>().largest(x, n);
    case Reduce::amin: return kernels_of<T>().smallest(x, n);
    case Reduce::logsumexp: return static_cast<T>(log_sum_exp(x, n));
  }
  return T{};
}

// What goes into one result, in blocks gathered from wherever they lie: visit(block, count) for each.
template <class T, class Visit>
void for_blocks(const T* x, const Dim* dims, int rank, Visit visit) {
  constexpr int64_t kBlock = 256;
  T block[kBlock];
  int64_t count = 0;
  int64_t index[16] = {};
  int64_t total = 1;
  for (int d = 0; d < rank; ++d) total *= dims[d].size;
  int64_t offset = 0;
  for (int64_t i = 0; i < total; ++i) {
    block[count++] = x[offset];
    if (count == kBlock || i + 1 == total) {
      visit(block, count);
      count = 0;
    }
    for (int d = rank - 1; d >= 0; --d) {
      offset += dims[d].stride;
      if (++index[d] < dims[d].size) break;
      offset -= dims[d].stride * dims[d].size;
      index[d] = 0;
    }
  }
}

template <class T>
T reduce_spread(Reduce kind, const T* x, const Dim* dims, int rank, int64_t n) {
  const ReduceKernels<T>& k = kernels_of<T>();
  if (kind == Reduce::sum || kind == Reduce::mean) {
    PairwiseSum<double> tree;
    for_blocks(x, dims, rank, [&](const T* block, int64_t count) { tree.add(k.sum(block, count)); });
    return static_cast<T>(kind == Reduce::sum ? tree.total() : tree.total() / static_cast<double>(n));
  }
  T best = (kind == Reduce::amin ? 1 : -1) * std::numeric_limits<T>::infinity();
  for_blocks(x, dims, rank, [&](const T* block, int64_t count) {
    const T here = kind == Reduce::amin ? k.smallest(block, count) : k.largest(block, count);
    if ((kind == Reduce::amin ? here < best : here > best) || here != here) best = here;
  });
  if (kind != Reduce::logsumexp || !std::isfinite(best)) return best;
  PairwiseSum<double> tree;
  for_blocks(x, dims, rank, [&](const T* block, int64_t count) { tree.add(k.sum_exp(block, best, count)); });
  return static_cast<T>(static_cast<double>(best) + std::log(tree.total()));
}

// Results of which each needs a gathering walk.
template <class T>
void reduce_any(Reduce kind, const Plan& plan, const T* x, T* y, int64_t n) {
  Dim kept[16], reduced[16];
  int kept_rank = 0;
  int reduced_rank = 0;
  int64_t results = 1;
  for (int d = 0; d < plan.rank; ++d) {
    if (plan.dims[d].reduced) {
      reduced[reduced_rank++] = plan.dims[d];
    } else {
      kept[kept_rank++] = plan.dims[d];
      results *= plan.dims[d].size;
    }
  }
  parallel_for(results, std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, n)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t at = begin; at < end; ++at) {
                   int64_t rest = at;
                   int64_t offset = 0;
                   for (int d = kept_rank - 1; d >= 0; --d) {
                     offset += rest % kept[d].size * kept[d].stride;
                     rest /= kept[d].size;
                   }
                   y[at] = reduce_spread(kind, x + offset, reduced, reduced_rank, n);
                 }
               });
}

// Column sums: pieces of kColumns columns.
template <class T>
void sum_columns(Reduce kind, const T* x, T* y, int64_t outer, int64_t n, int64_t inner) {
  const int64_t per_row = (inner + kColumns - 1) / kColumns;
  const auto sums = kernels_of<T>().column_sums;
  parallel_for(outer * per_row, std::max<int64_t>(1, kGrainElements / (n * kColumns)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t p = begin; p < end; ++p) {
                   const int64_t c = p % per_row * kColumns;
                   const int64_t columns = std::min(kColumns, inner - c);
                   T* to = y + p / per_row * inner + c;
                   sums(x + p / per_row * n * inner + c, n, columns, inner, to);
                   for (int64_t i = 0; kind == Reduce::mean && i < columns; ++i) to[i] /= static_cast<T>(n);
                 }
               });
}

template <class T>
void reduce_floating(Reduce kind, const Plan& plan, const T* x, T* y, int64_t results, int64_t n) {
  const bool sums = kind == Reduce::sum || kind == Reduce::mean;
  if (n == 0) {
    const T empty = kind == Reduce::sum    ? T{0}
                    : kind == Reduce::mean ? std::numeric_limits<T>::quiet_NaN()
                                           : -std::numeric_limits<T>::infinity();
    std::fill(y, y + results, empty);
  } else if (plan.rank == 0) {
    y[0] = kind == Reduce::sum ? x[0] : reduce_row(kind, x, 1);
  } else if (plan.rank == 1 && !plan.dims[0].reduced) {
    for (int64_t i = 0; i < results; ++i) y[i] = kind == Reduce::sum ? x[i] : reduce_row(kind, x + i, 1);
  } else if (plan.rank <= 2 && plan.dims[plan.rank - 1].reduced) {
    parallel_for(results, std::max<int64_t>(1, kGrainElements / n), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) y[r] = reduce_row(kind, x + r * n, n);
    });
  } else if (sums && plan.rank <= 3 && !plan.dims[plan.rank - 1].reduced &&
             (plan.rank == 2 || plan.dims[1].reduced)) {
    const int64_t inner = plan.dims[plan.rank - 1].size;
    sum_columns(kind, x, y, results / inner, n, inner);
  } else {
    reduce_any(kind, plan, x, y, n);
  }
}

void sum_integers(const Plan& plan, const int64_t* x, int64_t* y, int64_t results) {
  Dim dims[16];
  int kept_rank = 0;
  int rank = 0;
  for (int d = 0; d < plan.rank; ++d) {
    if (!plan.dims[d].reduced) dims[kept_rank++] = plan.dims[d];
  }
  for (int d = 0; d < plan.rank; ++d) {
    if (plan.dims[d].reduced) dims[kept_rank + rank++] = plan.dims[d];
  }
  for (int64_t at = 0; at < results; ++at) {
    int64_t rest = at;
    int64_t offset = 0;
    for (int d = kept_rank - 1; d >= 0; --d) {
      offset += rest % dims[d].size * dims[d].stride;
      rest /= dims[d].size;
    }
    uint64_t sum = 0;  // wraps around
    for_blocks(x + offset, dims + kept_rank, rank, [&](const int64_t* block, int64_t count) {
      for (int64_t i = 0; i < count; ++i) sum += static_cast<uint64_t>(block[i]);
    });
    y[at] = static_cast<int64_t>(sum);
  }
}

template <class T>
void max_floating(const T* x, T* values, int64_t* indices, int64_t outer, int64_t n, int64_t inner) {
  parallel_for(outer * inner, std::max<int64_t>(1, kGrainElements / n), [&](int64_t begin, int64_t end) {
    for (int64_t at = begin; at < end; ++at) {
      const T* row = x + at / inner * n * inner + at % inner;
      int64_t best = 0;
      for (int64_t i = 1; i < n && row[best * inner] == row[best * inner]; ++i) {
        const T v = row[i * inner];
        if (v > row[best * inner] || v != v) best = i;
      }
      if (values != nullptr) values[at] = row[best * inner];
      indices[at] = best;
    }
  });
}

template <class T>
void dot_floating(const T* a, const T* b, T* y, int64_t rows, int64_t n) {
  const auto product = kernels_of<T>().product;
  for (int64_t r = 0; r < rows; ++r) y[r] = static_cast<T>(product(a + r * n, b + r * n, n));
}

}  // namespace

void reduce(Reduce kind, DType dtype, const Reduction& shape, const void* x, void* y) {
  int64_t results = 1;
  int64_t n = 1;
  for (int d = 0; d < shape.rank_kept; ++d) results *= shape.kept[d];
  for (int d = 0; d < shape.rank_reduced; ++d) n *= shape.reduced[d];
  if (results == 0) return;
  const Plan plan = collapse(shape);
  switch (dtype) {
    case DType::float32:
      return reduce_floating(kind, plan, static_cast<const float*>(x), static_cast<float*>(y), results, n);
    case DType::float64:
      return reduce_floating(kind, plan, static_cast<const double*>(x), static_cast<double*>(y), results, n);
    default: return sum_integers(plan, static_cast<const int64_t*>(x), static_cast<int64_t*>(y), results);
  }
}

void max_with_index(DType dtype, const void* x, void* values, int64_t* indices, int64_t outer, int64_t n,
                    int64_t inner) {
  if (dtype == DType::float32) {
    return max_floating(static_cast<const float*>(x), static_cast<float*>(values), indices, outer, n, inner);
  }
  max_floating(static_cast<const double*>(x), static_cast<double*>(values), indices, outer, n, inner);
}

void row_dot(DType dtype, const void* a, const void* b, void* y, int64_t rows, int64_t n) {
  if (dtype == DType::float32) {
    return dot_floating(static_cast<const float*>(a), static_cast<const float*>(b), static_cast<float*>(y),
                        rows, n);
  }
  dot_floating(static_cast<const double*>(a), static_cast<const double*>(b), static_cast<double*>(y), rows,
               n);
}

}  // namespace tapegrad::kernels

#endif
