#include "nn/metrics/metrics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "autograd/random.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Five samples of three classes; predictions 0 1 1 2 0.
const Tensor kScores = tensor({{3., 1., 2.}, {0., 5., 1.}, {1., 4., 2.}, {0., 1., 2.}, {9., 8., 7.}});
const Tensor kTargets = tensor({0, 1, 2, 2, 1});

// By sorting each row.
double top_k_by_sorting(const Tensor& scores, const Tensor& targets, int64_t k) {
  const ValuesAndIndices sorted = sort(scores, 1, true);
  int64_t right = 0;
  for (int64_t i = 0; i < targets.size(0); ++i) {
    const std::vector<int64_t> order = sorted.indices[i].to_vector<int64_t>();
    const auto end = order.begin() + k;
    right += std::find(order.begin(), end, targets[i].item<int64_t>()) != end ? 1 : 0;
  }
  return static_cast<double>(right) / static_cast<double>(targets.size(0));
}

}  // namespace

TEST_CASE("nn/metrics: accuracy of scores and of classes, batch by batch") {
  nn::Accuracy all, parts;
  CHECK(std::isnan(all.value()));
  all.update(kScores, kTargets);
  CHECK(all.value() == 3.0 / 5);
  CHECK(all.samples() == 5);
  parts.update(slice(kScores, 0, 0, 2), slice(kTargets, 0, 0, 2));
  CHECK(parts.value() == 1);
  parts.update(argmax(slice(kScores, 0, 2, 5), 1), slice(kTargets, 0, 2, 5));
  CHECK(parts.value() == all.value());
  all.reset();
  CHECK(all.samples() == 0);
}

TEST_CASE("nn/metrics: top-k accuracy agrees with sorting, ties and NaN included") {
  Rng rng{1};
  const Tensor targets = rng.integers({200}, 0, 7);
  // Whole numbers give many ties.
  Tensor scores = cast(rng.integers({200, 7}, 0, 4), float64);
  scores = where(eq(scores, 3.0), full({}, kNan, float64), scores);
  for (int64_t k = 1; k <= 7; ++k) {
    nn::TopKAccuracy top(k);
    top.update(slice(scores, 0, 0, 50), slice(targets, 0, 0, 50));
    top.update(slice(scores, 0, 50), slice(targets, 0, 50));
    CHECK(top.value() == top_k_by_sorting(scores, targets, k));
    CHECK(top.samples() == 200);
    if (k == 7) CHECK(top.value() == 1);
    if (k == 1) {
      nn::Accuracy accuracy;
      accuracy.update(scores, targets);
      CHECK(accuracy.value() == top.value());
    }
  }
}

TEST_CASE("nn/metrics: confusion matrix, precision, recall and F1 by hand") {
  nn::ConfusionMatrix matrix(3);
  CHECK(std::isnan(matrix.accuracy()));
  CHECK(matrix.precision(0) == 0);
  matrix.update(kScores, kTargets);
  CHECK(equal(matrix.counts(), tensor({{1, 0, 0}, {1, 1, 0}, {0, 1, 1}})));
  CHECK(matrix.count(1, 0) == 1);
  CHECK(matrix.accuracy() == 3.0 / 5);
  const double precision[] = {0.5, 0.5, 1}, recall[] = {1, 0.5, 0.5}, f1[] = {2.0 / 3, 0.5, 2.0 / 3};
  for (int64_t c = 0; c < 3; ++c) {
    CHECK(matrix.precision(c) == precision[c]);
    CHECK(matrix.recall(c) == recall[c]);
    CHECK(std::fabs(matrix.f1(c) - f1[c]) <= 1e-15);
    CHECK(matrix.support(c) == (c == 0 ? 1 : 2));
  }
  CHECK(std::fabs(matrix.macro_precision() - 2.0 / 3) <= 1e-15);
  CHECK(std::fabs(matrix.macro_recall() - 2.0 / 3) <= 1e-15);
  CHECK(std::fabs(matrix.macro_f1() - 11.0 / 18) <= 1e-15);
  CHECK(nn::to_string(matrix) ==
        "target  0  1  2  precision  recall      F1\n"
        "0       1  0  0     0.5000  1.0000  0.6667\n"
        "1       1  1  0     0.5000  0.5000  0.5000\n"
        "2       0  1  1     1.0000  0.5000  0.6667\n"
        "macro               0.6667  0.6667  0.6111\n");
  const std::vector<std::string> names = {"café", "bag", "hat"};
  CHECK(nn::to_string(matrix, names).starts_with("target  café  bag  hat  precision"));
  CHECK(message_of<ArgumentError>([&] { nn::to_string(matrix, std::span(names).first(2)); }) ==
        "[ConfusionMatrix] expected 3 names of classes, given 2");
  matrix.reset();
  CHECK(matrix.samples() == 0);
  CHECK(equal(matrix.counts(), tensor({{0, 0, 0}, {0, 0, 0}, {0, 0, 0}})));
}

