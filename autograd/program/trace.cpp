#include "autograd/program/trace.h"

#include <cstring>
#include <exception>
#include <utility>

#include "autograd/body.h"
#include "autograd/raise.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad::detail {
namespace {

// Finds the cell among an effect's options.
class CellOption final : public PassingVisitor {
 public:
  using PassingVisitor::field;
  void field(std::string_view, CellRef& value) override { cell = value.handle(); }

  Cell* cell = nullptr;
};

}  // namespace

Cell* written_cell(const Op& op, OptionsRef options) {
  CellOption option;
  op.options->visit(const_cast<void*>(options.data), option);
  return option.cell;
}

uint32_t Trace::add(TraceValue value) {
  const auto id = static_cast<uint32_t>(values_.size());
  if (value.kind != TraceValue::Kind::produced) value.root = id;
  values_.push_back(std::move(value));
  return id;
}

Tensor Trace::input(const Tensor& x) {
  Body* body = x.handle();
  Tensor own = Tensor::adopt(new_alias(body, {body->dims(), body->rank}));
  TraceValue value{.kind = TraceValue::Kind::input,
                   .dtype = body->dtype,
                   .index = inputs_++,
                   .shape = body->shape(),
                   .held = own};
  of_body_[own.handle()] = add(std::move(value));
  return own;
}

uint32_t Trace::tensor(const Body* body) {
  const auto found = of_body_.find(body);
  if (found != of_body_.end()) return found->second;
  Tensor held = Tensor::share(const_cast<Body*>(body));
  const uint32_t id = add({.kind = TraceValue::Kind::constant,
                           .dtype = body->dtype,
                           .varies = false,
                           .shape = body->shape(),
                           .held = std::move(held)});
  of_body_[body] = id;
  return id;
}

uint32_t Trace::cell(Cell* cell) {
  const auto found = of_cell_.find(cell);
  if (found != of_cell_.end()) return found->second;
  Body* body = cell->value.handle();
  const uint32_t id = add({.kind = TraceValue::Kind::cell,
                           .dtype = body->dtype,
                           .shape = body->shape(),
                           .held = Tensor::share(body),
                           .cell = CellRef::share(cell)});
  of_cell_[cell] = id;
  return id;
}

uint32_t Trace::operand(const Arg& arg, const Body* body) {
  if (arg.kind() == Arg::Kind::cell) return cell(arg.cell());
  if (!arg.is_literal()) return tensor(body);
  return add({.kind = TraceValue::Kind::number,
              .dtype = body->dtype,
              .varies = arg.kind() == Arg::Kind::live,
              .integer = arg.kind() == Arg::Kind::integer,
              .number = arg.real(),
              .live = arg.live()});
}

void Trace::record(const Op& op, OptionsRef options, const SourceLine& where, std::span<const Arg> args,
                   const Body* const* in, std::span<Body* const> out) {
  if (op.flags.writes_state) {
    Cell* const target = written_cell(op, options);
    const uint32_t value = operand(args[0], in[0]);
    of_cell_[target] = value;
    write_of(target)->value = value;
    // The cell now holds a header of its own on that memory.
    of_body_[out[0]] = value;
    kept_.push_back(Tensor::share(out[0]));
    return;
  }
  TraceCall call{&op, OptionsBox(options), where, {}, {}};
  for (size_t i = 0; i < args.size(); ++i) call.inputs.push_back(operand(args[i], in[i]));
  const auto number = static_cast<uint32_t>(calls_.size());
  for (Body* body : out) {
    TraceValue value{
        .dtype = body->dtype, .index = number, .shape = body->shape(), .held = Tensor::share(body)};
    value.root = static_cast<uint32_t>(values_.size());
    value.varies = false;
    for (const uint32_t i : call.inputs) {
      value.varies = value.varies || values_[i].varies;
      const Tensor& held = values_[i].held;
      if (body->owner != nullptr && held.defined() && held.handle()->data == body->data) {
        value.root = values_[i].root;
      }
    }
    call.outputs.push_back(add(std::move(value)));
    of_body_[body] = call.outputs.back();
  }
  calls_.push_back(std::move(call));
}

void Trace::alias(const Body* of, Body* alias) {
  const auto found = of_body_.find(of);
  if (found == of_body_.end()) return;
  of_body_[alias] = found->second;
  kept_.push_back(Tensor::share(alias));
}

Tensor Trace::read(Cell* from) {
  const uint32_t value = cell(from);
  Body* body = from->value.handle();
  Body* own = new_alias(body, {body->dims(), body->rank});
  of_body_[own] = value;
  kept_.push_back(Tensor::share(own));
  return Tensor::adopt(own);
}

TraceWrite* Trace::write_of(const Cell* cell) {
  for (TraceWrite& write : writes_) {
    if (write.cell.handle() == cell) return &write;
  }
  return nullptr;
}

void Trace::before_write(Cell* cell) {
  if (write_of(cell) == nullptr) {
    writes_.push_back({CellRef::share(cell), 0, cell->value, cell->version});
  }
}

void Trace::wrote(Cell* cell) {
  const uint32_t value = tensor(cell->value.handle());
  of_cell_[cell] = value;
  write_of(cell)->value = value;
}

void Trace::host(HostWork work) {
  for (const HostWork& other : host_) {
    if (work.owner == nullptr || work.owner != other.owner) continue;
    raise<GraphError>(
        "[capture] an optimiser steps twice while a program is recorded; its numbers would be those of one "
        "step");
  }
  host_.push_back(std::move(work));
}

