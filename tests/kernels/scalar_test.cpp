#include "autograd/kernels/scalar.h"

#include <doctest/doctest.h>

#include <random>
#include <tuple>
#include <utility>

#include "autograd/kernels/dispatch.h"
#include "tests/kernels/kernel_data.h"
#include "tests/kernels/lane_support.h"

using namespace tapegrad;
using namespace tapegrad::kernels;
using tapegrad::kernel_tests::on_each_target;
using tapegrad::kernels::testing::Aligned;
using tapegrad::kernels::testing::repeated;

namespace {

using Bytes = std::vector<uint8_t>;
using Integers = std::vector<int64_t>;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

// The kernel over dense operands of equal length.
template <class R, class... X>
std::vector<R> run(Scalar which, DType dtype, const std::vector<X>&... operands) {
  std::tuple<Aligned<X>...> own{Aligned<X>(operands)...};
  const int64_t step[] = {1, 1, 1};
  return std::apply(
      [&](auto&... x) {
        const void* in[] = {x.data()...};
        Aligned<R> out(std::get<0>(own).size());
        scalar_kernel(which, dtype)(in, step, out.data(), static_cast<int64_t>(out.size()));
        return out.values();
      },
      own);
}

template <class R, class X>
std::pair<bool, std::vector<R>> cast_all(DType from, DType to, const std::vector<X>& values) {
  std::vector<R> out(values.size());
  const bool fits = cast(from, values.data(), to, out.data(), static_cast<int64_t>(values.size()));
  return {fits, out};
}

// A number for element i, with equal neighbours and NaN among them.
template <class T>
std::vector<T> numbers(size_t count, int64_t factor) {
  std::vector<T> values(count);
  for (size_t i = 0; i < count; ++i) {
    values[i] = static_cast<T>(static_cast<int64_t>(i) * factor % 7 - 3);
    if (std::numeric_limits<T>::has_quiet_NaN && i % 11 == 0) values[i] = std::numeric_limits<T>::quiet_NaN();
    if (sizeof(T) == 1) values[i] = static_cast<T>(static_cast<int64_t>(i) * factor % 3 == 0);
  }
  return values;
}

template <class T>
void check_comparisons(DType dtype) {
  for (size_t n : {0, 1, 7, 64, 65, 200}) {
    const auto a = numbers<T>(n, 5), b = numbers<T>(n, 3);
    Bytes eq(n), ne(n), lt(n), le(n), gt(n), ge(n);
    for (size_t i = 0; i < n; ++i) {
      eq[i] = a[i] == b[i];
      ne[i] = a[i] != b[i];
      lt[i] = a[i] < b[i];
      le[i] = a[i] <= b[i];
      gt[i] = a[i] > b[i];
      ge[i] = a[i] >= b[i];
    }
    CHECK(run<uint8_t>(Scalar::eq, dtype, a, b) == eq);
    CHECK(run<uint8_t>(Scalar::ne, dtype, a, b) == ne);
    CHECK(run<uint8_t>(Scalar::lt, dtype, a, b) == lt);
    CHECK(run<uint8_t>(Scalar::le, dtype, a, b) == le);
    CHECK(run<uint8_t>(Scalar::gt, dtype, a, b) == gt);
    CHECK(run<uint8_t>(Scalar::ge, dtype, a, b) == ge);
  }
}

template <class T>
void check_where(DType dtype) {
  for (size_t n : {1, 9, 130}) {
    const auto a = numbers<T>(n, 5), b = numbers<T>(n, 3);
    const auto condition = numbers<uint8_t>(n, 2);
    for (unsigned set = 0; set < 8; ++set) {  // which operands repeat their first value
      const int64_t step[] = {(set & 1) == 0, (set & 2) == 0, (set & 4) == 0};
      Aligned<uint8_t> c = step[0] ? Aligned<uint8_t>(condition) : repeated(condition[0]);
      Aligned<T> x = step[1] ? Aligned<T>(a) : repeated(a[0]), y = step[2] ? Aligned<T>(b) : repeated(b[0]);
      const void* in[] = {c.data(), x.data(), y.data()};
      Aligned<T> out(n);
      scalar_kernel(Scalar::where, dtype)(in, step, out.data(), static_cast<int64_t>(n));
      for (size_t i = 0; i < n; ++i) {
        const T want = condition[step[0] ? i : 0] != 0 ? a[step[1] ? i : 0] : b[step[2] ? i : 0];
        REQUIRE(std::memcmp(&out.data()[i], &want, sizeof(T)) == 0);
      }
      if (step[2] == 0) continue;
      scalar_kernel(Scalar::where, dtype)(in, step, y.data(), static_cast<int64_t>(n));  // in place
      REQUIRE(std::memcmp(y.data(), out.data(), n * sizeof(T)) == 0);
    }
  }
}

// Elements of any dtype, drawn from its awkward values.
Aligned<uint8_t> awkward(DType dtype, size_t count, std::mt19937_64& bits) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  constexpr double kNumbers[] = {
      0.0,    -0.0,  1.0,   -1.0,       kInf, -kInf, std::numeric_limits<double>::quiet_NaN(),
      5e-324, 1e-40, 1e300, 16777217.0, -2.5};
  constexpr int64_t kIntegers[] = {0, 1, -1, kLeast, kMost, 256, 0x100000000, 7};
  std::vector<uint8_t> bytes(count * element_size(dtype));
  for (size_t i = 0; i < count; ++i) {
    const uint64_t draw = bits();
    const double number = kNumbers[draw % std::size(kNumbers)];
    const int64_t integer = kIntegers[draw % std::size(kIntegers)];
    const auto single = static_cast<float>(number);
    uint8_t* to = bytes.data() + i * element_size(dtype);
    if (dtype == DType::float32) std::memcpy(to, &single, sizeof single);
    if (dtype == DType::float64) std::memcpy(to, &number, sizeof number);
    if (dtype == DType::int64) std::memcpy(to, &integer, sizeof integer);
    if (dtype == DType::boolean) *to = draw % 2;
  }
  return Aligned<uint8_t>(bytes);
}

