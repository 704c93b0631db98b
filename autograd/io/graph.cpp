#include "autograd/io/graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <unordered_set>

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad {
namespace {

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

// " (cases.jsonl:4)" of the graph's line, or nothing for one that was not read.
std::string place_of(const Graph& graph) {
  return location({graph.line > 0 ? graph.file.c_str() : nullptr, graph.line});
}

// The name of a file for as long as the program runs, since records that outlive the graph point to it.
const char* kept(const std::string& file) {
  static std::mutex mutex;
  static auto* const names = new std::unordered_set<std::string>;
  const std::lock_guard lock(mutex);
  return names->insert(file).first->c_str();
}

bool same_value(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

double element(const Tensor& x, size_t i) {
  switch (x.dtype()) {
    case DType::float32: return x.data<float>()[i];
    case DType::float64: return x.data<double>()[i];
    case DType::int64: return static_cast<double>(x.data<int64_t>()[i]);
    case DType::boolean: return x.data<bool>()[i] ? 1 : 0;
  }
  return 0;
}

// How far an element is from what is expected: 0 where they are the same, infinite where only one is finite.
double gap(const Tensor& got, const Tensor& expect, size_t i) {
  if (got.dtype() == DType::int64 && expect.dtype() == DType::int64) {
    const auto a = got.data<int64_t>()[i], b = expect.data<int64_t>()[i];
    const uint64_t difference = a > b ? static_cast<uint64_t>(a) - static_cast<uint64_t>(b)
                                      : static_cast<uint64_t>(b) - static_cast<uint64_t>(a);
    return static_cast<double>(difference);
  }
  const double a = element(got, i), b = element(expect, i);
  if (same_value(a, b)) return 0;
  const double difference = std::fabs(a - b);
  return std::isfinite(a) && std::isfinite(b) ? difference : std::numeric_limits<double>::infinity();
}

Dims position(const Shape& shape, int64_t flat) {
  Dims at = shape;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    at[d] = flat % shape[d];
    flat /= shape[d];
  }
  return at;
}

// Appends to `found` if `got` is not as expected.
void compare(std::string tensor, const Tensor& got, const std::optional<Shape>& shape, const Tensor& expect,
             double tol, std::vector<GraphDifference>& found) {
  GraphDifference difference;
  difference.tensor = std::move(tensor);
  difference.tol = tol;
  if (shape && !(*shape == got.shape())) {
    difference.problem =
        fmt::format("got shape {}, expected {}", shape_text(got.shape()), shape_text(*shape));
  } else if (expect.defined() && expect.numel() != got.numel()) {
    difference.problem = fmt::format("got shape {} with {} elements, expected {}", shape_text(got.shape()),
                                     got.numel(), expect.numel());
  } else if (expect.defined()) {
    double worst = -1;
    difference.elements = got.numel();
    for (int64_t i = 0; i < got.numel(); ++i) {
      const double off = gap(got, expect, static_cast<size_t>(i));
      if (off <= tol) continue;
      ++difference.differing;
      if (off <= worst) continue;
      worst = off;
      difference.at = position(got.shape(), i);
      difference.got = element(got, static_cast<size_t>(i));
      difference.expected = element(expect, static_cast<size_t>(i));
    }
  }
  if (!difference.problem.empty() || difference.differing > 0) found.push_back(std::move(difference));
}

// The output's cotangent in its own shape and dtype.
Tensor cotangent_of(const Graph& graph, const Graph::Output& output, const Tensor& y) {
  if (!is_floating(y.dtype())) {
    raise<DTypeError>("[graph] {} is {} and takes no cotangent{}", graph.value_name(output.value),
                      describe(*y.handle()), place_of(graph));
  }
  if (output.cotangent.numel() != y.numel()) {
    raise<ShapeError>("[graph] {} is {}, its cotangent has {} elements{}", graph.value_name(output.value),
                      describe(*y.handle()), output.cotangent.numel(), place_of(graph));
  }
  return reshape(cast(output.cotangent, y.dtype()), y.shape()).detach();
}

}  // namespace

std::string GraphDifference::text() const {
  if (!problem.empty()) return fmt::format("{}: {}", tensor, problem);
  return fmt::format("{} at [{}]: got {}, expected {}, tolerance {} ({} of {} elements differ)", tensor,
                     fmt::join(at, ", "), got, expected, tol, differing, elements);
}

std::string_view Graph::value_name(int value) const {
  auto at = static_cast<size_t>(value);
  if (at < inputs.size()) return inputs[at].name;
  at -= inputs.size();
  for (const Node& node : nodes) {
    if (at < node.outputs.size()) return node.outputs[at];
    at -= node.outputs.size();
  }
  return {};
}

std::vector<Tensor> Graph::evaluate(std::span<const Tensor> values) const {
  if (values.size() != inputs.size()) {
    raise<ArgumentError>("[graph] expected {} inputs, given {}{}", inputs.size(), values.size(),
                         place_of(*this));
  }
  std::vector<Tensor> known(values.begin(), values.end());
  const SourceLine where{line > 0 ? kept(file) : nullptr, line};
  const CallSite site(where);
  std::vector<Arg> args;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const Node& node = nodes[n];
    args.clear();
    for (int i : node.inputs) args.emplace_back(known[static_cast<size_t>(i)], where.file, where.line);
    std::vector<Tensor> results = apply_all(*node.op, std::span<const Arg>(args), node.options.ref());
    const auto all = results.size();
    const auto shown = node.op->results < 0 ? all : std::min(all, static_cast<size_t>(node.op->results));
    if (node.outputs.size() < shown || node.outputs.size() > all) {
      raise<GraphError>("[{}] gives {} outputs, node {} names {}{}", node.op->name, shown, n,
                        node.outputs.size(), place_of(*this));
    }
    for (size_t k = 0; k < node.outputs.size(); ++k) known.push_back(std::move(results[k]));
  }
  std::vector<Tensor> result;
  for (const Output& output : outputs) result.push_back(known[static_cast<size_t>(output.value)]);
  return result;
}

