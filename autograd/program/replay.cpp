#include "autograd/program/replay.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "autograd/body.h"
#include "autograd/tape_impl.h"

namespace tapegrad::detail {

using Kind = TraceValue::Kind;

PlannedCall::PlannedCall(const TraceCall& traced, std::vector<const Body*> in, std::vector<Arg> args,
                         std::vector<Body*> out)
    : in_(std::move(in)), args_(std::move(args)), out_(std::move(out)) {
  call_.op_ = traced.op;
  call_.options_ = traced.options.ref();
  call_.where_ = traced.where;
  call_.in_ = in_.data();
  call_.args_ = args_.data();
  call_.inputs_ = static_cast<int>(in_.size());
  call_.out_ = out_.data();
  call_.outputs_ = static_cast<int>(out_.size());
  call_.out_capacity_ = call_.outputs_;
}

Replay::Replay(const Trace& trace, Plan plan) : trace_(trace), plan_(std::move(plan)) {
  headers_.resize(trace_.values().size());
  number_at_.resize(trace_.values().size());
  constants_.resize(trace_.values().size());
  if (plan_.arena_bytes > 0) arena_ = static_cast<char*>(pool_allocate(plan_.arena_bytes));
  result_bodies_.resize(plan_.roots.size());
  fresh_bodies_.resize(plan_.updates.size());
  results_.resize(plan_.roots.size());
  updates_.resize(plan_.updates.size());
  cells_.resize(plan_.cells.size());
  for (const TraceValue& value : trace_.values())
    inputs_.resize(inputs_.size() + (value.kind == Kind::input));
  for (const Step& step : plan_.steps) {
    if (step.group) {
      add_group(step);
      parts_.push_back({nullptr, groups_.back().get()});
    } else {
      add_call(trace_.calls()[step.calls[0]]);
      parts_.push_back({calls_.back().get(), nullptr});
    }
  }
  for (const uint32_t v : plan_.results) fixed_pointer(trace_.values()[v].root);
  for (const uint32_t w : plan_.copies) fixed_pointer(trace_.values()[trace_.writes()[w].value].root);
}

Replay::~Replay() {
  if (arena_ != nullptr) pool_free(arena_, plan_.arena_bytes);
  for (Body* header : headers_) {
    if (header != nullptr) pool_free(header, header_bytes(header->rank));
  }
}

// Where a value lies that does not move from run to run; null for the others.
void* Replay::fixed_pointer(uint32_t root) {
  const Place& place = plan_.places[root];
  if (place.home == Home::arena) return arena_ + place.offset;
  if (place.home != Home::constant) return nullptr;
  Tensor& constant = constants_[root];
  if (!constant.defined()) constant = trace_.values()[root].held;
  return constant.handle()->data;
}

// *at shall point to the value in every run.
void Replay::point(uint32_t root, void** at) {
  const Place& place = plan_.places[root];
  switch (place.home) {
    case Home::input: inputs_[place.index].pointers.push_back(at); break;
    case Home::cell: cells_[place.index].pointers.push_back(at); break;
    case Home::result: results_[place.index].pointers.push_back(at); break;
    case Home::update: updates_[place.index].pointers.push_back(at); break;
    default: *at = fixed_pointer(root); break;
  }
}

void* Replay::number(uint32_t v) {
  if (number_at_[v] != nullptr) return number_at_[v];
  const TraceValue& value = trace_.values()[v];
  numbers_.push_back(std::make_unique<double>());
  void* const to = numbers_.back().get();
  if (value.live != nullptr) live_.push_back({value.live, value.dtype, to});
  put_number(value.dtype, value.integer ? Arg(static_cast<int64_t>(value.number)) : Arg(value.number), to);
  return number_at_[v] = to;
}

// A header as kernels see it; its data is set before each run.
Body* Replay::header(uint32_t v) {
  if (headers_[v] != nullptr) return headers_[v];
  const TraceValue& value = trace_.values()[v];
  const Shape& shape = value.shape;
  Body* body = static_cast<Body*>(pool_allocate(header_bytes(static_cast<size_t>(shape.rank()))));
  new (body) Body{1,       value.dtype,    static_cast<uint8_t>(shape.rank()), false, 0, 0, 0, nullptr,
                  nullptr, count_of(value)};
  std::copy(shape.begin(), shape.end(), body->dims());
  headers_[v] = body;
  if (value.kind == Kind::number) {
    body->data = number(v);
  } else {
    point(value.root, &body->data);
  }
  return body;
}

void Replay::add_call(const TraceCall& call) {
  std::vector<const Body*> in;
  std::vector<Arg> args;
  std::vector<Body*> out;
  for (const uint32_t v : call.inputs) {
    const TraceValue& value = trace_.values()[v];
    in.push_back(header(v));
    args.push_back(value.kind == Kind::number ? Arg(value.number) : Arg::borrow(headers_[v], call.where));
  }
  for (const uint32_t v : call.outputs) out.push_back(header(v));
  calls_.push_back(std::make_unique<PlannedCall>(call, std::move(in), std::move(args), std::move(out)));
}

void Replay::place_operand(Group& group, uint32_t v, GroupOp::Operand& operand) {
  const TraceValue& value = trace_.values()[v];
  const Place& place = plan_.places[value.root];
  const bool dense = value.kind != Kind::number && (count_of(value) != 1 || group.count == 1);
  operand.element = dense ? static_cast<uint8_t>(element_size(value.dtype)) : 0;
  if (value.kind == Kind::number) {
    operand.base = static_cast<char*>(number(v));
  } else if (place.home == Home::scratch) {
    operand.scratch = static_cast<uint16_t>(place.index);
    group.widest = std::max(group.widest, element_size(value.dtype));
  } else {
    point(value.root, reinterpret_cast<void**>(&operand.base));
  }
}

void Replay::add_group(const Step& step) {
  auto group = std::make_unique<Group>();
  group->count = step.count;
  group->ops.reserve(step.calls.size());  // so that operands keep their addresses
  for (const uint32_t c : step.calls) {
    const TraceCall& call = trace_.calls()[c];
    const Op& op = *call.op;
    const DType dtype = trace_.values()[call.inputs[static_cast<size_t>(op.first_value)]].dtype;
    GroupOp& planned = group->ops.emplace_back();
    planned.kernel = op.pointwise[static_cast<int>(dtype)];
    size_t k = 0;
    for (const uint32_t v : call.inputs) place_operand(*group, plan_.splats[v], planned.in[k++]);
    if (op.numbers > 0) {
      double given[kMaxOperands];
      op.number_options(call.options.ref().data, given);
      for (int i = 0; i < op.numbers; ++i) {
        numbers_.push_back(std::make_unique<double>());
        put_number(dtype, Arg(given[i]), numbers_.back().get());
        planned.in[k++].base = reinterpret_cast<char*>(numbers_.back().get());
      }
    }
    planned.operands = static_cast<uint8_t>(k);
    place_operand(*group, call.outputs[0], planned.out);
  }
  groups_.push_back(std::move(group));
}

void Replay::put_numbers() const {
  for (const Number& n : live_) put_number(n.dtype, Arg(*n.live), n.to);
}

// In a build for debugging, what no later step reads becomes NaN.
void Replay::poison([[maybe_unused]] size_t step) const {
#ifndef NDEBUG
  for (uint32_t v = 0; v < plan_.places.size(); ++v) {
    const Place& place = plan_.places[v];
    if (place.home != Home::arena || place.last != step) continue;
    const bool taken = std::any_of(plan_.places.begin(), plan_.places.end(),
                                   [&](const Place& p) { return p.reuses == v && p.home == Home::arena; });
    if (!taken) std::memset(arena_ + place.offset, 0xff, place.bytes);
  }
#endif
}

Tensor Replay::result(uint32_t v, std::span<const Tensor> inputs, std::span<Body* const> results,
                      std::span<const Tensor> cells) const {
  const TraceValue& value = trace_.values()[v];
  const Place& place = plan_.places[value.root];
  Tensor root;
  switch (place.home) {
    case Home::constant: root = constants_[value.root]; break;
    case Home::input: root = inputs[place.index].detach(); break;
    case Home::cell: root = cells[place.index]; break;
    default: root = Tensor::share(results[place.index]); break;
  }
  if (root.shape() == value.shape) return root;
  return Tensor::adopt(new_alias(root.handle(), {value.shape.begin(), value.shape.end()}));
}

void Replay::run(std::span<const Tensor> inputs, std::span<Tensor> results) {
  TapeImpl* const tape = std::exchange(t_state.tape, nullptr);
  std::vector<Tensor> cells;  // those that are results
  struct Restore {
    Replay& replay;
    TapeImpl* tape;
    ~Restore() {
      t_state.tape = tape;
      for (Body*& body : replay.result_bodies_) release(std::exchange(body, nullptr));
      for (Body*& body : replay.fresh_bodies_) release(std::exchange(body, nullptr));
    }
  } restore{*this, tape};
  const bool timed = clock_ != nullptr && clock_->begin();
  for (const HostWork& work : trace_.host_work()) work.prepare(work.state.get());
  put_numbers();
  // What a cell held is still to be had at the end, so it is not written over.
  auto hold = [&](uint32_t v) {
    const Place& place = plan_.places[trace_.values()[v].root];
    if (place.home != Home::cell) return;
    cells.resize(plan_.cells.size());
    cells[place.index] = Tensor::share(plan_.cells[place.index].handle()->value.handle());
  };
  for (const uint32_t v : plan_.results) hold(v);
  for (const uint32_t w : plan_.copies) hold(trace_.writes()[w].value);
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i].move_to(inputs[i].handle()->data);
  for (size_t c = 0; c < cells_.size(); ++c) {
    cells_[c].move_to(plan_.cells[c].handle()->value.handle()->data);
  }
  for (size_t r = 0; r < results_.size(); ++r) {
    const TraceValue& value = trace_.values()[plan_.roots[r]];
    result_bodies_[r] = make_body(value.dtype, {value.shape.begin(), value.shape.end()}, count_of(value));
    results_[r].move_to(result_bodies_[r]->data);
  }
  for (size_t u = 0; u < updates_.size(); ++u) {
    Body* to = trace_.writes()[plan_.updates[u]].cell.handle()->value.handle();
    if (__atomic_load_n(&to->references, __ATOMIC_ACQUIRE) != 1 || to->owner != nullptr) {
      to = fresh_bodies_[u] = make_body(to->dtype, {to->dims(), to->rank}, to->numel);
    }
    updates_[u].move_to(to->data);
  }