bool same_bytes(Aligned<uint8_t>& a, Aligned<uint8_t>& b, size_t count) {
  return std::memcmp(a.data(), b.data(), count) == 0;
}

// The kernel of the target in use against the plain one, with each choice of repeated operands.
void check_against_plain(Scalar which, DType dtype, size_t n, std::mt19937_64& bits) {
  Aligned<uint8_t> a = awkward(which == Scalar::where ? DType::boolean : dtype, n, bits),
                   b = awkward(dtype, n, bits), c = awkward(dtype, n, bits);
  const bool writes_bool = which >= Scalar::eq && which != Scalar::where;
  const size_t written = n * element_size(writes_bool ? DType::boolean : dtype);
  for (unsigned set = 0; set < 8; ++set) {
    const int64_t step[] = {(set & 1) == 0, (set & 2) == 0, (set & 4) == 0};
    const void* in[] = {a.data(), b.data(), c.data()};
    Aligned<uint8_t> got(n * 8), want(n * 8);
    std::memset(got.data(), 0x5a, got.bytes());
    scalar_kernel(which, dtype)(in, step, got.data(), static_cast<int64_t>(n));
    plain_scalar_kernel(which, dtype)(in, step, want.data(), static_cast<int64_t>(n));
    REQUIRE(same_bytes(got, want, written));
    for (size_t i = (written + 63) / 64 * 64; i < got.bytes(); ++i) REQUIRE(got.data()[i] == 0x5a);
  }
}

}  // namespace

TEST_CASE("kernels/scalar: vector lanes give the bits of plain loops") {
  on_each_target([](const std::string& target) {
    CAPTURE(target);
    std::mt19937_64 bits(7);
    for (size_t which = 0; which < kScalars; ++which) {
      for (int type = 0; type < kDTypes; ++type) {
        const auto scalar = static_cast<Scalar>(which);
        const auto dtype = static_cast<DType>(type);
        if (scalar_kernel(scalar, dtype) == nullptr) continue;
        CAPTURE(which);
        CAPTURE(type);
        for (size_t n : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 127, 200})
          check_against_plain(scalar, dtype, n, bits);
      }
    }
  });
}

TEST_CASE("kernels/scalar: casts on vector lanes give the bits of plain loops, wherever the elements lie") {
  on_each_target([](const std::string& target) {
    CAPTURE(target);
    std::mt19937_64 bits(8);
    for (int from = 0; from < kDTypes; ++from) {
      for (int to = 0; to < kDTypes; ++to) {
        const auto x = static_cast<DType>(from), y = static_cast<DType>(to);
        CAPTURE(from);
        CAPTURE(to);
        for (size_t n : {0, 1, 2, 5, 8, 15, 16, 17, 33, 64, 100, 70000}) {
          for (size_t shift : {0, 1, 3}) {
            Aligned<uint8_t> in = awkward(x, n + shift, bits), got((n + 4) * 8), want((n + 4) * 8);
            std::memset(got.data(), 0x5a, got.bytes());
            std::memset(want.data(), 0x5a, want.bytes());
            const uint8_t* source = in.data() + shift * element_size(x);
            const size_t skip = shift * element_size(y);
            const bool fits = cast(x, source, y, got.data() + skip, static_cast<int64_t>(n));
            CHECK(fits == plain_cast(x, source, y, want.data() + skip, static_cast<int64_t>(n)));
            REQUIRE(same_bytes(got, want, got.bytes()));
          }
        }
      }
    }
  });
}

