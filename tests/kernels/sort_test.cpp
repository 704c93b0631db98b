#include "autograd/kernels/sort.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>

#include "tests/kernels/kernel_data.h"

namespace tapegrad::kernels {
namespace {

using namespace kernel_tests;

template <class T>
struct Sorted {
  std::vector<T> values;
  std::vector<int64_t> indices;
};

template <class T>
Sorted<T> sorted(const std::vector<T>& x, int64_t outer, int64_t n, int64_t inner, bool descending) {
  Sorted<T> y{std::vector<T>(x.size() + 1, T{-77}), std::vector<int64_t>(x.size() + 1, -77)};
  std::vector<double> scratch(sort_scratch(dtype_of<T>(), outer, n, inner) / 8 + 3, -77.0);
  sort(dtype_of<T>(), x.data(), y.values.data(), y.indices.data(), outer, n, inner, descending,
       scratch.data());
  CHECK(scratch[scratch.size() - 2] == -77.0);
  CHECK(y.values.back() == T{-77});
  CHECK(y.indices.back() == -77);
  y.values.pop_back();
  y.indices.pop_back();
  return y;
}

// NaN is largest; −0 and 0 are equal.
template <class T>
bool less(T a, T b) {
  return a != a ? false : b != b ? true : a < b;
}

template <class T>
bool right(const std::vector<T>& x, const Sorted<T>& y, int64_t outer, int64_t n, int64_t inner,
           bool descending) {
  for (int64_t r = 0; r < outer * inner; ++r) {
    const auto at = [&](int64_t i) {
      return static_cast<size_t>(r / inner * n * inner + i * inner + r % inner);
    };
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return descending ? less(x[at(b)], x[at(a)]) : less(x[at(a)], x[at(b)]);
    });
    for (int64_t i = 0; i < n; ++i) {
      const T expected = x[at(order[static_cast<size_t>(i)])];
      if (y.indices[at(i)] != order[static_cast<size_t>(i)]) return false;
      if (std::memcmp(&y.values[at(i)], &expected, sizeof(T)) != 0) return false;
    }
  }
  return true;
}

TEST_CASE_TEMPLATE("kernels/sort: against std::stable_sort, bit for bit", T, float, double, int64_t) {
  Numbers numbers(21);
  for (int64_t n : {0, 1, 2, 3, 50, 127, 128, 129, 300, 5000}) {
    for (const auto& [outer, inner] : {std::pair<int64_t, int64_t>{1, 1}, {3, 1}, {1, 4}, {2, 3}, {0, 2}}) {
      for (double spread : {3.0, 1e3, 1e30}) {
        if (spread == 1e30 && std::is_same_v<T, int64_t>) continue;
        std::vector<T> x(static_cast<size_t>(outer * n * inner));
        for (T& v : x) v = static_cast<T>(std::round(numbers.uniform(-spread, spread)));  // ties where small
        if constexpr (!std::is_same_v<T, int64_t>) {
          for (T& v : x) {
            switch (numbers.below(40)) {
              case 0: v = kNan<T>; break;
              case 1: v = -kNan<T>; break;
              case 2: v = kInf<T>; break;
              case 3: v = -kInf<T>; break;
              case 4: v = T{-0.0}; break;
              case 5: v = std::numeric_limits<T>::denorm_min(); break;
              default: break;
            }
          }
        }
        CAPTURE(n);
        CAPTURE(spread);
        for (bool descending : {false, true}) {
          CHECK(right(x, sorted(x, outer, n, inner, descending), outer, n, inner, descending));
        }
      }
    }
  }
}

TEST_CASE("kernels/sort: the ends of the range of integers") {
  const int64_t most = std::numeric_limits<int64_t>::max(), least = std::numeric_limits<int64_t>::min();
  const std::vector<int64_t> x = {0, most, -1, least, 1, least};
  CHECK(sorted(x, 1, 6, 1, false).values == std::vector<int64_t>{least, least, -1, 0, 1, most});
}

TEST_CASE_TEMPLATE("kernels/sort: the same bits for one, two and three threads", T, float, double) {
  Numbers numbers(22);
  const auto x = numbers.vector<T>(200'000);
  for (const auto& [outer, n] : {std::pair<int64_t, int64_t>{200, 1000}, {1, 200'000}, {7, 28'000}}) {
    const int64_t rows = outer, size = n;
    const auto results = with_threads([&] { return sorted(x, rows, size, 1, true); });
    for (int i : {1, 2}) {
      CHECK(same_bits(results[0].values, results[static_cast<size_t>(i)].values));
      CHECK(results[0].indices == results[static_cast<size_t>(i)].indices);
    }
  }
}

}  // namespace
}  // namespace tapegrad::kernels
