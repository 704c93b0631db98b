#include "autograd/apply.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "autograd/body.h"
#include "autograd/plain_call.h"
#include "autograd/program/trace.h"
#include "autograd/raise.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad {

using detail::Body;
using detail::t_state;
using detail::TapeImpl;

namespace {

constexpr int kInlineInputs = 8;
constexpr int kInlineOutputs = 4;

// A number beside tensors, as a 0-d tensor.
struct LiteralBody {
  Body body;
  double value;  // of the tensors' dtype
};

// Field by field: copied as a block, right after its fields were written one by one, it would stall.
void copy_line(const SourceLine& from, SourceLine& to) {
  to.file = from.file;
  to.line = from.line;
}

}  // namespace

CallSite::CallSite(const SourceLine& where, bool force) {
  copy_line(t_state.site, saved_);
  if (force || saved_.file == nullptr) copy_line(where, t_state.site);
}
CallSite::~CallSite() { copy_line(saved_, t_state.site); }
const SourceLine& CallSite::where() const { return t_state.site; }

// Carries one call through the door, step by step.
class Invocation {
 public:
  Invocation(const Op& op, std::span<const Arg> args, OptionsRef options) {
    // Trailing operands may be left out; an op of any number of operands has none to leave out.
    while (op.max_inputs >= 0 && !args.empty() && args.back().kind() == Arg::Kind::none) {
      args = args.first(args.size() - 1);
    }
    call_.op_ = &op;
    call_.options_ = options;
    call_.where_ = t_state.site.file != nullptr || args.empty() ? t_state.site : args[0].where();
    if (options.type != op.options) [[unlikely]]
      default_options(op);
    call_.args_ = args.data();
    call_.inputs_ = static_cast<int>(args.size());
    call_.out_ = call_.inline_out_;
    call_.out_capacity_ = kInlineOutputs;
    call_.in_ = in_;
    if (args.size() > kInlineInputs) call_.in_ = new const Body*[args.size()];
  }
  Invocation(const Invocation&) = delete;
  Invocation& operator=(const Invocation&) = delete;
  ~Invocation() {
    for (int k = 0; k < call_.outputs_; ++k) detail::release(call_.out_[k]);
    if (more_ != nullptr || call_.inputs_ > kInlineInputs || call_.out_capacity_ > kInlineOutputs)
        [[unlikely]]
      free_more();
  }

  [[gnu::always_inline]] void run(std::span<const CellRef> into = {}) {
    resolve();
    if (t_state.trace != nullptr) [[unlikely]]
      return run_traced();
    call_.into_ = into;
    call_.op_->shape(call_);
    if (call_.op_->forward != nullptr) call_.op_->forward(call_);
    note();
  }

  [[gnu::noinline]] void run_traced() {
    call_.headers_only_ = !t_state.trace->runs_kernels();
    call_.op_->shape(call_);
    const bool writes = call_.op_->flags.writes_state;
    if (writes) t_state.trace->before_write(detail::written_cell(*call_.op_, call_.options_));
    if (call_.op_->forward != nullptr && (writes || !call_.headers_only_)) call_.op_->forward(call_);
    note();
    t_state.trace->record(*call_.op_, call_.options_, call_.where_,
                          {call_.args_, static_cast<size_t>(call_.inputs_)}, call_.in_,
                          {call_.out_, static_cast<size_t>(call_.outputs_)});
  }

  // Onto the tape, where one records and an operand is tracked. Apart from `run`, for which it would take
  // registers.
  void note() {
    if (tracked_) record();
  }
  [[gnu::noinline]] void record() {
    if (call_.outputs_ == 0 || !detail::is_recorded(*call_.op_, *call_.out_[0])) return;
    detail::record(*t_state.tape, *call_.op_, call_.options_, call_.where_,
                   {call_.args_, static_cast<size_t>(call_.inputs_)},
                   {call_.out_, static_cast<size_t>(call_.outputs_)});
  }

