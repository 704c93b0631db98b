#include "autograd/kernels/gemm.h"

#include <cblas.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "autograd/kernels/direct.h"
#include "autograd/kernels/gemm_small.h"
#include "autograd/kernels/parallel.h"

// Only OpenBLAS has it; the reference stays null with another CBLAS.
// NOLINTNEXTLINE(readability-redundant-declaration): this one is weak.
extern "C" void openblas_set_num_threads(int threads) __attribute__((weak));

namespace tapegrad::kernels {
namespace {

// Multiply-adds below which a product runs on one thread, and those that a piece of a larger one has.
constexpr int64_t kParallelCost = int64_t{1} << 22;
constexpr int64_t kPieceCost = int64_t{1} << 20;
// The same for matrix-vector products, which wait for memory.
constexpr int64_t kParallelElements = int64_t{1} << 21;
constexpr int64_t kPieceElements = int64_t{1} << 18;

const char* offset(DType dtype, const void* p, int64_t elements) {
  return static_cast<const char*>(p) + elements * static_cast<int64_t>(element_size(dtype));
}
char* offset(DType dtype, void* p, int64_t elements) {
  return static_cast<char*>(p) + elements * static_cast<int64_t>(element_size(dtype));
}

// One matrix of the batch.
struct Matrices {
  const char *a, *b;
  char* c;
};
Matrices matrices(DType dtype, const Gemm& g, const void* a, const void* b, void* c, int64_t i) {
  return {offset(dtype, a, i * g.stride_a), offset(dtype, b, i * g.stride_b),
          offset(dtype, c, i * g.stride_c)};
}

Matrices first_of(const void* a, const void* b, void* c) {
  return {static_cast<const char*>(a), static_cast<const char*>(b), static_cast<char*>(c)};
}

// Cuts [0, size) into `count` nearly equal pieces at multiples of `unit` and gives the start of piece i.
int64_t cut(int64_t size, int64_t count, int64_t unit, int64_t i) {
  return i == count ? size : size * i / count / unit * unit;
}

// ---- next to nothing ----

// Where choosing a better kernel takes longer than the product.
constexpr int64_t kTinyCost = 48;
bool is_tiny(const Gemm& g) { return g.m * g.n * g.k <= kTinyCost; }
// Of these, products with a vector that fill vectors: rows of two to four elements, or longer sums or
// results.
bool fills_vectors(const Gemm& g) {
  if (g.m > 1 && g.n > 1) return false;
  const bool by_rows = g.m == 1 ? g.transpose_b : !g.transpose_a;
  const int64_t count = g.m == 1 ? g.n : g.m;
  if (!by_rows) return count >= 8 && g.k >= 1;
  return count > 4 ? g.k >= 2 && g.k <= 4 : count >= 1 && g.k >= 8;
}

// P = 0 … k−1 where k is small enough to be written out, else none.
template <class T, size_t... P>
void tiny_product(std::index_sequence<P...>, const Gemm& g, const T* a, const T* b, const T* bias, T* c) {
  int64_t rows = g.m, columns = g.n, bias_step = 1;
  int64_t a_row = g.transpose_a ? 1 : g.k, a_k = g.transpose_a ? g.m : 1;
  int64_t b_column = g.transpose_b ? g.k : 1, b_k = g.transpose_b ? 1 : g.n;
  if (columns == 1) {  // the longer loop inside
    std::swap(rows, columns), std::swap(a, b), std::swap(a_row, b_column), std::swap(a_k, b_k);
    bias_step = 0;
  }
  const T zero{0};
  if (bias == nullptr) bias = &zero, bias_step = 0;
  for (; rows > 0; --rows, a += a_row) {
    const T *column = b, *start = bias;
    if constexpr (sizeof...(P) == 1) {
      if (b_column == 1 && bias_step == 0) {  // written out apart, so that it runs on vectors
        const T* __restrict right = column;
        T* __restrict to = c;
        for (int64_t j = 0; j < columns; ++j) to[j] = *start + *a * right[j];
        c += columns;
        continue;
      }
    }
    for (int64_t j = columns; j > 0; --j, column += b_column, start += bias_step) {
      T sum = *start;
      if constexpr (sizeof...(P) > 0) {
        ((sum += a[static_cast<int64_t>(P) * a_k] * column[static_cast<int64_t>(P) * b_k]), ...);
      } else {
        const T *left = a, *right = column;
        for (int64_t p = g.k; p > 0; --p, left += a_k, right += b_k) sum += *left * *right;
      }
      *c++ = sum;
    }
  }
}

template <class T>
__attribute__((noinline)) void tiny(const Gemm& g, const void* left, const void* right, const void* offset,
                                    void* to) {
  const T *a = static_cast<const T*>(left), *b = static_cast<const T*>(right),
          *bias = static_cast<const T*>(offset);
  T* c = static_cast<T*>(to);
  switch (g.k) {
    case 1: return tiny_product(std::make_index_sequence<1>{}, g, a, b, bias, c);
    case 2: return tiny_product(std::make_index_sequence<2>{}, g, a, b, bias, c);
    case 3: return tiny_product(std::make_index_sequence<3>{}, g, a, b, bias, c);
    case 4: return tiny_product(std::make_index_sequence<4>{}, g, a, b, bias, c);
    case 5: return tiny_product(std::make_index_sequence<5>{}, g, a, b, bias, c);
    default: return tiny_product(std::index_sequence<>{}, g, a, b, bias, c);
  }
}

__attribute__((noinline)) void fill(DType dtype, const Gemm& g, const void* bias, void* c) {
  const size_t row = static_cast<size_t>(g.n) * element_size(dtype);
  for (int64_t i = 0; i < g.batch; ++i) {
    for (int64_t r = 0; r < g.m; ++r) {
      char* to = offset(dtype, c, i * g.stride_c + r * g.n);
      if (bias == nullptr) {
        std::memset(to, 0, row);
      } else {
        std::memcpy(to, bias, row);
      }
    }
  }
}

// ---- vectors ----

// Calls body(matrix of the batch, begin, end) until each matrix's [0, count) is done, of which each element
// reads `each` others; in pieces at multiples of `unit`, on all threads.
template <class F>
__attribute__((noinline)) void over_pieces(const Gemm& g, int64_t count, int64_t each, int64_t unit,
                                           F&& body) {
  const int64_t piece = std::max(unit, kPieceElements / each / unit * unit);
  const int64_t pieces = (count + piece - 1) / piece;
  const int64_t grain = std::max<int64_t>(1, kPieceElements / (std::min(piece, count) * each));
  parallel_for(pieces * g.batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i % pieces * piece;
      body(i / pieces, at, std::min(at + piece, count));
    }
  });
}

