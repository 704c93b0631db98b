// Lines that are no graphs: each is refused with what is wrong and where.

#include <doctest/doctest.h>

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "autograd/autograd.h"
#include "autograd/io/graph.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

constexpr std::string_view kLine =
    R"({"format": "op-graph/1", "name": "g", "inputs": [{"name": "x", "dtype": "float64", "shape": [2], "data": [1.5, 2], "grad": true}, )"
    R"({"name": "i", "dtype": "int64", "shape": [1], "data": [0]}, {"name": "m", "dtype": "bool", "shape": [2], "data": [0, 1]}], )"
    R"("nodes": [{"op": "sum", "inputs": ["x"], "attrs": {"dim": [-1], "keepdim": false}, "outputs": ["v"]}], )"
    R"("outputs": [{"name": "v", "cotangent": [2], "shape": [], "expect": [3.5], "tol": 1e-12}], )"
    R"("grads": [{"name": "x", "expect": [2, 2], "tol": 0}]})";

struct Fault {
  std::string_view from, to;  // what is exchanged in the good line
  std::string_view message;   // without the byte
};

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const size_t at = result.find(from);
  REQUIRE(at != std::string::npos);
  return result.replace(at, from.size(), to);
}

// What parse_graph says, and whether the offset points to where the fault begins in the line.
std::string refusal(const std::string& line, int64_t& offset) {
  try {
    parse_graph(line);
  } catch (const FormatError& error) {
    offset = error.offset();
    return error.what();
  }
  return "nothing was thrown";
}

void check_faults(std::initializer_list<Fault> faults) {
  for (const Fault& fault : faults) {
    const std::string line = replaced(kLine, fault.from, fault.to);
    CAPTURE(fault.to);
    int64_t offset = -1;
    const std::string what = refusal(line, offset);
    CHECK(what == std::string(fault.message) + " (byte " + std::to_string(offset) + ")");
    CHECK(offset >= 0);
    CHECK(offset <= static_cast<int64_t>(line.size()));
  }
}

// y = op(x) for float64 x [2, 2], with these attributes.
std::string with_attributes(std::string_view op, std::string_view attributes,
                            std::string_view inputs = R"(["x"])") {
  std::string line =
      R"({"format": "op-graph/1", "inputs": [{"name": "x", "dtype": "float64", "shape": [2, 2], "data": [1, 2, 3, 4]}], )"
      R"("nodes": [{"op": ")";
  line.append(op).append(R"(", "inputs": )").append(inputs);
  if (!attributes.empty()) line.append(R"(, "attrs": )").append(attributes);
  return line + R"(, "outputs": ["y"]}], "outputs": [{"name": "y"}]})";
}

void check_attributes(std::string_view op, std::string_view attributes, std::string_view message) {
  int64_t offset = -1;
  CAPTURE(op);
  CAPTURE(attributes);
  const std::string what = refusal(with_attributes(op, attributes), offset);
  CHECK(what == std::string(message) + " (byte " + std::to_string(offset) + ")");
}

}  // namespace

TEST_CASE("autograd/io/graph_read: the good line, and every beginning of it") {
  CHECK(parse_graph(kLine).check().empty());
  for (size_t cut = 0; cut < kLine.size(); ++cut) {
    int64_t offset = -1;
    const std::string what = refusal(std::string(kLine.substr(0, cut)), offset);
    CAPTURE(cut);
    CHECK(what.starts_with("truncated: "));
    CHECK(offset == static_cast<int64_t>(cut));
  }
}

TEST_CASE("autograd/io/graph_read: any one byte changed is a graph or is refused, and never anything else") {
  for (size_t at = 0; at < kLine.size(); ++at) {
    for (const char other : {'\0', '"', '[', '}', ',', '9', '-', '\xff', 'e', ' '}) {
      std::string line(kLine);
      line[at] = other;
      try {
        parse_graph(line).run();
      } catch (const Error&) {
      }
    }
  }
}

