// What a tape recorded, as a graph.

#include <algorithm>
#include <unordered_map>

#include "autograd/apply.h"
#include "autograd/io/graph.h"
#include "autograd/ops.h"
#include "autograd/raise.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad {
namespace {

// Elements as a list that a file keeps exactly.
Tensor flat(const Tensor& x) {
  const Tensor list = reshape(x.detach(), {-1});
  return x.dtype() == DType::int64 ? list : cast(list, DType::float64);
}

class Extraction {
 public:
  explicit Extraction(const Tape& tape)
      : tape_(tape), place_(tape.values(), kUnknown), last_(tape.values(), kUnknown) {}

  // Notes every record that an output depends on, from last to first.
  void need(std::span<const Tensor> outputs) {
    std::vector<bool> needed(tape_.size(), false);
    for (const Tensor& y : outputs) mark(y.handle()->value, needed);
    for (size_t r = tape_.size(); r-- > 0;) {
      if (!needed[r]) continue;
      const Record& record = tape_[r];
      for (uint32_t i = 0; i < record.input_count; ++i) mark(record.inputs[i], needed);
      records_.push_back(r);
    }
    std::reverse(records_.begin(), records_.end());
  }

  Graph graph() {
    for (size_t r : records_) add_inputs(tape_[r]);
    for (size_t r : records_) add_node(tape_[r]);
    return std::move(graph_);
  }
  // For an output that is an input.
  void add_leaf(uint32_t value) {
    if (tape_.kind(value) != ValueKind::produced) add_input(value, nullptr);
  }
  int place(uint32_t value) const { return place_[value]; }
  const std::vector<std::pair<uint32_t, int>>& leaves() const { return leaves_; }

 private:
  static constexpr int kUnknown = -1;

  void mark(uint32_t value, std::vector<bool>& needed) {
    if (tape_.kind(value) != ValueKind::produced) return;
    const size_t r = tape_.producer(value);
    needed[r] = true;
    // How many of the record's outputs are used, the hidden ones included.
    int& used = last_[tape_[r].first_output];
    used = std::max(used, static_cast<int>(value - tape_[r].first_output));
  }

  std::string fresh_name(std::string_view stem) {
    std::string name(stem);
    if (name.empty() || names_.contains(name)) {
      const std::string start = name.empty() ? "x" : name + "_";
      for (int k = 0; names_.contains(name = fmt::format("{}{}", start, k));) ++k;
    }
    names_.emplace(name, 0);
    return name;
  }

  std::string numbered(char stem) {
    int& next = names_[std::string(1, stem)];
    std::string name;
    do {
      name = fmt::format("{}{}", stem, next++);
    } while (names_.contains(name));
    names_.emplace(name, 0);
    return name;
  }

  // A number has the dtype of the tensors beside it.
  Tensor literal(const Record& record, uint32_t value) const {
    DType dtype = DType::float64;
    for (uint32_t i = record.input_count; i-- > 0;) {
      const ValueKind kind = tape_.kind(record.inputs[i]);
      const bool number = kind == ValueKind::real_literal || kind == ValueKind::integer_literal;
      if (!number && static_cast<int>(i) >= record.op->first_value)
        dtype = tape_.value(record.inputs[i]).dtype();
    }
    return cast(tape_.value(value), dtype).detach();
  }

  void add_inputs(const Record& record) {
    for (uint32_t i = 0; i < record.input_count; ++i) {
      if (tape_.kind(record.inputs[i]) != ValueKind::produced) add_input(record.inputs[i], &record);
    }
  }

  void add_input(uint32_t value, const Record* record) {
    if (place_[value] != kUnknown) return;
    Graph::Input input;
    switch (tape_.kind(value)) {
      case ValueKind::parameter: {
        const CellRef cell = tape_.parameter(value);
        input = {cell.named() ? fresh_name(cell.name()) : numbered('p'), cell.value(), true};
        break;
      }
      case ValueKind::watched: input = {numbered('x'), tape_.value(value).detach(), true}; break;
      case ValueKind::constant: {
        // Each use of a constant is a value of its own on the tape, and one input here.
        const Tensor x = tape_.value(value);
        const auto [known, added] = constants_.emplace(x.handle(), static_cast<int>(graph_.inputs.size()));
        if (!added) {
          place_[value] = known->second;
          return;
        }
        input = {numbered('c'), x.detach(), false};
        break;
      }
      default: input = {numbered('c'), literal(*record, value), false};
    }
    place_[value] = static_cast<int>(graph_.inputs.size());
    if (input.grad) leaves_.emplace_back(value, place_[value]);
    graph_.inputs.push_back(std::move(input));
  }

  void add_node(const Record& record) {
    Graph::Node node;
    node.op = record.op;
    node.options = OptionsBox(record.option_ref());
    for (uint32_t i = 0; i < record.input_count; ++i) node.inputs.push_back(place_[record.inputs[i]]);
    int count = record.output_count;
    if (record.op->results >= 0) count = std::min(count, record.op->results);
    count = std::max(count, last_[record.first_output] + 1);
    for (int k = 0; k < count; ++k) {
      place_[record.first_output + static_cast<uint32_t>(k)] =
          static_cast<int>(graph_.inputs.size()) + produced_++;
      node.outputs.push_back(numbered('v'));
    }
    graph_.nodes.push_back(std::move(node));
  }

  const Tape& tape_;
  Graph graph_;
  std::vector<int> place_;  // of each value of the tape among those of the graph
  std::vector<int> last_;   // of each record, by its first output: the last output that is used
  std::vector<size_t> records_;
  std::vector<std::pair<uint32_t, int>> leaves_;  // on the tape and among the inputs
  std::unordered_map<std::string, int> names_;    // taken ones, and for one letter the next number
  std::unordered_map<const detail::Body*, int> constants_;
  int produced_ = 0;
};

}  // namespace

Graph graph_of(Tape& tape, std::span<const Tensor> outputs, std::span<const Tensor> cotangents, double tol) {
  std::vector<Tensor> seeds(cotangents.begin(), cotangents.end());
  if (seeds.empty()) seeds.resize(outputs.size());
  // Checks the outputs, the cotangents, and that no parameter has changed since.
  const Gradients gradients = tape.gradient(outputs, seeds);

  Extraction extraction(tape);
  extraction.need(outputs);
  for (const Tensor& y : outputs) extraction.add_leaf(y.handle()->value);
  Graph graph = extraction.graph();
  for (size_t k = 0; k < outputs.size(); ++k) {
    const Tensor& y = outputs[k];
    const Tensor seed = seeds[k].defined() ? seeds[k] : ones(y.shape(), y.dtype());
    graph.outputs.push_back({extraction.place(y.handle()->value), y.shape(), flat(seed), flat(y), tol});
  }
  for (const auto& [value, input] : extraction.leaves()) {
    const CellRef cell = tape.parameter(value);
    const Tensor* found = cell.defined() ? gradients.find(cell) : gradients.find(tape.value(value));
    if (found != nullptr) graph.grads.push_back({input, flat(*found), tol});
  }
  return graph;
}

}  // namespace tapegrad
