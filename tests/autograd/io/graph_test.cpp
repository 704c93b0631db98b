// Graphs as data: running them, checking what comes out, and files of them.

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "autograd/autograd.h"
#include "autograd/io/graph.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

constexpr std::string_view kWeighted =
    R"({"format": "op-graph/1", "name": "g17",
 "inputs": [{"name": "x", "dtype": "float64", "shape": [2, 3], "data": [1.5, 0.25, -3.0, 1e-3, 4.0, "nan"], "grad": true},
            {"name": "i", "dtype": "int64", "shape": [2], "data": [0, 2]}],
 "nodes":  [{"op": "index_select", "inputs": ["x", "i"], "attrs": {"dim": 1}, "outputs": ["v0"]},
            {"op": "sum", "inputs": ["v0"], "attrs": {"dim": [-1], "keepdim": false}, "outputs": ["v1"]}],
 "outputs": [{"name": "v1", "cotangent": [0.5, -1.25], "shape": [2], "expect": [-1.5, "nan"], "tol": 1e-12}],
 "grads":  [{"name": "x", "expect": [0.5, 0, 0.5, -1.25, 0, -1.25], "tol": 1e-12}]})";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string result(text);
  const size_t at = result.find(from);
  REQUIRE(at != std::string::npos);
  return result.replace(at, from.size(), to);
}

std::vector<std::string> differences(std::string_view line) {
  std::vector<std::string> texts;
  for (const GraphDifference& difference : parse_graph(line).check()) texts.push_back(difference.text());
  return texts;
}

using Lines = std::vector<std::string>;

// y = x·x on float64, with these outputs and gradients.
std::string squared(std::string_view data, std::string_view outputs, std::string_view grads = "[]") {
  std::string line =
      R"({"format": "op-graph/1", "name": "s", "inputs": [{"name": "x", "dtype": "float64", "shape": [2], "data": DATA,
          "grad": true}], "nodes": [{"op": "mul", "inputs": ["x", "x"], "outputs": ["y"]}], "outputs": OUT, "grads": GRADS})";
  line = replaced(line, "DATA", data);
  line = replaced(line, "OUT", outputs);
  return replaced(line, "GRADS", grads);
}

struct TemporaryFolder {
  std::filesystem::path path;
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "graph_test.XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string file(std::string_view name) const { return (path / name).string(); }
};

}  // namespace

TEST_CASE("autograd/io/graph: values and gradients of the format's own example") {
  CHECK(differences(kWeighted).empty());
  const Graph graph = parse_graph(kWeighted);
  CHECK(graph.name == "g17");
  CHECK(graph.value_name(0) == "x");
  CHECK(graph.value_name(3) == "v1");
  const GraphResult result = graph.run();
  CHECK(equal(result.gradients[0], tensor({{0.5, 0.0, 0.5}, {-1.25, 0.0, -1.25}}, float64)));
  CHECK_FALSE(result.gradients[1].defined());
  CHECK(result.outputs[0].handle()->tape == 0);
}

TEST_CASE("autograd/io/graph: the worst element of each tensor that differs") {
  CHECK(differences(replaced(kWeighted, "[-1.5, \"nan\"]", "[-1.5000000000021, 3]")) ==
        Lines{"v1 at [1]: got nan, expected 3, tolerance 1e-12 (2 of 2 elements differ)"});
  CHECK(differences(replaced(kWeighted, "[-1.5, \"nan\"]", "[-1.5000000000009, \"nan\"]")).empty());
  CHECK(differences(
            replaced(kWeighted, "[0.5, 0, 0.5, -1.25, 0, -1.25]", "[0.5, 0, 0.5, -1.25, 1e-11, -1.5]")) ==
        Lines{"gradient of x at [1, 2]: got -1.25, expected -1.5, tolerance 1e-12 (2 of 6 elements differ)"});
  CHECK(differences(replaced(kWeighted, "\"shape\": [2], \"expect\"", "\"shape\": [2, 1], \"expect\"")) ==
        Lines{"v1: got shape [2], expected [2, 1]"});
  const std::string none = R"([{"name": "y", "expect": [4]}])";
  CHECK(differences(squared("[2, 3]", none)) == Lines{"y: got shape [2] with 2 elements, expected 1"});
}

