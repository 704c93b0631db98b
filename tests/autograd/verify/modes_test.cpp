// Projection mode, float32, second order, and the report.

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include <string>

#include "autograd/samples.h"
#include "nn/nn.h"
#include "tests/support/op_function.h"
#include "tests/support/planted.h"
#include "tests/support/test_op.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// y = tanh x, with one entry of the gradient off by a part in a million.
struct OneEntry : DoublingOp {
  struct Options {
    int64_t at = 0;
    static void fields(auto& self, auto&& f) { f("at", self.at); }
  };
  static constexpr std::string_view name = "one_entry";
  static void forward(Call& call) {
    for (int64_t i = 0; i < call.numel(0); ++i) {
      const double x = call.data<double>(0)[i];
      call.out_data<double>()[i] = x + 0.1 * x * x;
    }
  }
  static void vjp(Vjp& v) {
    Tensor g = v.g() * (1.0 + 0.2 * v.input_tensor(0));
    std::vector<double> off = g.to_vector<double>();
    off[static_cast<size_t>(v.options<Options>().at)] *= 1 + 1e-6;
    v.add(0, from_vector(off, g.shape()));
  }
};

// The right derivative, by the wrong kernel in float32: the last entry is 0.
struct SingleOnly : DoublingOp {
  static constexpr std::string_view name = "single_only";
  static void vjp(Vjp& v) {
    Tensor g = 2.0 * v.g();
    if (g.dtype() == float32) {
      std::vector<float> off = g.to_vector<float>();
      off.back() *= 1.0001F;
      g = from_vector(off, g.shape());
    }
    v.add(0, g);
  }
};

// y = 2x with a VJP that cannot be differentiated again but is right once.
struct Detached : DoublingOp {
  static constexpr std::string_view name = "detached";
  static void vjp(Vjp& v) { v.add(0, 2.0 * v.g().detach()); }
};

}  // namespace

TEST_CASE("autograd/verify/modes: a direction finds one wrong entry of 1e-6 among 10,000, 20 times of 20") {
  int found = 0, named = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rng rng(seed);
    const Tensor x = rng.normal({100, 100}, float64);
    const int64_t at = rng.integer(0, 10000);
    const auto f = [&](const Tensor& v) { return apply(op<OneEntry>, {v}, OneEntry::Options{at}); };
    const Report report = gradcheck(
        f, {x}, {.seed = seed, .mode = GradcheckMode::projection, .structure = false, .locate = false});
    if (report.ok()) continue;
    ++found;
    for (const CheckedEntry& e : report.entries()) named += e.entry == at && !e.passed;
    // No other entry is accused.
    for (const CheckedEntry& e : report.entries()) CHECK((e.entry < 0 || e.passed || e.entry == at));
  }
  CHECK(found == 20);
  CHECK(named == 20);
}

TEST_CASE("autograd/verify/modes: a network of 235,000 parameters in the time of 50 forward passes") {
  Rng rng(2);
  const nn::FeedForward net({784, 256, 128, 10}, {nn::tanh, nn::tanh, nn::identity}, rng, nn::gaussian,
                            float64);
  const Tensor x = rng.normal({8, 784}, float64), labels = rng.integers({8}, 0, 10);
  const Report report = gradcheck([&] { return cross_entropy(net(x), labels); }, parameters(net),
                                  {.mode = GradcheckMode::projection, .structure = false});
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK(report.evaluations() <= 37);  // besides one recorded run and three sweeps
}

TEST_CASE("autograd/verify/modes: float32 is checked by its float64 replay") {
  Rng rng(3);
  const nn::FeedForward net({20, 16, 5}, {nn::tanh, nn::identity}, rng);
  const Tensor x = rng.normal({9, 20}), labels = rng.integers({9}, 0, 5);
  const Report report = gradcheck([&] { return cross_entropy(net(x), labels); }, parameters(net));
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK(report.resolution(0.5) <= 1e-8);  // no difference was taken in float32
  CHECK(report.text().find("float32") != std::string::npos);

  const auto wrong = [](const Tensor& v) { return tanh(apply(op<SingleOnly>, {v})); };
  const Report caught = gradcheck(wrong, {rng.normal({7})});
  CHECK_FALSE(caught.ok());
  bool apart = false;
  for (const StructureFault& fault : caught.faults()) apart |= fault.verdict == Verdict::disagree;
  CHECK_MESSAGE(apart, caught.text());
  CHECK(gradcheck(wrong, {rng.normal({7}, float64)}).ok());

  // On a tape, with a cast on the way.
  Tape tape;
  const Tensor w = tape.watch(rng.normal({4, 4}));
  const Tensor y = sum(square(cast(tanh(matmul(w, w)), float64)));
  const Report taped = gradcheck(tape, y);
  CHECK_MESSAGE(taped.ok(), taped.text());
}

