// Products in slices, steps of a matrix along a product, sums of columns: beside the plain ways.

#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/kernels/column_sums.h"
#include "autograd/kernels/direct.h"
#include "autograd/kernels/gemm.h"
#include "autograd/kernels/lanes.h"
#include "tests/kernels/kernel_data.h"

namespace tapegrad::kernels {
namespace {

using namespace kernel_tests;

constexpr int64_t kSizes[][3] = {{1, 1, 1},    {1, 16, 64},   {16, 1, 9}, {5, 3, 1},  {16, 2, 1},
                                 {16, 16, 1},  {33, 7, 1},    {1, 40, 1}, {40, 1, 1}, {16, 16, 64},
                                 {16, 2, 64},  {12, 3, 70},   {40, 1, 3}, {1, 33, 2}, {9, 70, 33},
                                 {64, 300, 5}, {150, 40, 130}};

Gemm shape_of(const int64_t (&size)[3], int transposed) {
  return {.m = size[0],
          .n = size[1],
          .k = size[2],
          .transpose_a = (transposed & 1) != 0,
          .transpose_b = (transposed & 2) != 0};
}

// Memory as tensors have it: aligned, and with room up to the next 64 bytes.
template <class T>
struct Aligned {
  explicit Aligned(const std::vector<T>& from) : memory(from.size() + 32), size(from.size()) {
    std::copy(from.begin(), from.end(), data());
  }
  Aligned(const Aligned& other) : Aligned(const_cast<Aligned&>(other).values()) {}
  T* data() {
    const auto at = reinterpret_cast<uintptr_t>(memory.data());
    return reinterpret_cast<T*>((at + 63) & ~uintptr_t{63});
  }
  std::vector<T> values() { return {data(), data() + size}; }
  std::vector<T> memory;
  size_t size;
};

}  // namespace

TEST_CASE_TEMPLATE("kernels/gemm_slices: slices have the bits of the whole", T, float, double) {
  Numbers numbers(1);
  size_t cut = 0;
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const auto& size : kSizes) {
      for (int transposed = 0; transposed < 4; ++transposed) {
        for (bool with_bias : {false, true}) {
          const Gemm g = shape_of(size, transposed);
          const int64_t slices = gemm_slices(g);
          if (slices == 0) continue;
          const std::vector<T> a = numbers.vector<T>(g.m * g.k), b = numbers.vector<T>(g.k * g.n),
                               bias = numbers.vector<T>(g.n);
          const void* start = with_bias ? bias.data() : nullptr;
          std::vector<T> whole(static_cast<size_t>(g.m * g.n)), sliced = whole;
          gemm(dtype_of<T>(), g, a.data(), b.data(), start, whole.data());
          const int64_t each = g.m * g.n / slices;
          int64_t step = gemm_slices_at_once(dtype_of<T>(), g, 4096);
          if (step == 0) step = slices;
          CHECK((step == slices || step * each * static_cast<int64_t>(sizeof(T)) % 64 == 0));
          for (int64_t at = 0; at < slices; at += step) {
            gemm_slice(dtype_of<T>(), g, at, std::min(at + step, slices), a.data(), b.data(), start,
                       sliced.data() + at * each);
            cut += at > 0;
          }
          if (!same_bits(whole, sliced)) FAIL_CHECK(g.m << "x" << g.n << "x" << g.k << " " << transposed);
        }
      }
    }
  });
  CHECK(cut > 10);
}

