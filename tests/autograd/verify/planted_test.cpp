// Every op with every fault planted into its VJP, on small samples: all are found. And the other way round,
// over all samples: how sharp the verifier is on what is right.

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "tests/support/op_function.h"
#include "tests/support/planted.h"

using namespace tapegrad;
using namespace tapegrad::testing;

TEST_CASE("autograd/verify/planted: a planted fault is found in every op") {
  size_t planted = 0, caught = 0;
  for (const Op* op : all_ops()) {
    if (op->vjp == nullptr || op->flags.zero_gradient) continue;
    const Samples samples = samples_of(*op);
    // The control: with the right VJP nothing is found.
    const PlantedOp right(*op, Fault::none);
    for (size_t i = 0; i < samples.samples().size(); ++i) {
      const OpFunction f(*op, samples.samples()[i]);
      if (f.elements() == 0 || f.elements() > 40 || f.joined(f.variables()).numel() == 0) continue;
      const Report report = gradcheck(right, samples.samples()[i], {.locate = false});
      CHECK_MESSAGE(!found(report), f.text(i) << " with its own VJP: " << report.text());
      break;
    }
    for (Fault fault : all_faults()) {
      // The first sample on which the fault makes a difference.
      for (size_t i = 0; i < samples.samples().size(); ++i) {
        const Sample& sample = samples.samples()[i];
        const OpFunction f(*op, sample);
        if (f.elements() == 0 || f.elements() > 40 || f.joined(f.variables()).numel() == 0) continue;
        if (!shows(*op, sample.inputs, sample.options.ref(), fault)) continue;
        const PlantedOp broken(*op, fault);
        ++planted;
        try {
          const Report report = gradcheck(broken, sample, {.locate = false});
          caught += found(report);
          CHECK_MESSAGE(found(report), f.text(i)
                                           << " with " << std::string(name(fault)) << ": " << report.text());
        } catch (const Error& error) {
          FAIL_CHECK(f.text(i) << " with " << std::string(name(fault)) << " threw " << error.what());
        }
        break;
      }
    }
  }
  MESSAGE(caught << " of " << planted << " planted faults found");
  CHECK(planted > 1000);
  CHECK(caught == planted);
}

TEST_CASE(
    "autograd/verify/planted: the resolution is 1e-10 in the median and 1e-7 for all but one in a hundred") {
  std::vector<double> bars;
  for (const Op* op : all_ops()) {
    if (op->vjp == nullptr) continue;
    const Samples samples = samples_of(*op);
    for (const Sample& sample : samples.samples()) {
      const Report report = gradcheck(*op, sample, {.max_entries = 40, .structure = false, .locate = false});
      for (const CheckedEntry& e : report.entries()) {
        if (e.verdict == Verdict::agree && e.scale > 0) bars.push_back(e.bar / e.scale);
      }
    }
  }
  REQUIRE(bars.size() > 5000);
  std::sort(bars.begin(), bars.end());
  const double median = bars[bars.size() / 2], p99 = bars[bars.size() * 99 / 100];
  MESSAGE(bars.size() << " derivatives: median " << median << ", p99 " << p99 << ", largest " << bars.back());
  CHECK(median <= 1e-10);
  CHECK(p99 <= 1e-7);
}

namespace {

// Every op at its samples times a number: what is called wrong, and what is not decided.
struct Scaled {
  size_t entries = 0, undecided = 0;

  void check(const Op& op, const Sample& sample, const std::string& text) {
    const OpFunction f(op, sample);
    if (f.elements() == 0) return;
    for (double y : f.joined(f.variables()).to_vector<double>()) {
      if (!std::isfinite(y)) return;  // out of the op's domain
    }
    for (bool second : {false, true}) {
      const Report report = gradcheck(
          op, sample, {.max_entries = 6, .projections = 1, .second_order = second, .locate = false});
      CHECK_MESSAGE(report.faults().empty(), text << ": " << report.text());
      for (const CheckedEntry& e : report.entries()) {
        ++entries;
        undecided += e.verdict == Verdict::noisy;
        CHECK_MESSAGE((e.passed || e.verdict == Verdict::noisy), text << ": " << report.text());
      }
    }
  }
};

}  // namespace

TEST_CASE("autograd/verify/planted: no alarm about a right op, with inputs scaled from 1e-3 to 30") {
  Scaled scaled;
  for (double scale : {1e-3, 30.0}) {
    for (const Op* op : all_ops()) {
      if (op->vjp == nullptr) continue;
      const Samples samples = samples_of(*op);
      for (size_t i = 0; i < samples.samples().size(); ++i) {
        Sample sample = samples.samples()[i];
        for (Tensor& x : sample.inputs) {
          if (is_floating(x.dtype())) x = (x * scale).detach();
        }
        const std::string text = OpFunction(*op, sample).text(i) + " times " + std::to_string(scale);
        try {
          scaled.check(*op, sample, text);
        } catch (const Error&) {
          // An op that refuses values outside its domain.
        }
      }
    }
  }
  MESSAGE(scaled.undecided << " of " << scaled.entries << " derivatives are not decided");
  CHECK(scaled.entries > 10000);
  CHECK(scaled.undecided * 1000 <= scaled.entries);
}
