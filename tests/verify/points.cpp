#include "tests/verify/points.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "tests/verify/real.h"

namespace tapegrad::verify {
namespace {

template <class T>
using Limits = std::numeric_limits<T>;

// Collects values with their neighbours and both signs.
template <class T>
struct Collector {
  std::vector<T> values;

  void around(T x, int neighbours = 2) {
    for (const T at : {x, -x}) {
      T low = at, high = at;
      values.push_back(at);
      for (int i = 0; i < neighbours; ++i) {
        low = std::nextafter(low, -Limits<T>::infinity());
        high = std::nextafter(high, Limits<T>::infinity());
        values.push_back(low);
        values.push_back(high);
      }
    }
  }
  void around(const Real& x) { around(x.nearest<T>()); }
};

template <class T>
auto bits_of(T x) {
  return std::bit_cast<std::conditional_t<sizeof(T) == sizeof(float), uint32_t, uint64_t>>(x);
}

// Equal bits are one value.
template <class T>
void drop_repeated(std::vector<T>& values) {
  std::sort(values.begin(), values.end(), [](T a, T b) { return bits_of(a) < bits_of(b); });
  values.erase(std::unique(values.begin(), values.end(), [](T a, T b) { return bits_of(a) == bits_of(b); }),
               values.end());
}

template <class T>
std::vector<T> collect_hard_values() {
  Collector<T> hard;
  const T largest = Limits<T>::max(), least = Limits<T>::min(), tiniest = Limits<T>::denorm_min();
  hard.values = {Limits<T>::infinity(), -Limits<T>::infinity(), Limits<T>::quiet_NaN(), 0, -T(0)};
  for (const T x : {T(0), largest, least, tiniest, std::sqrt(largest), std::sqrt(least), std::cbrt(largest),
                    std::cbrt(least), 1 / largest, std::sqrt(Limits<T>::epsilon())})
    hard.around(x, 4);
  hard.around(1, 64);
  // Powers of two; √½ times them, where logarithms change their exponent.
  const Real root = call<mpfr_sqrt>(Real(0.5));
  std::mt19937_64 bits(1);
  for (int e = Limits<T>::min_exponent - Limits<T>::digits; e < Limits<T>::max_exponent; ++e) {
    if (std::abs(e) > 70 && bits() % 8 != 0) continue;
    hard.around(std::ldexp(T(1), e), 1);
    if (std::abs(e) < 70) hard.around((root * Real(std::ldexp(1.0, e))).nearest<T>(), 1);
  }
  // Where results leave the range of T, saturate or vanish: logarithms of the ends and of half an ulp.
  const Real ln2 = call<mpfr_log>(Real(2)), ln10 = call<mpfr_log>(Real(10));
  for (const int e :
       {Limits<T>::max_exponent, Limits<T>::max_exponent + 1, Limits<T>::min_exponent - 1,
        Limits<T>::min_exponent - Limits<T>::digits, Limits<T>::min_exponent - Limits<T>::digits - 1,
        -Limits<T>::digits, -Limits<T>::digits - 1, Limits<T>::digits, -2 * Limits<T>::digits}) {
    hard.around(Real(e));
    hard.around(Real(e) * ln2);
    hard.around(Real(e) * ln2 / 2);
    hard.around(Real(e) * ln2 / ln10);
    hard.around(call<mpfr_sqrt>(Real(std::abs(e)) * ln2));      // erfc
    hard.around(call<mpfr_sqrt>(2 * Real(std::abs(e)) * ln2));  // gelu
  }
  // Range reductions: multiples of π/2, those of ln 2 and of its half.
  const Real quarter = call<mpfr_acos>(Real(0));
  for (int k = 1; k <= 40; ++k) hard.around(Real(k) * quarter);
  for (int k = 0; k < 200; ++k) {
    const double far = std::ldexp(1 + static_cast<double>(bits() >> 12) * 0x1p-52, static_cast<int>(k) / 4);
    hard.around(Real(std::floor(far)) * quarter);
  }
  // The double that lies closest to a multiple of π/2 (Kahan), a like one of float, and large ones.
  for (const double x : {0x1.6ac5b262ca1ffp+849, 0x1.921fb54442d18p+500, 16367173.0 * 0x1p72, 1e22, 1e5})
    if (x <= static_cast<double>(largest)) hard.around(static_cast<T>(x));
  for (int k = 1; k <= 24; ++k) hard.around(Real(0.5 * k) * ln2);
  for (int k = 0; k < 100; ++k) {
    const int most = Limits<T>::max_exponent;
    hard.around((Real(static_cast<int>(bits() % (2 * static_cast<unsigned>(most))) - most) + 0.5) * ln2);
  }
  // Integers, halves and quarters; the largest numbers that have such parts.
  for (int k = 1; k <= 40; ++k) hard.around(T(k) / 4, 1);
  for (const int e : {Limits<T>::digits - 2, Limits<T>::digits - 1, Limits<T>::digits})
    for (const T part : {T(0.5), T(1), T(1.5)}) hard.around(std::ldexp(T(1), e) + part);
  // Where kernels commonly change from one formula to another, and thresholds of options.
  for (const double x :
       {0.1, 0.2, 0.3, 0.35, 0.4, 0.55, 0.6, 0.65, 0.7, 0.84375, 0.9, 1.1, 20.0, 9.0, 4.4, 5.9, 13.5})
    hard.around(static_cast<T>(x));
  drop_repeated(hard.values);
  return hard.values;
}

// Random numbers of one kind each.
template <class T>
class Draw {
 public:
  explicit Draw(uint64_t seed) : bits_(seed) {}