void Trace::check_held(const Body* body) const {
  const auto found = of_body_.find(body);
  if (kernels_ || found == of_body_.end()) return;
  const TraceValue::Kind kind = values_[found->second].kind;
  if (kind != TraceValue::Kind::produced && kind != TraceValue::Kind::input) return;
  raise<GraphError>(
      "[plan] a parameter or buffer was made of {}, which is not computed while memory is planned",
      describe(*body));
}

uint32_t Trace::value_of(const Tensor& x) { return tensor(x.handle()); }

void Trace::check_readable(const Body* body) const {
  const auto found = of_body_.find(body);
  if (found == of_body_.end()) return;
  const TraceValue& value = values_[found->second];
  if (!kernels_ && value.kind == TraceValue::Kind::produced) {
    raise<GraphError>("[plan] the elements of {} were read, and nothing is computed while memory is planned",
                      describe(*body));
  }
  if (!value.varies) return;
  raise<GraphError>(
      "[capture] the elements of {} were read while a program was recorded; what is done with them would be "
      "the same in every later run",
      describe(*body));
}

void Trace::undo() noexcept {
  for (TraceWrite& write : writes_) {
    write.cell.handle()->value = std::move(write.before);
    write.cell.handle()->version = write.version;
  }
}

void Trace::finish() {
  of_body_.clear();
  of_cell_.clear();
  kept_.clear();
  for (TraceValue& value : values_) {
    if (value.kind != TraceValue::Kind::constant) value.held = Tensor();
  }
  for (TraceWrite& write : writes_) write.before = Tensor();
}

namespace {

std::string text_of(const TraceValue& value) {
  switch (value.kind) {
    case TraceValue::Kind::input: return fmt::format("input {}", value.index);
    case TraceValue::Kind::cell: return fmt::format("\"{}\"", value.cell.name());
    case TraceValue::Kind::number: return fmt::format("the number {}", value.number);
    case TraceValue::Kind::constant:
      return fmt::format("a constant {}[{}]", name(value.dtype), fmt::join(value.shape, ", "));
    default: return fmt::format("the result of call {}", value.index);
  }
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  return a.handle()->data == b.handle()->data ||
         std::memcmp(a.handle()->data, b.handle()->data, a.handle()->bytes()) == 0;
}

bool same(const TraceValue& a, const TraceValue& b) {
  if (a.kind != b.kind || a.dtype != b.dtype || !(a.shape == b.shape) || a.root != b.root) return false;
  switch (a.kind) {
    case TraceValue::Kind::cell: return a.cell.handle() == b.cell.handle();
    case TraceValue::Kind::number:
      return a.live == b.live &&
             (a.live != nullptr || std::memcmp(&a.number, &b.number, sizeof a.number) == 0);
    case TraceValue::Kind::constant: return same_bytes(a.held, b.held);
    default: return a.index == b.index;
  }
}

std::string text_of(const TraceCall& call) {
  const std::string options = to_string(call.options.ref());
  return fmt::format("{}{}{}", call.op->name, options.empty() ? "" : "(" + options + ")",
                     location(call.where));
}

}  // namespace

std::string difference(const Trace& first, const Trace& second) {
  for (size_t c = 0; c < first.calls().size() || c < second.calls().size(); ++c) {
    if (c >= first.calls().size()) return fmt::format("{} is new", text_of(second.calls()[c]));
    const TraceCall& was = first.calls()[c];
    if (c >= second.calls().size()) return fmt::format("{} is gone", text_of(was));
    const TraceCall& is = second.calls()[c];
    if (was.op != is.op || was.inputs.size() != is.inputs.size() ||
        !equal(was.options.ref(), is.options.ref())) {
      return fmt::format("{} is now {}", text_of(was), text_of(is));
    }
    for (size_t i = 0; i < was.inputs.size(); ++i) {
      const TraceValue& before = first.values()[was.inputs[i]];
      const TraceValue& now = second.values()[is.inputs[i]];
      if (was.inputs[i] == is.inputs[i] && same(before, now)) continue;
      std::string how = fmt::format("was {}, is now {}", text_of(before), text_of(now));
      if (text_of(before) == text_of(now)) how = fmt::format("{} differs", text_of(now));
      return fmt::format("operand {} of {}: {}", operand_name(*is.op, static_cast<int>(i)), text_of(is), how);
    }
  }
  if (first.values().size() != second.values().size()) return "another number of values";
  if (first.writes().size() != second.writes().size()) return "another number of cells is written";
  for (size_t w = 0; w < first.writes().size(); ++w) {
    const TraceWrite &was = first.writes()[w], &is = second.writes()[w];
    if (was.cell.handle() == is.cell.handle() && was.value == is.value) continue;
    return fmt::format("what is written into \"{}\"", is.cell.name());
  }
  if (first.host_work().size() != second.host_work().size()) return "another number of optimiser steps";
  return {};
}

Tracing::Tracing(Trace& trace) {
  if (t_state.trace != nullptr) raise<GraphError>("[capture] a program is being recorded on this thread");
  t_state.trace = &trace;
}
Tracing::~Tracing() { t_state.trace = nullptr; }
bool is_tracing() { return t_state.trace != nullptr; }

HostScope::HostScope(HostWork work) : work_(std::move(work)), exceptions_(std::uncaught_exceptions()) {
  work_.prepare(work_.state.get());
  if (t_state.trace != nullptr) t_state.trace->host(work_);
}

HostScope::~HostScope() {
  if (t_state.trace == nullptr && std::uncaught_exceptions() == exceptions_) work_.commit(work_.state.get());
}

}  // namespace tapegrad::detail