TEST_CASE("autograd/io/graph_read: what is not JSON") {
  const auto says = [](const std::string& line, std::string_view gist) {
    int64_t offset = -1;
    const std::string what = refusal(line, offset);
    CAPTURE(what);
    CHECK(what.find(gist) != std::string::npos);
    CHECK(what.size() < 400);
    return offset;
  };
  CHECK(says(std::string(kLine) + " {}", "trailing bytes: ") == static_cast<int64_t>(kLine.size()) + 1);
  CHECK(says(R"({"format": NaN})", "not JSON: ") == 11);
  says(R"({"format": 1e999})", "number overflow");
  says(R"({"format": 0x10})", "not JSON: ");
  says("{\"format\": \"\xff\"}", "ill-formed UTF-8");
  CHECK(says(std::string("{}\0", 3), "a zero byte") == 2);
  says(std::string("\xff\xfe{\0", 4), "not JSON: ");
  says("\x1f\x8b\x08", "not JSON: ");
  CHECK(says(std::string(200000, '['), "nested deeper than 32") == 32);
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  says(objects, "nested deeper than 32");
  says(std::string(1 << 20, '7'), "number overflow");
  CHECK(says(R"({"format": "op-graph/1", "name": "a", "name": "b"})", "duplicate key 'name'") == 44);
  says(R"({"format": "op-graph/1", "inputs": [{"name": "x", "data": [1], "data": [2]}]})",
       "duplicate key 'data'");
  says("null", "expected an object, given null");
  says("[1, 2]", "expected an object, given array");
}

TEST_CASE("autograd/io/graph_read: the parts of a graph") {
  check_faults({
      {"op-graph/1", "op-graph/2", "format: expected \"op-graph/1\", given 'op-graph/2'"},
      {"\"format\": \"op-graph/1\", ", "", "'format' is missing"},
      {"\"inputs\": [{", "\"input\": [{", "input: unknown key, did you mean 'inputs'?"},
      {"\"name\": \"g\"", "\"name\": 5", "name: expected a text, given number"},
      {"\"nodes\": [{", "\"nodes\": [5, {", "g: nodes[0]: expected an object, given number"},
      {"\"outputs\": [{\"name\": \"v\"", "\"outputs\": [{\"name\": \"w\"",
       "g: outputs[0].name: no input and no earlier node gives 'w'"},
  });
}