namespace {

// y = 2x with a float32 gradient that is off by a given part.
struct SingleOff : DoublingOp {
  struct Options {
    double part = 0;
    static void fields(auto& self, auto&& f) { f("part", self.part); }
  };
  static constexpr std::string_view name = "single_off";
  static void vjp(Vjp& v) {
    const double part = v.g().dtype() == float32 ? v.options<Options>().part : 0;
    v.add(0, (2 * (1 + part)) * v.g());
  }
};

}  // namespace

// Rule: float32
// Rule: terms inside a kernel
TEST_CASE("autograd/verify/modes: float32 terms that cancel inside a rule are no fault, and excuse none") {
  const Tensor small = Rng(11).uniform({6}, -1e-3, 1e-3), g = Rng(12).normal({6});
  // −2x/(1 − x²)² from terms near 1.
  for (const char* name : {"asin_backward", "atanh_backward"}) {
    const Report report = gradcheck(*find_op(name), Sample{{g, small}, {}});
    CHECK_MESSAGE(report.ok(), report.text());
  }
  const Tensor logits = 30.0 * Rng(13).normal({3, 4});
  const Report report = gradcheck([](const Tensor& x) { return softmax(x, 1); }, {logits});
  CHECK_MESSAGE(report.ok(), report.text());
  // Not by parts that the roundings of a few terms do not add up to, on a short tape and on a longer one.
  const Tensor x = Rng(14).normal({6});
  const Tensor scores = Rng(15).normal({4, 5}), labels = Rng(16).integers({4}, 0, 5);
  for (double part : {1e-5, -1e-5, 1e-4, 1e-3}) {
    INFO(part);
    const auto off = [&](const Tensor& v) { return apply(op<SingleOff>, {v}, SingleOff::Options{part}); };
    CHECK_FALSE(gradcheck(off, {x}).ok());
    CHECK_FALSE(gradcheck([&](const Tensor& v) { return tanh(sin(off(exp(0.1 * v)) * 0.2)); }, {x}).ok());
  }
  // Below a kernel that hides what cancels inside it, too, and where one rounding is all there is.
  const auto loss = [&](double part) {
    return gradcheck(
        [&](const Tensor& v) {
          return cross_entropy(apply(op<SingleOff>, {0.5 * v}, SingleOff::Options{part}), labels);
        },
        {scores});
  };
  CHECK_MESSAGE(loss(0).ok(), loss(0).text());
  CHECK_FALSE(loss(1e-5).ok());
  CHECK_FALSE(loss(1e-4).ok());
  const auto off = [&](double part) {
    return gradcheck([&](const Tensor& v) { return apply(op<SingleOff>, {v}, SingleOff::Options{part}); },
                     {x});
  };
  CHECK(off(0).ok());
  CHECK_FALSE(off(2e-6).ok());
}

TEST_CASE("autograd/verify/modes: second order") {
  const Tensor x = Rng(4).uniform({2, 3}, 0.5, 1.5, float64);
  const auto f = [](const Tensor& v) { return tanh(v) * exp(v) + sum(v * v * v); };
  const Report report = gradcheck(f, {x}, {.second_order = true});
  CHECK_MESSAGE(report.ok(), report.text());
  bool bends = false;
  for (const CheckedEntry& e : report.entries()) bends |= e.gradient != 0;
  CHECK(bends);
  // A gradient that hides its dependence on x: right once, silently 0 when differentiated again.
  const auto hidden = [](const Tensor& v) { return square(apply(op<Detached>, {v})); };
  CHECK_FALSE(gradcheck(hidden, {x}, {.second_order = true, .structure = false}).ok());
  CHECK(gradcheck(hidden, {x}, {.structure = false}).ok());
  // And the rule that the derivative by the cotangent is the function's says so without second_order.
  CHECK_FALSE(gradcheck(hidden, {x}).faults().empty());
  // Of parameters.
  const Parameter w(x, "w");
  const Report of_parameters =
      gradcheck([&] { return tanh(w * w); }, ParameterList{w.ref()}, {.second_order = true});
  CHECK_MESSAGE(of_parameters.ok(), of_parameters.text());
}

