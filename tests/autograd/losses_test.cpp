// Losses: what the loops over all ops do not see. Numbers marked PyTorch were printed by PyTorch 1.13 in
// float64 (torch.nn.functional, the inputs below, `.tolist()`).

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

Tensor wide(const detail::Nested& list) { return tensor(list, float64); }

// Four rows of three classes, one of them ignored where indices are the target.
struct Example {
  Tensor logits = wide({{0.5, -1.0, 2.0}, {1.5, 0.25, -0.75}, {-0.5, 0.125, 1.0}, {2.0, -2.0, 0.5}});
  Tensor indices = tensor({2, 0, -100, 1});
  Tensor probabilities = wide({{0.2, 0.3, 0.5}, {0.0, 1.0, 0.0}, {0.1, 0.1, 0.8}, {0.25, 0.5, 0.25}});
  Tensor weight = wide({0.5, 2.0, 1.25});
};

// PyTorch's digits are good to a few roundings.
bool near(const Tensor& got, const Tensor& expected) { return allclose(got, expected, 1e-14, 1e-15); }

Tensor gradient(const std::function<Tensor(const Tensor&)>& f, const Tensor& at) {
  Tape tape;
  const Tensor x = tape.watch(at);
  const Tensor y = f(x);
  return tape.gradient(y, ones(y.shape(), y.dtype()))[x];
}

}  // namespace

TEST_CASE("autograd/losses: cross entropy of class indices is PyTorch's") {
  const Example example;
  struct Case {
    bool weighted;
    double smoothing, mean, sum;
    Tensor each, gradient_of_mean;
  };
  const Case cases[] = {
      {false, 0, 1.5960868578117358, 4.788260573435207,
       wide({0.24131129665715703, 0.3306726094072241, 0.0, 4.216276667370826}),
       wide({{0.05843013071334556, 0.013037524423562482, -0.07146765513690803},
             {-0.09385321961631168, 0.06861220133255051, 0.02524101828376117},
             {0.0, 0.0, 0.0},
             {0.26850413734684087, -0.3284155085135575, 0.05991137116671659}})},
      {false, 0.1, 1.6127535244784024, 4.838260573435207,
       wide({0.391311296657157, 0.4473392760738908, 0.0, 3.9996100007041595}),
       wide({{0.04731901960223445, 0.0019264133124513708, -0.04924543291468584},
             {-0.07163099739408944, 0.05750109022143941, 0.014129907172650063},
             {0.0, 0.0, 0.0},
             {0.2573930262357298, -0.3061932862913353, 0.04880026005560549}})},
      {true, 0, 2.373207669404456, 8.89952876026671,
       wide({0.3016391208214463, 0.16533630470361205, 0.0, 8.432553334741652}),
       wide({{0.05843013071334556, 0.013037524423562482, -0.07146765513690803},
             {-0.037541287846524676, 0.027444880533020206, 0.010096407313504469},
             {0.0, 0.0, 0.0},
             {0.42960661975494535, -0.5254648136216921, 0.09585819386674654}})},
      {true, 0.1, 2.357162254911851, 8.83935845591944,
       wide({0.5266391208214463, 0.3672200837424872, 0.0, 7.945499251355507}),
       wide({{0.05398568626890113, -0.004740253354215293, -0.04924543291468585},
             {-0.014283592134614508, 0.013783834835195458, 0.0004997572994190263},
             {0.0, 0.0, 0.0},
             {0.40905192706969046, -0.49020432755532306, 0.08115240048563244}})},
  };
  for (const Case& c : cases) {
    INFO("weighted " << c.weighted << ", smoothing " << c.smoothing);
    CrossEntropyOptions options = {.label_smoothing = c.smoothing};
    if (c.weighted) options.weight = example.weight;
    auto loss = [&](const Tensor& x) { return cross_entropy(x, example.indices, options); };
    CHECK(near(loss(example.logits), full({}, c.mean, float64)));
    CHECK(near(gradient(loss, example.logits), c.gradient_of_mean));
    options.reduction = Reduction::sum;
    CHECK(near(loss(example.logits), full({}, c.sum, float64)));
    options.reduction = Reduction::none;
    CHECK(near(loss(example.logits), c.each));
  }
}

