#include "autograd/kernels/gemm.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/kernels/kernel_data.h"
#include "tests/kernels/lane_support.h"

namespace tapegrad::kernels {
namespace {

using namespace kernel_tests;
using testing::Aligned;

template <class T>
std::vector<T> magnitudes(std::vector<T> v) {
  for (T& x : v) x = std::fabs(x);
  return v;
}

int64_t total(int64_t size, int64_t stride, int64_t batch) {
  return batch == 0 ? 0 : stride * (batch - 1) + size;
}

template <class T>
struct Operands {
  Gemm g;
  std::vector<T> a, b, bias;
  Operands(const Gemm& shape, bool with_bias, Numbers& numbers) : g(shape) {
    a = numbers.vector<T>(total(g.m * g.k, g.stride_a, g.batch));
    b = numbers.vector<T>(total(g.k * g.n, g.stride_b, g.batch));
    if (with_bias) bias = numbers.vector<T>(g.n);
  }
  std::vector<T> product() const { return run(&gemm); }
  std::vector<T> run(void (*multiply)(DType, const Gemm&, const void*, const void*, const void*,
                                      void*)) const {
    // A number that no product gives marks what must stay untouched, and what must not.
    std::vector<T> c(static_cast<size_t>(total(g.m * g.n, g.stride_c, g.batch) + 32), T{12345});
    multiply(dtype_of<T>(), g, a.data(), b.data(), bias.empty() ? nullptr : bias.data(), c.data() + 16);
    return c;
  }
};

// The error of a sum of k products and a bias is at most (k + 2)·u·(Σ|a·b| + |bias|), in any order; so is
// that of the reference, in float64.
template <class T>
bool close_to_reference(const Operands<T>& x) {
  const std::vector<T> got = x.product();
  const std::vector<T> expected = x.run(&gemm_reference);
  Operands<T> sizes = x;
  sizes.a = magnitudes(x.a), sizes.b = magnitudes(x.b), sizes.bias = magnitudes(x.bias);
  const std::vector<T> size = sizes.run(&gemm_reference);
  bool close = true;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::fabs(static_cast<double>(got[i]) - static_cast<double>(expected[i]));
    const bool outside = expected[i] == T{12345};
    const double bound =
        static_cast<double>(x.g.k + 2) * (kUnit<T> + kUnit<double>)*static_cast<double>(size[i]);
    close = close && error <= (outside ? 0 : bound);
  }
  return close;
}

Gemm shape_of(int64_t m, int64_t n, int64_t k, int transposed = 0) {
  Gemm g;
  g.m = m, g.n = n, g.k = k;
  g.transpose_a = (transposed & 1) != 0, g.transpose_b = (transposed & 2) != 0;
  return g;
}

std::string text(const Gemm& g) {
  return std::to_string(g.m) + "x" + std::to_string(g.n) + "x" + std::to_string(g.k) +
         (g.transpose_a ? " T" : " N") + (g.transpose_b ? "T" : "N") + " batch " + std::to_string(g.batch);
}

TEST_CASE_TEMPLATE("kernels/gemm: every small shape and transposition", T, float, double) {
  Numbers numbers(1);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t m : {0, 1, 2, 3, 5, 6, 7, 13}) {
      for (int64_t n : {0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33}) {
        for (int64_t k : {0, 1, 2, 3, 4, 5, 8, 11, 19}) {
          for (int transposed = 0; transposed < 4; ++transposed) {
            const Operands<T> x(shape_of(m, n, k, transposed), numbers.below(2) == 1, numbers);
            if (!close_to_reference(x)) FAIL_CHECK(text(x.g));
          }
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/gemm: random shapes of every path", T, float, double) {
  Numbers numbers(2);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int i = 0; i < 60; ++i) {
      const auto size = [&] { return 1 + numbers.below(int64_t{1} << (1 + numbers.below(8))); };
      const Operands<T> x(shape_of(size(), size(), size(), static_cast<int>(numbers.below(4))), i % 2 == 0,
                          numbers);
      if (!close_to_reference(x)) FAIL_CHECK(text(x.g));
    }
    for (const Gemm& g : {shape_of(1, 300, 700), shape_of(1, 301, 701, 2), shape_of(701, 1, 301),
                          shape_of(300, 1, 700, 1), shape_of(64, 300, 1), shape_of(301, 67, 1),
                          shape_of(130, 10, 515, 2), shape_of(10, 515, 129, 1), shape_of(129, 515, 10),
                          shape_of(40, 70, 300, 3), shape_of(600, 530, 20, 1), shape_of(600, 5, 70)}) {
      const Operands<T> x(g, true, numbers);
      if (!close_to_reference(x)) FAIL_CHECK(text(x.g));
    }
  });
}

