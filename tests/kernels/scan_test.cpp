#include "autograd/kernels/scan.h"

#include <doctest/doctest.h>

#include "tests/kernels/kernel_data.h"

namespace tapegrad::kernels {
namespace {

using namespace kernel_tests;

struct Case {
  int64_t outer, n, inner;
};

// Rows and columns around the sizes of vectors and tiles.
std::vector<Case> all_cases() {
  std::vector<Case> cases = {{0, 3, 2}, {2, 0, 3}, {2, 3, 0}};
  for (int64_t n : {1, 2, 7, 63, 64, 65, 200}) {
    for (int64_t side : {1, 2, 3, 15, 16, 17, 40}) {
      cases.push_back({side, n, 1});
      cases.push_back({1, n, side});
      cases.push_back({2, n, side});
    }
  }
  return cases;
}

// Calls f(row of places) for each scan, in the order of the walk.
template <class F>
void for_scans(const Case& c, bool reverse, F f) {
  for (int64_t s = 0; s < c.outer * c.inner; ++s) {
    std::vector<size_t> places;
    for (int64_t i = 0; i < c.n; ++i) {
      const int64_t at = reverse ? c.n - 1 - i : i;
      places.push_back(static_cast<size_t>(s / c.inner * c.n * c.inner + at * c.inner + s % c.inner));
    }
    f(s, places);
  }
}

template <class T>
std::vector<T> scanned(Scan kind, const Case& c, bool reverse, const std::vector<T>& a,
                       const std::vector<T>& b) {
  std::vector<T> y(a.size() + 1, T{-77});
  scan(kind, dtype_of<T>(), {c.outer, c.n, c.inner, reverse}, a.data(), b.data(), y.data());
  CHECK(y.back() == T{-77});
  y.pop_back();
  return y;
}

// The largest error of y in units of the last place, or of `scale` where that is larger.
template <class T>
double error_of(T y, double exact, double scale) {
  return std::fabs(static_cast<double>(y) - exact) / (kUnit<T> * std::max(std::fabs(exact), scale));
}

TEST_CASE_TEMPLATE("kernels/scan: against plain loops on every target", T, float, double) {
  Numbers numbers(11);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : all_cases()) {
      for (bool reverse : {false, true}) {
        CAPTURE(c.outer);
        CAPTURE(c.n);
        CAPTURE(c.inner);
        const int64_t count = c.outer * c.n * c.inner;
        const auto x = numbers.vector<T>(count, -1, 1), b = numbers.vector<T>(count, -1, 1);
        const auto near_one = numbers.vector<T>(count, 0.8, 1.2);
        const auto sums = scanned(Scan::sum, c, reverse, x, b);
        const auto products = scanned(Scan::product, c, reverse, near_one, b);
        const auto logs = scanned(Scan::log_sum_exp, c, reverse, x, b);
        const auto linear = scanned(Scan::linear, c, reverse, x, b);
        double worst = 0;
        for_scans(c, reverse, [&](int64_t, const std::vector<size_t>& places) {
          long double sum = 0, product = 1, exps = 0, y = 0;
          for (size_t at : places) {
            sum += x[at];
            product *= near_one[at];
            exps += std::exp(static_cast<long double>(x[at]));
            y = b[at] + x[at] * y;
            const auto length = static_cast<double>(places.size());
            worst = std::max(worst, error_of(sums[at], static_cast<double>(sum), 0) / 2);
            worst = std::max(worst, error_of(products[at], static_cast<double>(product), 0) /
                                        (sizeof(T) == 4 ? 2 : 2 * length));
            worst = std::max(worst, error_of(logs[at], static_cast<double>(std::log(exps)), 1) / 8);
            worst = std::max(worst, error_of(linear[at], static_cast<double>(y), 1) / 8);
          }
        });
        CHECK(worst <= 1);
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/scan: gradients of products, with zeros, on every target", T, float, double) {
  Numbers numbers(12);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : all_cases()) {
      if (c.n > 70) continue;
      const int64_t count = c.outer * c.n * c.inner;
      auto x = numbers.vector<T>(count, 0.8, 1.2);
      for (T& v : x) {
        if (numbers.below(20) == 0) v = 0;
      }
      const auto g = numbers.vector<T>(count, 0.5, 1);
      for (bool reverse : {false, true}) {
        const ScanShape shape{c.outer, c.n, c.inner, reverse};
        std::vector<T> all(x.size(), T{-77}), running(x.size(), T{-77});
        product_backward(dtype_of<T>(), shape, g.data(), x.data(), all.data());
        running_product_backward(dtype_of<T>(), shape, g.data(), x.data(), running.data());
        bool right = true;
        for_scans(c, reverse, [&](int64_t s, const std::vector<size_t>& places) {
          for (size_t i = 0; i < places.size(); ++i) {
            double sum = 0, product = 1;
            for (size_t k = 0; k < places.size(); ++k) {
              product *= k == i ? 1 : static_cast<double>(x[places[k]]);
              if (k >= i) sum += static_cast<double>(g[places[k]]) * product;
            }
            product *= static_cast<double>(g[static_cast<size_t>(s)]);
            const double bound = kUnit<T> * (sizeof(T) == 4 ? 4 : 300);
            right = right && std::fabs(static_cast<double>(all[places[i]]) - product) <= bound * product;
            right = right && std::fabs(static_cast<double>(running[places[i]]) - sum) <= bound * sum;
          }
        });
        CHECK(right);
      }
    }
  });
}

TEST_CASE("kernels/scan: integers wrap around") {
  const int64_t most = std::numeric_limits<int64_t>::max();
  const std::vector<int64_t> x = {most, 1, 2, -3};
  CHECK(scanned<int64_t>(Scan::sum, {1, 4, 1}, false, x, x) ==
        std::vector<int64_t>{most, -most - 1, -most + 1, most});
  CHECK(scanned<int64_t>(Scan::product, {2, 2, 1}, false, {2, 3, -4, 5}, x) ==
        std::vector<int64_t>{2, 6, -4, -20});
  CHECK(scanned<int64_t>(Scan::sum, {1, 2, 2}, true, {1, 2, 3, 4}, x) == std::vector<int64_t>{4, 6, 3, 4});
}

TEST_CASE_TEMPLATE("kernels/scan: the same bits for one, two and three threads", T, float, double) {
  Numbers numbers(13);
  for (const Case& c : {Case{301, 211, 1}, Case{3, 211, 101}, Case{1, 70'000, 1}}) {
    const auto x = numbers.vector<T>(c.outer * c.n * c.inner, -1, 1);
    for (Scan kind : {Scan::sum, Scan::product, Scan::log_sum_exp, Scan::linear}) {
      const auto results = with_threads([&] { return scanned(kind, c, false, x, x); });
      CHECK(same_bits(results[0], results[1]));
      CHECK(same_bits(results[0], results[2]));
    }
  }
}

}  // namespace
}  // namespace tapegrad::kernels
