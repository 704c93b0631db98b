#include "autograd/kernels/step.h"

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/step.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/step-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

// A step from `begin`, a multiple of 64 elements, to before `end`.
template <template <class> class Formula, class T>
HWY_ATTR void run(const StepArrays& arrays, const double* numbers, int64_t begin, int64_t end) {
  using F = Formula<T>;
  const StepTag<T> d;
  const F formula(numbers);
  const auto lanes = static_cast<int64_t>(Lanes(d));
  for (int64_t i = begin; i < end; i += lanes) {
    V<T> x[F::kArrays];
#pragma GCC unroll 4
    for (int k = 0; k < F::kArrays; ++k) x[k] = Load(d, static_cast<const T*>(arrays.from[k]) + i);
    formula(Load(d, static_cast<const T*>(arrays.g) + i), x);
#pragma GCC unroll 4
    for (int k = 0; k < F::kArrays; ++k) Store(x[k], d, static_cast<T*>(arrays.to[k]) + i);
  }
}

template <template <class> class Formula>
constexpr StepKernel kernel() {
  return {Formula<float>::kArrays, &run<Formula, float>, &run<Formula, double>};
}

// In the order of Step.
constexpr StepKernel kKernels[] = {
    kernel<Sgd>(),
    kernel<SgdMomentum>(),
    kernel<Adam>(),
    kernel<AdamAmsgrad>(),
    kernel<Rmsprop>(),
    kernel<RmspropCentered>(),
    kernel<RmspropMomentum>(),
    kernel<RmspropCenteredMomentum>(),
    kernel<Adagrad>(),
    kernel<Adadelta>(),
    kernel<Nadam>(),
    kernel<Radam>(),
    kernel<Lion>(),
    kernel<Average>(),
};
static_assert(sizeof kKernels / sizeof kKernels[0] == static_cast<size_t>(Step::count));

}  // namespace

const StepKernel* step_table() { return kKernels; }

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <cstring>

#include "autograd/kernels/parallel.h"

namespace tapegrad::kernels {

HWY_EXPORT(step_table);

namespace {

constexpr int64_t kGrain = 16384;

// A single element has no padding behind it.
void run_single(const StepKernel& kernel, DType dtype, const StepArrays& arrays, const double* numbers) {
  alignas(64) char room[kStepArrays + 1][64] = {};
  const size_t bytes = element_size(dtype);
  StepArrays padded{room[kStepArrays], {}, {}};
  std::memcpy(room[kStepArrays], arrays.g, bytes);
  for (int k = 0; k < kernel.arrays; ++k) {
    std::memcpy(room[k], arrays.from[k], bytes);
    padded.from[k] = padded.to[k] = room[k];
  }
  (dtype == DType::float32 ? kernel.f32 : kernel.f64)(padded, numbers, 0, 1);
  for (int k = 0; k < kernel.arrays; ++k) std::memcpy(arrays.to[k], room[k], bytes);
}

}  // namespace

void run_step(Step step, DType dtype, const StepArrays& arrays, const double* numbers, int64_t count) {
  const StepKernel& kernel = target(HWY_DISPATCH_TABLE(step_table))()[static_cast<size_t>(step)];
  if (count == 1) return run_single(kernel, dtype, arrays, numbers);
  parallel_for(count, kGrain, [&](int64_t begin, int64_t end) {
    (dtype == DType::float32 ? kernel.f32 : kernel.f64)(arrays, numbers, begin, end);
  });
}

}  // namespace tapegrad::kernels

#endif
