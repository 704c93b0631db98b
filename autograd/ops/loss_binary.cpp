// Losses of probabilities of one event, and of their logits.

#include <fmt/format.h>

#include <vector>

#include "autograd/ops/groups.h"
#include "autograd/ops/loss_terms.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kNothing = 1e-12;  // the least p·(1 − p) that a slope is divided by
constexpr double kLowest = -100;    // the least logarithm

struct BinaryCrossEntropy {
  struct Options {
    Reduction reduction = Reduction::mean;
    static void fields(auto& self, auto&& f) { f("reduction", self.reduction); }
  };
  static constexpr std::string_view name = "binary_cross_entropy",
                                    doc =
                                        "−weight·(t·ln p + (1 − t)·ln (1 − p)) with logarithms of at least "
                                        "−100, joined; p in [0, 1]; weight has "
                                        "no gradient";
  static constexpr Flags flags = {.poles = true};
  static constexpr bool kDifference = false, kLinearInput = false, kLinearTarget = true;
  static constexpr size_t kOperands = 3;

  template <class V>
  static V log_least(const V& p) {
    return maximum(log(p), V(kLowest));
  }
  template <class V>
  static V log_of_rest(const V& p) {
    return maximum(lane<Lane::log1p>(-p), V(kLowest));
  }
  template <class V>
  static V value(const V& p, const V& t, const Options&, const V*) {
    return (t - 1.0) * log_of_rest(p) - t * log_least(p);
  }
  template <class V>
  static V slope_input(const V& p, const V& t, const Options&, const V*) {
    return (p - t) / maximum(p * (1.0 - p), V(kNothing));
  }
  template <class V>
  static V slope_target(const V& p, const V&, const Options&, const V*) {
    return log_of_rest(p) - log_least(p);
  }
  static Tensor bend_xx(const Tensor& p, const Tensor& t, const Options&, const Tensor*) {
    // The slope is (p − t)/m, m the larger of p·(1 − p) and a constant.
    const Tensor spread = p * (1.0 - p);
    const Tensor m = maximum(spread, kNothing);
    const Tensor dm = where(gt(spread, kNothing), 1.0 - 2.0 * p, 0.0);
    return (1.0 - (p - t) / m * dm) / m;
  }
  static Tensor bend_xt(const Tensor& p, const Tensor&, const Options&, const Tensor*) {
    return -1.0 / maximum(p * (1.0 - p), kNothing);
  }

  static void check(const Call&) {}
  template <class E>
  static void check_inside(const Call& call) {
    const E* p = call.data<E>(0);
    const auto& rows = kernels::reduce_kernels<E>();
    const auto least = rows.row[static_cast<size_t>(kernels::Measure::smallest)];
    const auto most = rows.row[static_cast<size_t>(kernels::Measure::largest)];
    const double outside = sum_of_pieces(call.numel(0), kLossGrain, [&](int64_t begin, int64_t end) {
      for (int64_t at = begin; at < end; at += Block<E>::kSize) {
        const int64_t count = std::min<int64_t>(Block<E>::kSize, end - at);
        if (!(least(p + at, count, 0).a >= 0 && most(p + at, count, 0).a <= 1)) return 1.0;
      }
      return 0.0;
    });
    if (outside == 0) return;
    int64_t i = 0;
    while (p[i] >= 0 && p[i] <= 1) ++i;
    call.argument_error(fmt::format("expected input in [0, 1], given {} at element {}", p[i], i));
  }
  static void check_values(const Call& call) {
    call.dtype(0) == DType::float32 ? check_inside<float>(call) : check_inside<double>(call);
  }

  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    const auto draw = [&] { return s.uniform(shape, 0.1, 0.9); };
    add(draw(), draw(), Options{r});
    if (s.benchmark()) return;
    add(draw(), draw(), Options{r}, s.uniform(shape, 0.5, 2));
    if (shape.rank() > 1) add(draw(), draw(), Options{r}, s.uniform({shape[shape.rank() - 1]}, 0.5, 2));
  }
  static void errors(Samples& s) {
    const Tensor half = s.values({0.5, 0.5});
    s.add_error("given -0.5 at element 1", {s.values({1.0, -0.5}), half}, Options{});
    s.add_error("given 1.5 at element 0", {s.values({1.5, 0.5}), half}, Options{});
    s.add_error("given nan at element 1", {s.values({0.5, std::numeric_limits<double>::quiet_NaN()}), half},
                Options{});
    s.add_error("weight that broadcasts", {half, half, s.values({1, 2, 3})}, Options{});
    s.add_error("weight that broadcasts", {half, half, s.values({{1.0, 2.0}, {3.0, 4.0}})}, Options{});
  }
  static void conventions(Samples& s) {
    s.add_convention(
        {.what = "at p = 0 and p = 1 a logarithm is −100 and the slope (p − t)/1e−12",
         .inputs = {s.values({0, 1, 0, 1}), s.values({1, 0, 0, 1})},
         .options = OptionsBox(Options{Reduction::none}),
         .value = s.values({100, 100, 0, -0.0}),
         .gradients = {s.values({-1.0 / kNothing, 1.0 / kNothing, 0, 0}), s.values({100, -100, 100, -100})}});
  }
};

// ln (1 + e^x) without overflow.
template <class V>
V softplus_of(const V& x) {
  return maximum(x, V(0.0)) + lane<Lane::log1p>(exp(-abs(x)));
}

