#include "nn/summary.h"

#include <map>
#include <unordered_set>
#include <utility>

#include "autograd/apply.h"
#include "autograd/raise.h"
#include "autograd/tape.h"
#include "nn/layer_call.h"

namespace tapegrad::nn {
namespace {

constexpr size_t kNone = SIZE_MAX;

// Gathers the rows, and whose parameters are whose.
class RowCollector final : public FieldVisitor {
 public:
  explicit RowCollector(Summary& summary) : summary_(summary) {}

  // The row of a module, where it has one.
  size_t row_of(const void* module, std::string_view type) const {
    const auto found = places_.find({module, type});
    return found == places_.end() ? kNone : found->second;
  }
  const ParameterList& cells() const { return cells_; }

 private:
  void enter(const ModuleRef& module) override {
    // Of a module that is met twice the first row counts its calls.
    places_.emplace(std::pair(module.object, module.type), summary_.rows.size());
    open_.push_back(summary_.rows.size());
    SummaryRow row;
    row.name = path_name();
    row.label = module.label();
    row.depth = static_cast<int>(open_.size()) - 1;
    summary_.rows.push_back(std::move(row));
  }
  void leave() override { open_.pop_back(); }
  void setting(std::string_view name, double value) override {
    if (name != "training") summary_.rows[open_.back()].label += fmt::format(" {}={:g}", name, value);
  }
  void parameter(const CellRef& cell) override {
    SummaryRow& row = summary_.rows[open_.back()];
    if (!seen_.insert(cell.id()).second) {
      row.tied = true;
      return;
    }
    cells_.push_back(cell);
    const Tensor value = cell.value();
    row.parameters += value.numel();
    if (!cell.requires_grad()) row.frozen += value.numel();
    summary_.bytes += value.numel() * static_cast<int64_t>(element_size(value.dtype()));
  }

  Summary& summary_;
  std::vector<size_t> open_;
  std::map<std::pair<const void*, std::string_view>, size_t> places_;
  std::unordered_set<uint64_t> seen_;
  ParameterList cells_;
};

// The floating-point operations of a record. Numbers among its operands take the others' dtype, as in the
// call.
double flops_of(const Tape& tape, const Record& record) {
  std::vector<Tensor> inputs;
  DType dtype = float32;
  for (uint16_t i = 0; i < record.input_count; ++i) {
    inputs.push_back(tape.value(record.inputs[i]));
    const ValueKind kind = tape.kind(record.inputs[i]);
    const bool number = kind == ValueKind::real_literal || kind == ValueKind::integer_literal;
    if (number) inputs.back() = Tensor();
    else if (inputs.back().dtype() != DType::boolean) dtype = inputs.back().dtype();
  }
  for (Tensor& x : inputs) {
    if (!x.defined()) x = zeros({}, dtype);
  }
  return cost_of(*record.op, inputs, record.option_ref()).flops;
}

// Gives what is recorded between the beginning and the end of a layer to the layer that runs.
class Attribution final : public detail::LayerObserver {
 public:
  Attribution(const Tape& tape, const RowCollector& rows, Summary& summary)
      : tape_(tape), rows_(rows), summary_(summary) {}

  void begin(const void* layer, std::string_view type) override {
    settle();
    const size_t row = rows_.row_of(layer, type);
    // A layer in a container is announced by both.
    const bool again = row != kNone && !running_.empty() && running_.back() == row;
    if (row != kNone && !again) ++summary_.rows[row].calls;
    running_.push_back(row != kNone ? row : running_.empty() ? 0 : running_.back());
    known_.push_back(row != kNone);
  }
  void result(const Tensor& y) override {
    if (known_.back()) summary_.rows[running_.back()].output = y.shape();
  }
  void end() override {
    settle();
    running_.pop_back();
    known_.pop_back();
  }

 private:
  void settle() {
    for (; done_ < tape_.size(); ++done_)
      summary_.rows[running_.empty() ? 0 : running_.back()].flops += flops_of(tape_, tape_[done_]);
  }

  const Tape& tape_;
  const RowCollector& rows_;
  Summary& summary_;
  size_t done_ = 0;
  std::vector<size_t> running_;  // the row of each layer under way, or that of the one around it
  std::vector<bool> known_;      // whether it is its own
};

// While it lives, every parameter is recorded, and buffers may change.
class DryRun {
 public:
  DryRun(const ParameterList& parameters, ParameterList buffers) : buffers_(std::move(buffers)) {
    for (const CellRef& cell : parameters) {
      if (!cell.requires_grad()) frozen_.push_back(cell);
    }
    for (const CellRef& cell : buffers_) before_.push_back(cell.value());
    for (const CellRef& cell : frozen_) cell.requires_grad_(true);
  }
  ~DryRun() {
    for (const CellRef& cell : frozen_) cell.requires_grad_(false);
  }
  DryRun(const DryRun&) = delete;
  DryRun& operator=(const DryRun&) = delete;

  void put_back() const {
    for (size_t i = 0; i < buffers_.size(); ++i) assign(buffers_[i], before_[i]);
  }

 private:
  ParameterList frozen_, buffers_;
  std::vector<Tensor> before_;
};

}  // namespace

Summary detail::summary(const Callee& callee, const Shape& input, DType dtype, const SourceLine& where) {
  Summary result;
  result.input = input;
  RowCollector rows(result);
  callee.visit(callee.model, rows);
  using tapegrad::detail::CellCollector;
  CellCollector buffers(CellCollector::Kind::buffers, false);
  callee.visit(callee.model, buffers);
  const DryRun dry(rows.cells(), buffers.take());
  const CallSite site(where);
  try {
    Tape tape;
    const Tensor zero = zeros(input, dtype);
    const Tensor x = is_floating(dtype) ? tape.watch(zero) : zero;
    const Attribution attribution(tape, rows, result);
    const LayerCall call(callee.model, callee.type);
    call.result(callee.call(callee.model, x));
  } catch (Error& error) {
    dry.put_back();
    error.add_context(fmt::format("in the summary for {}[{}]", name(dtype), fmt::join(input, ", ")));
    throw;
  } catch (...) {
    dry.put_back();
    throw;
  }
  dry.put_back();
  for (const SummaryRow& row : result.rows) {
    result.parameters += row.parameters;
    result.frozen += row.frozen;
    result.flops += row.flops;
  }
  return result;
}

}  // namespace tapegrad::nn
