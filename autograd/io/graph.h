#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "autograd/op.h"
#include "autograd/options.h"
#include "autograd/tape.h"
#include "autograd/tensor.h"

// Op graphs as data, and the files that keep them: one JSON object per line, with inputs, ops by name, and
// what must come out. The section "Graph files" of autograd/README.md describes the format.

namespace tapegrad {

// What a graph gave: its outputs in their order, and the gradient of each input that has `grad` (zeros where
// no cotangent reached it, undefined for the other inputs).
struct GraphResult {
  std::vector<Tensor> outputs;
  std::vector<Tensor> gradients;
};

// One tensor that is not what the graph expects.
struct GraphDifference {
  std::string tensor;   // "v1", or "gradient of x"
  std::string problem;  // what is wrong with its shape; empty where elements differ
  Dims at;              // the worst element
  double got = 0;
  double expected = 0;
  double tol = 0;
  int64_t differing = 0;  // elements further off than tol
  int64_t elements = 0;

  // "v1 at [0, 2]: got 1.5, expected 1.25, tolerance 1e-12 (3 of 6 elements differ)".
  TAPEGRAD_API std::string text() const;
};

// A small program of ops by name. Its values are numbered: the inputs, then the outputs of the nodes in
// order.
struct TAPEGRAD_API Graph {
  struct Input {
    std::string name;
    Tensor value;
    bool grad = false;  // its gradient is taken
  };
  struct Node {
    const Op* op = nullptr;
    OptionsBox options;
    std::vector<int> inputs;           // earlier values
    std::vector<std::string> outputs;  // their names
  };
  struct Output {
    int value = 0;
    std::optional<Shape> shape;
    Tensor cotangent;  // row-major, 1-d, int64 or float64; undefined: takes no part in the gradient
    Tensor expect;     // the same way; undefined: not checked
    double tol = 0;    // absolute
  };
  struct Grad {
    int input = 0;
    Tensor expect;
    double tol = 0;
  };

  std::string name;
  std::vector<Input> inputs;
  std::vector<Node> nodes;
  std::vector<Output> outputs;
  std::vector<Grad> grads;
  std::string file;  // where it was read, which errors of its ops name
  int line = 0;

  std::string_view value_name(int value) const;

  // Runs the nodes on these inputs instead of its own, one for each, and returns the outputs; a tape in scope
  // records them. Throws the errors of the ops, and GraphError where an op gives another number of outputs
  // than the node names.
  std::vector<Tensor> evaluate(std::span<const Tensor> values) const;
  // Runs the graph on its own inputs and takes the gradient of Σ ⟨cotangent, output⟩, on a tape of its own.
  GraphResult run() const;
  // Runs the graph and returns what differs from its expectations: by more than tol, where NaN equals NaN and
  // an infinity its equal. Throws as run() does.
  std::vector<GraphDifference> check() const;
};

// Reads a file graph by graph.
class TAPEGRAD_API GraphReader {
 public:
  // Throws IoError when the file cannot be read. `ops` are those that its nodes may name.
  explicit GraphReader(std::string_view path, std::span<const Op* const> ops = all_ops());
  ~GraphReader();
  GraphReader(const GraphReader&) = delete;
  GraphReader& operator=(const GraphReader&) = delete;

  // The graph on the next line that is not blank; false at the end. Throws FormatError, with file, line and
  // reason, for a line that is not a graph; the call after it goes on with the next line.
  bool next(Graph& graph);
  // The line last read, counted from 1.
  int line() const;

 private:
  struct File;
  File* file_;
};

// The only graph of a file. Throws IoError, or FormatError when it is malformed, missing, or one of several.
TAPEGRAD_API Graph load_graph(std::string_view path, std::span<const Op* const> ops = all_ops());
// One line of such a file. Throws FormatError; its offset counts from the start of the line.
TAPEGRAD_API Graph parse_graph(std::string_view line, std::span<const Op* const> ops = all_ops());

// What a tape recorded on the way to `outputs`, whose values it expects again, and their gradient under these
// cotangents (none: all outputs have one element, and 1), all within `tol`. Parameters and watched tensors
// become inputs with `grad`, constants and plain numbers inputs without. Throws GraphError like
// tape.gradient(), and ArgumentError for an op whose options hold a parameter.
TAPEGRAD_API Graph graph_of(Tape& tape, std::span<const Tensor> outputs,
                            std::span<const Tensor> cotangents = {}, double tol = 0);

// The graph as one line, without its end. All numbers read back to the same bits, but for the payload of a
// NaN.
TAPEGRAD_API std::string to_json(const Graph& graph);
// Writes the file, in place of one that was there. Throws IoError; the old file is then as it was.
TAPEGRAD_API void save_graph(std::string_view path, std::span<const Graph> graphs);
inline void save_graph(std::string_view path, const Graph& graph) {
  save_graph(path, std::span<const Graph>(&graph, 1));
}
inline void save_graph(std::string_view path, Tape& tape, const Tensor& y) {
  save_graph(path, graph_of(tape, {&y, 1}));
}

// An op of the format's table. Those of a program's own may be used besides.
struct GraphOp {
  std::string_view name;
  std::string_view required;  // attributes that have no default, one space between them
};
TAPEGRAD_API std::span<const GraphOp> graph_ops();

}  // namespace tapegrad