TEST_CASE("autograd/io/graph: NaN matches NaN, an infinity its equal, and nothing else") {
  const auto holds = [](std::string_view data, std::string_view expect) {
    return differences(squared(data, replaced(R"([{"name": "y", "expect": E, "tol": 1e300}])", "E", expect)))
        .empty();
  };
  CHECK(holds("[\"nan\", \"-inf\"]", "[\"nan\", \"inf\"]"));
  CHECK_FALSE(holds("[\"nan\", 1]", "[1, 1]"));
  CHECK_FALSE(holds("[1, 1]", "[\"nan\", 1]"));
  CHECK_FALSE(holds("[\"inf\", 1]", "[1, 1]"));
  CHECK_FALSE(holds("[\"inf\", 1]", "[\"-inf\", 1]"));
  CHECK_FALSE(holds("[1, 1]", "[\"inf\", 1]"));
  CHECK_FALSE(holds("[\"inf\", 1]", "[\"nan\", 1]"));
  // No tolerance: exactly equal, but −0 is 0.
  CHECK(differences(squared("[3, -0.0]", R"([{"name": "y", "expect": [9, -0.0]}])")).empty());
  CHECK(differences(squared("[3, 1]", R"([{"name": "y", "expect": [9.000000000000002, 1]}])")).size() == 1);
}

TEST_CASE("autograd/io/graph: integers are compared exactly, beyond 2^53 too") {
  const std::string line =
      R"({"format": "op-graph/1", "inputs": [{"name": "x", "dtype": "int64", "shape": [2], "data": [9007199254740993, -9223372036854775808]}],
          "outputs": [{"name": "x", "expect": [9007199254740993, -9223372036854775808]}]})";
  CHECK(differences(line).empty());
  CHECK(
      differences(replaced(line, "\"expect\": [9007199254740993", "\"expect\": [9007199254740992")).size() ==
      1);
  CHECK(differences(replaced(line, "-9223372036854775808]}]}", "9223372036854775807]}]}")).size() == 1);
}

TEST_CASE("autograd/io/graph: an output may be an input, be listed twice, or take no part") {
  const std::string outputs = R"([{"name": "x", "cotangent": [1, 10]}, {"name": "y", "cotangent": [1, 1]},
                                  {"name": "y", "cotangent": [0.5, -1]}, {"name": "y"}])";
  CHECK(differences(squared("[2, 3]", outputs, R"([{"name": "x", "expect": [7, 10]}])")).empty());
  // Without any cotangent there is nothing to differentiate.
  CHECK(differences(squared("[2, 3]", R"([{"name": "y"}])", R"([{"name": "x", "expect": [0, 0]}])")).empty());
}

TEST_CASE("autograd/io/graph: a cotangent must suit its output") {
  const auto fault = [](const std::string& line) { return message_of([&] { parse_graph(line).run(); }); };
  CHECK(fault(squared("[2, 3]", R"([{"name": "y", "cotangent": [1]}])")) ==
        "[graph] y is float64[2], its cotangent has 1 elements");
  const std::string line =
      R"({"format": "op-graph/1", "inputs": [{"name": "i", "dtype": "int64", "shape": [], "data": [3]}],
                               "outputs": [{"name": "i", "cotangent": [1]}]})";
  CHECK(fault(line) == "[graph] i is int64[] and takes no cotangent");
}

TEST_CASE("autograd/io/graph: an op's own errors name the line of the file") {
  const TemporaryFolder folder;
  const std::string path = folder.file("cases.jsonl");
  std::ofstream(path)
      << "\n"
      << R"({"format": "op-graph/1", "inputs": [{"name": "x", "dtype": "float32", "shape": [2], "data": [1, 2]}],)"
      << R"("nodes": [{"op": "max", "inputs": ["x"], "attrs": {"dim": 4}, "outputs": ["v", "i"]}], "outputs": []})";
  const Graph graph = load_graph(path);
  CHECK(message_of<IndexError>([&] { graph.run(); }) ==
        "[max] dimension 4 is out of range for rank 1 — x: float32[2] (cases.jsonl:2)");
  Graph two = graph;
  two.nodes[0].options = OptionsBox(find_op("max")->options);
  two.nodes[0].outputs = {"v"};
  CHECK(message_of<GraphError>([&] { two.run(); }) ==
        "[max] gives 2 outputs, node 0 names 1 (cases.jsonl:2)");
  two.nodes[0].outputs = {"v", "i", "more"};
  CHECK(message_of<GraphError>([&] { two.run(); }) ==
        "[max] gives 2 outputs, node 0 names 3 (cases.jsonl:2)");
  CHECK(message_of<ArgumentError>([&] { graph.evaluate({}); }) ==
        "[graph] expected 1 inputs, given 0 (cases.jsonl:2)");
}

