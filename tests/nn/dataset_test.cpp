#include "nn/data/dataset.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "nn/nn.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

TEST_CASE("nn/dataset: a batch has the samples asked for, in their order") {
  const nn::Dataset data{reshape(cast(arange(0, 24), float32), {4, 2, 3}), tensor({5, 6, 7, 8})};
  const nn::Batch batch = data.batch(tensor({3, 0, 3}));
  CHECK(equal(batch.targets, tensor({8, 5, 8})));
  CHECK(equal(batch.inputs, index_select(data.inputs, 0, tensor({3, 0, 3}))));
  CHECK(data.batch(slice(tensor({0}), 0, 0, 0)).inputs.shape() == Shape{0, 2, 3});
  CHECK(message_of<IndexError>([&] { data.batch(tensor({4})); }) ==
        "[Dataset] expected indices in [0, 4), given 4");
  CHECK(message_of<ShapeError>([&] { data.batch(ones({2})); }) ==
        "[Dataset] expected indices int64 [b], given float32[2]");
  CHECK(message_of<ShapeError>([&] {
          nn::Dataset{ones({3, 2}), tensor({1, 2})}.batch(tensor({0}));
        }) == "[Dataset] expected as many inputs as targets, given float32[3, 2] and int64[2]");
}

TEST_CASE("nn/dataset: a split has every sample once and its target with it") {
  const nn::Dataset data{reshape(cast(arange(0, 20), float32), {10, 2}), arange(0, 10)};
  Rng rng{1}, same{1}, other{2};
  const nn::Split split = nn::train_test_split(data, 0.25, rng);
  CHECK(split.test.size() == 3);  // ⌈2.5⌉
  CHECK(split.train.size() == 7);
  for (const nn::Dataset& half : {split.train, split.test})
    CHECK(equal(half.inputs, index_select(data.inputs, 0, half.targets)));
  std::vector<int64_t> all = split.train.targets.to_vector<int64_t>();
  for (int64_t i : split.test.targets.to_vector<int64_t>()) all.push_back(i);
  std::sort(all.begin(), all.end());
  CHECK(all == data.targets.to_vector<int64_t>());
  CHECK(equal(nn::train_test_split(data, 0.25, same).train.targets, split.train.targets));
  CHECK_FALSE(equal(nn::train_test_split(data, 0.25, other).train.targets, split.train.targets));
  for (double part : {0.0, 1.0, -0.5, 0.95, std::nan("")}) {
    CHECK(message_of<ArgumentError>([&] { nn::train_test_split(data, part, rng); })
              .starts_with(
                  "[train_test_split] expected test_size between 0 and 1 that leaves a sample for each "
                  "part, given "));
  }
}

TEST_CASE("nn/dataset: a stratified split keeps the share of each class") {
  // Of four classes with 1, 10, 53 and 136 samples.
  std::vector<int64_t> classes(200);
  for (size_t i = 0; i < classes.size(); ++i) classes[i] = i < 1 ? 7 : i < 11 ? -2 : i < 64 ? 0 : 3;
  const nn::Dataset data{arange(0, 200), from_vector(classes, {200})};
  Rng rng{4}, same{4};
  for (double part : {0.1, 0.25, 0.5, 0.9}) {
    CAPTURE(part);
    const nn::Split split = nn::train_test_split(data, part, rng, true);
    CHECK(split.test.size() == static_cast<int64_t>(200 * part));
    for (int64_t c : {7, -2, 0, 3}) {
      CAPTURE(c);
      const auto count = [c](const Tensor& t) { return sum(cast(eq(t, c), float64)).item(); };
      CHECK(std::fabs(count(split.test.targets) - count(data.targets) * part) < 1);
    }
    std::vector<int64_t> all = split.train.inputs.to_vector<int64_t>();
    for (int64_t i : split.test.inputs.to_vector<int64_t>()) all.push_back(i);
    // In random order, not by class.
    CHECK_FALSE(std::is_sorted(all.begin(), all.end()));
    CHECK_FALSE(equal(split.train.targets, sort(split.train.targets).values));
    std::sort(all.begin(), all.end());
    CHECK(all == data.inputs.to_vector<int64_t>());
    CHECK(equal(nn::train_test_split(data, part, same, true).test.inputs, split.test.inputs));
  }
  const nn::Dataset numbers{data.inputs, ones({200})};
  CHECK(message_of<DTypeError>([&] { nn::train_test_split(numbers, 0.5, rng, true); }) ==
        "[train_test_split] expected classes, int64 [n], to stratify by, given float32[200]");
}

