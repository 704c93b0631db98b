#include "autograd/kernels/reduce.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "tests/kernels/kernel_data.h"

namespace tapegrad::kernels {
namespace {

using namespace kernel_tests;

// The dims of a dense tensor, and which of them go.
struct Case {
  std::vector<int64_t> sizes;
  std::vector<bool> reduced;

  Reduction reduction() const {
    Reduction r{};
    int64_t stride = numel();
    for (size_t d = 0; d < sizes.size(); ++d) {
      stride = sizes[d] == 0 ? 0 : stride / sizes[d];
      if (reduced[d]) {
        r.reduced[r.rank_reduced] = sizes[d];
        r.reduced_stride[r.rank_reduced++] = stride;
      } else {
        r.kept[r.rank_kept] = sizes[d];
        r.kept_stride[r.rank_kept++] = stride;
      }
    }
    return r;
  }
  int64_t numel() const {
    return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<>());
  }
  int64_t results() const {
    int64_t n = 1;
    for (size_t d = 0; d < sizes.size(); ++d) n *= reduced[d] ? 1 : sizes[d];
    return n;
  }
  std::string text() const {
    std::string s;
    for (size_t d = 0; d < sizes.size(); ++d) s += (reduced[d] ? " -" : " ") + std::to_string(sizes[d]);
    return s;
  }
};

// The elements that go into each result, in order.
template <class T>
std::vector<std::vector<double>> addends(const Case& c, const std::vector<T>& x) {
  std::vector<std::vector<double>> all(static_cast<size_t>(c.results()));
  for (int64_t i = 0; i < c.numel(); ++i) {
    int64_t rest = i, at = 0, scale = 1;
    for (size_t d = c.sizes.size(); d-- > 0;) {
      if (!c.reduced[d]) {
        at += rest % c.sizes[d] * scale;
        scale *= c.sizes[d];
      }
      rest /= c.sizes[d];
    }
    all[static_cast<size_t>(at)].push_back(static_cast<double>(x[static_cast<size_t>(i)]));
  }
  return all;
}

template <class T>
std::vector<T> reduced(Reduce kind, const Case& c, const std::vector<T>& x) {
  // A number that is no result stands on either side.
  std::vector<T> y(static_cast<size_t>(c.results() + 2), T{-77});
  reduce(kind, dtype_of<T>(), c.reduction(), x.data(), y.data() + 1);
  CHECK(y.front() == T{-77});
  CHECK(y.back() == T{-77});
  return {y.begin() + 1, y.end() - 1};
}

// A float64 value with an error far below that of the sums under test.
double exact_sum(const std::vector<double>& v) {
  double sum = 0, lost = 0;
  for (double x : v) {
    const double next = sum + x;
    lost += std::fabs(sum) >= std::fabs(x) ? (sum - next) + x : (x - next) + sum;
    sum = next;
  }
  return sum + lost;
}

double sizes_of(const std::vector<double>& v) {
  double sum = 0;
  for (double x : v) sum += std::fabs(x);
  return sum;
}

template <class T>
double sum_bound(const std::vector<double>& v) {
  return (std::log2(static_cast<double>(v.size())) + 8) * kUnit<T> * sizes_of(v);
}

double exact_log_sum_exp(const std::vector<double>& v) {
  const double top = *std::max_element(v.begin(), v.end());
  std::vector<double> e;
  for (double x : v) e.push_back(std::exp(x - top));
  e[static_cast<size_t>(std::max_element(v.begin(), v.end()) - v.begin())] = 0;
  return top + std::log1p(exact_sum(e));
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = {{{}, {}}, {{1}, {true}}, {{5}, {false}}, {{1, 1}, {true, false}}};
  for (int64_t n : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 255, 257, 1000, 1031}) {
    cases.push_back({{n}, {true}});
    cases.push_back({{3, n}, {false, true}});
    cases.push_back({{n, 3}, {true, false}});
    cases.push_back({{2, n, 5}, {false, true, false}});
    cases.push_back({{9, n}, {true, false}});
    cases.push_back({{2, 17, n}, {false, true, false}});
    cases.push_back({{2, n, 3}, {true, false, true}});
  }
  for (const std::vector<int64_t>& sizes :
       {std::vector<int64_t>{2, 3, 4, 5, 6}, {3, 1, 40, 2, 1}, {1, 7, 1, 33, 9}}) {
    for (int mask = 0; mask < 32; ++mask) {
      Case c{sizes, {}};
      for (int d = 0; d < 5; ++d) c.reduced.push_back((mask >> d & 1) != 0);
      cases.push_back(c);
    }
  }
  return cases;
}