// The parts of a product with a vector, of one matrix of the batch.
struct WithVector {
  bool row;       // a is the vector, and the bias has an element per column; else b is
  bool by_rows;   // the matrix is stored by the rows that meet the vector
  int64_t count;  // elements of c
  int64_t bias_step;

  explicit WithVector(const Gemm& g)
      : row(g.m == 1),
        by_rows(row ? g.transpose_b : !g.transpose_a),
        count(row ? g.n : g.m),
        bias_step(row) {}
  void run(DType dtype, const Gemm& g, const Matrices& of, const void* bias, int64_t begin,
           int64_t end) const {
    const char *matrix = row ? of.b : of.a, *vector = row ? of.a : of.b;
    if (by_rows) {
      dot_rows(dtype, matrix, g.k, vector, bias, bias_step, of.c, begin, end, g.padded && g.batch == 1);
    } else {
      add_rows(dtype, matrix, g.k, count, vector, bias, bias_step, of.c, begin, end);
    }
  }
};

__attribute__((noinline)) void product_with_vector(DType dtype, const Gemm& g, const void* a, const void* b,
                                                   const void* bias, void* c) {
  const WithVector product(g);
  if (product.count * g.k * g.batch >= kParallelElements) {
    // Pieces begin where c has a line of the cache, which padded results are written by.
    return over_pieces(g, product.count, g.k, product.by_rows ? 64 : 1024,
                       [&](int64_t i, int64_t begin, int64_t end) {
                         product.run(dtype, g, matrices(dtype, g, a, b, c, i), bias, begin, end);
                       });
  }
  product.run(dtype, g, first_of(a, b, c), bias, 0, product.count);
  for (int64_t i = 1; i < g.batch; ++i) {
    product.run(dtype, g, matrices(dtype, g, a, b, c, i), bias, 0, product.count);
  }
}

