// What it costs to verify a network.

#include <algorithm>
#include <ctime>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "nn/nn.h"
#include "tests/verify/gradients.h"

namespace tapegrad::verify {
namespace {

// Of the processor, so that what else runs on the machine does not count. One thread runs here.
template <class F>
double seconds_of(const F& f) {
  const std::clock_t start = std::clock();
  f();
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

}  // namespace

NetworkTime time_network(uint64_t seed, int64_t batch) {
  Rng rng(seed);
  const nn::FeedForward net({784, 256, 128, 10}, {nn::tanh, nn::tanh, nn::identity}, rng, nn::gaussian,
                            float64);
  const Tensor images = rng.uniform({batch, 784}, 0, 1, float64), labels = rng.integers({batch}, 0, 10);
  auto loss = [&] { return cross_entropy(net(images), labels); };
  NetworkTime time{.batch = batch};
  std::vector<double> forward;
  loss();
  for (int i = 0; i < 21; ++i) forward.push_back(seconds_of(loss));
  std::nth_element(forward.begin(), forward.begin() + 10, forward.end());
  time.forward = forward[10];
  std::vector<double> checks;
  for (int i = 0; i < 3; ++i) {
    checks.push_back(seconds_of([&] {
      const Report report =
          gradcheck(loss, parameters(net),
                    {.seed = seed, .mode = GradcheckMode::projection, .structure = false, .locate = false});
      time.evaluations = report.evaluations();
      time.ok &= report.ok();
    }));
  }
  std::sort(checks.begin(), checks.end());
  time.check = checks[1];
  return time;
}

}  // namespace tapegrad::verify
