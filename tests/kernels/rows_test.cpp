#include "autograd/kernels/rows.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "autograd/kernels/dispatch.h"

using namespace tapegrad;

namespace {

// Runs the body on every target of this processor.
template <class Body>
void on_all_targets(Body body) {
  for (int i = 0; i < kernels::target_count(); ++i) {
    kernels::use_target(i);
    CAPTURE(kernels::target_name(i));
    body();
  }
  kernels::use_target(0);
}

template <class T>
std::vector<T> drawn(int64_t n, double scale, uint64_t seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> normal;
  std::vector<T> x(static_cast<size_t>(n));
  for (T& v : x) v = static_cast<T>(scale * normal(engine));
  return x;
}

template <class T>
constexpr DType kType = sizeof(T) == 4 ? DType::float32 : DType::float64;

struct Exact {
  long double largest = -std::numeric_limits<long double>::infinity(), sum = 0;

  template <class T>
  explicit Exact(const std::vector<T>& x) {
    for (const T v : x) largest = std::max<long double>(largest, v);
    for (const T v : x) sum += std::exp(static_cast<long double>(v) - largest);
  }
};

// What the roundings of one value may add up to, in units of half an ulp of 1: its distance d from the
// largest is rounded, which e^d magnifies by d; 2.5 are the exponential's; the sum of n values is good to
// log2 n + 8, and the quotient is rounded.
template <class T>
double bound(long double d, size_t n) {
  const double units = std::fabs(static_cast<double>(d)) + 2.5 + std::log2(static_cast<double>(n)) + 8 + 1;
  return units * std::numeric_limits<T>::epsilon() / 2;
}

}  // namespace

TEST_CASE_TEMPLATE("kernels/rows: softmax and log-softmax, denormal results included", T, float, double) {
  const double tiniest = std::numeric_limits<T>::denorm_min();
  const std::vector<double> scales = {1, 10, sizeof(T) == 4 ? 40.0 : 350.0};
  on_all_targets([&] {
    size_t denormal = 0;
    for (int64_t n : {1, 2, 7, 15, 16, 17, 31, 33, 63, 64, 65, 127, 300, 1000}) {
      for (const double scale : scales) {
        const std::vector<T> x = drawn<T>(n, scale, static_cast<uint64_t>(n));
        std::vector<T> y(x.size()), log_y(x.size());
        kernels::softmax(kType<T>, x.data(), y.data(), 1, n, 1);
        kernels::log_softmax(kType<T>, x.data(), log_y.data(), 1, n, 1);
        const Exact exact(x);
        for (size_t i = 0; i < x.size(); ++i) {
          CAPTURE(n);
          CAPTURE(i);
          const long double d = static_cast<long double>(x[i]) - exact.largest;
          const long double want = std::exp(d) / exact.sum, log_want = d - std::log(exact.sum);
          const double limit = bound<T>(d, x.size());
          // Two more roundings: of ln Σ and of the difference.
          const double log_limit = bound<T>(2 * d - 2 * std::log(static_cast<long double>(n)), x.size());
          denormal += y[i] > 0 && y[i] < std::numeric_limits<T>::min();
          CHECK(static_cast<double>(std::fabs(y[i] - want)) <= limit * static_cast<double>(want) + tiniest);
          CHECK(static_cast<double>(std::fabs(log_y[i] - log_want)) <= log_limit);
        }
      }
    }
    CHECK(denormal > 0);
  });
}

TEST_CASE_TEMPLATE("kernels/rows: the softmax is as exact as a division by the sum", T, float, double) {
  on_all_targets([&] {
    const std::vector<T> x = drawn<T>(1000, 3, 5);
    std::vector<T> y(x.size());
    kernels::softmax(kType<T>, x.data(), y.data(), 1, 1000, 1);
    const kernels::LogSum of = kernels::row_log_sum_exp(kType<T>, x.data(), 1000);
    CHECK(std::fabs(of.log_sum - static_cast<double>(std::log(Exact(x).sum))) <=
          20 * std::numeric_limits<T>::epsilon());
    long double total = 0;
    for (const T v : y) total += v;
    // The roundings of y add up at random, those of the sum of exponentials are common to all.
    CHECK(static_cast<double>(std::fabs(total - 1)) <=
          (std::log2(1000.0) + 9) * std::numeric_limits<T>::epsilon() / 2);
  });
}

TEST_CASE_TEMPLATE("kernels/rows: NaN and infinities at every place of a row", T, float, double) {
  constexpr T kInf = std::numeric_limits<T>::infinity(), kNan = std::numeric_limits<T>::quiet_NaN();
  on_all_targets([&] {
    for (int64_t n : {1, 5, 16, 40, 130}) {
      for (size_t at = 0; at < static_cast<size_t>(n); ++at) {
        for (const T special : {kNan, kInf, -kInf}) {
          std::vector<T> x = drawn<T>(n, 1, 3);
          x[at] = special;
          std::vector<T> y(x.size()), log_y(x.size());
          kernels::softmax(kType<T>, x.data(), y.data(), 1, n, 1);
          kernels::log_softmax(kType<T>, x.data(), log_y.data(), 1, n, 1);
          CAPTURE(n);
          CAPTURE(at);
          CAPTURE(special);
          for (size_t i = 0; i < x.size(); ++i) {
            if (special != -kInf || n == 1) {
              CHECK(std::isnan(y[i]));
              CHECK(std::isnan(log_y[i]));
            } else if (i == at) {
              CHECK(y[i] == 0);
              CHECK(log_y[i] == -kInf);
            } else {
              CHECK(y[i] > 0);
              CHECK(std::isfinite(log_y[i]));
            }
          }
        }
      }
    }
  });
}