__attribute__((noinline)) void product_of_vectors(DType dtype, const Gemm& g, const void* a, const void* b,
                                                  const void* bias, void* c) {
  const auto run = [&](int64_t i, int64_t begin, int64_t end) {
    const Matrices of = matrices(dtype, g, a, b, c, i);
    outer_product(dtype, of.a, of.b, bias, g.n, of.c, begin, end);
  };
  if (g.m * g.n * g.batch >= kParallelElements) return over_pieces(g, g.m, g.n, 1, run);
  outer_product(dtype, a, b, bias, g.n, c, 0, g.m);
  for (int64_t i = 1; i < g.batch; ++i) run(i, 0, g.m);
}

// ---- matrices ----

// Where a stays in the second cache while the strips of b pass, or is read only once, a BLAS gains nothing by
// packing it.
bool is_small(const Gemm& g) {
  constexpr int64_t kBlasLimit = std::numeric_limits<int>::max();
  if (std::max({g.m, g.n, g.k}) > kBlasLimit || g.k <= 16) return true;
  if (g.transpose_a) return g.m * g.k <= (int64_t{1} << 15);  // the columns of a are read in place
  return g.n <= kGemmColumns || g.m * g.k <= (int64_t{1} << 17);
}

// Whether it does not go to the BLAS. Of long sums the BLAS makes pieces, which round less.
bool is_own(const Gemm& g) { return is_small(g) || (g.k <= 4096 && gemm_leads()); }

__attribute__((noinline)) void own_product(DType dtype, const Gemm& g, const void* a, const void* b,
                                           const void* bias, void* c, const void* alpha = nullptr) {
  const int64_t cost = g.m * g.n * g.k;
  if (cost * g.batch < kParallelCost) {
    for (int64_t i = 0; i < g.batch; ++i) {
      const Matrices of = matrices(dtype, g, a, b, c, i);
      gemm_small(dtype, g, {0, g.m, 0, g.n}, of.a, of.b, bias, of.c, alpha);
    }
    return;
  }
  // Every part packs its columns of b, so the rows are cut only where there are few columns.
  const auto round_up = [](int64_t size, int64_t unit) { return (size + unit - 1) / unit * unit; };
  const bool narrow = g.n < 2 * kGemmColumns;
  const int64_t rows = narrow ? round_up(std::max<int64_t>(96, kPieceCost / (g.n * g.k)), 12) : g.m;
  const int64_t columns =
      narrow ? g.n : round_up(std::max<int64_t>(1, kPieceCost / (g.m * g.k)), kGemmColumns);
  const int64_t across = (g.n + columns - 1) / columns, parts = (g.m + rows - 1) / rows * across;
  const int64_t grain = std::max<int64_t>(1, kPieceCost * parts / cost);
  parallel_for(parts * g.batch, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Matrices of = matrices(dtype, g, a, b, c, i / parts);
      const int64_t row = i % parts / across * rows, column = i % parts % across * columns;
      const GemmPart part{row, std::min(row + rows, g.m), column, std::min(column + columns, g.n)};
      gemm_small(dtype, g, part, of.a, of.b, bias, of.c, alpha);
    }
  });
}

