// A line of JSON as a graph.

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>

#include "autograd/io/attributes.h"
#include "autograd/io/graph.h"
#include "autograd/io/json.h"
#include "autograd/io/lines.h"
#include "autograd/io/nearest.h"
#include "autograd/raise.h"

namespace tapegrad {
namespace {

using io::Document;
using io::Place;

DType read_dtype(const Place& place) {
  static constexpr DType kDTypesOfFiles[] = {DType::float32, DType::float64, DType::int64, DType::boolean};
  const std::string& given = place.string();
  for (DType dtype : kDTypesOfFiles) {
    if (name(dtype) == given) return dtype;
  }
  place.fault(fmt::format("unknown dtype {}, did you mean '{}'?", io::in_quotes(given),
                          io::nearest(given, kDTypesOfFiles, [](DType dtype) { return name(dtype); })));
}

Shape read_shape(const Place& place) {
  Dims sizes;
  if (place.size() > kMaxRank) {
    place.fault(fmt::format("{} dimensions; the limit is {}", place.size(), kMaxRank));
  }
  for (size_t d = 0; d < place.size(); ++d) {
    const Place size = place.item(d);
    sizes.push_back(size.integer());
    if (size.integer() < 0) size.fault(fmt::format("negative size {}", size.integer()));
  }
  try {
    return Shape(sizes);
  } catch (const Error& error) {
    place.fault(error.what());  // the product overflows
  }
}

// The list at `place` as elements of T; the count is the file's, so no more is allocated than it justifies.
template <class T, class Read>
Tensor read_elements(const Place& place, const Shape& shape, Read read) {
  if (static_cast<int64_t>(place.size()) != shape.numel()) {
    place.fault(fmt::format("{} elements do not fill shape [{}]", place.size(), fmt::join(shape, ", ")));
  }
  // Not vector<T>, which for bool has no elements.
  auto elements = std::make_unique<T[]>(place.size());
  for (size_t i = 0; i < place.size(); ++i) elements[i] = read(place.item(i));
  return from_span(std::span<const T>(elements.get(), place.size()), shape);
}

Tensor read_tensor(const Place& place, DType dtype, const Shape& shape) {
  switch (dtype) {
    case DType::float32:
      return read_elements<float>(place, shape,
                                  [](const Place& p) { return static_cast<float>(p.number()); });
    case DType::float64:
      return read_elements<double>(place, shape, [](const Place& p) { return p.number(); });
    case DType::int64:
      return read_elements<int64_t>(place, shape, [](const Place& p) { return p.integer(); });
    case DType::boolean: break;
  }
  return read_elements<bool>(place, shape, [](const Place& p) {
    if (p.json().is_boolean()) return p.boolean();
    const int64_t value = p.integer();
    if (value != 0 && value != 1) p.fault(fmt::format("expected 0 or 1, given {}", value));
    return value == 1;
  });
}

// What is expected or a cotangent: a flat list of any numbers, kept exactly.
Tensor read_list(const Place& place, const std::optional<Shape>& shape) {
  bool integers = true;
  for (size_t i = 0; i < place.size(); ++i) integers = integers && place.item(i).is_integer();
  if (shape && static_cast<int64_t>(place.size()) != shape->numel()) {
    place.fault(fmt::format("{} elements do not fill shape [{}]", place.size(), fmt::join(*shape, ", ")));
  }
  return read_tensor(place, integers ? DType::int64 : DType::float64, {static_cast<int64_t>(place.size())});
}

double read_tol(const Place& owner) {
  if (!owner.has("tol")) return 0;
  const Place place = owner.at("tol");
  const double tol = place.number();
  if (!(tol >= 0 && std::isfinite(tol)))
    place.fault(fmt::format("expected a finite tolerance >= 0, given {}", tol));
  return tol;
}

class GraphParser {
 public:
  GraphParser(std::string_view line, std::span<const Op* const> ops) : document_(line), ops_(ops) {}

  Graph parse() {
    const Place root(document_);
    root.expect_object({"format", "name", "inputs", "nodes", "outputs", "grads"});
    const Place format = root.at("format");
    if (format.string() != kFormat) {
      format.fault(fmt::format("expected \"{}\", given {}", kFormat, io::in_quotes(format.string())));
    }
    if (root.has("name")) {
      graph_.name = root.at("name").string();
      document_.name = graph_.name;
    }
    each(root, "inputs", true, [&](const Place& p) { input(p); });
    each(root, "nodes", false, [&](const Place& p) { node(p); });
    each(root, "outputs", true, [&](const Place& p) { output(p); });
    each(root, "grads", false, [&](const Place& p) { grad(p); });
    return std::move(graph_);
  }

 private:
  static constexpr std::string_view kFormat = "op-graph/1";

  template <class F>
  static void each(const Place& root, const char* key, bool needed, F f) {
    if (!needed && !root.has(key)) return;
    const Place list = root.at(key);
    for (size_t i = 0; i < list.size(); ++i) f(list.item(i));
  }

  // Notes the next value under its name.
  void define(const Place& name) {
    if (!values_.emplace(name.string(), static_cast<int>(values_.size())).second) {
      name.fault(fmt::format("the name {} is given twice", io::in_quotes(name.string())));
    }
  }

  int value(const Place& name) const {
    const auto found = values_.find(name.string());
    if (found != values_.end()) return found->second;
    std::string_view meant =
        io::nearest(name.string(), values_, [](const auto& v) -> std::string_view { return v.first; });
    // Every short name is near to every other.
    if (2 * io::distance(name.string(), meant) > static_cast<int>(meant.size())) meant = {};
    name.fault(fmt::format("no input and no earlier node gives {}{}", io::in_quotes(name.string()),
                           meant.empty() ? "" : fmt::format(", did you mean '{}'?", meant)));
  }