TEST_CASE_TEMPLATE("kernels/gemm_slices: with padding, the same elements and nothing beyond 64 bytes", T,
                   float, double) {
  Numbers numbers(5);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t k : {1, 2, 3, 4, 9}) {
      for (int64_t n : {2, 5, 7, 16, 21}) {
        Gemm g{.m = 1, .n = n, .k = k, .transpose_b = true};
        const std::vector<T> a = numbers.vector<T>(k), b = numbers.vector<T>(k * n),
                             bias = numbers.vector<T>(n);
        Aligned<T> plain(std::vector<T>(64, T{12345})), padded = plain;
        gemm(dtype_of<T>(), g, a.data(), b.data(), bias.data(), plain.data());
        g.padded = true;
        T* const to = padded.data();
        std::fill(to, to + 64, T{12345});
        gemm(dtype_of<T>(), g, a.data(), b.data(), bias.data(), to);
        CHECK(std::memcmp(plain.data(), to, static_cast<size_t>(n) * sizeof(T)) == 0);
        const int64_t lanes = 64 / static_cast<int64_t>(sizeof(T));
        for (int64_t i = (n + lanes - 1) / lanes * lanes; i < 64; ++i) CHECK(to[i] == T{12345});
      }
    }
    for (int64_t rows : {2, 5, 11, 16}) {
      for (int64_t columns : {2, 3, 5, 7}) {
        Gemm g{.m = rows, .n = columns, .k = 1};
        const std::vector<T> a = numbers.vector<T>(rows), b = numbers.vector<T>(columns);
        Aligned<T> w(numbers.vector<T>(128)), alone(w.values()), whole(w.values());
        const T factor = T{0.5};
        gemm_move(dtype_of<T>(), g, a.data(), b.data(), &factor, w.data(), alone.data());
        g.padded = true;
        gemm_move(dtype_of<T>(), g, a.data(), b.data(), &factor, w.data(), whole.data());
        CHECK(same_bits(alone.values(), whole.values()));
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/gemm_slices: a step along an outer product has the bits of two steps", T, float,
                   double) {
  Numbers numbers(2);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const auto& size : kSizes) {
      if (size[2] != 1) continue;
      for (int transposed = 0; transposed < 4; ++transposed) {
        const Gemm g = shape_of(size, transposed);
        std::vector<T> a = numbers.vector<T>(g.m), b = numbers.vector<T>(g.n);
        a[0] = T{0}, b[0] = T{-1};  // a product that is −0
        Aligned<T> w(numbers.vector<T>(g.m * g.n)), product(std::vector<T>(w.size)), expected(product);
        w.data()[0] = T{-0.0};
        const T factor = static_cast<T>(numbers.uniform(-1, 1));
        gemm(dtype_of<T>(), g, a.data(), b.data(), nullptr, product.data());
        const void* in[] = {product.data(), &factor, w.data()};
        const int64_t step[] = {1, w.size == 1, 1};
        const auto& kernels = sizeof(T) == 4 ? lane_table().f32 : lane_table().f64;
        kernels[static_cast<size_t>(Lane::mul_add)](in, step, expected.data(), static_cast<int64_t>(w.size));
        std::vector<T> behind(static_cast<size_t>(g.m * g.n) + 16, T{12345});
        gemm_move(dtype_of<T>(), g, a.data(), b.data(), &factor, w.data(), behind.data());
        for (size_t i = w.size; i < behind.size(); ++i) CHECK(behind[i] == T{12345});
        behind.resize(w.size);
        CHECK(same_bits(behind, expected.values()));
        gemm_move(dtype_of<T>(), g, a.data(), b.data(), &factor, w.data(), w.data());
        CHECK(same_bits(w.values(), expected.values()));
      }
    }
  });
}

TEST_CASE_TEMPLATE(
    "kernels/gemm_slices: a product and a step of its matrix in one pass have the bits of both", T, float,
    double) {
  Numbers numbers(4);
  size_t checked = 0;
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t k : {2, 5, 8, 13, 31}) {
      for (int64_t n : {2, 7, 16, 33, 130}) {
        for (int turned = 0; turned < 2; ++turned) {
          const Gemm g{.m = 1, .n = n, .k = k, .transpose_a = turned == 1};
          if (!gemm_moves_too(g)) continue;
          ++checked;
          const std::vector<T> a = numbers.vector<T>(k), w = numbers.vector<T>(k * n),
                               x = numbers.vector<T>(n);
          const T factor = static_cast<T>(numbers.uniform(-1, 1));
          std::vector<T> y(static_cast<size_t>(n) + 16, T{12345}), both = y;
          std::vector<T> moved(w.size() + 16, T{12345}), alone = moved;
          gemm(dtype_of<T>(), g, a.data(), w.data(), nullptr, y.data());
          gemm_move(dtype_of<T>(), {.m = k, .n = n, .k = 1}, a.data(), x.data(), &factor, w.data(),
                    alone.data());
          DirectOp op{.dtype = dtype_of<T>(), .in = {w.data(), a.data(), &factor, x.data()}};
          gemm_and_move_as_direct(g, op);
          op.out = both.data(), op.moved = moved.data();
          run_direct(&op, 1);
          CHECK(same_bits(y, both));
          CHECK(same_bits(moved, alone));
          std::copy(w.begin(), w.end(), moved.begin());
          op.in[0] = moved.data();
          run_direct(&op, 1);
          CHECK(same_bits(y, both));
          CHECK(same_bits(moved, alone));
        }
      }
    }
  });
  CHECK(checked > 30);
}