TEST_CASE_TEMPLATE("kernels/reduce: sums and means keep their bound in every layout", T, float, double) {
  Numbers numbers(1);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : all_cases()) {
      CAPTURE(c.text());
      const auto x = numbers.vector<T>(c.numel(), -1, 1.5);
      const auto sums = reduced(Reduce::sum, c, x), means = reduced(Reduce::mean, c, x);
      const auto terms = addends(c, x);
      bool right = true;
      for (size_t i = 0; i < terms.size(); ++i) {
        const double n = static_cast<double>(terms[i].size()), sum = exact_sum(terms[i]);
        const double bound = sum_bound<T>(terms[i]);
        right = right && std::fabs(static_cast<double>(sums[i]) - sum) <= bound;
        right = right && std::fabs(static_cast<double>(means[i]) - sum / n) <=
                             (bound + kUnit<T> * sizes_of(terms[i])) / n;
      }
      CHECK(right);
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: largest and smallest are exact in every layout, and NaN wins", T, float,
                   double) {
  Numbers numbers(2);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : all_cases()) {
      CAPTURE(c.text());
      auto x = numbers.vector<T>(c.numel());
      if (numbers.below(2) == 1) x[static_cast<size_t>(numbers.below(c.numel()))] = kNan<T>;
      if (numbers.below(3) == 1) std::fill(x.begin(), x.end(), -kInf<T>);
      const auto largest = reduced(Reduce::amax, c, x), smallest = reduced(Reduce::amin, c, x);
      const auto terms = addends(c, x);
      bool right = true;
      for (size_t i = 0; i < terms.size(); ++i) {
        const bool nan = std::any_of(terms[i].begin(), terms[i].end(), [](double v) { return v != v; });
        const auto [low, high] = std::minmax_element(terms[i].begin(), terms[i].end());
        right = right && (nan ? std::isnan(largest[i]) : static_cast<double>(largest[i]) == *high);
        right = right && (nan ? std::isnan(smallest[i]) : static_cast<double>(smallest[i]) == *low);
      }
      CHECK(right);
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: logsumexp in every layout", T, float, double) {
  Numbers numbers(3);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : all_cases()) {
      CAPTURE(c.text());
      const double spread = std::pow(10.0, numbers.uniform(-1, 3)), middle = numbers.uniform(-100, 100);
      const auto x = numbers.vector<T>(c.numel(), middle - spread, middle + spread);
      const auto y = reduced(Reduce::logsumexp, c, x);
      const auto terms = addends(c, x);
      bool right = true;
      for (size_t i = 0; i < terms.size(); ++i) {
        // The logarithm's part and the largest may cancel; what is lost then is a few units of either.
        const double exact = exact_log_sum_exp(terms[i]);
        const double scale = std::fabs(exact) + std::log(static_cast<double>(terms[i].size()));
        right = right && std::fabs(static_cast<double>(y[i]) - exact) <=
                             6 * kUnit<T> * scale + 2 * kUnit<double> * spread;
      }
      CHECK(right);
    }
  });
}

double exact_variance(const std::vector<double>& v) {
  const double count = static_cast<double>(v.size()), mean = exact_sum(v) / count;
  std::vector<double> squares;
  for (double x : v) squares.push_back((x - mean) * (x - mean));
  return exact_sum(squares) / count;
}