// c = alpha·a·b + beta·c of one tile; with a bias that comes first.
struct Scaling {
  double alpha = 1, beta = 0;
};
void blas(DType dtype, const Gemm& g, const GemmPart& tile, const Matrices& of, const void* bias,
          Scaling by) {
  const int rows = static_cast<int>(tile.row_end - tile.row),
            columns = static_cast<int>(tile.column_end - tile.column);
  const int k = static_cast<int>(g.k), n = static_cast<int>(g.n);
  const int a_row = static_cast<int>(g.transpose_a ? g.m : g.k),
            b_row = static_cast<int>(g.transpose_b ? g.k : g.n);
  const CBLAS_TRANSPOSE op_a = g.transpose_a ? CblasTrans : CblasNoTrans;
  const CBLAS_TRANSPOSE op_b = g.transpose_b ? CblasTrans : CblasNoTrans;
  const char* a = offset(dtype, of.a, g.transpose_a ? tile.row : tile.row * g.k);
  const char* b = offset(dtype, of.b, g.transpose_b ? tile.column * g.k : tile.column);
  char* c = offset(dtype, of.c, tile.row * g.n + tile.column);
  if (bias != nullptr) {
    const char* from = offset(dtype, bias, tile.column);
    for (int64_t r = 0; r < rows; ++r) {
      std::memcpy(offset(dtype, c, r * g.n), from, static_cast<size_t>(columns) * element_size(dtype));
    }
  }
  if (bias != nullptr) by.beta = 1;
  if (dtype == DType::float32) {
    cblas_sgemm(CblasRowMajor, op_a, op_b, rows, columns, k, static_cast<float>(by.alpha),
                reinterpret_cast<const float*>(a), a_row, reinterpret_cast<const float*>(b), b_row,
                static_cast<float>(by.beta), reinterpret_cast<float*>(c), n);
  } else {
    cblas_dgemm(CblasRowMajor, op_a, op_b, rows, columns, k, by.alpha, reinterpret_cast<const double*>(a),
                a_row, reinterpret_cast<const double*>(b), b_row, by.beta, reinterpret_cast<double*>(c), n);
  }
}

__attribute__((noinline)) void large_product(DType dtype, const Gemm& g, const void* a, const void* b,
                                             const void* bias, void* c, Scaling by = {}) {
  static const bool single = [] {
    if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
    return true;
  }();
  static_cast<void>(single);
  // Each tile packs its operands anew, so they are few: some of 256 rows in tall products, else of 256
  // columns.
  const bool cuttable = g.m * g.n * g.k >= kParallelCost;
  const int64_t down =
      !cuttable || g.m < 512 ? 1 : std::min<int64_t>((g.m + 128) / 256, std::max<int64_t>(4, g.m / 512));
  int64_t across = !cuttable || down > 1 ? 1 : std::max<int64_t>(1, (g.n + 128) / 256);
  if (across > 2) across += across % 2;
  const int64_t tiles = down * across;
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t x = i % tiles % across, y = i % tiles / across;
      const GemmPart tile{cut(g.m, down, 16, y), cut(g.m, down, 16, y + 1), cut(g.n, across, 16, x),
                          cut(g.n, across, 16, x + 1)};
      blas(dtype, g, tile, matrices(dtype, g, a, b, c, i / tiles), bias, by);
    }
  };
  parallel_for(tiles * g.batch, 1, run);
}

}  // namespace

void gemm(DType dtype, const Gemm& g, const void* a, const void* b, const void* bias, void* c) {
  if (g.batch == 1 && is_tiny(g) && !fills_vectors(g)) {
    return (dtype == DType::float32 ? &tiny<float> : &tiny<double>)(g, a, b, bias, c);
  }
  if (g.m <= 0 || g.n <= 0 || g.batch <= 0) return;
  if (g.k <= 0) return fill(dtype, g, bias, c);
  if (g.batch > 1 && g.stride_b == 0 && !g.transpose_a && g.stride_a == g.m * g.k &&
      g.stride_c == g.m * g.n) {
    // Samples that share b follow each other like the rows of one matrix.
    Gemm joined = g;
    joined.m *= g.batch;
    joined.batch = 1;
    return gemm(dtype, joined, a, b, bias, c);
  }
  if (g.m == 1 || g.n == 1) return product_with_vector(dtype, g, a, b, bias, c);
  if (g.k == 1) return product_of_vectors(dtype, g, a, b, bias, c);
  if (is_own(g)) return own_product(dtype, g, a, b, bias, c);
  large_product(dtype, g, a, b, bias, c);
}