// On the BLAS or here, as the target has it; sums of more than 4096 on the BLAS everywhere.
TEST_CASE_TEMPLATE("kernels/gemm: large products", T, float, double) {
  Numbers numbers(3);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int transposed = 0; transposed < 4; ++transposed) {
      for (const Gemm& g : {shape_of(130, 300, 70, transposed), shape_of(140, 520, 60, transposed),
                            shape_of(530, 70, 120, transposed), shape_of(65, 70, 4100, transposed)}) {
        for (bool bias : {false, true}) {
          const Operands<T> x(g, bias, numbers);
          if (!close_to_reference(x)) FAIL_CHECK(text(x.g));
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/gemm: a product added to what is there stays within its bound", T, float,
                   double) {
  Numbers numbers(8);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int transposed = 0; transposed < 4; ++transposed) {
      for (const Gemm& g : {shape_of(1900, 129, 70, transposed), shape_of(1100, 127, 128, transposed),
                            shape_of(8000, 67, 17, transposed), shape_of(2100, 100, 64, transposed),
                            shape_of(301, 65, 640, transposed), shape_of(1030, 200, 129, transposed)}) {
        CAPTURE(text(g));
        REQUIRE(gemm_accumulates(g));
        const T alpha = T(-0.03);
        const Operands<T> x(g, false, numbers);
        const std::vector<T> before = numbers.vector<T>(g.m * g.n), product = x.run(&gemm_reference);
        Operands<T> sizes = x;
        sizes.a = magnitudes(x.a), sizes.b = magnitudes(x.b);
        const std::vector<T> size = sizes.run(&gemm_reference);
        const auto results = with_threads([&] {
          std::vector<T> c = before;
          gemm_accumulate(dtype_of<T>(), g, x.a.data(), x.b.data(), &alpha, c.data());
          return c;
        });
        CHECK(same_bits(results[0], results[1]));
        CHECK(same_bits(results[0], results[2]));
        bool close = true;
        for (size_t i = 0; i < before.size(); ++i) {
          // The reference's own product, in float64, is rounded to T once.
          const double c = static_cast<double>(before[i]), by = static_cast<double>(alpha);
          const double want = c + by * static_cast<double>(product[16 + i]);
          const double sum = std::fabs(by) * static_cast<double>(size[16 + i]);
          const double bound = static_cast<double>(g.k + 4) * (kUnit<T> + kUnit<double>)*sum +
                               static_cast<double>(g.k / 128 + 1) * kUnit<T> * std::fabs(c);
          close = close && std::fabs(static_cast<double>(results[0][i]) - want) <= bound;
        }
        CHECK(close);
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/gemm: batches with strides, shared operands, and gaps", T, float, double) {
  Numbers numbers(4);
  constexpr int64_t kShapes[][3] = {{4, 5, 6}, {1, 9, 4}, {9, 1, 4}, {3, 7, 1}, {2, 3, 0}};
  for (int64_t batch : {0, 1, 2, 5}) {
    for (int64_t gap : {0, 3}) {
      for (int shared = 0; shared < 4; ++shared) {
        for (int transposed = 0; transposed < 4; ++transposed) {
          for (const auto& [m, n, k] : kShapes) {
            Gemm g = shape_of(m, n, k, transposed);
            g.batch = batch;
            g.stride_a = (shared & 1) != 0 ? 0 : m * k + gap;
            g.stride_b = (shared & 2) != 0 ? 0 : k * n + gap;
            g.stride_c = m * n + gap;
            const Operands<T> x(g, shared == 1, numbers);
            if (!close_to_reference(x)) FAIL_CHECK(text(x.g));
          }
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("kernels/gemm: the same bits for one, two and three threads", T, float, double) {
  Numbers numbers(5);
  std::vector<Gemm> shapes = {
      shape_of(128, 512, 200, 2), shape_of(128, 784, 200),    shape_of(520, 600, 64, 1),
      shape_of(9000, 16, 64),     shape_of(9000, 10, 64, 2),  shape_of(16, 3000, 100),
      shape_of(1, 3000, 1000),    shape_of(1, 3000, 1000, 2), shape_of(3000, 1, 1000),
      shape_of(3000, 1, 1000, 1), shape_of(2000, 1500, 1),    shape_of(1100, 130, 120, 3)};
  Gemm batched = shape_of(64, 64, 32);
  batched.batch = 70;
  batched.stride_a = 64 * 32, batched.stride_b = 32 * 64, batched.stride_c = 64 * 64;
  shapes.push_back(batched);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Gemm& g : shapes) {
      const Operands<T> x(g, true, numbers);
      const auto results = with_threads([&] { return x.product(); });
      CHECK_MESSAGE(same_bits(results[0], results[1]), text(g));
      CHECK_MESSAGE(same_bits(results[0], results[2]), text(g));
    }
  });
}

// Of padded results whole vectors are written, which must not reach what another thread has written.
TEST_CASE_TEMPLATE("kernels/gemm: pieces of padded vectors keep to themselves", T, float, double) {
  Numbers numbers(9);
  const int64_t count = 700003;
  const std::vector<T> a = numbers.vector<T>(count * 3), b = numbers.vector<T>(3);
  for (int turn = 0; turn < 10; ++turn) {
    const auto results = with_threads([&] {
      Aligned<T> c(static_cast<size_t>(count));
      Gemm g = shape_of(count, 1, 3);
      g.padded = true;
      gemm(dtype_of<T>(), g, a.data(), b.data(), nullptr, c.data());
      return c.values();
    });
    CHECK(same_bits(results[0], results[1]));
    CHECK(same_bits(results[0], results[2]));
  }
}

TEST_CASE_TEMPLATE("kernels/gemm: pieces of a step along an outer product keep to themselves", T, float,
                   double) {
  Numbers numbers(10);
  const int64_t rows = 700003;
  const std::vector<T> a = numbers.vector<T>(rows), b = numbers.vector<T>(3),
                       from = numbers.vector<T>(3 * rows);
  const T factor = T(0.5);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    const auto results = with_threads([&] {
      Aligned<T> c(from);
      Gemm g = shape_of(rows, 3, 1);
      g.padded = true;
      gemm_move(dtype_of<T>(), g, a.data(), b.data(), &factor, c.data(), c.data());
      return c.values();
    });
    CHECK(same_bits(results[0], results[1]));
    CHECK(same_bits(results[0], results[2]));
  });
}

// 0·inf and inf − inf are NaN on every path, and a NaN reaches its row or column and nothing else.
TEST_CASE_TEMPLATE("kernels/gemm: infinities and NaN follow IEEE arithmetic", T, float, double) {
  Numbers numbers(6);
  constexpr int64_t kShapes[][3] = {{1, 5, 3}, {5, 1, 3},   {1, 70, 40},  {70, 1, 40},   {5, 7, 1},
                                    {4, 4, 4}, {13, 17, 9}, {64, 10, 33}, {140, 300, 70}};
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const auto& [m, n, k] : kShapes) {
      for (int transposed = 0; transposed < 4; ++transposed) {
        const Gemm g = shape_of(m, n, k, transposed);
        CAPTURE(text(g));
        Operands<T> x(g, false, numbers);
        const auto at = [](int64_t i, int64_t j, int64_t rows, int64_t columns, bool transpose) {
          return static_cast<size_t>(transpose ? j * rows + i : i * columns + j);
        };
        // Row 0 of a is zero; b has an infinity in its last column, and a NaN in a's last row.
        for (int64_t p = 0; p < k; ++p) x.a[at(0, p, m, k, g.transpose_a)] = T{0};
        x.b[at(k / 2, n - 1, k, n, g.transpose_b)] = kInf<T>;
        if (m > 1) x.a[at(m - 1, k - 1, m, k, g.transpose_a)] = kNan<T>;
        const std::vector<T> c = x.product();
        bool right = true;
        for (int64_t i = 0; i < m; ++i) {
          for (int64_t j = 0; j < n; ++j) {
            const T y = c[static_cast<size_t>(16 + i * n + j)];
            if (m > 1 && i == m - 1) {
              right = right && std::isnan(y);
            } else if (j == n - 1) {
              right = right && (i == 0 ? std::isnan(y) : std::isinf(y));
            } else {
              right = right && std::isfinite(y);
            }
          }
        }
        CHECK(right);
      }
    }
  });
}

TEST_CASE("kernels/gemm: overwrites what was there, NaN included") {
  Numbers numbers(7);
  for (const Gemm& g :
       {shape_of(4, 5, 3), shape_of(1, 5, 3), shape_of(5, 4, 1), shape_of(3, 4, 0), shape_of(140, 300, 70)}) {
    const Operands<float> x(g, false, numbers);
    std::vector<float> c(static_cast<size_t>(g.m * g.n), kNan<float>);
    gemm(DType::float32, g, x.a.data(), x.b.data(), nullptr, c.data());
    CHECK(std::all_of(c.begin(), c.end(), [](float y) { return std::isfinite(y); }));
  }
}

}  // namespace
}  // namespace tapegrad::kernels
