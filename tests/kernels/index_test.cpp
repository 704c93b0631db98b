#include "autograd/kernels/index.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "tests/kernels/kernel_data.h"

// Elements and slices named by an index, against loops over the entries.

namespace tapegrad::kernels {
namespace {

using namespace kernel_tests;

// [outer, n, inner] indexed along the middle by [outer, rows, row] with row <= inner; src has `more` further
// elements in each row.
struct Case {
  int64_t outer, n, inner, rows, row, more;

  Elements elements() const {
    return {3, 1, n, {outer, rows, row}, {n * inner, inner, 1}, {rows * (row + more), row + more, 1}};
  }
  int64_t entries() const { return outer * rows * row; }
  // Calls visit(entry, place in x of what it stands for, place in src).
  template <class Visit>
  void each(const std::vector<int64_t>& index, const Visit& visit) const {
    for (int64_t k = 0; k < entries(); ++k) {
      const int64_t o = k / (rows * row), c = k % row;
      visit(k, (o * n + index[static_cast<size_t>(k)]) * inner + c, k / row * (row + more) + c);
    }
  }
  std::vector<int64_t> index(Numbers& numbers) const {
    std::vector<int64_t> all(static_cast<size_t>(entries()));
    for (int64_t& entry : all) entry = numbers.below(n);
    return all;
  }
};

// Widths around those of strips of columns, few and many rows, rows that fall on the same sets of a cache;
// the last axis alone, and entries that are more than are checked at once.
const Case kCases[] = {{1, 1, 1, 1, 1, 0},       {1, 5, 7, 5, 7, 0},       {1, 5, 8, 3, 8, 0},
                       {2, 9, 9, 9, 9, 1},       {3, 40, 31, 20, 24, 0},   {1, 40, 33, 19, 33, 0},
                       {2, 40, 40, 100, 40, 3},  {1, 300, 50, 300, 50, 0}, {1, 512, 17, 256, 17, 0},
                       {1, 513, 17, 513, 17, 0}, {1, 16, 256, 32, 256, 0}, {2, 700, 1, 1300, 1, 0},
                       {1, 64, 600, 70, 590, 5}};

TEST_CASE_TEMPLATE("kernels/index: gathered in the middle of three axes, for any number of threads", T,
                   uint8_t, uint32_t, uint64_t) {
  Numbers numbers(1);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : kCases) {
      CAPTURE(c.n);
      CAPTURE(c.row);
      std::vector<T> x(static_cast<size_t>(c.outer * c.n * c.inner));
      for (T& v : x) v = static_cast<T>(numbers.bits());
      const auto index = c.index(numbers);
      std::vector<T> want(index.size());
      c.each(index, [&](int64_t k, int64_t at, int64_t) {
        want[static_cast<size_t>(k)] = x[static_cast<size_t>(at)];
      });
      for (const auto& got : with_threads([&] {
             std::vector<T> y(index.size());
             CHECK(gather(sizeof(T), c.elements(), x.data(), index.data(), y.data()) == -1);
             return y;
           }))
        CHECK(same_bits(got, want));
    }
  });
}

TEST_CASE("kernels/index: gathered behind axes of which the index covers a part") {
  Numbers numbers(5);
  const std::vector<float> x = numbers.vector<float>(3 * 2 * 9 * 16);
  for (const auto& size : {std::pair<int64_t, int64_t>{3, 1}, {2, 2}, {2, 1}, {3, 2}, {1, 2}, {1, 1}}) {
    const int64_t a = size.first, b = size.second;
    CAPTURE(a);
    CAPTURE(b);
    std::vector<int64_t> index(static_cast<size_t>(a * b * 9 * 16));
    for (int64_t& entry : index) entry = numbers.below(9);
    std::vector<float> got(index.size()), want(index.size());
    for (int64_t k = 0; k < a * b * 9 * 16; ++k) {
      const int64_t i = k / (9 * 16 * b), j = k / (9 * 16) % b, at = index[static_cast<size_t>(k)];
      want[static_cast<size_t>(k)] = x[static_cast<size_t>(((i * 2 + j) * 9 + at) * 16 + k % 16)];
    }
    const Elements e{4, 2, 9, {a, b, 9, 16}, {288, 144, 16, 1}, {144 * b, 144, 16, 1}};
    CHECK(gather(sizeof(float), e, x.data(), index.data(), got.data()) == -1);
    CHECK(same_bits(got, want));
  }
}

