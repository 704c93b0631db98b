#include "autograd/kernels/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/kernels/parallel.h"
#include "autograd/kernels/reduce_parts.h"
#include "autograd/kernels/reduce_plan.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kPiece = 32768;  // elements that one thread takes at a time; they fit its cache
constexpr int64_t kNear = 16384 / sizeof(float);  // elements that are read twice from the nearest cache
constexpr int64_t kMostPieces = 1024;
constexpr int64_t kFewTasks = 4;  // below this the rows of a column are shared among threads too
constexpr int64_t kMostRowPieces = 8;

Measure measure_of(Reduce kind, double parameter) {
  switch (kind) {
    case Reduce::sum:
    case Reduce::mean: return Measure::sum;
    case Reduce::amax: return Measure::largest;
    case Reduce::amin: return Measure::smallest;
    case Reduce::prod: return Measure::product;
    case Reduce::logsumexp: return Measure::log_sum_exp;
    case Reduce::var:
    case Reduce::std: return Measure::moments;
    case Reduce::norm: break;
  }
  if (std::isinf(parameter)) return parameter > 0 ? Measure::largest_abs : Measure::smallest_abs;
  return parameter == 0   ? Measure::nonzeros
         : parameter == 1 ? Measure::sum_abs
         : parameter == 2 ? Measure::squares
                          : Measure::powers;
}

// Whether a measure reads its elements more than once, so that they had better stay in the cache.
bool reads_twice(Measure measure) { return measure == Measure::log_sum_exp || measure == Measure::powers; }

// b^(1/p). The rounding of 1/p counts ln b times, and b is far from 1 only for a whole p, where powers of two
// are taken out first.
double root(double b, double p) {
  const int out = is_whole_power(p) && std::isnormal(b) ? static_cast<int>(std::floor(std::ilogb(b) / p)) : 0;
  return std::ldexp(std::pow(std::ldexp(b, -static_cast<int>(p) * out), 1 / p), out);
}

// By which var and std divide.
double degrees_of_freedom(int64_t n, double correction) {
  return std::max(0.0, static_cast<double>(n) - correction);
}

inline double finish(Reduce kind, const Part& part, int64_t n, double parameter) {
  const auto count = static_cast<double>(n);
  switch (kind) {
    case Reduce::mean: return part.a / count;
    case Reduce::logsumexp:
      return std::isfinite(part.a) ? part.a + std::log1p((part.b - 1) + part.c) : part.a;
    case Reduce::var: return part.b / degrees_of_freedom(n, parameter);
    case Reduce::std: return std::sqrt(part.b / degrees_of_freedom(n, parameter));
    case Reduce::norm:
      if (parameter == 2) return std::sqrt(part.a) * part.b;
      if (parameter == 0 || parameter == 1 || std::isinf(parameter)) return part.a;
      return part.a * root(part.b, parameter);
    default: return part.a;
  }
}

// Whether finish() has nothing to do, whatever the part.
bool ends_as_it_is(Reduce kind) {
  return kind == Reduce::sum || kind == Reduce::amax || kind == Reduce::amin || kind == Reduce::prod;
}

// The result of nothing.
double empty(Reduce kind) {
  switch (kind) {
    case Reduce::sum:
    case Reduce::norm: return 0;
    case Reduce::prod: return 1;
    case Reduce::amin: return std::numeric_limits<double>::infinity();
    case Reduce::amax:
    case Reduce::logsumexp: return -std::numeric_limits<double>::infinity();
    default: return std::numeric_limits<double>::quiet_NaN();
  }
}

template <class T>
class Walk {
 public:
  Walk(Reduce kind, double parameter, const Plan& plan, int64_t n, const T* x, T* y)
      : kind_(kind),
        measure_(measure_of(kind, parameter)),
        parameter_(parameter),
        n_(n),
        x_(x),
        y_(y),
        kernels_(reduce_kernels<T>()),
        dims_(plan) {}

  void run() { dims_.innermost_reduced ? rows() : columns(); }

 private:
  T finished(const Part& part) const { return static_cast<T>(finish(kind_, part, n_, parameter_)); }
  Part row_part(const T* x, int64_t n) const {
    const auto kernel = kernels_.row[static_cast<size_t>(measure_)];
    const int64_t block = measure_ == Measure::moments ? kMomentsNear : reads_twice(measure_) ? kNear : n;
    if (n <= block) return kernel(x, n, parameter_);
    PartTree<1, 40> tree(measure_, parameter_, 1);
    for (int64_t i = 0; i < n; i += block) {
      const Part part = kernel(x + i, std::min(block, n - i), parameter_);
      tree.add(&part);
    }
    Part total;
    tree.total(&total);
    return total;
  }

  // ---- each result from dense segments ----

