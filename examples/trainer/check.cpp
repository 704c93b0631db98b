#include "examples/trainer/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "examples/trainer/progress.h"

namespace trainer {
namespace {

using namespace tapegrad;

Gradients loss_gradient(const nn::FeedForward& net, const Tensor& images, const Tensor& labels) {
  Tape tape;
  return std::move(tape).gradient(cross_entropy(net(images), labels));
}

// The largest ‖g32 − g64‖ / ‖g64‖ of any parameter.
double distance(const Gradients& g32, const ParameterList& p32, const Gradients& g64,
                const ParameterList& p64) {
  double largest = 0;
  for (size_t i = 0; i < p32.size(); ++i) {
    const Tensor exact = g64.get_or_zeros(p64[i]);
    const double norm = std::sqrt(sum(square(exact)).item());
    const double apart = std::sqrt(sum(square(cast(g32.get_or_zeros(p32[i]), float64) - exact)).item());
    // A NaN on either side must not get lost.
    const double relative = apart == 0 ? 0 : apart / norm;
    if (!(relative <= largest)) largest = relative;
  }
  return largest;
}

}  // namespace

GradientCheck check_gradients(const nn::FeedForward& net, const std::vector<int64_t>& sizes,
                              const std::vector<nn::Activation>& activations, const Tensor& images,
                              const Tensor& labels) {
  const Clock clock;
  Rng rng;
  const nn::FeedForward twin{sizes, activations, rng, nn::gaussian, float64};
  const ParameterList single = parameters(net), exact = parameters(twin);
  for (size_t i = 0; i < single.size(); ++i) assign(exact[i], cast(single[i].value(), float64));
  const Tensor exact_images = cast(images, float64);

  const Report report = gradcheck([&] { return cross_entropy(twin(exact_images), labels); }, exact,
                                  {.max_entries = 6, .projections = 2});
  if (!report) return {false, fmt::format("gradient check: failed\n{}", report.text())};

  const double apart =
      distance(loss_gradient(net, images, labels), single, loss_gradient(twin, exact_images, labels), exact);
  // Rounding of single precision through a few layers; more means that the kernels of the two types differ.
  if (!(apart <= 1e-3)) {
    return {false, fmt::format("gradient check: failed, float32 gradients are {:.1e} (relative) from float64",
                               apart)};
  }
  return {
      true,
      fmt::format("gradient check: passed, {} derivatives of this net agree with differences on {} samples; "
                  "float32 gradients within {:.1e} (relative) of float64 ({:.1f} s)",
                  report.entries().size(), images.size(0), apart, clock.seconds())};
}

}  // namespace trainer
