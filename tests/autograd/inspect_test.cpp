// Printing of tensors, tapes and gradients, and the Graphviz form.

#include <doctest/doctest.h>

#include <string>

#include "autograd/autograd.h"

using namespace tapegrad;

TEST_CASE("autograd/inspect: tensors") {
  CHECK(to_string(Tensor()) == "undefined");
  CHECK(to_string(full({}, 1.5)) == "1.5 float32[]");
  CHECK(to_string(tensor({1, 2, 3})) == "[1, 2, 3] int64[3]");
  CHECK(to_string(tensor({{true, false}})) == "[[true, false]] bool[1, 2]");
  CHECK(to_string(tensor({{1.0, 2.5}, {-3.0, 4.0}}, float64)) == "[[1, 2.5],\n [-3, 4]] float64[2, 2]");
  CHECK(to_string(zeros({0, 3})) == "[] float32[0, 3]");
  CHECK(to_string(arange(0, 100)) == "[0, 1, 2, …, 97, 98, 99] int64[100]");
}

TEST_CASE("autograd/inspect: a tape line by line") {
  const Parameter w(ones({2, 3}), "weight");
  Tape tape;
  const Tensor x = tape.watch(ones({4, 3}));
  const int line = __LINE__ + 1;
  const Tensor y = mean(matmul(x, w, false, true) * 2.0, Dims{1});
  const std::string where = "(inspect_test.cpp:" + std::to_string(line) + ")";
  const std::string expected =
      "   0  %2: float32[4, 2] = matmul(transpose_a=false, transpose_b=true) watched %0, \"weight\"  32 "
      "bytes " +
      where +
      "\n"
      "   1  %4: float32[4, 2] = mul %2, 2  32 bytes " +
      where +
      "\n"
      "   2  %5: float32[4] = mean(dim=[1], keepdim=false) %4  16 bytes " +
      where +
      "\n"
      "tape " +
      std::to_string(tape.serial()) + ": 3 records, 6 values, 80 bytes\n";
  CHECK(to_string(tape) == expected);
  CHECK(y.shape() == Shape{4});
}

TEST_CASE("autograd/inspect: a tape can be read record by record") {
  const Parameter w(ones({2}), "weight");
  const Tensor c = full({2}, 3);
  Tape tape;
  const Tensor y = w * c;
  const Tensor z = y + 1;
  REQUIRE(tape.size() == 2);
  CHECK(tape[0].op->name == "mul");
  CHECK(tape[0].input_count == 2);
  CHECK(tape[0].output_count == 1);
  CHECK(tape.kind(tape[0].inputs[0]) == ValueKind::parameter);
  CHECK(tape.parameter(tape[0].inputs[0]).name() == "weight");
  CHECK(tape.kind(tape[0].inputs[1]) == ValueKind::constant);
  CHECK(equal(tape.value(tape[0].inputs[1]), c));
  CHECK(tape.producer(tape[0].first_output) == 0);
  CHECK(tape.producer(tape[0].inputs[0]) == tape.size());
  CHECK(tape[1].inputs[0] == tape[0].first_output);
  CHECK(tape.kind(tape[1].inputs[1]) == ValueKind::integer_literal);
  CHECK(tape.value(tape[1].inputs[1]).item<int64_t>() == 1);
  CHECK(equal(tape.value(tape[1].first_output), z));
}

TEST_CASE("autograd/inspect: dot") {
  const Parameter w(ones({2}), "a \"quoted\" name");
  Tape tape;
  const Tensor y = sum(tanh(w));
  const std::string dot = to_dot(tape);
  CHECK(dot ==
        "digraph tape {\n"
        "  rankdir=TB;\n"
        "  node [fontname=\"sans-serif\", fontsize=10];\n"
        "  edge [fontname=\"sans-serif\", fontsize=9];\n"
        "  v0 [shape=box, style=filled, label=\"\\\"a \\\"quoted\\\" name\\\"\nfloat32[2]\"];\n"
        "  r0 [shape=ellipse, label=\"tanh\"];\n"
        "  v0 -> r0;\n"
        "  r1 [shape=ellipse, label=\"sum(keepdim=false)\"];\n"
        "  r0 -> r1 [label=\"float32[2]\"];\n"
        "}\n");
  CHECK(y.item<float>() > 1.5f);
}

TEST_CASE("autograd/inspect: gradients by name") {
  const Parameter w(tensor({3.0, 4.0}, float64), "weight");
  Tape tape;
  const Tensor x = tape.watch(full({}, 2, float64));
  const Gradients g = tape.gradient(sum(w * w) * 0.5 * x);
  CHECK(to_string(g) == "weight: float64[2], norm 10\nwatched %" + std::to_string(x.handle()->value) +
                            " of tape " + std::to_string(tape.serial()) + ": float64[], norm 12.5\n");
}