TEST_CASE("autograd/io/graph: other inputs, under the caller's tape, with the caller's ops") {
  std::vector<Tensor> outputs;
  Tape tape;
  const Tensor x = tape.watch(tensor({3.0, 5.0}, float64));
  {
    const Graph graph = parse_graph(squared("[1, 1]", R"([{"name": "y"}])"));
    outputs = graph.evaluate(std::vector<Tensor>{x});
  }
  CHECK(equal(tape.gradient(sum(outputs[0]))[x], tensor({6.0, 10.0}, float64)));
  const std::vector<const Op*> own = {find_op("add")};
  CHECK(message_of<FormatError>([&] {
          parse_graph(squared("[1, 1]", "[]"), own);
        }).find("unknown op 'mul', did you mean 'add'?") != std::string::npos);
}

TEST_CASE("autograd/io/graph: a file is written whole, read back, and replaced") {
  const TemporaryFolder folder;
  const std::string path = folder.file("graphs.jsonl");
  const Graph first = parse_graph(kWeighted), second = parse_graph(squared("[2, 3]", "[]"));
  save_graph(path, std::vector<Graph>{first, second});
  GraphReader reader(path);
  Graph graph;
  REQUIRE(reader.next(graph));
  CHECK(to_json(graph) == to_json(first));
  CHECK(graph.line == 1);
  CHECK(graph.file == path);
  REQUIRE(reader.next(graph));
  CHECK(to_json(graph) == to_json(second));
  CHECK_FALSE(reader.next(graph));
  CHECK(message_of<FormatError>([&] { load_graph(path); }).find("graphs.jsonl:2: expected one graph") !=
        std::string::npos);
  save_graph(path, second);
  CHECK(to_json(load_graph(path)) == to_json(second));
  {
    Tape tape;
    const Tensor x = tape.watch(tensor({1.0, 2.0}));
    save_graph(path, tape, sum(exp(x)));
  }
  CHECK(load_graph(path).check().empty());
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);  // nothing left beside it
}

TEST_CASE("autograd/io/graph: files that cannot be read or written") {
  const TemporaryFolder folder;
  const auto code = [](auto f) {
    try {
      f();
    } catch (const IoError& error) {
      return error.code();
    }
    return 0;
  };
  const Graph graph = parse_graph(kWeighted);
  CHECK(code([&] { load_graph(folder.file("absent")); }) == ENOENT);
  CHECK(code([&] { load_graph(folder.path.string()); }) == EISDIR);
  REQUIRE(::mkfifo(folder.file("fifo").c_str(), 0600) == 0);
  CHECK(code([&] { load_graph(folder.file("fifo")); }) == ESPIPE);
  CHECK(code([&] { load_graph(std::string("a\0b", 3)); }) == EINVAL);
  CHECK(code([&] { save_graph(folder.file("absent/graph"), graph); }) == ENOENT);
  CHECK(code([&] { save_graph(folder.path.string(), graph); }) == EISDIR);
  CHECK(message_of<IoError>([&] {
          load_graph(folder.file("absent"));
        }).find("absent: cannot open the file") != std::string::npos);
  std::ofstream(folder.file("empty")) << " \n\n";
  CHECK(message_of<FormatError>([&] { load_graph(folder.file("empty")); }).find("truncated: no graph") !=
        std::string::npos);
}

TEST_CASE("autograd/io/graph: every op of the format that the library has is in 20 golden cases") {
  std::map<std::string, int> cases;
  const std::filesystem::path golden = std::filesystem::path(TAPEGRAD_SOURCE_DIR) / "tests/golden";
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    if (entry.path().extension() != ".jsonl") continue;
    GraphReader reader(entry.path().string());
    for (Graph graph; reader.next(graph);) {
      std::map<std::string, int> once;
      for (const Graph::Node& node : graph.nodes) once[std::string(node.op->name)] = 1;
      for (const auto& [name, one] : once) cases[name] += one;
    }
  }
  size_t known = 0;
  for (const GraphOp& op : graph_ops()) {
    if (find_op(op.name) == nullptr) continue;
    ++known;
    CAPTURE(op.name);
    CHECK(cases[std::string(op.name)] >= 20);
  }
  CHECK(known >= 60);
  CHECK(graph_ops().size() == 124);
}
