#include "autograd/kernels/reduce_parts.h"

#include <cmath>

namespace tapegrad::kernels {
namespace {

Part join_logarithms(const Part& x, const Part& y) {
  if (x.a == y.a) return {x.a, x.b + y.b, x.c + y.c};
  if (x.a != x.a || y.a != y.a) return {x.a != x.a ? x.a : y.a, 1, 0};
  const Part& high = x.a > y.a ? x : y;
  const Part& low = x.a > y.a ? y : x;
  if (std::isinf(high.a)) return {high.a, 1, 0};
  return {high.a, high.b, high.c + (low.b + low.c) * std::exp(low.a - high.a)};
}

// T. F. Chan, G. H. Golub, R. J. LeVeque, Updating formulae and a pairwise algorithm for computing sample
// variances, 1979.
Part join_moments(const Part& x, const Part& y) {
  const double count = x.c + y.c, apart = y.a - x.a;
  return {x.a + apart * (y.c / count), x.b + y.b + apart * apart * (x.c * y.c / count), count};
}

Part join_squares(const Part& x, const Part& y) {
  const double scale = std::max(x.b, y.b);
  const double a = x.b / scale, b = y.b / scale;
  return {x.a * a * a + y.a * b * b, scale, 0};
}

Part join_powers(const Part& x, const Part& y, double p) {
  if (x.a != x.a || y.a != y.a) return {x.a != x.a ? x.a : y.a, 1, 0};
  const double unit = p > 0 ? std::max(x.a, y.a) : std::min(x.a, y.a);
  if (unit == 0 || std::isinf(unit)) return {unit, 1, 0};
  if (x.a == y.a) return {unit, x.b + y.b, 0};
  return {unit, x.b * std::pow(x.a / unit, p) + y.b * std::pow(y.a / unit, p), 0};
}

}  // namespace

Part join(Measure measure, const Part& x, const Part& y, double p) {
  switch (measure) {
    case Measure::sum:
    case Measure::nonzeros:
    case Measure::sum_abs: return {x.a + y.a, 0, 0};
    case Measure::product: return {x.a * y.a, 0, 0};
    case Measure::largest:
    case Measure::largest_abs: return x.a > y.a || x.a != x.a ? x : y;
    case Measure::smallest:
    case Measure::smallest_abs: return x.a < y.a || x.a != x.a ? x : y;
    case Measure::log_sum_exp: return join_logarithms(x, y);
    case Measure::moments: return join_moments(x, y);
    case Measure::squares: return join_squares(x, y);
    default: return join_powers(x, y, p);
  }
}

}  // namespace tapegrad::kernels