  Cost cost() {
    resolve();
    call_.headers_only_ = true;
    call_.op_->shape(call_);
    return call_.op_->cost(call_);
  }

  Tensor take(int k) {
    Body* body = call_.out_[k];
    call_.out_[k] = nullptr;
    return Tensor::adopt(body);
  }
  int outputs() const { return call_.outputs_; }
  const Body& output(int k) const { return *call_.out_[k]; }

 private:
  // What few calls need.
  struct More {
    OptionsBox defaults;
    std::vector<LiteralBody> literals;
  };

  More& more() {
    if (more_ == nullptr) more_ = new More;
    return *more_;
  }
  [[gnu::cold]] void free_more();
  void default_options(const Op& op);
  void resolve();
  [[gnu::noinline]] void resolve_literals();
  [[gnu::noinline]] void check_tape(const Body& body, int i);
  [[noreturn, gnu::cold]] void wrong_count();

  Call call_;
  const Body* in_[kInlineInputs];
  LiteralBody literals_[2];
  More* more_ = nullptr;
  bool tracked_ = false;
};

void Invocation::free_more() {
  if (call_.out_ != call_.inline_out_) delete[] call_.out_;
  if (call_.in_ != in_) delete[] call_.in_;
  delete more_;
}

// No options stand for the default ones.
void Invocation::default_options(const Op& op) {
  if (call_.options_.type != nullptr) {
    raise<ArgumentError>("[{}] was given the options of another op{}", op.name, location(call_.where_));
  }
  call_.options_ = (more().defaults = OptionsBox(op.options)).ref();
}

void Invocation::wrong_count() {
  std::fill_n(call_.in_, call_.inputs_, nullptr);
  call_.argument_error(fmt::format("expected {} operands, given {}", call_.op_->min_inputs, call_.inputs_));
}

[[gnu::always_inline]] inline void Invocation::resolve() {
  const TapeImpl* const tape = t_state.tape;
  const Arg* const args = call_.args_;
  const Body** const in = call_.in_;
  const int inputs = call_.inputs_, most = call_.op_->max_inputs;
  if (inputs < call_.op_->min_inputs || (inputs > most && most >= 0)) [[unlikely]]
    wrong_count();
  bool literals = false, undefined = false, tracked = false;
  for (int i = 0; i < inputs; ++i) {
    const Arg& arg = args[i];
    const Body* body = nullptr;
    if (arg.kind() == Arg::Kind::tensor) {
      body = arg.body();
      if (tape != nullptr && body->tape != 0) {
        if (body->tape == tape->serial) {
          tracked |= body->tracked;
        } else {
          check_tape(*body, i);
        }
      }
    } else if (arg.kind() == Arg::Kind::cell) {
      body = arg.cell()->value.handle();
      tracked |= arg.cell()->trainable;
      undefined |= body == nullptr;
    } else {
      literals |= arg.is_literal();
      undefined |= arg.kind() == Arg::Kind::none;
    }
    in[i] = body;
  }
  tracked_ = tracked && tape != nullptr;
  if (undefined) [[unlikely]]
    call_.argument_error("an operand is an undefined tensor");
  if (literals) [[unlikely]]
    resolve_literals();
}

void Invocation::resolve_literals() {
  const Body* neighbour = nullptr;
  int count = 0;
  for (int i = 0; i < call_.inputs_; ++i) {
    if (call_.args_[i].is_literal()) {
      ++count;
    } else if (neighbour == nullptr && i >= call_.op_->first_value) {
      neighbour = call_.in_[i];
    }
  }
  if (neighbour == nullptr)
    call_.dtype_error("expected a tensor beside the number, to give it its dtype; use full");
  LiteralBody* literal = literals_;
  if (count > 2) {
    more().literals.resize(static_cast<size_t>(count));
    literal = more().literals.data();
  }
  for (int i = 0; i < call_.inputs_; ++i) {
    const Arg& arg = call_.args_[i];
    if (!arg.is_literal()) continue;
    const DType dtype = neighbour->dtype;
    if (dtype == DType::boolean || (dtype == DType::int64 && arg.kind() != Arg::Kind::integer)) {
      call_.dtype_error(fmt::format("the number {} beside {} elements; use cast", arg.real(), name(dtype)));
    }
    detail::put_number(dtype, arg, &literal->value);
    literal->body = Body{.references = 1,
                         .dtype = dtype,
                         .rank = 0,
                         .tracked = false,
                         .tape = 0,
                         .value = 0,
                         .small_bytes = 0,
                         .data = &literal->value,
                         .owner = nullptr,
                         .numel = 1};
    call_.in_[i] = &(literal++)->body;
  }
}

