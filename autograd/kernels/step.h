#pragma once

// The steps of optimisers: one pass over gradient, weights and state. Internal, not installed.

#include <cstdint>

#include "autograd/dtype.h"

namespace tapegrad::kernels {

enum class Step : uint8_t {
  sgd,
  sgd_momentum,
  adam,
  adam_amsgrad,
  rmsprop,
  rmsprop_centered,
  rmsprop_momentum,
  rmsprop_centered_momentum,
  adagrad,
  adadelta,
  nadam,
  radam,
  lion,
  average,
  count
};

inline constexpr int kStepArrays = 4;  // at most: the weights and three of state

// The numbers of each step. A kernel brings them to the dtype of the weights first. Before all else
// g ← sign·g + decay·w, then w ← shrink·w.
struct StepNumbers {
  double sign = 1, decay = 0, shrink = 1;
};
// v ← momentum·v + gain·g,  w ← w − rate·(g + momentum·v if nesterov, else v).
struct SgdNumbers : StepNumbers {
  double rate = 0, momentum = 0, gain = 1, nesterov = 0;
};
// m ← beta1·m + gain1·g,  v ← beta2·v + gain2·g²,  w ← w − rate·m/(scale·√v + eps); amsgrad: the largest v.
struct AdamNumbers : StepNumbers {
  double rate = 0, beta1 = 0, gain1 = 0, beta2 = 0, gain2 = 0, scale = 0, eps = 0;
};
// s ← alpha·s + gain·g²,  r = √s + eps; centered: a ← alpha·a + gain·g, r = √(s − a²) + eps;
// w ← w − rate·g/r, or with momentum v ← momentum·v + g/r, w ← w − rate·v.
struct RmspropNumbers : StepNumbers {
  double rate = 0, alpha = 0, gain = 0, eps = 0, momentum = 0;
};
// s ← s + g²,  w ← w − rate·g/(√s + eps).
struct AdagradNumbers : StepNumbers {
  double rate = 0, eps = 0;
};
// s ← rho·s + gain·g²,  d = g·√(u + eps)/√(s + eps),  u ← rho·u + gain·d²,  w ← w − rate·d.
struct AdadeltaNumbers : StepNumbers {
  double rate = 0, rho = 0, gain = 0, eps = 0;
};
// m and v as Adam's,  w ← w − (rate_g·g + rate_m·m)/(scale·√v + eps).
struct NadamNumbers : StepNumbers {
  double rate_g = 0, rate_m = 0, beta1 = 0, gain1 = 0, beta2 = 0, gain2 = 0, scale = 0, eps = 0;
};
// m and v as Adam's,  w ← w − rate·m/(√v + eps) if adaptive, else w − rate·m.
struct RadamNumbers : StepNumbers {
  double rate = 0, beta1 = 0, gain1 = 0, beta2 = 0, gain2 = 0, eps = 0, adaptive = 0;
};
// w ← w − rate·sign(beta1·m + gain1·g),  m ← beta2·m + gain2·g.
struct LionNumbers : StepNumbers {
  double rate = 0, beta1 = 0, gain1 = 0, beta2 = 0, gain2 = 0;
};
// a ← a + part·(x − a), and x itself where part is 1. Here x is in the place of g, a in that of w.
struct AverageNumbers : StepNumbers {
  double part = 1;
};

// Dense arrays of `count` elements; memory up to the next multiple of 64 bytes may be read and, of `to`,
// written, but for count = 1. to[k] may be from[k].
struct StepArrays {
  const void* g;
  const void* from[kStepArrays];
  void* to[kStepArrays];
};

// A step from element `begin`, a multiple of 64, to before `end`.
using StepRun = void (*)(const StepArrays& arrays, const double* numbers, int64_t begin, int64_t end);
struct StepKernel {
  int arrays;  // beside g
  StepRun f32, f64;
};

void run_step(Step step, DType dtype, const StepArrays& arrays, const double* numbers, int64_t count);

}  // namespace tapegrad::kernels