TEST_CASE("kernels/scalar: which dtypes have a kernel") {
  static_assert(scalar_takes(Scalar::add, DType::int64) && !scalar_takes(Scalar::add, DType::float32));
  static_assert(scalar_takes(Scalar::minimum, DType::int64) &&
                !scalar_takes(Scalar::minimum, DType::boolean));
  static_assert(scalar_takes(Scalar::logical_or, DType::boolean) &&
                !scalar_takes(Scalar::logical_or, DType::int64));
  for (size_t which = 0; which < kScalars; ++which) {
    for (int type = 0; type < kDTypes; ++type) {
      const Scalar scalar = static_cast<Scalar>(which);
      const DType dtype = static_cast<DType>(type);
      CHECK((scalar_kernel(scalar, dtype) != nullptr) == scalar_takes(scalar, dtype));
      if (scalar >= Scalar::eq && scalar <= Scalar::where) CHECK(scalar_takes(scalar, dtype));
    }
  }
}

TEST_CASE("kernels/scalar: integers wrap around") {
  const Integers a = {1, kMost, kLeast, -7, 0, kLeast, 3037000500, 5, -1};
  const Integers b = {2, 1, -1, 3, kLeast, kLeast, 3037000500, -5, kMost};
  const DType i = DType::int64;
  CHECK(run<int64_t>(Scalar::add, i, a, b) ==
        Integers{3, kLeast, kMost, -4, kLeast, 0, 6074001000, 0, kMost - 1});
  CHECK(run<int64_t>(Scalar::sub, i, a, b) ==
        Integers{-1, kMost - 1, kLeast + 1, -10, kLeast, 0, 0, 10, kLeast});
  CHECK(run<int64_t>(Scalar::mul, i, a, b) ==
        Integers{2, kMost, kLeast, -21, 0, 0, kLeast + 145474192, -25, -kMost});
  CHECK(run<int64_t>(Scalar::neg, i, a) == Integers{-1, -kMost, kLeast, 7, 0, kLeast, -3037000500, -5, 1});
  CHECK(run<int64_t>(Scalar::abs, i, a) == Integers{1, kMost, kLeast, 7, 0, kLeast, 3037000500, 5, 1});
  CHECK(run<int64_t>(Scalar::sign, i, a) == Integers{1, 1, -1, -1, 0, -1, 1, 1, -1});
  CHECK(run<int64_t>(Scalar::square, i, a) == Integers{1, 1, 0, 49, 0, 0, kLeast + 145474192, 25, 1});
  CHECK(run<int64_t>(Scalar::maximum, i, a, b) == Integers{2, kMost, -1, 3, 0, kLeast, 3037000500, 5, kMost});
  CHECK(run<int64_t>(Scalar::minimum, i, a, b) ==
        Integers{1, 1, kLeast, -7, kLeast, kLeast, 3037000500, -5, -1});
}

TEST_CASE("kernels/scalar: comparisons") {
  check_comparisons<float>(DType::float32);
  check_comparisons<double>(DType::float64);
  check_comparisons<int64_t>(DType::int64);
  check_comparisons<uint8_t>(DType::boolean);
}

TEST_CASE("kernels/scalar: where chooses, also in place and with repeated operands") {
  check_where<float>(DType::float32);
  check_where<double>(DType::float64);
  check_where<int64_t>(DType::int64);
  check_where<uint8_t>(DType::boolean);
}

TEST_CASE("kernels/scalar: logic") {
  const Bytes a = {0, 0, 1, 1}, b = {0, 1, 0, 1};
  CHECK(run<uint8_t>(Scalar::logical_not, DType::boolean, a) == Bytes{1, 1, 0, 0});
  CHECK(run<uint8_t>(Scalar::logical_and, DType::boolean, a, b) == Bytes{0, 0, 0, 1});
  CHECK(run<uint8_t>(Scalar::logical_or, DType::boolean, a, b) == Bytes{0, 1, 1, 1});
}

TEST_CASE("kernels/scalar: a kernel writes no further than the padding") {
  Aligned<double> a(std::vector<double>(3, 1.0)), b(std::vector<double>(3, 2.0));
  const void* in[] = {a.data(), b.data()};
  const int64_t step[] = {1, 1};
  Aligned<uint8_t> out(3);
  std::memset(out.data(), 0x5a, out.bytes());
  scalar_kernel(Scalar::lt, DType::float64)(in, step, out.data(), 3);
  CHECK(out.values() == Bytes{1, 1, 1});
  for (size_t i = 64; i < out.bytes(); ++i) CHECK(out.data()[i] == 0x5a);
}