  void input(const Place& p) {
    p.expect_object({"name", "dtype", "shape", "data", "grad"});
    Graph::Input input;
    const Place name = p.at("name");
    const DType dtype = read_dtype(p.at("dtype"));
    const Shape shape = read_shape(p.at("shape"));
    input.name = name.string();
    input.value = read_tensor(p.at("data"), dtype, shape);
    if (p.has("grad")) {
      const Place grad = p.at("grad");
      input.grad = grad.boolean();
      if (input.grad && !is_floating(dtype))
        grad.fault(fmt::format("{} has no gradient", tapegrad::name(dtype)));
    }
    define(name);
    graph_.inputs.push_back(std::move(input));
  }

  void node(const Place& p) {
    p.expect_object({"op", "inputs", "attrs", "outputs"});
    Graph::Node node;
    const Place op = p.at("op");
    node.op = find_op(op.string(), ops_);
    if (node.op == nullptr) {
      op.fault(fmt::format("unknown op {}, did you mean '{}'?", io::in_quotes(op.string()),
                           io::nearest(op.string(), ops_, [](const Op* known) { return known->name; })));
    }
    const Place inputs = p.at("inputs");
    for (size_t i = 0; i < inputs.size(); ++i) node.inputs.push_back(value(inputs.item(i)));
    const auto count = static_cast<int64_t>(node.inputs.size());
    if (count < node.op->min_inputs || (node.op->max_inputs >= 0 && count > node.op->max_inputs)) {
      inputs.fault(
          fmt::format("{} takes {} operands, given {}", node.op->name, operand_count(*node.op), count));
    }
    node.options = io::read_attributes(p, *node.op);
    const Place outputs = p.at("outputs");
    if (outputs.size() == 0) outputs.fault("expected a name for each output, given none");
    for (size_t k = 0; k < outputs.size(); ++k) {
      define(outputs.item(k));
      node.outputs.push_back(outputs.item(k).string());
    }
    graph_.nodes.push_back(std::move(node));
  }

  static std::string operand_count(const Op& op) {
    if (op.max_inputs < 0) return fmt::format("{} or more", op.min_inputs);
    if (op.min_inputs == op.max_inputs) return fmt::format("{}", op.min_inputs);
    return fmt::format("{} to {}", op.min_inputs, op.max_inputs);
  }

  void output(const Place& p) {
    p.expect_object({"name", "cotangent", "shape", "expect", "tol"});
    Graph::Output output;
    output.value = value(p.at("name"));
    if (p.has("shape")) output.shape = read_shape(p.at("shape"));
    if (p.has("cotangent")) output.cotangent = read_list(p.at("cotangent"), output.shape);
    if (p.has("expect")) output.expect = read_list(p.at("expect"), output.shape);
    output.tol = read_tol(p);
    graph_.outputs.push_back(std::move(output));
  }

  void grad(const Place& p) {
    p.expect_object({"name", "expect", "tol"});
    Graph::Grad grad;
    const Place name = p.at("name");
    const auto found = std::find_if(graph_.inputs.begin(), graph_.inputs.end(),
                                    [&](const Graph::Input& input) { return input.name == name.string(); });
    if (found == graph_.inputs.end() || !found->grad) {
      name.fault(fmt::format("{} is no input with \"grad\": true", io::in_quotes(name.string())));
    }
    grad.input = static_cast<int>(found - graph_.inputs.begin());
    if (p.has("expect")) grad.expect = read_list(p.at("expect"), found->value.shape());
    grad.tol = read_tol(p);
    graph_.grads.push_back(std::move(grad));
  }

  Document document_;
  std::span<const Op* const> ops_;
  Graph graph_;
  std::map<std::string, int> values_;
};

}  // namespace

Graph parse_graph(std::string_view line, std::span<const Op* const> ops) {
  return GraphParser(line, ops).parse();
}

struct GraphReader::File {
  File(std::string_view path, std::span<const Op* const> ops) : lines(path), ops(ops) {}
  io::LineReader lines;
  std::span<const Op* const> ops;
  std::string line;
};

GraphReader::GraphReader(std::string_view path, std::span<const Op* const> ops)
    : file_(new File(path, ops)) {}
GraphReader::~GraphReader() { delete file_; }

int GraphReader::line() const { return file_->lines.number(); }

bool GraphReader::next(Graph& graph) {
  const io::LineReader& lines = file_->lines;
  do {
    if (!file_->lines.next(file_->line)) return false;
  } while (file_->line.find_first_not_of(" \t\r") == std::string::npos);
  try {
    graph = parse_graph(file_->line, file_->ops);
  } catch (const FormatError& error) {
    throw FormatError(fmt::format("{}:{}: {}", lines.path(), lines.number(), error.what()),
                      lines.offset() + error.offset());
  }
  graph.file = lines.path();
  graph.line = lines.number();
  return true;
}

Graph load_graph(std::string_view path, std::span<const Op* const> ops) {
  GraphReader reader(path, ops);
  Graph graph, another;
  if (!reader.next(graph)) throw FormatError(fmt::format("{}: truncated: no graph in it", path), 0);
  if (reader.next(another)) {
    throw FormatError(
        fmt::format("{}:{}: expected one graph, this is a second one; use GraphReader", path, reader.line()),
        0);
  }
  return graph;
}

}  // namespace tapegrad