  void rows() {
    const int64_t grain = std::max<int64_t>(1, kPiece / std::max<int64_t>(1, n_));
    parallel_for(dims_.kept.count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) y_[r] = finished(row(x_ + dims_.kept.offset(r)));
    });
  }
  Part row(const T* x) const {
    if (dims_.reduced.count == 1) return dims_.inner <= kPiece ? row_part(x, dims_.inner) : long_row(x);
    PartTree<1, 40> tree(measure_, parameter_, 1);
    if (dims_.inner >= 64) {
      for (int64_t s = 0; s < dims_.reduced.count; ++s) {
        const T* segment = x + dims_.reduced.offset(s);
        const Part part = dims_.inner <= kPiece ? row_part(segment, dims_.inner) : long_row(segment);
        tree.add(&part);
      }
    } else {
      constexpr int64_t kBlock = 1024;
      T block[kBlock];
      int64_t count = 0;
      for (int64_t s = 0; s < dims_.reduced.count; ++s) {
        const T* segment = x + dims_.reduced.offset(s);
        std::copy(segment, segment + dims_.inner, block + count);
        count += dims_.inner;
        if (count + dims_.inner <= kBlock && s + 1 < dims_.reduced.count) continue;
        const Part part = row_part(block, count);
        tree.add(&part);
        count = 0;
      }
    }
    Part total;
    tree.total(&total);
    return total;
  }
  // In pieces, whose parts are joined as a tree.
  Part long_row(const T* x) const {
    const int64_t n = dims_.inner;
    const int64_t piece = std::max(kPiece, (n + kMostPieces - 1) / kMostPieces);
    const int64_t pieces = (n + piece - 1) / piece;
    Part parts[kMostPieces];
    parallel_for(pieces, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p)
        parts[p] = row_part(x + p * piece, std::min(piece, n - p * piece));
    });
    PartTree<1, 40> tree(measure_, parameter_, 1);
    for (int64_t p = 0; p < pieces; ++p) tree.add(parts + p);
    Part total;
    tree.total(&total);
    return total;
  }

  // ---- results side by side, from rows of which each gives an element to every one ----

  void columns() {
    const int64_t strips = (dims_.inner + kColumns - 1) / kColumns;
    const int64_t tasks = dims_.kept.count * strips;
    const bool shared = tasks < kFewTasks;
    const int64_t grain = std::max<int64_t>(1, kPiece / (n_ * std::min(kColumns, dims_.inner)));
    auto strip = [&](int64_t task) {
      const int64_t c = task % strips * kColumns;
      const int64_t width = std::min(kColumns, dims_.inner - c);
      Part parts[kColumns];
      const T* x = x_ + dims_.kept.offset(task / strips) + c;
      column_parts(x, width, shared, parts);
      T* to = y_ + task / strips * dims_.inner + c;
      if (ends_as_it_is(kind_)) {
        for (int64_t i = 0; i < width; ++i) to[i] = static_cast<T>(parts[i].a);
      } else if (measure_ == Measure::moments) {
        kernels_.spreads[kind_ == Reduce::std](parts, width, degrees_of_freedom(n_, parameter_), to);
      } else {
        for (int64_t i = 0; i < width; ++i) to[i] = finished(parts[i]);
      }
    };
    if (shared) {
      for (int64_t task = 0; task < tasks; ++task) strip(task);
    } else {
      parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) strip(task);
      });
    }
  }

  void column_parts(const T* x, int64_t width, bool shared, Part* out) const {
    if (dims_.reduced.count == 1) return shared_rows(x, width, shared, out);
    PartTree<kColumns, 8> tree(measure_, parameter_, width);
    for (int64_t s = 0; s < dims_.reduced.count; ++s) {
      shared_rows(x + dims_.reduced.offset(s), width, shared, out);
      tree.add(out);
    }
    tree.total(out);
  }
  // The rows of one run, shared among threads where that pays.
  void shared_rows(const T* x, int64_t width, bool shared, Part* out) const {
    const int64_t rows = dims_.rows;
    const int64_t pieces = std::min(kMostRowPieces, rows * width / kPiece);
    if (!shared || pieces < 2) return run_of_rows(x, rows, width, out);
    const int64_t piece = (rows + pieces - 1) / pieces;
    Part parts[kMostRowPieces][kColumns];
    const int64_t count = (rows + piece - 1) / piece;
    parallel_for(count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t p = begin; p < end; ++p) {
        run_of_rows(x + p * piece * dims_.row_stride, std::min(piece, rows - p * piece), width, parts[p]);
      }
    });
    PartTree<kColumns, 4> tree(measure_, parameter_, width);
    for (int64_t p = 0; p < count; ++p) tree.add(parts[p]);
    tree.total(out);
  }
  // A few dense columns are read as many: several rows are one.
  void run_of_rows(const T* x, int64_t rows, int64_t width, Part* out) const {
    const int64_t fold = width <= kColumns / 2 && width == dims_.row_stride ? kColumns / width : 1;
    if (rows < 2 * fold || fold == 1) return blocks_of_rows(x, rows, width, dims_.row_stride, out);
    Part wide[kColumns];
    blocks_of_rows(x, rows / fold, width * fold, width * fold, wide);
    PartTree<kColumns / 2, 8> tree(measure_, parameter_, width);
    for (int64_t i = 0; i < fold; ++i) tree.add(wide + i * width);
    if (rows % fold != 0) {
      blocks_of_rows(x + rows / fold * fold * width, rows % fold, width, width, wide);
      tree.add(wide);
    }
    tree.total(out);
  }
  void blocks_of_rows(const T* x, int64_t rows, int64_t width, int64_t stride, Part* out) const {
    const int64_t block = reads_twice(measure_) ? 256 : kMostRows;
    const auto kernel = kernels_.columns[static_cast<size_t>(measure_)];
    if (rows <= block) return kernel(x, rows, width, stride, parameter_, out);
    PartTree<kColumns, 8> tree(measure_, parameter_, width);
    for (int64_t i = 0; i < rows; i += block) {
      kernel(x + i * stride, std::min(block, rows - i), width, stride, parameter_, out);
      tree.add(out);
    }
    tree.total(out);
  }

  Reduce kind_;
  Measure measure_;
  double parameter_;
  int64_t n_;
  const T* x_;
  T* y_;
  const ReduceKernels<T>& kernels_;
  Arrangement dims_;
};

