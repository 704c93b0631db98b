// The Kullback-Leibler divergence.

#include "autograd/ops/groups.h"
#include "autograd/ops/loss_terms.h"

namespace tapegrad {
namespace ops {
namespace {

struct KlDiv {
  struct Options {
    Reduction reduction = Reduction::mean;
    bool log_target = false;
    static void fields(auto& self, auto&& f) {
      f("reduction", self.reduction);
      f("log_target", self.log_target);
    }
  };
  static constexpr std::string_view name = "kl_div", doc =
                                                         "t·(ln t − input), joined; with log_target e^t·(t − "
                                                         "input). A target of probability 0 adds nothing, "
                                                         "neither to the value nor to a gradient";
  static constexpr Flags flags = {.poles = true};
  static constexpr bool kDifference = false, kLinearInput = true, kLinearTarget = false;
  static constexpr size_t kOperands = 2;

  template <class V>
  static V value(const V& x, const V& t, const Options& o, const V*) {
    if (o.log_target) return pole_product(exp(t), t - x);
    return pole_product(t, log(t) - x);
  }
  template <class V>
  static V slope_input(const V&, const V& t, const Options& o, const V*) {
    return -(o.log_target ? exp(t) : t);
  }
  template <class V>
  static V slope_target(const V& x, const V& t, const Options& o, const V*) {
    if (o.log_target) return pole_product(exp(t), (t - x) + 1.0);
    return pole_product(lane<Lane::sign>(t), (log(t) - x) + 1.0);  // sign(t) is 1 for any other probability
  }
  static Tensor bend_xt(const Tensor& x, const Tensor& t, const Options& o, const Tensor*) {
    return o.log_target ? -exp(t) : full({}, -1, x.dtype());
  }
  static Tensor bend_tt(const Tensor& x, const Tensor& t, const Options& o, const Tensor*) {
    if (!o.log_target) return where(eq(t, 0.0), 0.0, 1.0 / t);
    const Tensor q = exp(t);
    return where(eq(q, 0.0), 0.0, q * ((t - x) + 2.0));
  }

  static void check(const Call&) {}
  static void calls(Samples& s, const Shape& shape, Reduction r, const auto& add) {
    const auto logs = [&] { return s.uniform(shape, -3, 0); };
    add(logs(), s.uniform(shape, 0.1, 1), Options{r, false});
    add(logs(), logs(), Options{r, true});
  }
  static void errors(Samples&) {}
  static void conventions(Samples& s) {
    const double inf = std::numeric_limits<double>::infinity();
    s.add_convention({.what = "0·ln 0 = 0: a target of 0 adds nothing, and neither gradient",
                      .inputs = {s.values({-1, -inf, -2}), s.values({0, 0, 1})},
                      .options = OptionsBox(Options{Reduction::none, false}),
                      .value = s.values({0, 0, 2}),
                      .gradients = {s.values({-0.0, -0.0, -1}), s.values({0, 0, 3})}});
    s.add_convention({.what = "a log_target of −inf adds nothing, and neither gradient",
                      .inputs = {s.values({-1, -inf, -2}), s.values({-inf, -inf, 0})},
                      .options = OptionsBox(Options{Reduction::none, true}),
                      .value = s.values({0, 0, 2}),
                      .gradients = {s.values({-0.0, -0.0, -1}), s.values({0, 0, 3})}});
  }
};

}  // namespace

std::span<const Op* const> divergences() {
  static constexpr const Op* kOps[] = {&op<TermLoss<KlDiv>>, &op<TermBackward<KlDiv, 0>>,
                                       &op<TermBackward<KlDiv, 1>>};
  return kOps;
}

}  // namespace ops

Tensor kl_div(const Arg& input, const Arg& target, Reduction reduction, bool log_target) {
  return apply(op<ops::TermLoss<ops::KlDiv>>, {input, target}, ops::KlDiv::Options{reduction, log_target});
}

}  // namespace tapegrad