void Invocation::check_tape(const Body& body, int i) {
  if (!detail::is_live(body.tape)) return;  // a dead tape's result is a constant
  raise<GraphError>(
      "[{}] operand {} was recorded on tape {}, which is alive, and tape {} is recording{}; use detach to "
      "pass it as "
      "a constant",
      call_.op_->name, operand_name(*call_.op_, i), body.tape, t_state.tape->serial, location(call_.where_));
}

void* detail::copy_options(TapeImpl& tape, OptionsRef options) {
  const OptionsType& type = *options.type;
  void* copy = tape.arena.allocate(type.size, std::max(type.align, size_t{1}));
  if (type.trivial) {
    std::memcpy(copy, options.data, type.size);
  } else {
    type.copy(copy, options.data);
    tape.owned_options.emplace_back(copy, &type);
  }
  return copy;
}

Tensor detail::full_call(const Op& op, std::span<const Arg> inputs, OptionsRef options) {
  Invocation invocation(op, inputs, options);
  invocation.run();
  return invocation.take(0);
}

// Has no frame of its own: each way through the door is a jump.
Tensor apply(const Op& op, std::span<const Arg> inputs, OptionsRef options) {
  if (detail::may_be_plain(op, inputs.size(), options)) {
    switch (inputs.size()) {
      case 1: return detail::plain_call<1>(op, inputs.data(), options);
      case 2: return detail::plain_call<2>(op, inputs.data(), options);
      case 3: return detail::plain_call<3>(op, inputs.data(), options);
      case 4: return detail::plain_call<4>(op, inputs.data(), options);
      default: break;
    }
  }
  return detail::full_call(op, inputs, options);
}

std::vector<Tensor> apply_all(const Op& op, std::span<const Arg> inputs, OptionsRef options) {
  Invocation invocation(op, inputs, options);
  invocation.run();
  std::vector<Tensor> results;
  results.reserve(static_cast<size_t>(invocation.outputs()));
  for (int k = 0; k < invocation.outputs(); ++k) results.push_back(invocation.take(k));
  return results;
}

Cost cost_of(const Op& op, std::span<const Tensor> inputs, OptionsRef options) {
  const std::vector<Arg> args(inputs.begin(), inputs.end());
  return Invocation(op, args, options).cost();
}

void update(const CellRef& cell, const Op& op, std::initializer_list<Arg> inputs, OptionsRef options) {
  if (detail::may_be_plain(op, inputs.size(), options) &&
      detail::plain_update(*cell.handle(), op, {inputs.begin(), inputs.size()}, options)) {
    ++cell.handle()->version;
    return;
  }
  update({&cell, 1}, op, std::span<const Arg>(inputs.begin(), inputs.size()), options);
}

void update(std::span<const CellRef> cells, const Op& op, std::span<const Arg> inputs, OptionsRef options) {
  TapeImpl* tape = t_state.tape;
  t_state.tape = nullptr;
  struct Restore {
    TapeImpl* tape;
    ~Restore() { t_state.tape = tape; }
  } restore{tape};
  Invocation invocation(op, inputs, options);
  invocation.run(cells);
  for (size_t k = 0; k < cells.size(); ++k) {
    const Body &result = invocation.output(static_cast<int>(k)), &held = *cells[k].handle()->value.handle();
    if (&result == &held || (result.dtype == held.dtype && detail::same_dims(result, held))) continue;
    raise<ShapeError>("[{}] the update {} does not fit the cell \"{}\": {}", op.name, describe(result),
                      cells[k].name(), describe(held));
  }
  detail::Trace* const trace = t_state.trace;
  for (size_t k = 0; k < cells.size(); ++k) {
    detail::Cell& target = *cells[k].handle();
    if (trace != nullptr) trace->before_write(&target);
    Tensor result = invocation.take(static_cast<int>(k));
    if (result.handle() != target.value.handle()) target.value = std::move(result);
    ++target.version;
    if (trace != nullptr) trace->wrote(&target);
  }
}