// ---- slices ----

namespace {

bool is_of_vectors(const Gemm& g) { return g.m == 1 || g.n == 1 || g.k == 1; }

}  // namespace

int64_t gemm_slices(const Gemm& g) {
  if (g.batch != 1 || g.m <= 0 || g.n <= 0 || g.k <= 0) return 0;
  if (!is_tiny(g) && !is_of_vectors(g)) {
    // Every slice packs b anew, which is worth it only where b is as narrow as the sums are long.
    if (!is_small(g) || (!g.transpose_a && g.m * g.n * g.k >= kParallelCost)) return 0;
  }
  return g.m == 1 ? g.n : g.m;
}

int64_t gemm_slices_at_once(DType dtype, const Gemm& g, int64_t bytes) {
  const int64_t slices = g.m == 1 ? g.n : g.m;
  const int64_t each = static_cast<int64_t>(element_size(dtype)) * (g.m == 1 ? 1 : g.n);
  if (slices * each <= bytes) return slices;
  if (!is_of_vectors(g) && !g.transpose_a) return 0;
  const int64_t aligned = 64 / std::gcd(int64_t{64}, each);
  // Products of matrices run in blocks of 12 rows; those of vectors stay in the first cache.
  const int64_t unit = is_of_vectors(g) ? aligned : std::lcm(aligned, int64_t{12});
  int64_t most = std::min(bytes, is_of_vectors(g) ? std::max<int64_t>(16384, aligned * each) : bytes) / each;
  if (g.m == 1 || g.n == 1) most = std::min(most, std::max<int64_t>(1024, kPieceElements / g.k));
  return most >= unit ? most / unit * unit : most / aligned * aligned;
}

int64_t gemm_grain(const Gemm& g, int64_t slices_at_once) {
  const int64_t cost = g.m * g.n * g.k, slices = g.m == 1 ? g.n : g.m;
  const bool vectors = is_of_vectors(g);
  if (cost < (vectors ? kParallelElements : kParallelCost)) return INT64_MAX;
  const int64_t each = cost / slices * slices_at_once;
  return std::max<int64_t>(1, (vectors ? kPieceElements : kPieceCost) / each);
}

void gemm_slice(DType dtype, const Gemm& g, int64_t begin, int64_t end, const void* a, const void* b,
                const void* bias, void* c) {
  if (is_tiny(g) && !fills_vectors(g))
    return (dtype == DType::float32 ? &tiny<float> : &tiny<double>)(g, a, b, bias, c);
  const Matrices of{static_cast<const char*>(a), static_cast<const char*>(b),
                    offset(dtype, c, -begin * (g.m == 1 ? 1 : g.n))};
  if (g.m == 1 || g.n == 1) return WithVector(g).run(dtype, g, of, bias, begin, end);
  if (g.k == 1) return outer_product(dtype, of.a, of.b, bias, g.n, of.c, begin, end);
  gemm_small(dtype, g, {begin, end, 0, g.n}, of.a, of.b, bias, of.c);
}

bool gemm_moves_too(const Gemm& g) {
  // Both b and the outer product are then matrices, of the same paths as alone.
  return g.batch == 1 && g.m == 1 && !g.transpose_b && g.n > 1 && g.k > 1 && !is_tiny(g) &&
         g.n * g.k < kParallelElements;
}

bool gemm_accumulates(const Gemm& g) {
  return g.batch == 1 && g.m > 0 && g.n > 0 && g.k > 0 && !is_tiny(g) && !is_of_vectors(g) && !is_small(g);
}

void gemm_accumulate(DType dtype, const Gemm& g, const void* a, const void* b, const void* alpha, void* c) {
  if (is_own(g)) return own_product(dtype, g, a, b, nullptr, c, alpha);
  const double by = dtype == DType::float32 ? static_cast<double>(*static_cast<const float*>(alpha))
                                            : *static_cast<const double*>(alpha);
  large_product(dtype, g, a, b, nullptr, c, {by, 1});
}

