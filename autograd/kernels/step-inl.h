// The formulas of optimisers' steps on whole vectors. Included once per target by step.cpp. Products and sums
// are rounded one by one, as they are written in step.h, so that every target gives the same bits.

#include <cstddef>
#include <cstdint>

#include "autograd/kernels/step.h"

#if defined(TAPEGRAD_KERNELS_STEP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_STEP_INL_H
#undef TAPEGRAD_KERNELS_STEP_INL_H
#else
#define TAPEGRAD_KERNELS_STEP_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

template <class T>
using StepTag = CappedTag<T, 64 / sizeof(T)>;
template <class T>
using V = Vec<StepTag<T>>;

template <class T>
HWY_INLINE HWY_ATTR V<T> splat(double x) {
  return Set(StepTag<T>(), static_cast<T>(x));
}

template <class N>
HWY_INLINE N numbers_at(const double* from) {
  N numbers;
  hwy::CopyBytes<sizeof(N)>(from, &numbers);
  return numbers;
}

// What every step does first.
template <class T>
struct Before {
  V<T> sign, decay, shrink;
  bool decays, shrinks;
  HWY_ATTR explicit Before(const StepNumbers& k)
      : sign(splat<T>(k.sign)),
        decay(splat<T>(k.decay)),
        shrink(splat<T>(k.shrink)),
        decays(k.decay != 0),
        shrinks(k.shrink != 1) {}
  HWY_INLINE HWY_ATTR V<T> operator()(V<T> g, V<T>& w) const {
    g = Mul(g, sign);
    if (decays) g = Add(g, Mul(decay, w));
    if (shrinks) w = Mul(w, shrink);
    return g;
  }
};

// keep·x + gain·y.
template <class T>
struct Mix {
  V<T> keep, gain;
  HWY_ATTR Mix(double keep, double gain) : keep(splat<T>(keep)), gain(splat<T>(gain)) {}
  HWY_INLINE HWY_ATTR V<T> operator()(V<T> x, V<T> y) const { return Add(Mul(keep, x), Mul(gain, y)); }
};

template <class T, bool kMomentum>
struct SgdStep {
  static constexpr int kArrays = kMomentum ? 2 : 1;
  Before<T> before;
  V<T> rate, momentum, gain;
  bool nesterov;
  HWY_ATTR explicit SgdStep(const double* from) : SgdStep(numbers_at<SgdNumbers>(from)) {}
  HWY_ATTR explicit SgdStep(const SgdNumbers& k)
      : before(k),
        rate(splat<T>(k.rate)),
        momentum(splat<T>(k.momentum)),
        gain(splat<T>(k.gain)),
        nesterov(k.nesterov != 0) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    if constexpr (kMomentum) {
      x[1] = Add(Mul(momentum, x[1]), Mul(gain, g));
      g = nesterov ? Add(g, Mul(momentum, x[1])) : x[1];
    }
    x[0] = Sub(x[0], Mul(rate, g));
  }
};
template <class T>
using Sgd = SgdStep<T, false>;
template <class T>
using SgdMomentum = SgdStep<T, true>;

template <class T, bool kAmsgrad>
struct AdamStep {
  static constexpr int kArrays = kAmsgrad ? 4 : 3;
  Before<T> before;
  V<T> rate, scale, eps;
  Mix<T> first, second;
  HWY_ATTR explicit AdamStep(const double* from) : AdamStep(numbers_at<AdamNumbers>(from)) {}
  HWY_ATTR explicit AdamStep(const AdamNumbers& k)
      : before(k),
        rate(splat<T>(k.rate)),
        scale(splat<T>(k.scale)),
        eps(splat<T>(k.eps)),
        first(k.beta1, k.gain1),
        second(k.beta2, k.gain2) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    x[1] = first(x[1], g);
    x[2] = second(x[2], Mul(g, g));
    V<T> v = x[2];
    if constexpr (kAmsgrad) {
      v = x[3] = IfThenElse(Or(Gt(v, x[3]), IsNaN(v)), v, x[3]);
    }
    x[0] = Sub(x[0], Mul(rate, Div(x[1], Add(Mul(scale, Sqrt(v)), eps))));
  }
};
template <class T>
using Adam = AdamStep<T, false>;
template <class T>
using AdamAmsgrad = AdamStep<T, true>;

template <class T, bool kCentered, bool kMomentum>
struct RmspropStep {
  static constexpr int kArrays = 2 + kCentered + kMomentum;
  Before<T> before;
  V<T> rate, eps, momentum;
  Mix<T> mix;
  HWY_ATTR explicit RmspropStep(const double* from) : RmspropStep(numbers_at<RmspropNumbers>(from)) {}
  HWY_ATTR explicit RmspropStep(const RmspropNumbers& k)
      : before(k),
        rate(splat<T>(k.rate)),
        eps(splat<T>(k.eps)),
        momentum(splat<T>(k.momentum)),
        mix(k.alpha, k.gain) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    x[1] = mix(x[1], Mul(g, g));
    V<T> s = x[1];
    if constexpr (kCentered) {
      x[2] = mix(x[2], g);
      s = Sub(s, Mul(x[2], x[2]));
      // A variance: rounding may have taken it below 0. NaN stays.
      s = IfThenZeroElse(Lt(s, Zero(StepTag<T>())), s);
    }
    V<T> step = Div(g, Add(Sqrt(s), eps));
    if constexpr (kMomentum) {
      V<T>& v = x[2 + kCentered];
      step = v = Add(Mul(momentum, v), step);
    }
    x[0] = Sub(x[0], Mul(rate, step));
  }
};
template <class T>
using Rmsprop = RmspropStep<T, false, false>;
template <class T>
using RmspropCentered = RmspropStep<T, true, false>;
template <class T>
using RmspropMomentum = RmspropStep<T, false, true>;
template <class T>
using RmspropCenteredMomentum = RmspropStep<T, true, true>;

