// The program behind `./run graph`: what it prints and how it ends.

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>

#include "autograd/op.h"

namespace {

struct Ended {
  int status = -1;
  std::string out;  // with what went to stderr
};

Ended graph_main(const std::string& arguments) {
  Ended result;
  std::FILE* pipe = ::popen((std::string(TAPEGRAD_GRAPH_MAIN) + " " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::array<char, 4096> buffer;
  for (size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;)
    result.out.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  REQUIRE(WIFEXITED(status));
  result.status = WEXITSTATUS(status);
  return result;
}

// A graph that doubles x = [1, 2], expecting `expect`.
std::string doubled(const std::string& name, const std::string& op, const std::string& expect) {
  return R"({"format": "op-graph/1", "name": ")" + name +
         R"(", "inputs": [{"name": "x", "dtype": "float64", "shape": [2], "data": [1, 2], "grad": true}],)"
         R"("nodes": [{"op": ")" +
         op +
         R"(", "inputs": ["x", "x"], "outputs": ["y"]}],)"
         R"("outputs": [{"name": "y", "cotangent": [1, 1], "shape": [2], "expect": )" +
         expect +
         R"(, "tol": 1e-9}], "grads": [{"name": "x", "expect": [2, 2]}]})"
         "\n";
}

}  // namespace

TEST_CASE("graph_main: one line for each graph that fails, then the counts") {
  std::string name = (std::filesystem::temp_directory_path() / "graph_main.XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const std::string good = (folder / "good.jsonl").string(), bad = (folder / "bad.jsonl").string();
  std::ofstream(good) << doubled("one", "add", "[2, 4]") << doubled("two", "add", "[2.0000000005, 4]");
  std::ofstream(bad) << doubled("off", "add", "[2, 5]") << "{\n"
                     << doubled("more", "mul", "[2, 4]") << doubled("typo", "ad", "[2, 4]")
                     << doubled("fine", "add", "[2, 4]") << doubled("throws", "outer", "[2, 4]");

  Ended ended = graph_main(good);
  CHECK(ended.status == 0);
  CHECK(ended.out == "2 passed, 0 failed\n");

  ended = graph_main(good + " " + bad);
  CHECK(ended.status == 1);
  CHECK(ended.out ==
        bad + ":1: off: y at [1]: got 4, expected 5, tolerance 1e-09 (1 of 2 elements differ)\n" + bad +
            ":2: truncated: syntax error while parsing object key - unexpected end of input; expected string "
            "literal (byte 1)\n" +
            bad +
            ":3: more: gradient of x at [1]: got 4, expected 2, tolerance 0 (1 of 2 elements differ); 1 more "
            "tensor\n" +
            bad + ":4: typo: nodes[0].op: unknown op 'ad', did you mean 'add'? (byte 148)\n" + bad +
            ":6: throws: [graph] y is float64[2, 2], its cotangent has 2 elements (bad.jsonl:6)\n" +
            "3 passed, 5 failed\n");

  // Names cannot break the line, nor reach the terminal.
  std::ofstream(folder / "names.jsonl") << doubled(R"(a\nb\u001b[1m)", "add", "[2, 5]");
  ended = graph_main((folder / "names.jsonl").string());
  CHECK(ended.out.find(":1: a b [1m: y at [1]") != std::string::npos);

  ended = graph_main((folder / "absent").string() + " " + good);
  CHECK(ended.status == 2);
  CHECK(ended.out.find("absent: cannot open the file") != std::string::npos);
  CHECK(ended.out.ends_with("2 passed, 0 failed\n"));

  std::ofstream(folder / "empty.jsonl").flush();
  ended = graph_main((folder / "empty.jsonl").string());
  CHECK(ended.status == 1);
  CHECK(ended.out.ends_with("no graph in it\n0 passed, 1 failed\n"));
  std::filesystem::remove_all(folder);
}

TEST_CASE("graph_main: its options") {
  CHECK(graph_main("").status == 2);
  CHECK(graph_main("--nonsense").status == 2);
  Ended ended = graph_main("--help");
  CHECK(ended.status == 0);
  CHECK(ended.out.find("FILE") != std::string::npos);
  ended = graph_main("--ops");
  CHECK(ended.status == 0);
  CHECK(ended.out.starts_with("add\nsub\n"));
  CHECK(ended.out.find("\nsum_to_size\n") == std::string::npos);
}