bool gemm_as_direct(const Gemm& g, DirectOp& op, bool& swapped) {
  const bool vector = g.m == 1 || g.n == 1;
  if (g.batch != 1 || g.m < 1 || g.n < 1 || g.k < 1 || !vector || (is_tiny(g) && !fills_vectors(g)))
    return false;
  const WithVector product(g);
  if (product.count * g.k >= kParallelElements) return false;
  op.kind = product.by_rows ? DirectOp::Kind::dots : DirectOp::Kind::adds;
  op.count = product.count;
  op.columns = g.k;
  op.step[2] = product.bias_step;
  op.flag = g.padded;
  swapped = product.row;
  resolve(op);
  return true;
}

void gemm_and_move_as_direct(const Gemm& g, DirectOp& op) {
  op.kind = DirectOp::Kind::add_and_move;
  op.count = g.n;
  op.columns = g.k;
  op.flag = g.n * g.k <= kTinyCost;
  resolve(op);
}

bool gemm_move_as_direct(DType dtype, const Gemm& g, DirectOp& op, bool& swapped) {
  swapped = g.n == 1;  // a column of one number is a row of as many
  op.kind = DirectOp::Kind::move;
  op.count = swapped ? 1 : g.m;
  op.columns = swapped ? g.m : g.n;
  // Elsewhere a product with a vector of one element is a sum, too.
  op.flag = is_tiny(g) || g.m == 1 || g.n == 1;
  const int64_t elements = op.count * op.columns, lanes = 64 / static_cast<int64_t>(element_size(dtype));
  resolve(op);
  op.readable = g.padded ? (elements + lanes - 1) / lanes * lanes : elements;
  return elements < kParallelElements;
}

void gemm_move(DType dtype, const Gemm& g, const void* a, const void* b, const void* factor, const void* from,
               void* to) {
  DirectOp op;
  bool swapped = false;
  const bool small = gemm_move_as_direct(dtype, g, op, swapped);
  if (swapped) std::swap(a, b);
  const auto run = [&](int64_t begin, int64_t end) {
    // What follows a piece belongs to another thread.
    const int64_t readable = end == op.count ? op.readable : end * op.columns;
    move_along_outer(dtype, a, b, factor, op.flag, op.columns, from, to, begin, end, readable);
  };
  if (small) return run(0, op.count);
  parallel_for(op.count, std::max<int64_t>(1, kPieceElements / op.columns), run);
}

namespace {

template <class T>
void reference(const Gemm& g, const T* a, const T* b, const T* bias, T* c) {
  for (int64_t i = 0; i < g.m; ++i) {
    for (int64_t j = 0; j < g.n; ++j) {
      double sum = bias == nullptr ? 0.0 : static_cast<double>(bias[j]);
      for (int64_t p = 0; p < g.k; ++p) {
        sum += static_cast<double>(g.transpose_a ? a[p * g.m + i] : a[i * g.k + p]) *
               static_cast<double>(g.transpose_b ? b[j * g.k + p] : b[p * g.n + j]);
      }
      c[i * g.n + j] = static_cast<T>(sum);
    }
  }
}

}  // namespace

void gemm_reference(DType dtype, const Gemm& shape, const void* a, const void* b, const void* bias, void* c) {
  for (int64_t i = 0; i < shape.batch; ++i) {
    const Matrices of = matrices(dtype, shape, a, b, c, i);
    if (dtype == DType::float32) {
      reference(shape, reinterpret_cast<const float*>(of.a), reinterpret_cast<const float*>(of.b),
                static_cast<const float*>(bias), reinterpret_cast<float*>(of.c));
    } else {
      reference(shape, reinterpret_cast<const double*>(of.a), reinterpret_cast<const double*>(of.b),
                static_cast<const double*>(bias), reinterpret_cast<double*>(of.c));
    }
  }
}

}  // namespace tapegrad::kernels
