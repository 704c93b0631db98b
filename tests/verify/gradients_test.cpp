// A short run of ./run verify, and proof that it fails when it should.

#include "tests/verify/gradients.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>

#include "autograd/autograd.h"
#include "tests/support/planted.h"
#include "tests/support/test_op.h"

using namespace tapegrad;
using namespace tapegrad::verify;
using testing::Fault;
using testing::PlantedOp;

namespace {

const GradientRunOptions kShort = {.quick = true, .graphs = 0, .network = false};

std::string text(const GradientRun& run) {
  const OpRow sum = run.total();
  std::string all = std::to_string(sum.tally.entries) + " entries";
  for (const auto* list : {&sum.tally.alarms, &sum.faults.missed_at, &run.graphs.failures}) {
    for (const std::string& line : *list) all += "\n" + line;
  }
  return all;
}

// y = x, off by up to 1e-3 in a way that looks random: no difference is sharp enough to see small faults.
struct Rough : testing::DoublingOp {
  static constexpr std::string_view name = "rough", doc = "y = x with noise";
  static void forward(Call& call) {
    for (int64_t i = 0; i < call.numel(0); ++i) {
      if (call.dtype(0) == float64) call.out_data<double>()[i] = noisy(call.data<double>(0)[i]);
      else call.out_data<float>()[i] = static_cast<float>(noisy(double{call.data<float>(0)[i]}));
    }
  }
  static double noisy(double x) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    bits *= 0x9E3779B97F4A7C15u;
    return x + 1e-3 * (static_cast<double>(bits >> 11) * 0x1p-53 - 0.5);
  }
  static void vjp(Vjp& v) { v.add(0, 1.0 * v.g()); }
};

}  // namespace

TEST_CASE("verify/gradients: a short run over every fourth op finds no alarm and every fault") {
  std::vector<const Op*> some;
  for (size_t i = 0; i < all_ops().size(); i += 4) some.push_back(all_ops()[i]);
  GradientRunOptions options = kShort;
  options.graphs = 10;
  const GradientRun run = verify_gradients(options, some);
  CHECK_MESSAGE(run.ok(), text(run));
  const OpRow sum = run.total();
  CHECK(sum.tally.entries > 10000);
  CHECK(sum.tally.false_alarms == 0);
  CHECK(sum.faults.caught > 300);
  CHECK(sum.faults.missed == 0);
  CHECK(sum.faults.planted == sum.faults.caught + sum.faults.equivalent + sum.faults.missed);
  CHECK(sum.faults.torch_caught < sum.faults.caught);
  CHECK(run.graphs.graphs == 10);
  CHECK(run.graphs.named + run.graphs.silent + run.graphs.equivalent == 10);
}

TEST_CASE("verify/gradients: an op with a wrong gradient fails the run") {
  for (Fault fault : {Fault::slightly, Fault::off_by_one, Fault::clamped_cotangent, Fault::float32_inside}) {
    const PlantedOp broken(*find_op("softmax"), fault);
    const Op* list[] = {find_op("exp"), &broken};
    const GradientRun run = verify_gradients(kShort, list);
    INFO(std::string(name(fault)));
    CHECK_FALSE(run.ok());
    REQUIRE(run.rows.size() == 2);
    CHECK(run.rows[0].tally.false_alarms == 0);
    CHECK(run.rows[1].tally.false_alarms > 0);
    CHECK_FALSE(run.rows[1].tally.alarms.empty());
  }
}

// Rule: equivalent fault
TEST_CASE("verify/gradients: faults that are not seen fail the run") {
  const Op* list[] = {&op<Rough>};
  const GradientRun run = verify_gradients(kShort, list);
  REQUIRE(run.rows.size() == 1);
  CHECK(run.rows[0].faults.missed > 0);
  CHECK(run.rows[0].faults.missed_at.size() == static_cast<size_t>(run.rows[0].faults.missed));
  CHECK_FALSE(run.ok());
}

TEST_CASE("verify/gradients: what a run must keep") {
  GradientRun run;
  CHECK_FALSE(run.ok());  // nothing was checked
  run.rows.push_back({.op = "some"});
  OpRow& row = run.rows[0];
  row.tally.entries = 10;
  row.faults.planted = 1100;
  row.faults.equivalent = 100;
  row.faults.missed = 5;
  run.graphs = {.graphs = 110, .equivalent = 10, .named = 98, .silent = 2};
  CHECK(run.ok());
  row.faults.missed = 6;
  CHECK_FALSE(run.ok());
  row.faults.missed = 0;
  row.tally.false_alarms = 1;
  CHECK_FALSE(run.ok());
  row.tally.false_alarms = 0;
  run.graphs.named = 97;
  CHECK_FALSE(run.ok());
  run.graphs.named = 99;
  run.graphs.wrong = 1;
  CHECK_FALSE(run.ok());
  run.graphs.wrong = 0;
  CHECK(run.ok());
  run.networks.push_back({.batch = 128, .ok = false});
  CHECK_FALSE(run.ok());
}

TEST_CASE("verify/gradients: a part of the run alone") {
  GradientRunOptions options = kShort;
  options.matrix = options.faults = false;
  const Op* list[] = {find_op("exp")};
  CHECK_FALSE(verify_gradients(options, list).ok());  // no part at all
  options.graphs = 2;
  const GradientRun graphs = verify_gradients(options, list);
  CHECK(graphs.ok());
  CHECK(graphs.total().tally.entries + graphs.total().faults.planted == 0);
  options.graphs = 0;
  options.faults = true;
  const GradientRun faults = verify_gradients(options, list);
  CHECK(faults.ok());
  CHECK(faults.rounds == 0);
  CHECK(faults.total().faults.caught > 5);
}

TEST_CASE("verify/gradients: a graph's broken record is looked for, and the same seed draws the same one") {
  GraphTally one, again;
  check_graph(7, 3, one);
  check_graph(7, 3, again);
  CHECK(one.graphs == 1);
  CHECK(one.named == again.named);
  CHECK(one.wrong == 0);
}
