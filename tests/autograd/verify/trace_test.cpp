// Faults of the sweep itself, planted into what it wrote down.

#include <doctest/doctest.h>

#include "autograd/verify/records.h"

using namespace tapegrad;
using namespace tapegrad::verify;

namespace {

struct Swept {
  Swept() {
    Rng rng(3);
    x = tape.watch(rng.normal({4}, float64));
    const Tensor h = tanh(x);  // record 0, used three times
    y = sum(h * exp(h) + h);   // records 1 exp, 2 mul, 3 add, 4 sum
    trace = trace_sweep(tape, {y}, {Tensor()});
  }
  Report check() {
    ReportBuilder report(1);
    check_records(tape, trace, {}, report);
    return report.take();
  }
  Tape tape;
  Tensor x, y;
  Trace trace;
};

}  // namespace

TEST_CASE("autograd/verify/trace: what a sweep did is written down, last record first") {
  Swept swept;
  REQUIRE(swept.trace.visits.size() == 5);
  CHECK(swept.trace.visits.front().record == 4);
  CHECK(swept.trace.visits.back().record == 0);
  CHECK(swept.trace.visits.back().contributions.size() == 1);
  REQUIRE(swept.trace.leaves.size() == 1);
  CHECK(same_bits(swept.trace.leaves[0].second, swept.tape.gradient(swept.y)[swept.x]));
  const Report report = swept.check();
  CHECK(report.culprits().empty());
  CHECK(report.faults().empty());
  CHECK(report.records_verified() == 5);
}

TEST_CASE("autograd/verify/trace: an accumulation that is lost, doubled or misrouted is named") {
  auto blamed = [](auto tamper) {
    Swept swept;
    tamper(swept.trace);
    const Report report = swept.check();
    CHECK(report.records_verified() < 5);
    REQUIRE(report.culprits().size() >= 1);
    return report.culprits()[0].record;
  };
  // The cotangent of tanh's result, made of three contributions.
  CHECK(blamed([](Trace& t) { t.visits[4].cotangents[0] = t.visits[1].contributions[1].value; }) == 0);
  CHECK(blamed([](Trace& t) { t.visits[4].cotangents[0] = t.visits[4].cotangents[0] * 2.0; }) == 0);
  // A record that the sweep left out: what depends on it got less than it should, and it is named as well.
  Swept swept;
  swept.trace.visits.erase(swept.trace.visits.begin() + 3);
  const Report report = swept.check();
  bool named = false;
  for (const Culprit& c : report.culprits()) named |= c.record == 1;
  CHECK(named);
}

TEST_CASE("autograd/verify/trace: a leaf's gradient must be the sum of what arrived") {
  Swept swept;
  swept.trace.leaves[0].second = swept.trace.leaves[0].second + 1e-3;
  const Report report = swept.check();
  CHECK(report.culprits().empty());
  REQUIRE(report.faults().size() == 1);
  CHECK(report.faults()[0].verdict == Verdict::structure);
}

TEST_CASE("autograd/verify/trace: a saved value that is stale is named by its record") {
  Swept swept;
  // What the tape holds of exp's result, changed behind its back.
  const uint32_t value = swept.tape[1].first_output;
  Tensor held = swept.tape.value(value);
  elements(held)[2] += 1e-9;
  const Report report = swept.check();
  REQUIRE_FALSE(report.culprits().empty());
  bool named = false;
  for (const Culprit& c : report.culprits()) named |= c.record == 1 && c.op == "exp";
  CHECK(named);
}