TEST_CASE_TEMPLATE("kernels/direct: products with a vector and steps have the bits of gemm and gemm_move", T,
                   float, double) {
  Numbers numbers(7);
  size_t products = 0, steps = 0;
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t n : {1, 2, 5, 8, 16, 17, 32, 50}) {
      for (int64_t k : {1, 2, 3, 8, 16, 24, 33}) {
        for (int turned = 0; turned < 4; ++turned) {
          for (const bool biased : {false, true}) {
            Gemm g{.m = 1, .n = n, .k = k, .transpose_b = turned % 2 == 1, .padded = true};
            if (turned / 2 == 1) g = {.m = n, .n = 1, .k = k, .transpose_a = turned % 2 == 1, .padded = true};
            const std::vector<T> vector = numbers.vector<T>(k), matrix = numbers.vector<T>(n * k),
                                 bias = numbers.vector<T>(n);
            const T* const offset = biased ? bias.data() : nullptr;
            const T *a = g.m == 1 ? vector.data() : matrix.data(),
                    *b = g.m == 1 ? matrix.data() : vector.data();
            DirectOp op{.dtype = dtype_of<T>()};
            bool swapped = false;
            if (!gemm_as_direct(g, op, swapped)) continue;
            ++products;
            CHECK(swapped == (g.m == 1));
            Aligned<T> y{std::vector<T>(static_cast<size_t>(n))}, expected = y;
            gemm(dtype_of<T>(), g, a, b, offset, expected.data());
            op.in[0] = matrix.data(), op.in[1] = vector.data(), op.in[2] = offset, op.out = y.data();
            run_direct(&op, 1);
            CHECK(same_bits(y.values(), expected.values()));
          }
        }
        const Gemm g{.m = n, .n = k, .k = 1, .padded = n * k > 1};
        const std::vector<T> left = numbers.vector<T>(n), right = numbers.vector<T>(k);
        Aligned<T> w(numbers.vector<T>(n * k)), expected = w;
        const T factor = static_cast<T>(numbers.uniform(-1, 1));
        DirectOp op{.dtype = dtype_of<T>()};
        bool swapped = false;
        REQUIRE(gemm_move_as_direct(dtype_of<T>(), g, op, swapped));
        ++steps;
        gemm_move(dtype_of<T>(), g, left.data(), right.data(), &factor, expected.data(), expected.data());
        op.in[0] = swapped ? right.data() : left.data(), op.in[1] = swapped ? left.data() : right.data();
        op.in[2] = &factor, op.in[3] = op.out = w.data();
        run_direct(&op, 1);
        CHECK(same_bits(w.values(), expected.values()));
      }
    }
  });
  CHECK(products > 100);
  CHECK(steps > 50);
}

TEST_CASE_TEMPLATE("kernels/column_sums: within the bound of a sum, the same for any number of threads", T,
                   float, double) {
  Numbers numbers(3);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t rows : {0, 1, 3, 4, 5, 64, 333}) {
      for (int64_t columns : {1, 2, 7, 8, 9, 16, 70}) {
        const std::vector<T> x = numbers.vector<T>(rows * columns);
        std::vector<T> y(static_cast<size_t>(columns) + 16, T{12345});
        column_sums(dtype_of<T>(), x.data(), rows, columns, y.data());
        for (int64_t j = 0; j < columns; ++j) {
          long double sum = 0, size = 0;
          for (int64_t r = 0; r < rows; ++r) {
            const auto v = static_cast<long double>(x[static_cast<size_t>(r * columns + j)]);
            sum += v, size += std::fabs(v);
          }
          const long double chain = static_cast<long double>(rows) / 4 + 3;
          const long double bound = sizeof(T) == 4
                                        ? std::fabs(sum) * kUnit<float> + chain * kUnit<double> * size * 2
                                        : chain * kUnit<double> * size;
          CHECK(std::fabs(static_cast<long double>(y[static_cast<size_t>(j)]) - sum) <= bound);
        }
        for (size_t i = static_cast<size_t>(columns); i < y.size(); ++i) CHECK(y[i] == T{12345});
      }
    }
  });
  const std::vector<T> x = numbers.vector<T>(1500 * 300);
  const auto results = with_threads([&] {
    std::vector<T> y(300);
    column_sums(dtype_of<T>(), x.data(), 1500, 300, y.data());
    return y;
  });
  CHECK(same_bits(results[0], results[1]));
  CHECK(same_bits(results[0], results[2]));
}

}  // namespace tapegrad::kernels