TEST_CASE("nn/dataset: spiral and moons without noise lie on their curves") {
  Rng rng{2};
  const nn::Dataset arms = nn::spiral(301, rng, 3, 0, 0.75);
  CHECK(arms.inputs.shape() == Shape{301, 2});
  for (int64_t i = 0; i < 301; ++i) {
    CHECK(arms.targets[i].item<int64_t>() == i % 3);
    const int64_t place = i / 3;
    const double radius = static_cast<double>(place) / (i % 3 == 0 ? 100 : 99);
    const double angle = 2 * std::numbers::pi * (static_cast<double>(i % 3) / 3 + 0.75 * radius);
    CHECK(std::fabs(arms.inputs[i][0].item() - radius * std::cos(angle)) <= 1e-7);
    CHECK(std::fabs(arms.inputs[i][1].item() - radius * std::sin(angle)) <= 1e-7);
  }
  const nn::Dataset crescents = nn::moons(100, rng, 0);
  for (int64_t i = 0; i < 100; ++i) {
    const double x = crescents.inputs[i][0].item(), y = crescents.inputs[i][1].item();
    const bool upper = crescents.targets[i].item<int64_t>() == 0;
    CHECK(std::fabs(std::hypot(upper ? x : x - 1, upper ? y : y - 0.5) - 1) <= 2e-7);
    CHECK((upper ? y >= -1e-7 : y <= 0.5 + 1e-7));
  }
  CHECK(allclose(crescents.inputs[98], tensor({-1.0, 0.0}), 0, 1e-6));
  CHECK(allclose(crescents.inputs[99], tensor({2.0, 0.5}), 0, 1e-6));
}

TEST_CASE("nn/dataset: the seed makes the noise, and arguments that make no sense") {
  Rng a{3}, b{3}, c{4};
  CHECK(equal(nn::moons(50, a, 0.2).inputs, nn::moons(50, b, 0.2).inputs));
  CHECK_FALSE(equal(nn::moons(50, a, 0.2).inputs, nn::moons(50, c, 0.2).inputs));
  // Noise of standard deviation 0.2 in 2000 coordinates.
  Rng quiet{5};
  const Tensor off = nn::moons(1000, a, 0.2).inputs - nn::moons(1000, quiet, 0).inputs;
  CHECK(std::fabs(mean(square(off)).item() / 0.04 - 1) <= 5 * std::sqrt(2.0 / 2000));
  CHECK(message_of<ArgumentError>([&] { nn::spiral(2, a, 3); }) ==
        "[spiral] expected at least one sample of each class, given 2 of 3 classes");
  CHECK(message_of<ArgumentError>([&] { nn::spiral(20, a, 3, -1); }) ==
        "[spiral] noise must be finite and at least 0, given -1");
  CHECK(message_of<ArgumentError>([&] { nn::moons(1, a); }) ==
        "[moons] expected at least two samples, given 1");
}

TEST_CASE("nn/normalize: the training set comes out with mean 0 and standard deviation 1") {
  Rng rng{6};
  for (DType dtype : {float32, float64}) {
    Tensor x =
        rng.normal({500, 3}, dtype) * tensor({0.5, 20.0, 3.0}, dtype) + tensor({1.0, -300.0, 0.0}, dtype);
    x = cat({x, full({500, 1}, 0.1, dtype)}, 1);  // a feature that never changes
    const nn::Normalize normalize(x);
    const Tensor y = normalize(x);
    CHECK(y.dtype() == dtype);
    const double slack = dtype == float32 ? 1e-5 : 1e-13;
    const Tensor variance = var(slice(y, 1, 0, 3), Dims{0}, 0);
    CHECK(amax(abs(mean(y, Dims{0}))).item() <= slack);
    CHECK(amax(abs(variance - 1.0)).item() <= slack);
    CHECK(normalize.std.value()[3].item() == 1);
    CHECK(normalize(x[7]).shape() == Shape{4});
    CHECK(equal(normalize(x[7]), y[7]));
  }
  const nn::Sequential net(nn::Normalize(rng.normal({9, 4})), nn::Linear(4, 2, rng));
  CHECK(count_parameters(net) == 10);
  CHECK(buffers(net).size() == 2);
  CHECK(buffers(net)[0].name() == "0.mean");
  CHECK(message_of<ShapeError>([] {
          nn::Normalize(ones({0, 3}));
        }) == "[Normalize] expected at least one sample, given float32[0, 3]");
  CHECK(message_of<DTypeError>([] {
          nn::Normalize(tensor({{1, 2}}));
        }) == "[Normalize] expected float32 or float64 inputs, given int64[1, 2]");
}
