// Which record of a tape is wrong.

#include <doctest/doctest.h>

#include <string>

#include "nn/nn.h"
#include "tests/support/planted.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

// Eight records; the one named may have a planted fault.
struct Chain {
  explicit Chain(const Op* planted) {
    Rng rng(4);
    x = tape.watch(rng.normal({3, 4}, float64));
    w = tape.watch(rng.normal({4, 4}, float64));
    auto call = [&](const char* name, std::initializer_list<Arg> args) {
      const bool mine = planted != nullptr && planted->name == name;
      if (mine) record = tape.size();
      return apply(mine ? *planted : *find_op(name), args);
    };
    line = __LINE__ - 2;
    const Tensor h = call("tanh", {matmul(x, w)});
    const Tensor s = call("softmax", {h});
    const Tensor m = call("mul", {s, h});
    const Tensor e = call("exp", {m});
    y = sum(square(call("add", {e, x})));
  }
  Tape tape;
  Tensor x, w, y;
  size_t record = 0;
  int line = 0;
};

}  // namespace

TEST_CASE("autograd/verify/tape: a right tape is verified record by record and as a whole") {
  Chain chain(nullptr);
  const size_t records = chain.tape.size();
  const Report report = gradcheck(chain.tape, chain.y);
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK(report.records_verified() == records);
  CHECK(report.culprits().empty());
  CHECK(chain.tape.size() == records);  // nothing was recorded on it
}

TEST_CASE("autograd/verify/tape: the record that is wrong is named, and no other") {
  int planted = 0;
  for (const char* name : {"tanh", "softmax", "mul", "exp", "add"}) {
    for (Fault fault : {Fault::sign, Fault::half, Fault::slightly, Fault::dropped_term, Fault::transposed,
                        Fault::off_by_one, Fault::float32_inside, Fault::one_entry, Fault::last_lanes,
                        Fault::stale_value}) {
      const PlantedOp op(*find_op(name), fault);
      Chain chain(&op);
      const Record& record = chain.tape[chain.record];
      std::vector<Tensor> inputs;
      for (uint32_t i = 0; i < record.input_count; ++i)
        inputs.push_back(chain.tape.value(record.inputs[i]).detach());
      if (!shows(*op.original, inputs, {}, fault)) continue;
      INFO(name << " with " << std::string(testing::name(fault)));
      const Report report = gradcheck(chain.tape, chain.y);
      CHECK_FALSE(report.ok());
      REQUIRE(report.culprits().size() == 1);
      const Culprit& culprit = report.culprits()[0];
      CHECK(culprit.record == chain.record);
      CHECK(culprit.op.starts_with(name));
      CHECK(std::string(culprit.where.file).find("tape_test.cpp") != std::string::npos);
      CHECK(culprit.element >= 0);
      CHECK(report.records_verified() == chain.tape.size() - 1);
      CHECK(report.text().find("record " + std::to_string(culprit.record) + " " + culprit.op) !=
            std::string::npos);
      ++planted;
    }
  }
  CHECK(planted >= 40);
}

TEST_CASE("autograd/verify/tape: gradcheck of a function and of a model names the record") {
  const PlantedOp op(*find_op("tanh"), Fault::half);
  const auto f = [&](const Tensor& x) { return sum(square(exp(apply(op, {x * 2.0})))); };
  const Report report = gradcheck(f, {Rng(5).normal({6}, float64)});
  CHECK_FALSE(report.ok());
  REQUIRE(report.culprits().size() == 1);
  CHECK(report.culprits()[0].record == 1);
  CHECK(report.culprits()[0].op == "tanh");
  CHECK(report.records_verified() == 4);

  Rng rng(6);
  const nn::FeedForward net({4, 5, 3}, {nn::tanh, nn::identity}, rng, nn::gaussian, float64);
  const Tensor x = rng.normal({7, 4}, float64);
  const ParameterList cells = parameters(net);
  std::vector<uint64_t> versions;
  for (const CellRef& cell : cells) versions.push_back(cell.version());
  for (GradcheckMode mode : {GradcheckMode::entry, GradcheckMode::projection}) {
    const Report good = gradcheck([&] { return net(x); }, cells, {.mode = mode});
    CHECK_MESSAGE(good.ok(), good.text());
    const Report bad = gradcheck([&] { return apply(op, {net(x)}); }, cells, {.mode = mode});
    CHECK_FALSE(bad.ok());
    REQUIRE(bad.culprits().size() == 1);
    CHECK(bad.culprits()[0].op == "tanh");
  }
  for (size_t i = 0; i < cells.size(); ++i) CHECK(cells[i].version() == versions[i]);
}

TEST_CASE("autograd/verify/tape: parameters, several uses, a cotangent, a result that is not reached") {
  const Parameter w(Rng(7).normal({3, 3}, float64), "w");
  Tape tape;
  const Tensor x = tape.watch(Rng(8).normal({2, 3}, float64));
  const Tensor h = tanh(matmul(x, w));
  const Tensor unused = exp(h);
  const Tensor y = matmul(h, w) * h + h;
  const Report report = gradcheck(tape, y, Rng(9).normal({2, 3}, float64));
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK(report.records_verified() == tape.size() - 1);
  CHECK_THROWS_AS(gradcheck(tape, y), GraphError);  // several elements and no cotangent
  CHECK_THROWS_AS(gradcheck(tape, y.detach()), GraphError);
}

TEST_CASE("autograd/verify/tape: a differentiable sweep's records are verified like any other") {
  Tape tape;
  const Tensor x = tape.watch(Rng(10).uniform({4}, 0.5, 2, float64));
  const Tensor slope = tape.gradient(sum(tanh(x) * exp(x)), {.differentiable = true})[x];
  const Report report = gradcheck(tape, sum(square(slope)));
  CHECK_MESSAGE(report.ok(), report.text());
  CHECK(report.records_verified() > 8);
}
