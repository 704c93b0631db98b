#pragma once

// A number of 160 bits with the functions of MPFR, each rounded correctly: what float32 and float64 results
// are measured against.

#include <mpfr.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tapegrad::verify {

class Real {
 public:
  static constexpr mpfr_prec_t kBits = 160;

  Real(double value = 0) { mpfr_init2(v_, kBits), mpfr_set_d(v_, value, MPFR_RNDN); }
  Real(const Real& other) { mpfr_init2(v_, kBits), mpfr_set(v_, other.v_, MPFR_RNDN); }
  Real& operator=(const Real& other) {
    mpfr_set(v_, other.v_, MPFR_RNDN);
    return *this;
  }
  ~Real() { mpfr_clear(v_); }
  // From decimal digits, for constants that no double holds.
  static Real decimal(const char* digits) {
    Real x;
    mpfr_set_str(x.v_, digits, 10, MPFR_RNDN);
    return x;
  }

  mpfr_ptr raw() { return v_; }
  mpfr_srcptr raw() const { return v_; }

  bool nan() const { return mpfr_nan_p(v_) != 0; }
  bool infinite() const { return mpfr_inf_p(v_) != 0; }
  bool zero() const { return mpfr_zero_p(v_) != 0; }
  bool negative() const { return mpfr_signbit(v_) != 0; }  // also −0

  template <class T>
  T nearest() const {
    if constexpr (sizeof(T) == sizeof(float)) return mpfr_get_flt(v_, MPFR_RNDN);
    else return mpfr_get_d(v_, MPFR_RNDN);
  }

 private:
  mpfr_t v_;
};

// One function of MPFR: call<mpfr_exp>(x).
template <auto F>
Real call(const Real& x) {
  Real y;
  F(y.raw(), x.raw(), MPFR_RNDN);
  return y;
}
template <auto F>
Real call(const Real& a, const Real& b) {
  Real y;
  F(y.raw(), a.raw(), b.raw(), MPFR_RNDN);
  return y;
}

inline Real operator+(const Real& a, const Real& b) { return call<mpfr_add>(a, b); }
inline Real operator-(const Real& a, const Real& b) { return call<mpfr_sub>(a, b); }
inline Real operator*(const Real& a, const Real& b) { return call<mpfr_mul>(a, b); }
inline Real operator/(const Real& a, const Real& b) { return call<mpfr_div>(a, b); }
inline Real operator-(const Real& x) {
  Real y;
  mpfr_neg(y.raw(), x.raw(), MPFR_RNDN);
  return y;
}
// False where either is NaN.
inline bool operator<(const Real& a, const Real& b) { return mpfr_less_p(a.raw(), b.raw()) != 0; }
inline bool operator>(const Real& a, const Real& b) { return mpfr_greater_p(a.raw(), b.raw()) != 0; }
inline bool operator==(const Real& a, const Real& b) { return mpfr_equal_p(a.raw(), b.raw()) != 0; }

// |got − want| in units in the last place of T at `want`; below the normal numbers, in their spacing.
// An infinity that should not be one, or is missing, counts as 2^max_exponent, the number after the largest.
// Infinite if only one is NaN or the signs differ; the sign of a 0 counts where `zero_sign`.
// With `least`, units are those at `least` where that is larger, and signs do not count.
template <class T>
double ulps(T got, const Real& want, bool zero_sign = true, double least = 0) {
  using Limits = std::numeric_limits<T>;
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  if (want.nan() || std::isnan(got)) return want.nan() && std::isnan(got) ? 0 : kWrong;
  if (std::isinf(got) && got == want.nearest<T>()) return 0;
  if (want.infinite()) return kWrong;
  if (got == 0 && want.zero() && !zero_sign) return 0;
  if (least == 0 && std::signbit(got) != want.negative()) return kWrong;
  long exponent = Limits::min_exponent;
  if (!want.zero()) exponent = std::max<long>(exponent, mpfr_get_exp(want.raw()));
  if (least > 0) exponent = std::max<long>(exponent, std::ilogb(least) + 1);
  Real value = static_cast<double>(got);
  if (std::isinf(got)) mpfr_set_si_2exp(value.raw(), got < 0 ? -1 : 1, Limits::max_exponent, MPFR_RNDN);
  Real error = value - want;
  mpfr_mul_2si(error.raw(), error.raw(), Limits::digits - exponent, MPFR_RNDN);
  return std::fabs(mpfr_get_d(error.raw(), MPFR_RNDA));
}

}  // namespace tapegrad::verify
