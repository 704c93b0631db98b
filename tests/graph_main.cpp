// Runs graph files and says which graphs do not give what they expect.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "autograd/io/graph.h"

namespace {

using namespace tapegrad;

struct Counts {
  int64_t passed = 0, failed = 0;
};

// One line, whatever the names of a file contain.
void print_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  fmt::print("{}\n", text);
}

// One line for the graph: its worst tensor, and how many more there are.
void print(const Graph& graph, const std::vector<GraphDifference>& differences) {
  const GraphDifference* worst = &differences[0];
  const auto excess = [](const GraphDifference& d) {
    return d.problem.empty() ? std::fabs(d.got - d.expected) : HUGE_VAL;
  };
  for (const GraphDifference& d : differences) {
    if (!(excess(d) <= excess(*worst))) worst = &d;
  }
  const size_t more = differences.size() - 1;
  print_line(fmt::format("{}:{}: {}: {}{}", graph.file, graph.line, graph.name, worst->text(),
                         more == 0 ? "" : fmt::format("; {} more tensor{}", more, more == 1 ? "" : "s")));
}

void run(const Graph& graph, Counts& counts) {
  try {
    const std::vector<GraphDifference> differences = graph.check();
    if (!differences.empty()) print(graph, differences);
    ++(differences.empty() ? counts.passed : counts.failed);
  } catch (const std::exception& error) {
    print_line(fmt::format("{}:{}: {}: {}", graph.file, graph.line, graph.name, error.what()));
    ++counts.failed;
  }
}

void run_file(const std::string& path, Counts& counts) {
  GraphReader reader(path);
  bool any = false;
  for (Graph graph;;) {
    try {
      if (!reader.next(graph)) break;
      any = true;
    } catch (const FormatError& error) {
      print_line(error.what());
      ++counts.failed;
      any = true;
      continue;
    }
    run(graph, counts);
  }
  if (any) return;
  fmt::print("{}: truncated: no graph in it\n", path);
  ++counts.failed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Runs every graph of the files, one JSON object per line, and prints one line for each that fails.\n"
      "Exit status: 0 all passed, 1 a graph failed or is malformed, 2 a file cannot be read."};
  std::vector<std::string> files;
  bool list = false;
  app.add_flag("--ops", list, "print the ops of the format that the library has, and run nothing");
  app.add_option("FILE", files, "graph files");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (list) {
    for (const GraphOp& op : graph_ops()) {
      if (find_op(op.name) != nullptr) fmt::print("{}\n", op.name);
    }
    return 0;
  }
  if (files.empty()) {
    fmt::print(stderr, "graph: no file given; --help says more\n");
    return 2;
  }
  Counts counts;
  bool unread = false;
  for (const std::string& file : files) {
    try {
      run_file(file, counts);
    } catch (const IoError& error) {
      std::fflush(stdout);
      fmt::print(stderr, "{}\n", error.what());
      unread = true;
    }
  }
  fmt::print("{} passed, {} failed\n", counts.passed, counts.failed);
  if (unread) return 2;
  return counts.failed == 0 ? 0 : 1;
}