namespace {

[[gnu::cold]] Body** larger_copy(Body* const* from, int count, int capacity) {
  auto** more = new Body*[static_cast<size_t>(capacity)];
  std::copy(from, from + count, more);
  return more;
}

}  // namespace

[[gnu::always_inline]] inline void Call::push(Body* body) {
  if (outputs_ == out_capacity_) [[unlikely]] {
    Body** more = larger_copy(out_, outputs_, out_capacity_ * 4);
    if (out_ != inline_out_) delete[] out_;
    out_ = more;
    out_capacity_ *= 4;
  }
  out_[outputs_++] = body;
}

void Call::output(DType dtype, std::span<const int64_t> dims, int64_t numel) {
  if (static_cast<size_t>(outputs_) < into_.size() &&
      (op_->flags.in_place || op_->pointwise[static_cast<int>(dtype)] != nullptr)) {
    Body* held = into_[static_cast<size_t>(outputs_)].handle()->value.handle();
    // In place if nobody else sees the memory; an operand of this shape in this memory is read densely.
    if (__atomic_load_n(&held->references, __ATOMIC_ACQUIRE) == 1 && held->owner == nullptr &&
        held->dtype == dtype &&
        std::equal(dims.begin(), dims.end(), held->dims(), held->dims() + held->rank)) {
      push(detail::retain(held));
      return;
    }
  }
  push(headers_only_ ? detail::make_header(dtype, dims, numel) : detail::make_body(dtype, dims, numel));
}

void Call::alias(int input, const Shape& shape) {
  push(detail::new_alias(const_cast<Body*>(in_[input]), {shape.begin(), shape.end()}));
}

int Call::dim(int64_t dim, int rank) const {
  const int64_t at = dim < 0 ? dim + rank : dim;
  if (at < 0 || at >= rank) {
    index_error(fmt::format("dimension {} is out of range for rank {}", dim, rank));
  }
  return static_cast<int>(at);
}

namespace {

std::string describe_operand(const Arg& arg, const Body* body) {
  if (arg.kind() == Arg::Kind::integer) return fmt::format("{}", arg.integer());
  if (arg.is_literal()) return fmt::format("{}", arg.real());
  return body != nullptr ? describe(*body) : "undefined";
}

}  // namespace

std::string Call::word(std::string_view what) const {
  std::string text = fmt::format("[{}] {}", op_->name, what);
  for (int i = 0; i < inputs_; ++i) {
    text += i == 0 ? " — " : ", ";
    text += fmt::format("{}: {}", operand_name(*op_, i), describe_operand(args_[i], in_[i]));
  }
  return text + location(where_);
}

void Call::shape_error(std::string_view what) const { throw ShapeError(word(what)); }
void Call::dtype_error(std::string_view what) const { throw DTypeError(word(what)); }
void Call::index_error(std::string_view what) const { throw IndexError(word(what)); }
void Call::argument_error(std::string_view what) const { throw ArgumentError(word(what)); }

void Call::require_floating(int i) const {
  if (is_floating(dtype(i))) return;
  dtype_error(fmt::format("expected {} to be float32 or float64, given {}; use cast", operand_name(*op_, i),
                          name(dtype(i))));
}

void Call::require_same_dtype(int i, int j) const {
  if (dtype(i) == dtype(j)) return;
  dtype_error(fmt::format("dtypes differ: {} and {}; use cast", name(dtype(i)), name(dtype(j))));
}

}  // namespace tapegrad