TEST_CASE("autograd/losses: cross entropy of probabilities is PyTorch's") {
  const Example example;
  const CrossEntropyOptions plain, full_options = {.weight = example.weight, .label_smoothing = 0.1};
  auto gradients = [&](const CrossEntropyOptions& options) {
    Tape tape;
    const Tensor x = tape.watch(example.logits), q = tape.watch(example.probabilities);
    const Gradients g = tape.gradient(cross_entropy(x, q, options));
    return std::vector<Tensor>{g[x], g[q]};
  };
  CHECK(near(cross_entropy(example.logits, example.probabilities), full({}, 1.5863630117154344, float64)));
  std::vector<Tensor> g = gradients(plain);
  CHECK(near(g[0], wide({{-0.006177401964990829, -0.06522185668232813, 0.07139925864731897},
                         {0.17961008528776623, -0.1985408490005871, 0.01893076371282088},
                         {0.009013906116914515, 0.03854634259940468, -0.0475602487163192},
                         {0.13887810301013065, -0.12131163138516814, -0.017566471624962554}})));
  CHECK(near(g[1], wide({{0.4353278241642893, 0.8103278241642893, 0.06032782416428926},
                         {0.08266815235180602, 0.395168152351806, 0.645168152351806},
                         {0.49867286835663244, 0.34242286835663244, 0.12367286835663244},
                         {0.054069166842706434, 1.0540691668427065, 0.42906916684270646}})));
  CHECK(near(cross_entropy(example.logits, example.probabilities, full_options),
             full({}, 2.736534400850892, float64)));
  g = gradients(full_options);
  CHECK(near(g[0], wide({{0.031069606244457912, -0.138783962845634, 0.10771435660117606},
                         {0.34158274751228335, -0.3676078009927969, 0.026025053480513524},
                         {0.027100715979476477, 0.01776626158258918, -0.044866977562065674},
                         {0.2534135169789562, -0.23643379369437395, -0.016979723284582287}})));
  CHECK(near(g[1], wide({{0.19589752087393017, 1.4585900834957208, 0.06786880218482541},
                         {0.037200668558312715, 0.7113026742332509, 0.7258141713957817},
                         {0.2244027907604846, 0.6163611630419384, 0.13913197690121148},
                         {0.024331125079217895, 1.8973245003168717, 0.48270281269804477}})));
}

TEST_CASE("autograd/losses: the other losses at PyTorch's numbers") {
  const Example example;
  const Tensor x = wide({1.0, -2.0, 0.0, 3.0}), t = wide({1.0, 0.0, 0.5, 0.25});
  auto logits = [&](const Tensor& of) {
    return binary_cross_entropy_with_logits(of, t, {.reduction = Reduction::none});
  };
  auto weighted = [&](const Tensor& of) {
    return binary_cross_entropy_with_logits(of, t,
                                            {.pos_weight = {2, 0.5, 1, 3}, .reduction = Reduction::none});
  };
  CHECK(near(logits(x),
             wide({0.31326168751822286, 0.1269280110429726, 0.6931471805599453, 2.298587351573742})));
  CHECK(near(weighted(x),
             wide({0.6265233750364457, 0.1269280110429727, 0.6931471805599453, 2.322881027360613})));
  CHECK(near(nll_loss(example.logits, example.indices, {.weight = example.weight}), full({}, 0.2, float64)));
  CHECK(equal(nll_loss(example.logits, example.indices, Reduction::none), wide({-2.0, -1.5, 0.0, 2.0})));
  const Tensor d = wide({0.0, 0.5, 3.0}), zero = zeros({3}, float64);
  CHECK(equal(huber_loss(d, zero, Reduction::none, 1.5), wide({0.0, 0.125, 3.375})));
  CHECK(near(smooth_l1_loss(d, zero, Reduction::none, 0.75), wide({0.0, 1.0 / 6, 2.625})));
  CHECK(equal(smooth_l1_loss(d, zero, Reduction::none, 0), l1_loss(d, zero, Reduction::none)));
  CHECK(equal(smooth_l1_loss(d, zero), huber_loss(d, zero)));  // beta = delta = 1
  // ln of the value at p = ¼ for t = ¾, by hand: −¾·ln ¼ − ¼·ln ¾.
  CHECK(near(binary_cross_entropy(wide({0.25}), wide({0.75})),
             full({}, -0.75 * std::log(0.25) - 0.25 * std::log(0.75), float64)));
  CHECK(near(kl_div(wide({-2.0, -0.5}), wide({0.5, 1.0}), Reduction::none),
             wide({0.5 * (std::log(0.5) + 2), 0.5})));
  CHECK(near(kl_div(wide({-2.0, -0.5}), log(wide({0.5, 1.0})), Reduction::none, true),
             wide({0.5 * (std::log(0.5) + 2), 0.5})));
}

