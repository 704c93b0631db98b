// Losses of a difference: d = input − target.

#include <fmt/format.h>

#include "autograd/ops/groups.h"
#include "autograd/ops/loss_terms.h"

namespace tapegrad {
namespace ops {
namespace {

// What they share: Loss has of_difference, slope and, as a tensor, bend; all of d.
template <class Loss>
struct Difference {
  static constexpr bool kDifference = true, kLinearInput = false, kLinearTarget = false;
  static constexpr size_t kOperands = 2;
  template <class V>
  static V value(const V& x, const V& t, const auto& o, const V*) {
    return Loss::of_difference(x - t, o);
  }
  template <class V>
  static V slope_input(const V& x, const V& t, const auto& o, const V*) {
    return Loss::slope(x - t, o);
  }
  static Tensor bend_xx(const Tensor& x, const Tensor& t, const auto& o, const Tensor*) {
    return Loss::bend(sub(x, t), o);
  }
  static Tensor bend_xt(const Tensor& x, const Tensor& t, const auto& o, const Tensor* pw) {
    const Tensor bend = bend_xx(x, t, o, pw);
    return bend.defined() ? neg(bend) : bend;
  }
  static void check(const Call&) {}
  static void errors(Samples&) {}
  static void conventions(Samples&) {}

  // For a loss with one more number among its options.
  template <class O, class Add>
  static void calls_with(Samples& s, const Shape& shape, std::initializer_list<double> numbers, Reduction r,
                         const Add& add) {
    for (double number : numbers) add(s.normal(shape), s.normal(shape), O{r, number});
  }
};

struct LossOptions {
  Reduction reduction = Reduction::mean;
  static void fields(auto& self, auto&& f) { f("reduction", self.reduction); }
};

struct MseLoss : Difference<MseLoss> {
  using Options = LossOptions;
  static constexpr std::string_view name = "mse_loss", doc = "(input − target)², joined";
  static constexpr Flags flags = {};
  static constexpr bool kOnNumbers = true;
  template <class V>
  static V root(const V& x, const V& t, const Options&, const V*) {
    return x - t;
  }
  template <class V>
  static V of_difference(const V& d, const Options&) {
    return d * d;
  }
  template <class V>
  static V slope(const V& d, const Options&) {
    return d + d;
  }
  static Tensor bend(const Tensor& d, const Options&) { return full({}, 2, d.dtype()); }
  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    add(s.normal(shape), s.normal(shape), Options{r});
  }
  static void conventions(Samples& s) {
    s.add_convention({.what = "the mean of nothing is NaN",
                      .inputs = {s.normal({0}), s.normal({0})},
                      .options = OptionsBox(Options{}),
                      .value = full({}, std::numeric_limits<double>::quiet_NaN(), s.dtype()),
                      .gradients = {s.normal({0}), s.normal({0})}});
  }
};

struct L1Loss : Difference<L1Loss> {
  using Options = LossOptions;
  static constexpr std::string_view name = "l1_loss",
                                    doc = "|input − target|, joined; gradient 0 where they are equal";
  static constexpr Flags flags = {.kinks = true};
  template <class V>
  static V of_difference(const V& d, const Options&) {
    return abs(d);
  }
  template <class V>
  static V slope(const V& d, const Options&) {
    return lane<Lane::sign>(d);
  }
  static Tensor bend(const Tensor&, const Options&) { return {}; }
  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    add(s.normal(shape), s.normal(shape), Options{r});
  }
  static void conventions(Samples& s) {
    s.add_convention({.what = "gradient 0 where input = target",
                      .inputs = {s.values({2, -1, 3}), s.values({2, 1, 1})},
                      .options = OptionsBox(Options{Reduction::none}),
                      .value = s.values({0, 2, 2}),
                      .gradients = {s.values({0, -1, 1}), s.values({-0.0, 1, -1})}});
  }
};

struct HuberLoss : Difference<HuberLoss> {
  struct Options {
    Reduction reduction = Reduction::mean;
    double delta = 1;
    static void fields(auto& self, auto&& f) {
      f("reduction", self.reduction);
      f("delta", self.delta);
    }
  };
  static constexpr std::string_view name = "huber_loss",
                                    doc = "½·d² where |d| ≤ delta, else delta·(|d| − ½·delta), joined";
  static constexpr Flags flags = {};
  template <class V>
  static V of_difference(const V& d, const Options& o) {
    // m·(|d| − m/2) with m = min(|d|, delta) is either piece.
    const V size = abs(d);
    const V least = minimum(size, V(o.delta));
    return least * (size - 0.5 * least);
  }
  template <class V>
  static V slope(const V& d, const Options& o) {
    return minimum(maximum(d, V(-o.delta)), V(o.delta));
  }
  static Tensor bend(const Tensor& d, const Options& o) { return cast(lt(abs(d), o.delta), d.dtype()); }
  static void check(const Call& call) {
    const double delta = call.options<Options>().delta;
    if (!(delta > 0)) call.argument_error(fmt::format("expected delta above 0, given {}", delta));
  }
  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    calls_with<Options>(s, shape, {1, 0.4}, r, add);
  }
  static void errors(Samples& s) {
    for (double delta : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()})
      s.add_error("delta above 0", {s.normal({2}), s.normal({2})}, Options{Reduction::mean, delta});
  }
  static void conventions(Samples& s) {
    s.add_convention({.what = "at |d| = delta both pieces agree",
                      .inputs = {s.values({2, -2, 4}), s.values({0, 0, 0})},
                      .options = OptionsBox(Options{Reduction::none, 2}),
                      .value = s.values({2, 2, 6}),
                      .gradients = {s.values({2, -2, 2}), s.values({-2, 2, -2})}});
  }
};