TEST_CASE("autograd/io/graph_read: inputs") {
  check_faults({
      {"\"dtype\": \"float64\"", "\"dtype\": \"flaot64\"",
       "g: inputs[0].dtype: unknown dtype 'flaot64', did you mean 'float64'?"},
      {"\"dtype\": \"float64\"", "\"dtype\": \"object\"",
       "g: inputs[0].dtype: unknown dtype 'object', did you mean 'bool'?"},
      {"\"dtype\": \"float64\", ", "", "g: inputs[0]: 'dtype' is missing"},
      {"\"shape\": [2]", "\"shape\": 2", "g: inputs[0].shape: expected a list, given number"},
      {"\"shape\": [2]", "\"shape\": [3]", "g: inputs[0].data: 2 elements do not fill shape [3]"},
      {"\"shape\": [2]", "\"shape\": [1000000000000]",
       "g: inputs[0].data: 2 elements do not fill shape [1000000000000]"},
      {"\"shape\": [2]", "\"shape\": [-2]", "g: inputs[0].shape[0]: negative size -2"},
      {"\"shape\": [2]", "\"shape\": [2.0]",
       "g: inputs[0].shape[0]: expected an integer of 64 bits, given 2.0"},
      {"\"shape\": [2]", "\"shape\": [20000000000000000000]",
       "g: inputs[0].shape[0]: expected an integer of 64 bits, given 2e+19"},
      {"\"shape\": [2]", "\"shape\": [1, 1, 1, 1, 1, 1, 1, 1, 2]",
       "g: inputs[0].shape: 9 dimensions; the limit is 8"},
      {"[1.5, 2]", "[1.5, \"2\"]",
       "g: inputs[0].data[1]: expected a number, \"nan\", \"inf\" or \"-inf\", given '2'"},
      {"[1.5, 2]", "[1.5, null]", "g: inputs[0].data[1]: expected a number, given null"},
      {"[1.5, 2]", "[1.5, [2]]", "g: inputs[0].data[1]: expected a number, given array"},
      {"\"data\": [0]", "\"data\": [0.5]", "g: inputs[1].data[0]: expected an integer of 64 bits, given 0.5"},
      {"\"data\": [0]", "\"data\": [\"nan\"]", "g: inputs[1].data[0]: expected an integer, given string"},
      {"\"data\": [0, 1]", "\"data\": [0, 2]", "g: inputs[2].data[1]: expected 0 or 1, given 2"},
      {"\"grad\": true", "\"grad\": 1", "g: inputs[0].grad: expected true or false, given number"},
      {"\"data\": [0]", "\"grad\": true, \"data\": [0]", "g: inputs[1].grad: int64 has no gradient"},
      {"\"grad\": true", "\"grads\": true", "g: inputs[0].grads: unknown key, did you mean 'grad'?"},
      {"{\"name\": \"i\"", "{\"name\": \"x\"", "g: inputs[1].name: the name 'x' is given twice"},
  });
  int64_t offset = -1;
  std::string line(kLine);
  line.replace(line.find("[2]"), 3, "[1099511627776, 1099511627776]");
  CHECK(refusal(line, offset).find("inputs[0].shape: ") != std::string::npos);
  CHECK(refusal(line, offset).find("overflow") != std::string::npos);
  CHECK(offset == static_cast<int64_t>(line.find("[1099511627776")));
}

TEST_CASE("autograd/io/graph_read: nodes") {
  check_faults({
      {"\"op\": \"sum\"", "\"op\": \"smu\"", "g: nodes[0].op: unknown op 'smu', did you mean 'sum'?"},
      {"\"op\": \"sum\"", "\"op\": \"logsoftmax\"",
       "g: nodes[0].op: unknown op 'logsoftmax', did you mean 'log_softmax'?"},
      {"\"op\": \"sum\"", "\"op\": 3", "g: nodes[0].op: expected a text, given number"},
      {"\"inputs\": [\"x\"]", "\"inputs\": [\"y\"]",
       "g: nodes[0].inputs[0]: no input and no earlier node gives 'y'"},
      {"\"inputs\": [\"x\"]", "\"inputs\": [\"v\"]",
       "g: nodes[0].inputs[0]: no input and no earlier node gives 'v'"},
      {"\"inputs\": [\"x\"]", "\"inputs\": [\"x\", \"i\"]",
       "g: nodes[0].inputs: sum takes 1 operands, given 2"},
      {"\"inputs\": [\"x\"]", "\"inputs\": \"x\"", "g: nodes[0].inputs: expected a list, given string"},
      {"\"outputs\": [\"v\"]", "\"outputs\": []",
       "g: nodes[0].outputs: expected a name for each output, given none"},
      {"\"outputs\": [\"v\"]", "\"outputs\": [\"x\"]", "g: nodes[0].outputs[0]: the name 'x' is given twice"},
      {"\"attrs\": {", "\"attr\": {", "g: nodes[0].attr: unknown key, did you mean 'attrs'?"},
      {"{\"dim\": [-1], \"keepdim\": false}", "[1]", "g: nodes[0].attrs: expected an object, given array"},
      {"\"keepdim\": false", "\"keepdims\": false",
       "g: nodes[0].attrs.keepdims: unknown attribute 'keepdims' of sum, did you mean 'keepdim'?"},
      {"\"keepdim\": false", "\"keepdim\": 0",
       "g: nodes[0].attrs.keepdim: expected true or false, given number"},
      {"\"dim\": [-1]", "\"dim\": [-1.5]",
       "g: nodes[0].attrs.dim[0]: expected an integer of 64 bits, given -1.5"},
      {"\"dim\": [-1]", "\"dim\": \"all\"", "g: nodes[0].attrs.dim: expected an integer, given string"},
  });
}

