// A graph as a line of JSON.

#include <fmt/format.h>

#include <utility>

#include "autograd/io/attributes.h"
#include "autograd/io/graph.h"
#include "autograd/io/json.h"
#include "autograd/io/lines.h"

namespace tapegrad {
namespace {

template <class T, class Write>
void append_list(std::string& text, std::span<const T> elements, Write write) {
  text += '[';
  for (size_t i = 0; i < elements.size(); ++i) {
    if (i > 0) text += ", ";
    text += write(elements[i]);
  }
  text += ']';
}

// float32 with the digits of the same number as float64, since the shortest ones that name it among float32
// may round twice on the way back.
void append_elements(std::string& text, const Tensor& x) {
  switch (x.dtype()) {
    case DType::float32:
      return append_list(text, x.data<float>(),
                         [](float v) { return io::json_text(static_cast<double>(v)); });
    case DType::float64:
      return append_list(text, x.data<double>(), [](double v) { return io::json_text(v); });
    case DType::int64:
      return append_list(text, x.data<int64_t>(), [](int64_t v) { return fmt::format("{}", v); });
    case DType::boolean: return append_list(text, x.data<bool>(), [](bool v) { return v ? "1" : "0"; });
  }
}

// What separates the entries of a list: nothing before the first.
struct Comma {
  bool first = true;
  std::string_view operator()() { return std::exchange(first, false) ? "" : ", "; }
};

void append_names(std::string& text, std::span<const std::string> names) {
  append_list(text, names, [](const std::string& name) { return io::json_text(std::string_view(name)); });
}

std::string input_text(const Graph::Input& input) {
  std::string text = fmt::format("{{\"name\": {}, \"dtype\": \"{}\", \"shape\": [{}], \"data\": ",
                                 io::json_text(std::string_view(input.name)), name(input.value.dtype()),
                                 fmt::join(input.value.shape(), ", "));
  append_elements(text, input.value);
  return text + (input.grad ? ", \"grad\": true}" : "}");
}

// The names of all values.
using Names = std::vector<std::string>;

Names names_of(const Graph& graph) {
  Names names;
  for (const auto& input : graph.inputs) names.push_back(input.name);
  for (const auto& node : graph.nodes) names.insert(names.end(), node.outputs.begin(), node.outputs.end());
  return names;
}

std::string node_text(const Names& names, const Graph::Node& node) {
  Names inputs;
  for (int i : node.inputs) inputs.push_back(names[static_cast<size_t>(i)]);
  std::string text = fmt::format("{{\"op\": {}, \"inputs\": ", io::json_text(node.op->name));
  append_names(text, inputs);
  const std::string attributes = io::write_attributes(*node.op, node.options.ref());
  if (!attributes.empty()) text += ", \"attrs\": " + attributes;
  text += ", \"outputs\": ";
  append_names(text, node.outputs);
  return text + "}";
}

void append_expectation(std::string& text, const Tensor& expect, double tol) {
  if (!expect.defined()) return;
  text += ", \"expect\": ";
  append_elements(text, expect);
  text += fmt::format(", \"tol\": {}", tol);
}

std::string output_text(std::string_view name, const Graph::Output& output) {
  std::string text = fmt::format("{{\"name\": {}", io::json_text(name));
  if (output.cotangent.defined()) {
    text += ", \"cotangent\": ";
    append_elements(text, output.cotangent);
  }
  if (output.shape) text += fmt::format(", \"shape\": [{}]", fmt::join(*output.shape, ", "));
  append_expectation(text, output.expect, output.tol);
  return text + "}";
}

std::string grad_text(std::string_view name, const Graph::Grad& grad) {
  std::string text = fmt::format("{{\"name\": {}", io::json_text(name));
  append_expectation(text, grad.expect, grad.tol);
  return text + "}";
}

}  // namespace

std::string to_json(const Graph& graph) {
  std::string text = fmt::format("{{\"format\": \"op-graph/1\", \"name\": {}, \"inputs\": [",
                                 io::json_text(std::string_view(graph.name)));
  const Names names = names_of(graph);
  Comma comma;
  for (const auto& input : graph.inputs) text.append(comma()).append(input_text(input));
  text += "], \"nodes\": [";
  comma = {};
  for (const auto& node : graph.nodes) text.append(comma()).append(node_text(names, node));
  text += "], \"outputs\": [";
  comma = {};
  for (const auto& output : graph.outputs)
    text.append(comma()).append(output_text(names[static_cast<size_t>(output.value)], output));
  text += "]";
  if (!graph.grads.empty()) {
    text += ", \"grads\": [";
    comma = {};
    for (const auto& grad : graph.grads)
      text.append(comma()).append(grad_text(names[static_cast<size_t>(grad.input)], grad));
    text += "]";
  }
  return text + "}";
}

void save_graph(std::string_view path, std::span<const Graph> graphs) {
  std::string text;
  for (const Graph& graph : graphs) text += to_json(graph) + "\n";
  io::write_file(path, text);
}

}  // namespace tapegrad