struct BinaryCrossEntropyWithLogits {
  struct Options {
    Reduction reduction = Reduction::mean;
    std::vector<double> pos_weight;  // one for each entry of the last dim, or one for all; none: 1
    static void fields(auto& self, auto&& f) {
      f("reduction", self.reduction);
      f("pos_weight", self.pos_weight);
    }
  };
  static constexpr std::string_view
      name = "binary_cross_entropy_with_logits",
      doc = "weight·(pos_weight·t·ln (1 + e^−x) + (1 − t)·ln (1 + e^x)), joined; weight has no gradient";
  static constexpr Flags flags = {};
  static constexpr bool kDifference = false, kLinearInput = false, kLinearTarget = true;
  static constexpr size_t kOperands = 3;

  template <class V>
  static V value(const V& x, const V& t, const Options&, const V* pw) {
    const V tail = lane<Lane::log1p>(exp(-abs(x)));
    if (pw == nullptr) return maximum(x, V(0.0)) - x * t + tail;
    const V positive = (maximum(-x, V(0.0)) + tail) * t * *pw;
    return positive + (maximum(x, V(0.0)) + tail) * (1.0 - t);
  }
  // σ(x) − t without pos_weight; written so that no digits are lost where σ is near 0 or 1.
  template <class V>
  static V slope_input(const V& x, const V& t, const Options&, const V* pw) {
    const V positive = t * sigmoid(-x);
    return (1.0 - t) * sigmoid(x) - (pw != nullptr ? positive * *pw : positive);
  }
  template <class V>
  static V slope_target(const V& x, const V&, const Options&, const V* pw) {
    if (pw == nullptr) return -x;
    return softplus_of(-x) * *pw - softplus_of(x);
  }
  static Tensor bend_xx(const Tensor& x, const Tensor& t, const Options&, const Tensor* pw) {
    const Tensor slope = sigmoid(x) * sigmoid(-x);
    return pw != nullptr ? slope * (1.0 + (*pw - 1.0) * t) : slope;
  }
  static Tensor bend_xt(const Tensor& x, const Tensor&, const Options&, const Tensor* pw) {
    if (pw == nullptr) return full({}, -1, x.dtype());
    return -(sigmoid(x) + *pw * sigmoid(-x));
  }

  static void check(const Call&) {}
  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    const auto draw = [&] { return s.normal(shape); };
    add(draw(), s.uniform(shape, 0, 1), Options{r, {}});
    if (s.benchmark()) return;
    add(draw(), s.uniform(shape, 0, 1), Options{r, {2.5}}, s.uniform(shape, 0.5, 2));
    if (shape.rank() < 2) return;
    std::vector<double> pos_weight;
    for (int64_t k = 0; k < shape[shape.rank() - 1]; ++k)
      pos_weight.push_back(0.5 + 0.25 * static_cast<double>(k % 8));
    add(draw(), s.uniform(shape, 0, 1), Options{r, pos_weight});
    add(draw(), s.uniform(shape, 0, 1), Options{r, {}}, s.uniform({shape[shape.rank() - 1]}, 0.5, 2));
  }
  static void errors(Samples& s) {
    const Tensor x = s.normal({2, 3});
    s.add_error("pos_weight of 3 entries, given 2", {x, x}, Options{Reduction::mean, {1, 2}});
    s.add_error("weight that broadcasts", {x, x, s.normal({2})}, Options{});
  }
  static void conventions(Samples& s) {
    s.add_convention({.what = "far from 0 neither overflow nor lost digits",
                      .inputs = {s.values({1e4, -1e4, 1e4, -1e4}), s.values({1, 0, 0, 1})},
                      .options = OptionsBox(Options{Reduction::none, {}}),
                      .value = s.values({0, 0, 1e4, 1e4}),
                      .gradients = {s.values({0, 0, 1, -1}), s.values({-1e4, 1e4, -1e4, 1e4})}});
  }
};

}  // namespace

std::span<const Op* const> binary_losses() {
  using Probability = BinaryCrossEntropy;
  using Logit = BinaryCrossEntropyWithLogits;
  static constexpr const Op* kOps[] = {&op<TermLoss<Probability>>,        &op<TermLoss<Logit>>,
                                       &op<TermBackward<Probability, 0>>, &op<TermBackward<Probability, 1>>,
                                       &op<TermBackward<Logit, 0>>,       &op<TermBackward<Logit, 1>>};
  return kOps;
}

}  // namespace ops

Tensor binary_cross_entropy(const Arg& input, const Arg& target, Reduction reduction, const Arg& weight) {
  return apply(op<ops::TermLoss<ops::BinaryCrossEntropy>>, {input, target, weight},
               ops::BinaryCrossEntropy::Options{reduction});
}
Tensor binary_cross_entropy_with_logits(const Arg& input, const Arg& target, Reduction reduction) {
  return binary_cross_entropy_with_logits(input, target, {.reduction = reduction});
}
Tensor binary_cross_entropy_with_logits(const Arg& input, const Arg& target,
                                        const BinaryLogitsOptions& options) {
  return apply(op<ops::TermLoss<ops::BinaryCrossEntropyWithLogits>>, {input, target, options.weight},
               ops::BinaryCrossEntropyWithLogits::Options{options.reduction, options.pos_weight});
}

}  // namespace tapegrad