TEST_CASE("autograd/io/graph_read: outputs and gradients") {
  check_faults({
      {"\"cotangent\": [2]", "\"cotangent\": [2, 3]",
       "g: outputs[0].cotangent: 2 elements do not fill shape []"},
      {"\"expect\": [3.5]", "\"expect\": []", "g: outputs[0].expect: 0 elements do not fill shape []"},
      {"\"expect\": [3.5]", "\"expect\": 3.5", "g: outputs[0].expect: expected a list, given number"},
      {"\"expect\": [3.5]", "\"expected\": [3.5]",
       "g: outputs[0].expected: unknown key, did you mean 'expect'?"},
      {"\"tol\": 1e-12", "\"tol\": -1", "g: outputs[0].tol: expected a finite tolerance >= 0, given -1"},
      {"\"tol\": 1e-12", "\"tol\": \"inf\"",
       "g: outputs[0].tol: expected a finite tolerance >= 0, given inf"},
      {"\"tol\": 1e-12", "\"tol\": \"nan\"",
       "g: outputs[0].tol: expected a finite tolerance >= 0, given nan"},
      {"\"grads\": [{\"name\": \"x\"", "\"grads\": [{\"name\": \"m\"",
       "g: grads[0].name: 'm' is no input with \"grad\": true"},
      {"\"grads\": [{\"name\": \"x\"", "\"grads\": [{\"name\": \"v\"",
       "g: grads[0].name: 'v' is no input with \"grad\": true"},
      {"\"expect\": [2, 2]", "\"expect\": [2]", "g: grads[0].expect: 1 elements do not fill shape [2]"},
  });
}

TEST_CASE(
    "autograd/io/graph_read: a key that the format does not have is left alone, unless it is almost one") {
  std::string line(kLine);
  line.replace(line.find("\"name\": \"g\""), 11, "\"name\": \"g\", \"comment\": {\"seed\": [[[5]]]}");
  CHECK(parse_graph(line).check().empty());
}

TEST_CASE("autograd/io/graph_read: attributes of every kind, and what they may not be") {
  check_attributes("softmax", "", "nodes[0]: attribute 'dim' of softmax is missing");
  check_attributes("softmax", "{}", "nodes[0].attrs: attribute 'dim' of softmax is missing");
  check_attributes("softmax", R"({"dim": null})", "nodes[0].attrs.dim: expected an integer, given null");
  check_attributes("softmax", R"({"dim": [1]})", "nodes[0].attrs.dim: expected an integer, given array");
  check_attributes("exp", R"({"base": 2})",
                   "nodes[0].attrs.base: unknown attribute 'base' of exp, which takes none");
  check_attributes("norm", R"({"p": "two"})",
                   "nodes[0].attrs.p: expected a number, \"nan\", \"inf\" or \"-inf\", given 'two'");
  check_attributes("cast", R"({"dtype": "float46"})",
                   "nodes[0].attrs.dtype: unknown value 'float46', did you mean 'float64'? (one of float32, "
                   "float64, int64, bool)");
  check_attributes("permute", R"({"dims": [0, 1, 2, 3, 4, 5, 6, 7, 8]})",
                   "nodes[0].attrs.dims: more than 8 dimensions, which is the limit");
  check_attributes("sum_to_size", R"({"size": [2, -2]})",
                   "nodes[0].attrs.size: negative size in shape [2, -2]");
  check_attributes("einsum", R"({"equation": 5})", "nodes[0].attrs.equation: expected a text, given number");
  check_attributes("einsum", R"({"equation": ")" + std::string(256, 'i') + R"("})",
                   "nodes[0].attrs.equation: a text option of 256 bytes, expected at most 255");
  check_attributes("pad", R"({"pad": [1, "1"]})", "nodes[0].attrs.pad[1]: expected an integer, given string");
  int64_t offset = -1;
  CHECK(refusal(with_attributes("mse_loss", R"({"reduction": "avg"})", R"(["x", "x"])"), offset)
            .starts_with("nodes[0].attrs.reduction: unknown value 'avg', did you mean 'sum'? (one of none, "
                         "mean, sum)"));
  CHECK(refusal(with_attributes(std::string(1 << 20, 'x'), "{}"), offset).size() < 200);

  const auto shape = [](std::string_view op, std::string_view attributes) {
    return parse_graph(with_attributes(op, attributes)).run().outputs[0].shape();
  };
  CHECK(shape("sum", "") == Shape{});
  CHECK(shape("sum", R"({"dim": null})") == Shape{});
  CHECK(shape("sum", R"({"dim": 1})") == Shape{2});
  CHECK(shape("sum", R"({"dim": [0], "keepdim": true})") == Shape{1, 2});
  CHECK(shape("slice", R"({"dim": -1, "end": -1})") == Shape{2, 1});
  CHECK(shape("pad", R"({"pad": [1, 2]})") == Shape{2, 5});
  const auto value = [](std::string_view op, std::string_view attributes) {
    return parse_graph(with_attributes(op, attributes)).run().outputs[0].item();
  };
  CHECK(value("norm", R"({"p": "inf"})") == 4);
  CHECK(value("norm", R"({"p": "-inf"})") == 1);
  CHECK(value("norm", R"({"p": 1})") == 10);
  CHECK(value("var", R"({"correction": 0})") == 1.25);
}