template <class T>
void reduce_floating(Reduce kind, double parameter, const Plan& plan, int64_t results, int64_t n,
                     const void* x, void* y) {
  if (n == 0) {
    std::fill_n(static_cast<T*>(y), results, static_cast<T>(empty(kind)));
  } else {
    Walk<T>(kind, parameter, plan, n, static_cast<const T*>(x), static_cast<T*>(y)).run();
  }
}

int64_t reduce_integers(Reduce kind, const int64_t* x, const Arrangement& dims) {
  const int64_t columns = dims.innermost_reduced ? dims.inner : dims.rows;
  const int64_t stride = dims.innermost_reduced ? 1 : dims.row_stride;
  uint64_t total = kind == Reduce::prod ? 1 : 0;  // wraps around
  int64_t best = x[0];
  for (int64_t s = 0; s < dims.reduced.count; ++s) {
    const int64_t* segment = x + dims.reduced.offset(s);
    for (int64_t i = 0; i < columns; ++i) {
      const int64_t v = segment[i * stride];
      switch (kind) {
        case Reduce::amax: best = std::max(best, v); break;
        case Reduce::amin: best = std::min(best, v); break;
        case Reduce::prod: total *= static_cast<uint64_t>(v); break;
        default: total += static_cast<uint64_t>(v);
      }
    }
  }
  return kind == Reduce::amax || kind == Reduce::amin ? best : static_cast<int64_t>(total);
}

void reduce_integers(Reduce kind, const Plan& plan, int64_t results, int64_t n, const int64_t* x,
                     int64_t* y) {
  if (n == 0) {
    std::fill_n(y, results, kind == Reduce::prod ? 1 : 0);
    return;
  }
  const Arrangement dims(plan);
  const int64_t side = dims.innermost_reduced ? 1 : dims.inner;
  parallel_for(results, std::max<int64_t>(1, kPiece / n), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      y[r] = reduce_integers(kind, x + dims.kept.offset(r / side) + r % side, dims);
    }
  });
}

}  // namespace

void reduce(Reduce kind, DType dtype, const Reduction& shape, const void* x, void* y, double parameter) {
  int64_t results = 1;
  int64_t n = 1;
  for (int d = 0; d < shape.rank_kept; ++d) results *= shape.kept[d];
  for (int d = 0; d < shape.rank_reduced; ++d) n *= shape.reduced[d];
  if (results == 0) return;
  const Plan plan(shape);
  switch (dtype) {
    case DType::float32: return reduce_floating<float>(kind, parameter, plan, results, n, x, y);
    case DType::float64: return reduce_floating<double>(kind, parameter, plan, results, n, x, y);
    default:
      reduce_integers(kind, plan, results, n, static_cast<const int64_t*>(x), static_cast<int64_t*>(y));
  }
}

void row_dot(DType dtype, const void* a, const void* b, void* y, int64_t rows, int64_t n) {
  auto dots = [&](auto zero) {
    using T = decltype(zero);
    const auto product = reduce_kernels<T>().product;
    for (int64_t r = 0; r < rows; ++r) {
      static_cast<T*>(y)[r] =
          static_cast<T>(product(static_cast<const T*>(a) + r * n, static_cast<const T*>(b) + r * n, n));
    }
  };
  dtype == DType::float32 ? dots(float{}) : dots(double{});
}

}  // namespace tapegrad::kernels