TEST_CASE("autograd/losses: far from 0 the digits are kept") {
  for (DType dtype : {float32, float64}) {
    const double bound = dtype == float32 ? 4 * 0x1p-23 : 4 * 0x1p-52;
    const Tensor x = tensor({50.0, -50.0, 1e4, -1e4, 1e4, -1e4}, dtype);
    const Tensor t = tensor({1.0, 0.0, 1.0, 0.0, 0.0, 1.0}, dtype);
    auto loss = [&](const Tensor& of, std::vector<double> pos_weight) {
      return binary_cross_entropy_with_logits(
          of, t, {.pos_weight = std::move(pos_weight), .reduction = Reduction::none});
    };
    const double tail = std::exp(-50.0);
    CHECK(allclose(loss(x, {}), tensor({tail, tail, 0.0, 0.0, 1e4, 1e4}, dtype), bound, 0));
    CHECK(allclose(loss(x, {2}), tensor({2 * tail, tail, 0.0, 0.0, 1e4, 2e4}, dtype), bound, 0));
    CHECK(allclose(gradient([&](const Tensor& of) { return loss(of, {}); }, x),
                   tensor({-tail, tail, 0.0, 0.0, 1.0, -1.0}, dtype), bound, 0));
    CHECK(allclose(gradient([&](const Tensor& of) { return loss(of, {2}); }, x),
                   tensor({-2 * tail, tail, 0.0, 0.0, 1.0, -2.0}, dtype), bound, 0));
    // Smoothing and weights take the path of general coefficients.
    const Tensor rows = tensor({{1e4, -1e4}, {-1e4, 1e4}}, dtype);
    auto general = [&](const Tensor& of) {
      return cross_entropy(of, tensor({0, 0}), {.label_smoothing = 0.5, .reduction = Reduction::none});
    };
    CHECK(equal(general(rows), tensor({5000.0, 15000.0}, dtype)));
    CHECK(equal(gradient(general, rows), tensor({{0.25, -0.25}, {-0.75, 0.75}}, dtype)));
  }
}

TEST_CASE("autograd/losses: an impossible class beside the target does no harm") {
  const Tensor x = wide({{-kInf, 1.0, 1.0}});
  const double half = std::log(2.0);
  CHECK(near(cross_entropy(x, tensor({1})), full({}, half, float64)));
  CHECK(near(cross_entropy(x, wide({{0.0, 0.5, 0.5}})), full({}, half, float64)));
  CHECK(near(gradient(
                 [](const Tensor& of) {
                   return cross_entropy(of, wide({{0.0, 0.5, 0.5}}));
                 },
                 x),
             wide({{0.0, 0.0, 0.0}})));
  CHECK(cross_entropy(x, tensor({0})).item() == kInf);
  // A class weight of 0 takes the class out of the smoothing.
  CHECK(std::isfinite(
      cross_entropy(x, tensor({1}), {.weight = wide({0.0, 1.0, 1.0}), .label_smoothing = 0.1}).item()));
  CHECK(nll_loss(x, tensor({0}), {.weight = wide({0.0, 1.0, 1.0}), .reduction = Reduction::sum}).item() == 0);
}

TEST_CASE("autograd/losses: an ignored row changes nothing, whatever it holds") {
  Rng rng(4);
  const Tensor x = rng.normal({6, 5}, float64), weight = rng.uniform({5}, 0.5, 2, float64);
  const Tensor broken = cat({x, full({2, 5}, std::numeric_limits<double>::quiet_NaN(), float64)}, 0);
  const Tensor target = tensor({0, 4, 2, 1, 3, 2}), longer = tensor({0, 4, 2, 1, 3, 2, 7, 7});
  for (double smoothing : {0.0, 0.2}) {
    for (bool weighted : {false, true}) {
      for (Reduction r : {Reduction::mean, Reduction::sum}) {
        CrossEntropyOptions options = {.label_smoothing = smoothing, .ignore_index = 7, .reduction = r};
        if (weighted) options.weight = weight;
        CHECK(equal(cross_entropy(broken, longer, options), cross_entropy(x, target, options)));
        const Tensor g =
            gradient([&](const Tensor& of) { return cross_entropy(of, longer, options); }, broken);
        CHECK(equal(slice(g, 0, 0, 6),
                    gradient([&](const Tensor& of) { return cross_entropy(of, target, options); }, x)));
        CHECK(equal(slice(g, 0, 6), zeros({2, 5}, float64)));
      }
    }
  }
}