TEST_CASE_TEMPLATE("kernels/reduce: var in every layout, far from 0 and with jumps", T, float, double) {
  Numbers numbers(7);
  std::vector<Case> cases = all_cases();
  for (const Case& more :
       {Case{{70'000}, {true}}, Case{{300, 300}, {true, false}}, Case{{9000, 3}, {true, false}}})
    cases.push_back(more);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : cases) {
      for (const bool jumps : {false, true}) {
        CAPTURE(c.text());
        CAPTURE(jumps);
        auto x = numbers.vector<T>(c.numel(), 3000, 3001);
        if (jumps) std::fill(x.begin(), x.begin() + static_cast<int64_t>(x.size()) / 8, T{-5000});
        const auto y = reduced(Reduce::var, c, x), roots = reduced(Reduce::std, c, x);
        const auto terms = addends(c, x);
        // Some 20 roundings of the squares of offsets from a centre, whose sum is the more above the result
        // the farther the first elements lie from the mean: at most 1024 / 16 times, see reduce_lanes.cpp.
        const double factor = 20 * (jumps ? 65 : 2) * kUnit<T>;
        // What is left out of the means of parts, which are numbers in double, when they are joined.
        const double lost = 16 * kUnit<double> * 5000;
        bool right = true;
        for (size_t i = 0; i < terms.size(); ++i) {
          const double exact = exact_variance(terms[i]);
          right = right &&
                  std::fabs(static_cast<double>(y[i]) - exact) <= factor * exact + lost * std::sqrt(exact);
          // y is rounded, and so is the root of what was rounded to y.
          right = right && ulps(roots[i], std::sqrt(static_cast<double>(y[i]))) <= 1;
        }
        CHECK(right);
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: var of equal elements is 0, of an infinite one NaN", T, float, double) {
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : all_cases()) {
      CAPTURE(c.text());
      std::vector<T> x(static_cast<size_t>(c.numel()), static_cast<T>(0.1));
      const auto zeros = reduced(Reduce::var, c, x);
      CHECK(std::all_of(zeros.begin(), zeros.end(), [](T y) { return y == 0; }));
      for (const T special : {kInf<T>, -kInf<T>, kNan<T>}) {
        x.back() = special;
        CHECK(std::isnan(reduced(Reduce::var, c, x).back()));
        x.back() = static_cast<T>(0.1);
        x.front() = special;
        CHECK(std::isnan(reduced(Reduce::var, c, x).front()));
        x.front() = static_cast<T>(0.1);
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: special values of sums and logsumexp", T, float, double) {
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : {Case{{40}, {true}}, Case{{40, 3}, {true, false}},
                          Case{{8, 3, 5}, {true, false, true}}, Case{{40, 70}, {true, false}}}) {
      CAPTURE(c.text());
      const size_t last = static_cast<size_t>(c.numel()) - 1;
      std::vector<T> x(last + 1, -kInf<T>);
      CHECK(reduced(Reduce::logsumexp, c, x).back() == -kInf<T>);
      CHECK(reduced(Reduce::sum, c, x).back() == -kInf<T>);
      x[last] = T{3};
      CHECK(reduced(Reduce::logsumexp, c, x).back() == T{3});
      x[last] = kInf<T>;
      CHECK(reduced(Reduce::logsumexp, c, x).back() == kInf<T>);
      CHECK(std::isnan(reduced(Reduce::sum, c, x).back()));
      x[last] = kNan<T>;
      CHECK(std::isnan(reduced(Reduce::logsumexp, c, x).back()));
      std::fill(x.begin(), x.end(), T{1e4});
      const double n = static_cast<double>(c.numel() / c.results());
      CHECK(ulps(reduced(Reduce::logsumexp, c, x).back(), 1e4 + std::log(n)) <= 1);
      std::fill(x.begin(), x.end(), std::numeric_limits<T>::max());
      CHECK(reduced(Reduce::logsumexp, c, x).back() == std::numeric_limits<T>::max());
    }
    CHECK(ulps(reduced<T>(Reduce::logsumexp, {{2}, {true}}, {T{0}, T{-20}}).front(),
               std::log1p(std::exp(-20.0))) <= 2);
  });
}

TEST_CASE("kernels/reduce: nothing to reduce, and nothing to write") {
  const std::vector<float> none;
  CHECK(reduced(Reduce::sum, {{0}, {true}}, none).front() == 0.0f);
  CHECK(std::isnan(reduced(Reduce::mean, {{0, 3}, {true, false}}, none).back()));
  CHECK(reduced(Reduce::logsumexp, {{2, 0}, {false, true}}, none).back() == -kInf<float>);
  CHECK(reduced(Reduce::sum, {{0, 3}, {false, true}}, none).empty());
  CHECK(reduced(Reduce::sum, {{3, 0, 2}, {true, false, true}}, std::vector<double>{}).empty());
  CHECK(reduced(Reduce::sum, {{2, 0}, {false, true}}, std::vector<int64_t>{}) == std::vector<int64_t>{0, 0});
}

TEST_CASE("kernels/reduce: integer sums are exact and wrap around") {
  Numbers numbers(4);
  for (const Case& c : all_cases()) {
    std::vector<int64_t> x(static_cast<size_t>(c.numel()));
    for (int64_t& v : x) v = static_cast<int64_t>(numbers.bits() >> 20);
    const auto y = reduced(Reduce::sum, c, x);
    std::vector<double> small(x.begin(), x.end());
    const auto terms = addends(c, small);
    bool right = true;
    for (size_t i = 0; i < terms.size(); ++i) {
      int64_t sum = 0;
      for (double v : terms[i]) sum += static_cast<int64_t>(v);
      right = right && y[i] == sum;
    }
    CHECK_MESSAGE(right, c.text());
  }
  const int64_t most = std::numeric_limits<int64_t>::max();
  CHECK(reduced<int64_t>(Reduce::sum, {{2}, {true}}, {most, 1}).front() ==
        std::numeric_limits<int64_t>::min());
}

TEST_CASE_TEMPLATE("kernels/reduce: long sums keep their bound where plain loops do not", T, float, double) {
  // 0.1 in T, so often that a running sum would be off by a thousand times the bound.
  const int64_t n = 3'000'017;
  const T tenth = static_cast<T>(0.1);
  const double each = static_cast<double>(tenth);
  for (const Case& c : {Case{{n}, {true}}, Case{{n, 1}, {true, false}}, Case{{n / 3, 3}, {true, false}}}) {
    CAPTURE(c.text());
    const std::vector<T> x(static_cast<size_t>(c.numel()), tenth);
    const double terms = static_cast<double>(c.numel() / c.results());
    const double bound = (std::log2(terms) + 8) * kUnit<T> * terms * each;
    for (T y : reduced(Reduce::sum, c, x))
      CHECK(std::fabs(static_cast<double>(y) - terms * each) <= bound + kUnit<double> * terms * each);
  }
}

TEST_CASE_TEMPLATE("kernels/reduce: the same bits for one, two and three threads", T, float, double) {
  Numbers numbers(5);
  const auto x = numbers.vector<T>(2'100'000);
  for (const Case& c :
       {Case{{2'100'000}, {true}}, Case{{3, 700'000}, {false, true}}, Case{{700'000, 3}, {true, false}},
        Case{{30'000, 70}, {true, false}}, Case{{300, 7000}, {true, false}}, Case{{7000, 300}, {false, true}},
        Case{{100, 300, 70}, {true, false, true}}, Case{{70, 300, 100}, {false, true, false}},
        Case{{7, 3000, 100}, {true, false, true}}, Case{{30, 100, 700}, {true, false, false}}}) {
    for (Reduce kind : {Reduce::sum, Reduce::mean, Reduce::amax, Reduce::amin, Reduce::logsumexp}) {
      const auto results = with_threads([&] { return reduced(kind, c, x); });
      CHECK_MESSAGE(same_bits(results[0], results[1]), c.text());
      CHECK_MESSAGE(same_bits(results[0], results[2]), c.text());
    }
  }
}

template <class T>
std::vector<T> norms(const Case& c, const std::vector<T>& x, double p) {
  std::vector<T> y(static_cast<size_t>(c.results()));
  reduce(Reduce::norm, dtype_of<T>(), c.reduction(), x.data(), y.data(), p);
  return y;
}

TEST_CASE_TEMPLATE("kernels/reduce: norms of whole p in every layout and at every magnitude", T, float,
                   double) {
  Numbers numbers(9);
  std::vector<Case> cases = all_cases();
  cases.push_back({{70'000}, {true}});
  cases.push_back({{9000, 3}, {true, false}});
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : cases) {
      CAPTURE(c.text());
      for (const double p : {3.0, 4.0, 5.0, 7.0, 64.0}) {
        CAPTURE(p);
        // To the 64th power, numbers beyond 10^±70 are too much for the reference.
        const double reach = sizeof(T) == 4 ? 36 : p < 64 ? 300 : 70;
        auto x = numbers.vector<T>(c.numel());
        // All near 1, all far from it, or elements of different magnitudes, so that parts with units join.
        const int64_t how = numbers.below(3);
        const double far = std::pow(10.0, numbers.uniform(-reach, reach));
        for (T& v : x) {
          if (how == 1) v = static_cast<T>(static_cast<double>(v) * far);
          if (how == 2) v = static_cast<T>(std::pow(10.0, numbers.uniform(-reach, reach)));
        }
        if (how == 2) std::fill(x.begin(), x.begin() + static_cast<int64_t>(x.size()) / 3, T{0});
        const auto y = norms(c, x, p);
        const auto terms = addends(c, x);
        bool right = true;
        for (size_t i = 0; i < terms.size(); ++i) {
          long double sum = 0;
          for (double v : terms[i])
            sum += std::pow(std::fabs(static_cast<long double>(v)), static_cast<long double>(p));
          const long double exact = std::pow(sum, 1 / static_cast<long double>(p));
          // Ratios and their powers are off by 2p − 1 roundings, the sum as every sum, and the root divides
          // that by p; it and the result are rounded once more.
          const double roundings = (std::log2(static_cast<double>(terms[i].size())) + 8 + 2 * p) / p + 2;
          const long double error = std::fabs(static_cast<long double>(y[i]) - exact);
          right = right && error <= static_cast<long double>(roundings * kUnit<T>) * exact;
        }
        CHECK(right);
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: norms of whole p of special values", T, float, double) {
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : {Case{{2}, {true}}, Case{{40}, {true}}, Case{{9000}, {true}},
                          Case{{40, 3}, {true, false}}, Case{{600, 70}, {true, false}}}) {
      CAPTURE(c.text());
      for (const double p : {3.0, 6.0}) {
        std::vector<T> x(static_cast<size_t>(c.numel()), -T{0});
        CHECK(norms(c, x, p).back() == 0);
        const T tiny = std::numeric_limits<T>::denorm_min(), most = std::numeric_limits<T>::max();
        for (const T alone : {tiny, -tiny, -most, most, T{-2}, kInf<T>, -kInf<T>}) {
          x.back() = alone;
          CHECK(norms(c, x, p).back() == std::fabs(alone));
        }
        x[x.size() - 1 - static_cast<size_t>(c.results())] = kInf<T>;
        x.back() = kNan<T>;
        CHECK(std::isnan(norms(c, x, p).back()));
        std::fill(x.begin(), x.end(), most);
        CHECK(norms(c, x, p).back() == kInf<T>);
      }
    }
  });
}

// Against plain loops, with the values and without.
template <class T>
void check_extremes(bool largest, const std::vector<T>& x, int64_t outer, int64_t n, int64_t inner) {
  const size_t count = static_cast<size_t>(outer * inner);
  std::vector<T> values(count);
  std::vector<int64_t> indices(count, -1), alone(count, -1);
  extreme_with_index(largest, dtype_of<T>(), x.data(), values.data(), indices.data(), outer, n, inner);
  extreme_with_index(largest, dtype_of<T>(), x.data(), nullptr, alone.data(), outer, n, inner);
  bool right = indices == alone;
  for (size_t r = 0; r < count; ++r) {
    const size_t width = static_cast<size_t>(inner),
                 start = r / width * static_cast<size_t>(n) * width + r % width;
    int64_t best = 0;
    const auto at = [&](int64_t i) { return x[start + static_cast<size_t>(i) * width]; };
    for (int64_t i = 1; i < n && at(best) == at(best); ++i) {
      if (largest ? at(i) > at(best) : at(i) < at(best)) best = i;
      if (at(i) != at(i)) best = i;
    }
    right = right && indices[r] == best;
    const T found = at(best);
    right = right &&
            (values[r] != values[r] ? found != found : std::memcmp(&values[r], &found, sizeof found) == 0);
  }
  CHECK(right);
}

TEST_CASE_TEMPLATE("kernels/reduce: the first largest and smallest and their indices", T, float, double) {
  Numbers numbers(6);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t outer : {0, 1, 3}) {
      for (int64_t n : {1, 2, 7, 16, 33, 100}) {
        for (int64_t inner : {0, 1, 2, 9, 70}) {
          auto x = numbers.vector<T>(outer * n * inner);
          for (T& v : x) v = std::round(v * 4);  // ties
          for (int64_t i = numbers.below(3); i > 0 && !x.empty(); --i) {
            x[static_cast<size_t>(numbers.below(static_cast<int64_t>(x.size())))] = kNan<T>;
          }
          for (bool largest : {true, false}) check_extremes(largest, x, outer, n, inner);
        }
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: the place of the largest and smallest in rows of any length", T, float,
                   double) {
  Numbers numbers(8);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t n : {3, 31, 32, 63, 64, 65, 79, 127, 128, 129, 192, 1000, 4097, 33'000}) {
      CAPTURE(n);
      const int64_t outer = n > 5000 ? 1 : 4;
      const auto place = [&] { return static_cast<size_t>(numbers.below(outer * n)); };
      for (int specials = 0; specials < 6; ++specials) {
        CAPTURE(specials);
        auto x = numbers.vector<T>(outer * n);
        for (T& v : x) v = std::round(v * 3);  // ties, also of 0 and −0
        switch (specials) {
          case 1:
            x[place()] = kNan<T>;
            x[place()] = kNan<T>;
            break;
          case 2:
            x[place()] = kInf<T>;
            x[place()] = -kInf<T>;
            x[place()] = kInf<T>;
            break;
          case 3: std::fill(x.begin(), x.end(), -kInf<T>); break;
          case 4:
            std::fill(x.begin(), x.end(), kInf<T>);
            x[place()] = kNan<T>;
            break;
          case 5:
            for (T& v : x) v = numbers.below(2) == 0 ? T{0} : -T{0};
            break;
          default: break;
        }
        for (bool largest : {true, false}) check_extremes(largest, x, outer, n, 1);
      }
    }
  });
}

TEST_CASE_TEMPLATE("kernels/reduce: products of rows", T, float, double) {
  Numbers numbers(7);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (int64_t rows : {0, 1, 5}) {
      for (int64_t n : {0, 1, 3, 8, 31, 100, 5000}) {
        const auto a = numbers.vector<T>(rows * n), b = numbers.vector<T>(rows * n);
        std::vector<T> y(static_cast<size_t>(rows), T{-77});
        row_dot(dtype_of<T>(), a.data(), b.data(), y.data(), rows, n);
        for (int64_t r = 0; r < rows; ++r) {
          std::vector<double> products;
          for (int64_t i = r * n; i < (r + 1) * n; ++i) {
            products.push_back(static_cast<double>(a[static_cast<size_t>(i)]) *
                               static_cast<double>(b[static_cast<size_t>(i)]));
          }
          const double bound =
              n == 0 ? 0 : sum_bound<T>(products) + (kUnit<T> + kUnit<double>)*sizes_of(products);
          CHECK(std::fabs(static_cast<double>(y[static_cast<size_t>(r)]) - exact_sum(products)) <= bound);
        }
      }
    }
  });
}

}  // namespace
}  // namespace tapegrad::kernels
