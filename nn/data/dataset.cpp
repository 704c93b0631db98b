#include "nn/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <span>
#include <vector>

#include "autograd/ops.h"
#include "autograd/raise.h"
#include "nn/text.h"

namespace tapegrad::nn {
namespace {

// Rows of x, copied on this thread alone, since a loader's thread must not take the pool from the training.
Tensor rows_of(const Tensor& x, std::span<const int64_t> indices) {
  Dims sizes = x.shape();
  sizes[0] = static_cast<int64_t>(indices.size());
  const Shape shape(sizes);
  detail::Body* body = detail::new_body(x.dtype(), {shape.begin(), shape.end()}, shape.numel());
  Tensor rows = Tensor::adopt(body);
  if (x.size(0) == 0) return rows;
  const detail::Body& from = *x.handle();
  const size_t bytes = from.bytes() / static_cast<size_t>(x.size(0));
  auto* to = static_cast<char*>(body->data);
  for (int64_t i : indices) {
    std::memcpy(to, static_cast<const char*>(from.data) + static_cast<size_t>(i) * bytes, bytes);
    to += bytes;
  }
  return rows;
}

// Of the places in `order`, those that come first in the result make tests whose classes have their shares:
// sorted by class, every (n/tests)-th is one.
Tensor stratified(const Tensor& order, const Tensor& targets, int64_t tests) {
  const std::span<const int64_t> classes = targets.data<int64_t>();
  const std::vector<int64_t> drawn = order.to_vector<int64_t>();
  std::vector<int64_t> by_class = drawn;
  std::stable_sort(by_class.begin(), by_class.end(), [&](int64_t a, int64_t b) {
    return classes[static_cast<size_t>(a)] < classes[static_cast<size_t>(b)];
  });
  const auto n = static_cast<int64_t>(drawn.size());
  std::vector<char> is_test(drawn.size());
  for (int64_t i = 0; i < n; ++i) {
    if ((i + 1) * tests / n > i * tests / n)
      is_test[static_cast<size_t>(by_class[static_cast<size_t>(i)])] = 1;
  }
  std::vector<int64_t> result = drawn;
  std::stable_partition(result.begin(), result.end(),
                        [&](int64_t i) { return is_test[static_cast<size_t>(i)] != 0; });
  return from_vector(result, {n});
}

void check_noise(std::string_view name, double noise) {
  if (std::isfinite(noise) && noise >= 0) return;
  raise<ArgumentError>("[{}] noise must be finite and at least 0, given {}", name, noise);
}

// Where sample i of class i % classes lies between the ends of its curve, 0 to 1.
double along(int64_t i, int64_t classes, int64_t samples) {
  const int64_t of_class = samples / classes + (i % classes < samples % classes ? 1 : 0);
  const int64_t place = i / classes;
  return of_class < 2 ? 0.5 : static_cast<double>(place) / static_cast<double>(of_class - 1);
}

Dataset points(const std::vector<float>& xy, int64_t classes) {
  const auto samples = static_cast<int64_t>(xy.size() / 2);
  std::vector<int64_t> targets(xy.size() / 2);
  for (int64_t i = 0; i < samples; ++i) targets[static_cast<size_t>(i)] = i % classes;
  return {from_vector(xy, {samples, 2}), from_vector(targets, {samples})};
}

}  // namespace

Batch Dataset::batch(const Tensor& indices) const {
  if (indices.dtype() != int64 || indices.rank() != 1)
    raise<ShapeError>("[Dataset] expected indices int64 [b], given {}", describe(indices));
  if (inputs.rank() == 0 || targets.rank() == 0 || inputs.size(0) != targets.size(0)) {
    raise<ShapeError>("[Dataset] expected as many inputs as targets, given {} and {}", describe(inputs),
                      describe(targets));
  }
  const auto list = indices.data<int64_t>();
  for (int64_t i : list) {
    if (i < 0 || i >= size()) raise<IndexError>("[Dataset] expected indices in [0, {}), given {}", size(), i);
  }
  return {rows_of(inputs, list), rows_of(targets, list)};
}

Split train_test_split(const Dataset& data, double test_size, Rng& rng, bool stratify) {
  const int64_t n = data.size();
  const double wanted = std::ceil(static_cast<double>(n) * test_size);
  if (!(test_size > 0 && test_size < 1 && wanted < static_cast<double>(n))) {
    raise<ArgumentError>(
        "[train_test_split] expected test_size between 0 and 1 that leaves a sample for each part, given {} "
        "of "
        "{} samples",
        test_size, n);
  }
  if (stratify && (data.targets.dtype() != int64 || data.targets.rank() != 1)) {
    raise<DTypeError>("[train_test_split] expected classes, int64 [n], to stratify by, given {}",
                      describe(data.targets));
  }
  const auto tests = static_cast<int64_t>(wanted);
  Tensor order = rng.permutation(n);
  if (stratify) order = stratified(order, data.targets, tests);
  const Batch test = data.batch(slice(order, 0, 0, tests)), train = data.batch(slice(order, 0, tests));
  return {{train.inputs, train.targets}, {test.inputs, test.targets}};
}

Dataset spiral(int64_t samples, Rng& rng, int64_t classes, double noise, double turns) {
  if (classes < 1 || samples < classes) {
    raise<ArgumentError>("[spiral] expected at least one sample of each class, given {} of {} classes",
                         samples, classes);
  }
  check_noise("spiral", noise);
  if (!std::isfinite(turns)) raise<ArgumentError>("[spiral] turns must be finite, given {}", turns);
  std::vector<float> xy;
  for (int64_t i = 0; i < samples; ++i) {
    const double radius = along(i, classes, samples);
    const double start = static_cast<double>(i % classes) / static_cast<double>(classes);
    const double angle = 2 * std::numbers::pi * (start + turns * radius) + noise * rng.normal();
    xy.push_back(static_cast<float>(radius * std::cos(angle)));
    xy.push_back(static_cast<float>(radius * std::sin(angle)));
  }
  return points(xy, classes);
}

Dataset moons(int64_t samples, Rng& rng, double noise) {
  if (samples < 2) raise<ArgumentError>("[moons] expected at least two samples, given {}", samples);
  check_noise("moons", noise);
  std::vector<float> xy;
  for (int64_t i = 0; i < samples; ++i) {
    const double t = std::numbers::pi * along(i, 2, samples);
    const double x = i % 2 == 0 ? std::cos(t) : 1 - std::cos(t);
    const double y = i % 2 == 0 ? std::sin(t) : 0.5 - std::sin(t);
    xy.push_back(static_cast<float>(x + noise * rng.normal()));
    xy.push_back(static_cast<float>(y + noise * rng.normal()));
  }
  return points(xy, 2);
}

}  // namespace tapegrad::nn