TEST_CASE("autograd/losses: more dims are more rows") {
  Rng rng(5);
  // Dims behind the classes: more rows than a tile, and no multiple of one.
  const Tensor x = rng.normal({3, 4, 37}, float64), q = rng.uniform({3, 4, 37}, 0, 1, float64);
  const Tensor t = rng.integers({3, 37}, 0, 4), weight = rng.uniform({4}, 0.5, 2, float64);
  auto rows = [](const Tensor& of) { return reshape(permute(of, {0, 2, 1}), {3 * 37, 4}); };
  const Tensor flat = reshape(t, {3 * 37});
  for (const CrossEntropyOptions& options :
       {CrossEntropyOptions{}, CrossEntropyOptions{.weight = weight, .label_smoothing = 0.3},
        CrossEntropyOptions{.weight = weight, .reduction = Reduction::sum}}) {
    CHECK(near(cross_entropy(x, t, options), cross_entropy(rows(x), flat, options)));
    CHECK(near(gradient([&](const Tensor& of) { return cross_entropy(of, t, options); }, x),
               gradient([&](const Tensor& of) { return cross_entropy(rows(of), flat, options); }, x)));
    CHECK(near(cross_entropy(x, q, options), cross_entropy(rows(x), rows(q), options)));
    CHECK(near(gradient([&](const Tensor& of) { return cross_entropy(of, q, options); }, x),
               gradient([&](const Tensor& of) { return cross_entropy(rows(of), rows(q), options); }, x)));
    CHECK(near(gradient([&](const Tensor& of) { return cross_entropy(x, of, options); }, q),
               gradient([&](const Tensor& of) { return cross_entropy(rows(x), rows(of), options); }, q)));
  }
  const Tensor logs = log_softmax(x, 1);
  CHECK(near(nll_loss(logs, t, {.weight = weight}), cross_entropy(x, t, {.weight = weight})));
  CHECK(near(gradient([&](const Tensor& of) { return nll_loss(log_softmax(of, 1), t); }, x),
             gradient([&](const Tensor& of) { return cross_entropy(of, t); }, x)));
}

TEST_CASE("autograd/losses: one-hot probabilities are class indices") {
  Rng rng(6);
  const Tensor x = rng.normal({7, 300}, float64), t = rng.integers({7}, 0, 300);
  const Tensor q = scatter(zeros({7, 300}, float64), 1, reshape(t, {7, 1}), ones({7, 1}, float64));
  for (double smoothing : {0.0, 0.1}) {
    const CrossEntropyOptions options = {.label_smoothing = smoothing};
    CHECK(near(cross_entropy(x, q, options), cross_entropy(x, t, options)));
    CHECK(near(gradient([&](const Tensor& of) { return cross_entropy(of, q, options); }, x),
               gradient([&](const Tensor& of) { return cross_entropy(of, t, options); }, x)));
  }
}