TEST_CASE("nn/metrics: errors of numbers agree with their formulas over the whole") {
  Rng rng{2};
  for (double offset : {0.0, 1e6}) {
    const Tensor targets = rng.normal({6, 50}, float64) + offset;
    const Tensor predictions = targets + rng.normal({6, 50}, float64) * 0.3;
    nn::MeanAbsoluteError absolute;
    nn::MeanSquaredError squared;
    nn::R2Score r2;
    CHECK(std::isnan(absolute.value()));
    CHECK(std::isnan(squared.value()));
    CHECK(std::isnan(r2.value()));
    for (int64_t i = 0; i < 6; ++i) {
      absolute.update(predictions[i], targets[i]);
      squared.update(predictions[i], targets[i]);
      r2.update(predictions[i], targets[i]);
    }
    // The targets themselves are rounded to 1e6·2⁻⁵³; Welford's mean is off by some of that at each step.
    const double slack = 1e-12 + offset * 1e-13;
    const Tensor off = predictions - targets, spread = targets - mean(targets);
    CHECK(std::fabs(absolute.value() - mean(abs(off)).item()) <= slack);
    CHECK(std::fabs(squared.value() - mean(square(off)).item()) <= slack);
    CHECK(std::fabs(r2.value() - (1 - sum(square(off)).item() / sum(square(spread)).item())) <= slack);
    CHECK(r2.count() == 300);
    absolute.reset();
    CHECK(absolute.count() == 0);
  }
  nn::R2Score constant;
  constant.update(full({3}, 2), full({3}, 2));
  CHECK(constant.value() == 1);
  constant.update(full({1}, 3), full({1}, 2));
  CHECK(constant.value() == 0);
}

TEST_CASE("nn/metrics: a NaN among predictions shows") {
  nn::MeanAbsoluteError error;
  nn::R2Score r2;
  error.update(tensor({1.0, kNan}, float64), tensor({1.0, 2.0}, float64));
  r2.update(tensor({1.0, kNan}, float64), tensor({1.0, 2.0}, float64));
  CHECK(std::isnan(error.value()));
  CHECK(std::isnan(r2.value()));
}

TEST_CASE("nn/metrics: what does not fit is said and not counted") {
  nn::ConfusionMatrix matrix(3);
  nn::Accuracy accuracy;
  nn::TopKAccuracy top(2);
  nn::R2Score r2;
  CHECK(message_of<ShapeError>([&] {
          matrix.update(ones({5, 4}), kTargets);
        }) == "[ConfusionMatrix] expected scores [n, 3] or int64 classes [n], given float32[5, 4]");
  CHECK(message_of<IndexError>([&] {
          matrix.update(tensor({0, 1, 2, 2, 3}), kTargets);
        }) == "[ConfusionMatrix] expected predictions in [0, 3), given 3");
  CHECK(message_of<IndexError>([&] {
          matrix.update(tensor({0, 0}), tensor({0, -1}));
        }) == "[ConfusionMatrix] expected targets in [0, 3), given -1");
  CHECK(message_of<IndexError>([&] { static_cast<void>(matrix.precision(3)); }) ==
        "[ConfusionMatrix] expected a class in [0, 3), given 3");
  CHECK(message_of<ArgumentError>([&] { nn::ConfusionMatrix(0); }) ==
        "[ConfusionMatrix] expected at least one class, given 0");
  CHECK(message_of<DTypeError>([&] { accuracy.update(kScores, ones({5})); }) ==
        "[Accuracy] expected int64 targets, given float32[5]");
  CHECK(message_of<ShapeError>([&] {
          accuracy.update(kScores, tensor({1, 2}));
        }) == "[Accuracy] expected targets [n], one for each prediction, given int64[2] for float32[5, 3]");
  CHECK(message_of<ShapeError>([&] { accuracy.update(ones({5}), kTargets); }) ==
        "[Accuracy] expected scores [n, classes] or int64 classes [n], given float32[5]");
  CHECK(message_of<ShapeError>([&] {
          top.update(ones({5, 1}), kTargets);
        }) == "[TopKAccuracy] expected scores [n, classes] of at least 2 classes, given float32[5, 1]");
  CHECK(message_of<ArgumentError>([] { nn::TopKAccuracy(0); }) ==
        "[TopKAccuracy] k must be at least 1, given 0");
  CHECK(message_of<ShapeError>([&] {
          r2.update(ones({5, 1}), ones({5}));
        }) == "[R2Score] expected predictions and targets of one shape, given float32[5, 1] and float32[5]");
  CHECK(message_of<DTypeError>([&] { r2.update(ones({5}), ones({5}, float64)); }) ==
        "[R2Score] expected predictions and targets of one floating dtype, given float32[5] and float64[5]");
  CHECK(matrix.samples() == 0);
  CHECK(accuracy.samples() == 0);
  CHECK(top.samples() == 0);
  CHECK(r2.count() == 0);
}