GraphResult Graph::run() const {
  Tape tape;
  std::vector<Tensor> values;
  for (const Input& input : inputs) values.push_back(input.grad ? tape.watch(input.value) : input.value);
  GraphResult result{evaluate(values), {}};
  std::vector<Tensor> ys, cotangents;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (!outputs[k].cotangent.defined()) continue;
    const Tensor& y = result.outputs[k];
    Tensor cotangent = cotangent_of(*this, outputs[k], y);
    if (y.handle()->tape != tape.serial() || !y.handle()->tracked) continue;  // depends on no input with grad
    ys.push_back(y);
    cotangents.push_back(std::move(cotangent));
  }
  Gradients gradients;
  if (!ys.empty()) gradients = tape.gradient(ys, cotangents);
  for (size_t i = 0; i < inputs.size(); ++i) {
    result.gradients.push_back(inputs[i].grad ? gradients.get_or_zeros(values[i]) : Tensor());
  }
  // Plain values: nothing ties them to the tape, which ends here.
  for (Tensor& y : result.outputs) y = y.detach();
  return result;
}

std::vector<GraphDifference> Graph::check() const {
  const GraphResult result = run();
  std::vector<GraphDifference> found;
  for (size_t k = 0; k < outputs.size(); ++k) {
    const Output& output = outputs[k];
    compare(std::string(value_name(output.value)), result.outputs[k], output.shape, output.expect, output.tol,
            found);
  }
  for (const Grad& grad : grads) {
    const auto i = static_cast<size_t>(grad.input);
    compare("gradient of " + inputs[i].name, result.gradients[i], std::nullopt, grad.expect, grad.tol, found);
  }
  return found;
}

}  // namespace tapegrad
