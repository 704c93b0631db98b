// Clipping of gradients, with the numbers PyTorch's clip_grad_norm_ gives.

#include <cmath>

#include "optim/optim.h"
#include "tests/support/faults.h"

using namespace tapegrad;
using namespace tapegrad::testing;
using optim::clip_grad_norm;
using optim::clip_grad_value;

namespace {

struct Two {
  Parameter a{zeros({2}, float64), "a"}, b{zeros({}, float64), "b"};
  Gradients with(const Tensor& da, double db) const {
    Gradients g;
    g.add({a.ref(), 0, 0, da});
    g.add({b.ref(), 0, 0, full({}, db, float64)});
    return g;
  }
};

}  // namespace

TEST_CASE("optim/clip: all gradients are one vector of norm at most max_norm") {
  const Two p;
  const Gradients g = p.with(list({2, -3}), 6);
  const optim::Clipped clipped = clip_grad_norm(g, 3.5);
  CHECK(clipped.norm.item() == 7);
  const double factor = 3.5 / (7 + 1e-6);
  CHECK(equal(clipped.gradients[p.a], list({2 * factor, -3 * factor})));
  CHECK(clipped.gradients[p.b].item() == 6 * factor);
  CHECK(equal(g[p.a], list({2, -3})));
  // Below the limit every bit stays.
  CHECK(equal(clip_grad_norm(g, 8).gradients[p.a], list({2, -3})));
  CHECK(clip_grad_norm(g, 8).norm.item() == 7);
  CHECK(clip_grad_norm(g, 100, {.norm_type = kInf}).norm.item() == 6);
  CHECK(clip_grad_norm(g, 100, {.norm_type = 1}).norm.item() == 11);
  CHECK(clip_grad_norm(g, 0).gradients[p.b].item() == 0);
}

TEST_CASE("optim/clip: FAULTS 96: a norm of 0, of nothing, and one that is not finite") {
  const Two p;
  const optim::Clipped still = clip_grad_norm(p.with(list({0, 0}), 0), 1);
  CHECK(still.norm.item() == 0);
  CHECK(equal(still.gradients[p.a], list({0, 0})));
  CHECK(equal(clip_grad_norm(p.with(list({0, 0}), 0), 0).gradients[p.a], list({0, 0})));
  CHECK(clip_grad_norm(Gradients(), 1).norm.item() == 0);
  // Infinite: what is finite becomes 0.
  const Gradients infinite = p.with(list({1, kInf}), 5);
  const optim::Clipped cut = clip_grad_norm(infinite, 1);
  CHECK(cut.norm.item() == kInf);
  CHECK(equal(cut.gradients[p.a], list({0, kNan})));
  CHECK(cut.gradients[p.b].item() == 0);
  // NaN: all of it.
  const Gradients unknown = p.with(list({1, 2}), kNan);
  const optim::Clipped lost = clip_grad_norm(unknown, 1);
  CHECK(std::isnan(lost.norm.item()));
  CHECK(equal(lost.gradients[p.a], list({kNan, kNan})));
  // Or an error that names the parameter.
  refuses<NumericError>([&] { clip_grad_norm(infinite, 1, {.error_if_nonfinite = true}); },
                        {"[clip_grad_norm]", "inf", "\"a\""});
  refuses<NumericError>([&] { clip_grad_norm(unknown, 1, {.error_if_nonfinite = true}); }, {"nan", "\"b\""});
  CHECK(clip_grad_norm(p.with(list({1, 2}), 2), 1, {.error_if_nonfinite = true}).norm.item() == 3);
}

TEST_CASE("optim/clip: gradients of watched tensors neither count nor change") {
  const Parameter w(list({3, 4}));
  Tape tape;
  const Tensor x = tape.watch(list({100, 200}));
  const Gradients g = tape.gradient(sum(w * x));
  const optim::Clipped clipped = clip_grad_norm(g, 1);
  CHECK(clipped.norm.item() == doctest::Approx(std::hypot(100, 200)).epsilon(1e-15));
  CHECK(equal(clipped.gradients[x], list({3, 4})));
  CHECK(norm(clipped.gradients[w]).item() == doctest::Approx(1).epsilon(1e-6));
  CHECK(tape.size() == 2);
}

TEST_CASE("optim/clip: element by element") {
  const Two p;
  const Gradients g = p.with(list({2, -3}), kNan);
  const Gradients clipped = clip_grad_value(g, 2.5);
  CHECK(equal(clipped[p.a], list({2, -2.5})));
  CHECK(std::isnan(clipped[p.b].item()));
  CHECK(equal(clip_grad_value(p.with(list({kInf, -kInf}), 0), 1)[p.a], list({1, -1})));
}

TEST_CASE("optim/clip: what it refuses") {
  const Two p;
  const Gradients g = p.with(list({2, -3}), 6);
  for (double bad : {-1.0, kNan}) {
    refuses<ArgumentError>([&] { clip_grad_norm(g, bad); }, {"[clip_grad_norm] max_norm"});
    refuses<ArgumentError>([&] { clip_grad_value(g, bad); }, {"[clip_grad_value] clip_value"});
  }
  for (double bad : {-1.0, 0.0, kNan}) {
    refuses<ArgumentError>([&] { clip_grad_norm(g, 1, {.norm_type = bad}); }, {"norm_type"});
  }
}

TEST_CASE("optim/clip: FAULTS 95: an optimiser steps with a NaN, and clipping first can refuse it") {
  // The rule: a step takes the gradients it is given, so a NaN goes into the parameter it belongs to and no
  // other.
  const Two p;
  optim::SGD sgd{{p.a.ref(), p.b.ref()}, {.learning_rate = 0.5, .momentum = 0.9}};
  const Gradients g = p.with(list({kNan, 2}), 1);
  CHECK_THROWS_AS(sgd.step(clip_grad_norm(g, 1, {.error_if_nonfinite = true}).gradients), NumericError);
  CHECK(equal(p.a.value(), list({0, 0})));
  CHECK(sgd.t() == 0);
  sgd.step(g);
  CHECK(equal(p.a.value(), list({kNan, -1})));
  CHECK(p.b.value().item() == -0.5);
}