TEST_CASE("autograd/verify/modes: text, colour and JSON say the same") {
  const PlantedOp half(*find_op("tanh"), Fault::half);
  const auto f = [&](const Tensor& a, const Tensor& b) { return apply(half, {matmul(a, b)}); };
  const Report report =
      gradcheck(f, {Rng(5).normal({2, 3}, float64), Rng(6).normal({3, 2}, float64)}, {.seed = 7});
  const std::string text = report.text();
  for (const char* word : {"FAILED", "0 of 12 derivatives agree", "seed 7", "input 0 float64[2, 3]: 0 of 6",
                           "input 1 float64[3, 2]", "DISAGREE at input 0 [0, 0]", "record 1 tanh (",
                           "modes_test.cpp", "the other 1 records are verified", "and 2 more"}) {
    INFO(word << " in " << text);
    CHECK(text.find(word) != std::string::npos);
  }
  CHECK(text.find('\x1b') == std::string::npos);
  CHECK(report.text(true).find("\x1b[31m") != std::string::npos);
  const auto json = nlohmann::json::parse(report.json());
  CHECK(json["ok"] == false);
  CHECK(json["checked"] == 12);
  CHECK(json["passed"] == 0);
  CHECK(json["failures"].size() == 12);
  CHECK(json["failures"][0]["verdict"] == "DISAGREE");
  CHECK(json["culprits"][0]["op"] == "tanh");
  CHECK(json["culprits"][0]["record"] == 1);
  CHECK(json["inputs"][1]["type"] == "float64[3, 2]");

  const Report good = gradcheck([](const Tensor& v) { return tanh(v); }, {Rng(5).normal({3}, float64)});
  CHECK(good.text().find("passed, 3 of 3") != std::string::npos);
  CHECK(nlohmann::json::parse(good.json())["ok"] == true);
  // NaN is no JSON.
  const Report nan = gradcheck([](const Tensor& v) { return log(v); }, {tensor({-1.0}, float64)});
  CHECK_FALSE(nan.ok());
  CHECK(nlohmann::json::parse(nan.json())["failures"][0]["verdict"] == "NONFINITE");
}

TEST_CASE("autograd/verify/modes: nothing checked is not a pass, and bad arguments are said") {
  const auto f = [](const Tensor& v) { return v * 2.0; };
  const Report empty = gradcheck(f, {zeros({0, 3}, float64)});
  CHECK_FALSE(empty.ok());
  CHECK(empty.text().find("VACUOUS") != std::string::npos);
  CHECK_THROWS_AS(empty.worst(), ArgumentError);
  const std::vector<Tensor> x = {ones({2}, float64)};
  CHECK(message_of<ArgumentError>([&] { gradcheck(f, x, {.tolerance = 0}); }).find("tolerance") !=
        std::string::npos);
  CHECK_THROWS_AS(gradcheck(f, x, {.max_entries = -1}), ArgumentError);
  CHECK_THROWS_AS(gradcheck(f, x, {.projections = 0}), ArgumentError);
  CHECK_THROWS_AS(gradcheck(f, std::vector<Tensor>{Tensor()}), ArgumentError);
  CHECK_THROWS_AS(gradcheck([](const Tensor& v) { return gt(v, 0.0); }, x), DTypeError);
  CHECK_THROWS_AS(gradcheck([](const Tensor&) { return Tensor(); }, x), ArgumentError);
  CHECK_THROWS_AS(gradcheck(*find_op("argmax"), Sample{x, {}}), ArgumentError);
}

// Rule: step outside the domain
TEST_CASE("autograd/verify/modes: a step that the function refuses is a step too wide") {
  const auto off = [](double part) {
    return [part](const Tensor& v) {
      for (double x : v.to_vector<double>()) {
        if (!(x >= 0 && x <= 1)) throw ArgumentError("outside [0, 1]");
      }
      // A derivative that is off by a part: what is detached has none.
      return square(v) + part * (square(v) - square(v.detach()));
    };
  };
  const auto f = off(0);
  const Report inside = gradcheck(f, {tensor({0.999, 0.5, 1e-3}, float64)});
  CHECK_MESSAGE(inside.ok(), inside.text());
  CHECK_FALSE(gradcheck(off(1e-6), {tensor({0.999, 0.5, 1e-3}, float64)}).ok());
  CHECK_FALSE(gradcheck(f, {tensor({1.0, 0.5}, float64)}).ok());  // one side alone gives no derivative
  CHECK_THROWS_AS(gradcheck(f, {tensor({1.5}, float64)}), ArgumentError);
}

TEST_CASE("autograd/verify/modes: a function that is not the same twice") {
  double drift = 0;
  const auto f = [&](const Tensor& v) { return v * (1.0 + (drift += 1e-9)); };
  const Report report = gradcheck(f, {ones({2}, float64)});
  CHECK_FALSE(report.ok());
  bool said = false;
  for (const StructureFault& fault : report.faults()) said |= fault.verdict == Verdict::nondeterministic;
  CHECK(said);
}