TEST_CASE("autograd/io/graph_read: numbers are read to the last bit") {
  const std::string line =
      R"({"format": "op-graph/1", "inputs": [{"name": "x", "dtype": "float64", "shape": [6], "data": [-0, -0.0, 0, 5e-324, 1.7976931348623157e308, 9007199254740993]},)"
      R"({"name": "y", "dtype": "float32", "shape": [2], "data": [0.1, 1e39]}, {"name": "b", "dtype": "bool", "shape": [3], "data": [1, false, true]}], "outputs": []})";
  const Graph graph = parse_graph(line);
  const auto x = graph.inputs[0].value.data<double>();
  CHECK(std::signbit(x[0]));
  CHECK(std::signbit(x[1]));
  CHECK_FALSE(std::signbit(x[2]));
  CHECK(x[3] == 5e-324);
  CHECK(x[4] == 1.7976931348623157e308);
  CHECK(x[5] == 9007199254740992.0);
  CHECK(graph.inputs[1].value.data<float>()[0] == 0.1f);
  CHECK(std::isinf(graph.inputs[1].value.data<float>()[1]));
  CHECK(graph.inputs[2].value.to_vector<bool>() == std::vector<bool>{true, false, true});
}

TEST_CASE("autograd/io/graph_read: a bad line does not stop the file") {
  std::string name = (std::filesystem::temp_directory_path() / "graph_read.XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const std::string path = (folder / "mixed.jsonl").string();
  const std::string good(kLine);
  // A byte order mark, Windows line ends, blank lines, no end after the last line.
  std::ofstream(path, std::ios::binary) << "\xEF\xBB\xBF" << good << "\r\n\r\n"
                                        << "{\"format\": 5}\n"
                                        << "nonsense\n   \n"
                                        << good;
  GraphReader reader(path);
  Graph graph;
  REQUIRE(reader.next(graph));
  CHECK(graph.line == 1);
  CHECK(message_of<FormatError>([&] { reader.next(graph); }) ==
        path + ":3: format: expected a text, given number (byte 11)");
  const std::string what = message_of<FormatError>([&] { reader.next(graph); });
  CHECK(what.starts_with(path + ":4: not JSON: "));
  REQUIRE(reader.next(graph));
  CHECK(graph.line == 6);
  CHECK(graph.check().empty());
  CHECK_FALSE(reader.next(graph));
  CHECK_FALSE(reader.next(graph));
  std::filesystem::remove_all(folder);
}