template <class T>
struct Adagrad {
  static constexpr int kArrays = 2;
  Before<T> before;
  V<T> rate, eps;
  HWY_ATTR explicit Adagrad(const double* from) : Adagrad(numbers_at<AdagradNumbers>(from)) {}
  HWY_ATTR explicit Adagrad(const AdagradNumbers& k)
      : before(k), rate(splat<T>(k.rate)), eps(splat<T>(k.eps)) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    x[1] = Add(x[1], Mul(g, g));
    x[0] = Sub(x[0], Mul(rate, Div(g, Add(Sqrt(x[1]), eps))));
  }
};

template <class T>
struct Adadelta {
  static constexpr int kArrays = 3;
  Before<T> before;
  V<T> rate, eps;
  Mix<T> mix;
  HWY_ATTR explicit Adadelta(const double* from) : Adadelta(numbers_at<AdadeltaNumbers>(from)) {}
  HWY_ATTR explicit Adadelta(const AdadeltaNumbers& k)
      : before(k), rate(splat<T>(k.rate)), eps(splat<T>(k.eps)), mix(k.rho, k.gain) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    x[1] = mix(x[1], Mul(g, g));
    const V<T> delta = Mul(Div(Sqrt(Add(x[2], eps)), Sqrt(Add(x[1], eps))), g);
    x[2] = mix(x[2], Mul(delta, delta));
    x[0] = Sub(x[0], Mul(rate, delta));
  }
};

template <class T>
struct Nadam {
  static constexpr int kArrays = 3;
  Before<T> before;
  V<T> rate_g, rate_m, scale, eps;
  Mix<T> first, second;
  HWY_ATTR explicit Nadam(const double* from) : Nadam(numbers_at<NadamNumbers>(from)) {}
  HWY_ATTR explicit Nadam(const NadamNumbers& k)
      : before(k),
        rate_g(splat<T>(k.rate_g)),
        rate_m(splat<T>(k.rate_m)),
        scale(splat<T>(k.scale)),
        eps(splat<T>(k.eps)),
        first(k.beta1, k.gain1),
        second(k.beta2, k.gain2) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    x[1] = first(x[1], g);
    x[2] = second(x[2], Mul(g, g));
    const V<T> step = Add(Mul(rate_g, g), Mul(rate_m, x[1]));
    x[0] = Sub(x[0], Div(step, Add(Mul(scale, Sqrt(x[2])), eps)));
  }
};

template <class T>
struct Radam {
  static constexpr int kArrays = 3;
  Before<T> before;
  V<T> rate, eps;
  Mix<T> first, second;
  bool adaptive;
  HWY_ATTR explicit Radam(const double* from) : Radam(numbers_at<RadamNumbers>(from)) {}
  HWY_ATTR explicit Radam(const RadamNumbers& k)
      : before(k),
        rate(splat<T>(k.rate)),
        eps(splat<T>(k.eps)),
        first(k.beta1, k.gain1),
        second(k.beta2, k.gain2),
        adaptive(k.adaptive != 0) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    g = before(g, x[0]);
    x[1] = first(x[1], g);
    x[2] = second(x[2], Mul(g, g));
    const V<T> step = adaptive ? Div(x[1], Add(Sqrt(x[2]), eps)) : x[1];
    x[0] = Sub(x[0], Mul(rate, step));
  }
};

template <class T>
struct Lion {
  static constexpr int kArrays = 2;
  Before<T> before;
  V<T> rate;
  Mix<T> first, second;
  HWY_ATTR explicit Lion(const double* from) : Lion(numbers_at<LionNumbers>(from)) {}
  HWY_ATTR explicit Lion(const LionNumbers& k)
      : before(k), rate(splat<T>(k.rate)), first(k.beta1, k.gain1), second(k.beta2, k.gain2) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> g, V<T>* x) const {
    const StepTag<T> d;
    g = before(g, x[0]);
    const V<T> u = first(x[1], g);
    // 0 gives 0, NaN gives NaN.
    const V<T> sign = IfThenElse(Or(Eq(u, Zero(d)), IsNaN(u)), u, CopySign(Set(d, T{1}), u));
    x[0] = Sub(x[0], Mul(rate, sign));
    x[1] = second(x[1], g);
  }
};

template <class T>
struct Average {
  static constexpr int kArrays = 1;
  V<T> part;
  bool all;
  HWY_ATTR explicit Average(const double* from) : Average(numbers_at<AverageNumbers>(from)) {}
  HWY_ATTR explicit Average(const AverageNumbers& k) : part(splat<T>(k.part)), all(k.part == 1) {}
  HWY_INLINE HWY_ATTR void operator()(V<T> x, V<T>* a) const {
    a[0] = all ? x : Add(a[0], Mul(part, Sub(x, a[0])));
  }
};

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