  if (timed) [[unlikely]] {
    run_steps_timed();
  } else {
    for (size_t s = 0; s < parts_.size(); ++s) {
      if (parts_[s].group != nullptr) parts_[s].group->run();
      else parts_[s].call->run();
      poison(s);
    }
  }

  for (size_t k = 0; k < results.size(); ++k) {
    results[k] = result(plan_.results[k], inputs, result_bodies_, cells);
  }
  write_cells(inputs, result_bodies_);
  for (const HostWork& work : trace_.host_work()) work.commit(work.state.get());
  if (timed) [[unlikely]]
    clock_->end();
}

// The loop of run, with a look at the clock after each step.
void Replay::run_steps_timed() {
  clock_->start();
  for (size_t s = 0; s < parts_.size(); ++s) {
    if (parts_[s].group != nullptr) parts_[s].group->run();
    else parts_[s].call->run();
    clock_->end_of_step(s);
    poison(s);
  }
}

// Nothing of this throws but for want of memory, before anything is written.
void Replay::write_cells(std::span<const Tensor> inputs, std::span<Body* const> results) {
  std::vector<Tensor> fresh;
  if (!plan_.copies.empty()) fresh.reserve(plan_.copies.size());
  for (const uint32_t w : plan_.copies) {
    const TraceValue& value = trace_.values()[trace_.writes()[w].value];
    const Place& place = plan_.places[value.root];
    const void* from = nullptr;
    switch (place.home) {
      case Home::input: from = inputs[place.index].handle()->data; break;
      case Home::cell: from = cells_[place.index].data; break;
      case Home::result: from = results[place.index]->data; break;
      default: from = fixed_pointer(value.root); break;
    }
    Body* body = make_body(value.dtype, {value.shape.begin(), value.shape.end()}, count_of(value));
    std::memcpy(body->data, from, body->bytes());
    fresh.push_back(Tensor::adopt(body));
  }
  for (size_t i = 0; i < plan_.copies.size(); ++i) {
    Cell& cell = *trace_.writes()[plan_.copies[i]].cell.handle();
    cell.value = std::move(fresh[i]);
    ++cell.version;
  }
  for (size_t u = 0; u < plan_.updates.size(); ++u) {
    Cell& cell = *trace_.writes()[plan_.updates[u]].cell.handle();
    if (fresh_bodies_[u] != nullptr) cell.value = Tensor::adopt(std::exchange(fresh_bodies_[u], nullptr));
    ++cell.version;
  }
}

}  // namespace tapegrad::detail