  T any_bits() {
    const uint64_t pattern = bits_();
    T x;
    std::memcpy(&x, &pattern, sizeof(T));
    // A signalling NaN, which no operation yields, means something else to pow and hypot of C.
    return std::isnan(x) ? Limits<T>::quiet_NaN() : x;
  }
  double uniform(double low, double high) {
    return low + (high - low) * static_cast<double>(bits_() >> 11) * 0x1p-53;
  }
  // Exponents from low to high are equally likely.
  double magnitude(double low, double high) { return (bits_() & 1 ? 1 : -1) * std::exp2(uniform(low, high)); }
  T number() {
    const double far = Limits<T>::max_exponent * 0.72;  // past where e^x overflows
    switch (bits_() % 8) {
      case 0: return any_bits();
      case 1: return static_cast<T>(uniform(-1, 1));
      case 2: return static_cast<T>(uniform(-8, 8));
      case 3: return static_cast<T>(uniform(-far, far));
      case 4: return static_cast<T>(magnitude(-Limits<T>::digits, 8));
      case 5: return static_cast<T>(magnitude(Limits<T>::min_exponent, Limits<T>::max_exponent));
      case 6: return static_cast<T>(1 + magnitude(-Limits<T>::digits, -1));
      default: return static_cast<T>(-1 + magnitude(-Limits<T>::digits, -1));
    }
  }
  uint64_t bits() { return bits_(); }

 private:
  std::mt19937_64 bits_;
};

template <class T>
void add_pair(Points<T>& points, T a, T b) {
  points.x[0].push_back(a);
  points.x[1].push_back(b);
}

}  // namespace

template <class T>
const std::vector<T>& hard_values() {
  static const std::vector<T> values = collect_hard_values<T>();
  return values;
}

template <class T>
Points<T> unary_points(size_t random, uint64_t seed) {
  Points<T> points;
  points.x[0] = hard_values<T>();
  Draw<T> draw(seed);
  for (size_t i = 0; i < random; ++i) points.x[0].push_back(draw.number());
  return points;
}

template <class T>
Points<T> binary_points(size_t random, uint64_t seed) {
  Points<T> points;
  const T large = Limits<T>::max(), least = Limits<T>::min(), tiny = Limits<T>::denorm_min();
  const T inf = Limits<T>::infinity(), epsilon = Limits<T>::epsilon();
  std::vector<T> grid = {0, Limits<T>::quiet_NaN()};
  for (const T x : {tiny, least, std::sqrt(least), epsilon, T(0.25), T(0.5), 1 - epsilon / 2, T(1),
                    1 + epsilon, T(1.5), T(2), T(3), T(20), 1 / epsilon, std::sqrt(large), large, inf}) {
    grid.push_back(x);
    grid.push_back(-x);
  }
  grid.push_back(-T(0));
  for (const T a : grid)
    for (const T b : grid) add_pair(points, a, b);

  Draw<T> draw(seed);
  for (size_t i = 0; i < random; ++i) {
    const T a = draw.number();
    switch (i % 6) {
      case 0: add_pair(points, a, draw.number()); break;
      // Of like magnitude, and so close that much cancels.
      case 1: add_pair(points, a, static_cast<T>(static_cast<double>(a) * draw.magnitude(-4, 4))); break;
      case 2: add_pair(points, a, static_cast<T>(a * (1 + draw.magnitude(-Limits<T>::digits, -2)))); break;
      case 3:
        add_pair(points, static_cast<T>(draw.uniform(-20, 20)), static_cast<T>(draw.uniform(-20, 20)));
        break;
      // a^b within the range and a little past it.
      case 4: {
        const double exponent = draw.uniform(1.02 * (Limits<T>::min_exponent - Limits<T>::digits),
                                             1.02 * Limits<T>::max_exponent);
        const T base = std::fabs(a);
        add_pair(points, base, static_cast<T>(exponent / std::log2(static_cast<double>(base))));
        break;
      }
      default: add_pair(points, a, static_cast<T>(std::floor(draw.uniform(-8, 9))) / 2); break;
    }
  }
  return points;
}

template <class T>
std::vector<T> every_exponent(size_t mantissas, uint64_t seed) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  constexpr int kMantissa = Limits<T>::digits - 1;
  std::mt19937_64 random(seed);
  std::vector<T> values;
  for (Bits head = 0; head < Bits{1} << (sizeof(T) * 8 - kMantissa); ++head) {
    for (size_t i = 0; i < mantissas; ++i) {
      const Bits pattern = (head << kMantissa) | (static_cast<Bits>(random()) & ((Bits{1} << kMantissa) - 1));
      T x;
      std::memcpy(&x, &pattern, sizeof(T));
      values.push_back(x);
    }
  }
  return values;
}

template const std::vector<float>& hard_values<float>();
template const std::vector<double>& hard_values<double>();
template Points<float> unary_points<float>(size_t, uint64_t);
template Points<double> unary_points<double>(size_t, uint64_t);
template Points<float> binary_points<float>(size_t, uint64_t);
template Points<double> binary_points<double>(size_t, uint64_t);
template std::vector<float> every_exponent<float>(size_t, uint64_t);
template std::vector<double> every_exponent<double>(size_t, uint64_t);

}  // namespace tapegrad::verify