struct SmoothL1Loss : Difference<SmoothL1Loss> {
  struct Options {
    Reduction reduction = Reduction::mean;
    double beta = 1;
    static void fields(auto& self, auto&& f) {
      f("reduction", self.reduction);
      f("beta", self.beta);
    }
  };
  static constexpr std::string_view
      name = "smooth_l1_loss",
      doc = "½·d²/beta where |d| < beta, else |d| − ½·beta, joined; with beta = 0 it is l1_loss";
  static constexpr Flags flags = {.kinks = true};
  template <class V>
  static V of_difference(const V& d, const Options& o) {
    const V size = abs(d);
    if (o.beta == 0) return size;
    const V least = minimum(size, V(o.beta));
    return least / o.beta * (size - 0.5 * least);
  }
  template <class V>
  static V slope(const V& d, const Options& o) {
    if (o.beta == 0) return lane<Lane::sign>(d);
    return minimum(maximum(d / o.beta, V(-1.0)), V(1.0));
  }
  static Tensor bend(const Tensor& d, const Options& o) {
    if (o.beta == 0) return {};
    return mul(cast(lt(abs(d), o.beta), d.dtype()), 1 / o.beta);
  }
  static void check(const Call& call) {
    const double beta = call.options<Options>().beta;
    if (!(beta >= 0)) call.argument_error(fmt::format("expected beta of at least 0, given {}", beta));
  }
  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    calls_with<Options>(s, shape, {1, 0.4, 0}, r, add);
  }
  static void errors(Samples& s) {
    for (double beta : {-1.0, std::numeric_limits<double>::quiet_NaN()})
      s.add_error("beta of at least 0", {s.normal({2}), s.normal({2})}, Options{Reduction::mean, beta});
  }
  static void conventions(Samples& s) {
    s.add_convention({.what = "at |d| = beta both pieces agree",
                      .inputs = {s.values({2, -2, 4}), s.values({0, 0, 0})},
                      .options = OptionsBox(Options{Reduction::none, 2}),
                      .value = s.values({1, 1, 3}),
                      .gradients = {s.values({1, -1, 1}), s.values({-1, 1, -1})}});
    s.add_convention({.what = "with beta = 0 gradient 0 where input = target",
                      .inputs = {s.values({2, 3}), s.values({2, 1})},
                      .options = OptionsBox(Options{Reduction::none, 0}),
                      .value = s.values({0, 2}),
                      .gradients = {s.values({0, 1}), s.values({-0.0, -1})}});
  }
};

}  // namespace

std::span<const Op* const> regression_losses() {
  static constexpr const Op* kOps[] = {&op<TermLoss<MseLoss>>,          &op<TermLoss<L1Loss>>,
                                       &op<TermLoss<HuberLoss>>,        &op<TermLoss<SmoothL1Loss>>,
                                       &op<TermBackward<MseLoss, 0>>,   &op<TermBackward<L1Loss, 0>>,
                                       &op<TermBackward<HuberLoss, 0>>, &op<TermBackward<SmoothL1Loss, 0>>};
  return kOps;
}

}  // namespace ops

Tensor mse_loss(const Arg& input, const Arg& target, Reduction reduction) {
  return apply(op<ops::TermLoss<ops::MseLoss>>, {input, target}, ops::LossOptions{reduction});
}
Tensor l1_loss(const Arg& input, const Arg& target, Reduction reduction) {
  return apply(op<ops::TermLoss<ops::L1Loss>>, {input, target}, ops::LossOptions{reduction});
}
Tensor huber_loss(const Arg& input, const Arg& target, Reduction reduction, double delta) {
  return apply(op<ops::TermLoss<ops::HuberLoss>>, {input, target}, ops::HuberLoss::Options{reduction, delta});
}
Tensor smooth_l1_loss(const Arg& input, const Arg& target, Reduction reduction, double beta) {
  return apply(op<ops::TermLoss<ops::SmoothL1Loss>>, {input, target},
               ops::SmoothL1Loss::Options{reduction, beta});
}

}  // namespace tapegrad