TEST_CASE("autograd/losses: joined losses of many elements") {
  // Several pieces of work, the last of odd length.
  Rng rng(8);
  const Shape shape = {7, 7001};
  const auto n = static_cast<double>(shape.numel());
  const Tensor p = rng.uniform(shape, 0.1, 0.9, float64), t = rng.uniform(shape, 0.1, 0.9, float64);
  const std::vector<std::function<Tensor(Reduction)>> losses = {
      [&](Reduction r) { return mse_loss(p, t, r); },
      [&](Reduction r) { return l1_loss(p, t, r); },
      [&](Reduction r) { return huber_loss(p, t, r, 0.2); },
      [&](Reduction r) { return smooth_l1_loss(p, t, r, 0.2); },
      [&](Reduction r) { return binary_cross_entropy(p, t, r, ones({7001}, float64)); },
      [&](Reduction r) {
        return binary_cross_entropy_with_logits(p, t, {.pos_weight = {2}, .reduction = r});
      },
      [&](Reduction r) { return kl_div(p, t, r); },
      [&](Reduction r) { return cross_entropy(transpose(p, 0, 1), transpose(t, 0, 1), r); },
      [&](Reduction r) { return cross_entropy(transpose(p, 0, 1), zeros({7001}, int64), r); }};
  for (size_t k = 0; k < losses.size(); ++k) {
    INFO("loss " << k);
    const Tensor each = losses[k](Reduction::none);
    const double size = sum(abs(each)).item();
    CHECK(std::fabs(losses[k](Reduction::sum).item() - sum(each).item()) <= 64 * 0x1p-53 * size);
    CHECK(
        std::fabs(losses[k](Reduction::mean).item() - sum(each).item() / static_cast<double>(each.numel())) <=
        64 * 0x1p-53 * size / static_cast<double>(each.numel()));
  }
  // Every element of the gradient, past the first block and piece.
  const Tensor g = gradient([&](const Tensor& of) { return mse_loss(of, t); }, p);
  CHECK(allclose(g, (p - t) * (2 / n), 1e-15, 0));
}

TEST_CASE("autograd/losses: the mean of nothing is NaN, the sum 0") {
  const Tensor none = zeros({0, 3}, float64);
  auto check = [](const std::function<Tensor(Reduction)>& loss) {
    CHECK(std::isnan(loss(Reduction::mean).item()));
    CHECK(loss(Reduction::sum).item() == 0);
    CHECK(loss(Reduction::none).numel() == 0);
  };
  check([&](Reduction r) { return mse_loss(none, none, r); });
  check([&](Reduction r) { return l1_loss(none, none, r); });
  check([&](Reduction r) { return huber_loss(none, none, r); });
  check([&](Reduction r) { return smooth_l1_loss(none, none, r); });
  check([&](Reduction r) { return binary_cross_entropy(none, none, r); });
  check([&](Reduction r) { return binary_cross_entropy_with_logits(none, none, r); });
  check([&](Reduction r) { return kl_div(none, none, r); });
  check([&](Reduction r) { return cross_entropy(none, none, r); });
  check([&](Reduction r) { return cross_entropy(none, zeros({0}, int64), r); });
  check([&](Reduction r) { return nll_loss(none, zeros({0}, int64), r); });
}

TEST_CASE("autograd/losses: a weight is a constant") {
  const Example example;
  Tape tape;
  const Tensor x = tape.watch(example.logits), weight = tape.watch(example.weight);
  const Gradients g = tape.gradient(cross_entropy(x, example.indices, {.weight = weight}));
  CHECK(equal(g[x], gradient(
                        [&](const Tensor& of) {
                          return cross_entropy(of, example.indices, {.weight = example.weight});
                        },
                        example.logits)));
  CHECK_THROWS_AS(g[weight], Error);
  CHECK(equal(g.get_or_zeros(weight), zeros({3}, float64)));
}

TEST_CASE("autograd/losses: nothing is broadcast") {
  CHECK_THROWS_AS(mse_loss(zeros({3, 1}), zeros({3})), ShapeError);
  CHECK_THROWS_AS(kl_div(zeros({3}), zeros({})), ShapeError);
  CHECK_THROWS_AS(cross_entropy(zeros({2, 3}), zeros({1, 3})), ShapeError);
  CHECK_THROWS_AS(cross_entropy(zeros({2, 3}), tensor({0, 3})), IndexError);
  CHECK_THROWS_AS(nll_loss(zeros({2, 3}), tensor({0, -1})), IndexError);
  CHECK_THROWS_AS(binary_cross_entropy(full({2}, 1.5), zeros({2})), ArgumentError);
  CHECK_THROWS_AS(huber_loss(zeros({2}), zeros({2}), Reduction::mean, 0), ArgumentError);
  CHECK_THROWS_AS(smooth_l1_loss(zeros({2}), zeros({2}), Reduction::mean, -1), ArgumentError);
  CHECK_THROWS_AS(cross_entropy(zeros({2, 3}), tensor({0, 1}), {.label_smoothing = 1.5}), ArgumentError);
  CHECK_THROWS_AS(cross_entropy(zeros({2, 3}), tensor({0, 1}), {.weight = zeros({2})}), ShapeError);
}