TEST_CASE_TEMPLATE("kernels/index: added and written in the order of the index, for any number of threads", T,
                   float, double, int64_t) {
  Numbers numbers(2);
  for (const Case& c : kCases) {
    CAPTURE(c.n);
    CAPTURE(c.row);
    std::vector<T> x(static_cast<size_t>(c.outer * c.n * c.inner));
    std::vector<T> src(static_cast<size_t>(c.outer * c.rows * (c.row + c.more)));
    for (T& v : x) v = static_cast<T>(numbers.uniform(-100, 100));
    for (T& v : src) v = static_cast<T>(numbers.uniform(-100, 100));
    const auto index = c.index(numbers);
    auto sums = x, last = x;
    c.each(index, [&](int64_t, int64_t at, int64_t from) {
      sums[static_cast<size_t>(at)] += src[static_cast<size_t>(from)];
      last[static_cast<size_t>(at)] = src[static_cast<size_t>(from)];
    });
    for (const auto& got : with_threads([&] {
           auto y = x;
           CHECK(scatter_add(dtype_of<T>(), c.elements(), src.data(), index.data(), y.data()) == -1);
           return y;
         }))
      CHECK(same_bits(got, sums));
    for (const auto& got : with_threads([&] {
           auto y = x;
           CHECK(scatter(sizeof(T), c.elements(), src.data(), index.data(), y.data()) == -1);
           return y;
         }))
      CHECK(same_bits(got, last));
  }
}

TEST_CASE_TEMPLATE("kernels/index: slices added in the order of the index, for any number of threads", T,
                   float, double, int64_t) {
  Numbers numbers(3);
  for (const Slices& s :
       {Slices{1, 7, 1, 1}, Slices{3, 7, 1, 40}, Slices{200, 50, 1, 900}, Slices{1, 9, 17, 30},
        Slices{2, 90, 33, 1200}, Slices{1, 3000, 1, 90'000}, Slices{1, 4, 5, 0}}) {
    CAPTURE(s.n);
    CAPTURE(s.count);
    std::vector<int64_t> index(static_cast<size_t>(s.count));
    for (int64_t& entry : index) entry = numbers.below(s.n);
    std::vector<T> x(static_cast<size_t>(s.outer * s.n * s.inner));
    std::vector<T> src(static_cast<size_t>(s.outer * s.count * s.inner));
    for (T& v : x) v = static_cast<T>(numbers.uniform(-100, 100));
    for (T& v : src) v = static_cast<T>(numbers.uniform(-100, 100));
    for (const int64_t skip : {int64_t{-1}, int64_t{2}}) {
      auto want = x;
      for (int64_t k = 0; k < s.outer * s.count * s.inner; ++k) {
        const int64_t o = k / (s.count * s.inner), at = index[static_cast<size_t>(k / s.inner % s.count)];
        if (at != skip) {
          want[static_cast<size_t>((o * s.n + at) * s.inner + k % s.inner)] += src[static_cast<size_t>(k)];
        }
      }
      for (const auto& got : with_threads([&] {
             auto y = x;
             CHECK(add_slices(dtype_of<T>(), s, src.data(), index.data(), y.data(), skip) == -1);
             return y;
           }))
        CHECK(same_bits(got, want));
    }
  }
}

TEST_CASE("kernels/index: of several entries outside the first in order is reported") {
  Numbers numbers(4);
  on_each_target([&](const std::string& name) {
    CAPTURE(name);
    for (const Case& c : kCases) {
      CAPTURE(c.n);
      CAPTURE(c.row);
      const std::vector<float> x(static_cast<size_t>(c.outer * c.n * c.inner));
      const std::vector<float> src(static_cast<size_t>(c.outer * c.rows * (c.row + c.more)));
      auto index = c.index(numbers);
      int64_t first = c.entries();
      for (const int64_t outside : {c.n, int64_t{-1}, INT64_MAX, INT64_MIN}) {
        const int64_t place = numbers.below(c.entries());
        index[static_cast<size_t>(place)] = outside;
        first = std::min(first, place);
        for (const int64_t found : with_threads([&] {
               std::vector<float> y(index.size());
               return gather(sizeof(float), c.elements(), x.data(), index.data(), y.data());
             }))
          CHECK(found == first);
        for (const int64_t found : with_threads([&] {
               auto y = x;
               const int64_t at = scatter(sizeof(float), c.elements(), src.data(), index.data(), y.data());
               CHECK(scatter_add(DType::float32, c.elements(), src.data(), index.data(), y.data()) == at);
               return at;
             }))
          CHECK(found == first);
      }
      auto y = x;
      const Slices s = {1, c.n, 1, c.entries()};
      CHECK(add_slices(DType::float32, s, src.data(), index.data(), y.data()) == first);
    }
  });
}

}  // namespace
}  // namespace tapegrad::kernels