TEST_CASE("kernels/scalar: casts between all dtypes") {
  const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const DType f32 = DType::float32, f64 = DType::float64, i64 = DType::int64, boolean = DType::boolean;
  const std::vector<float> floats = {0, -0.0f, 1.5f, -2.75f, 3e9f};
  CHECK(cast_all<double>(f32, f64, floats) == std::pair{true, std::vector<double>{0, 0, 1.5, -2.75, 3e9}});
  CHECK(cast_all<int64_t>(f32, i64, floats) == std::pair{true, Integers{0, 0, 1, -2, 3000000000}});
  CHECK(cast_all<uint8_t>(f32, boolean, floats) == std::pair{true, Bytes{0, 0, 1, 1, 1}});
  CHECK(cast_all<float>(f32, f32, floats) == std::pair{true, floats});
  CHECK(std::signbit(cast_all<double>(f32, f64, floats).second[1]));
  CHECK(cast_all<uint8_t>(f32, boolean, std::vector<float>{nan, inf}) == std::pair{true, Bytes{1, 1}});

  CHECK(cast_all<float>(f64, f32, std::vector<double>{1e300, -1e300, 0.1}) ==
        std::pair{true, std::vector<float>{inf, -inf, 0.1f}});
  CHECK(std::isnan(cast_all<float>(f64, f32, std::vector<double>{std::nan("")}).second[0]));
  CHECK(cast_all<float>(i64, f32, Integers{1, -5, kLeast}) ==
        std::pair{true, std::vector<float>{1, -5, -0x1p63f}});
  CHECK(cast_all<double>(i64, f64, Integers{1, kMost}) == std::pair{true, std::vector<double>{1, 0x1p63}});
  CHECK(cast_all<uint8_t>(i64, boolean, Integers{0, -1, 256}) == std::pair{true, Bytes{0, 1, 1}});
  CHECK(cast_all<float>(boolean, f32, Bytes{0, 1}) == std::pair{true, std::vector<float>{0, 1}});
  CHECK(cast_all<double>(boolean, f64, Bytes{0, 1}) == std::pair{true, std::vector<double>{0, 1}});
  CHECK(cast_all<int64_t>(boolean, i64, Bytes{0, 1}) == std::pair{true, Integers{0, 1}});
  CHECK(cast_all<uint8_t>(boolean, boolean, Bytes{0, 1}) == std::pair{true, Bytes{0, 1}});
}

TEST_CASE("kernels/scalar: a cast to int64 reports what does not fit") {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 0x1p63, -0x1.0000000000001p63, 1e300}) {
    CAPTURE(bad);
    CHECK(cast_all<int64_t>(DType::float64, DType::int64, std::vector<double>{1, bad, 3}) ==
          std::pair{false, Integers{1, 0, 3}});
    CHECK_FALSE(cast_all<int64_t>(DType::float32, DType::int64, std::vector<float>{NAN, 1, 2}).first);
  }
  CHECK(cast_all<int64_t>(DType::float64, DType::int64, std::vector<double>{-0x1p63, 0x1.fffffffffffffp62}) ==
        std::pair{true, Integers{kLeast, 0x7ffffffffffffc00}});
  CHECK(cast_all<int64_t>(DType::float32, DType::int64, std::vector<float>{-0x1p63f, 0x1.fffffep62f}).first);
  CHECK_FALSE(cast_all<int64_t>(DType::float32, DType::int64, std::vector<float>{0x1p63f}).first);
}

TEST_CASE("kernels/scalar: fill") {
  std::vector<float> floats(5);
  CHECK(fill(DType::float32, 0.1, floats.data(), 4));
  CHECK(floats == std::vector<float>{0.1f, 0.1f, 0.1f, 0.1f, 0});
  std::vector<double> doubles(3);
  CHECK(fill(DType::float64, 0.1, doubles.data(), 3));
  CHECK(doubles == std::vector<double>(3, 0.1));
  Integers integers(3, 7);
  CHECK(fill(DType::int64, -3, integers.data(), 2));
  CHECK(integers == Integers{-3, -3, 7});
  CHECK_FALSE(fill(DType::int64, std::nan(""), integers.data(), 3));
  CHECK_FALSE(fill(DType::int64, 1e30, integers.data(), 3));
  CHECK(integers == Integers{0, 0, 0});
  Bytes bytes(2, 9);
  CHECK(fill(DType::boolean, 2.5, bytes.data(), 2));
  CHECK(bytes == Bytes{1, 1});
  CHECK(fill(DType::boolean, 0, bytes.data(), 0));
  CHECK(bytes == Bytes{1, 1});
}
