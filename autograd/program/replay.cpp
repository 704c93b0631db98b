#include "autograd/program/replay.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "autograd/body.h"
#include "autograd/tape_impl.h"

namespace tapegrad::detail {

using Kind = TraceValue::Kind;

namespace {

// Whether nobody but the cell holds its memory.
bool is_ours(const Body& body) {
  return __atomic_load_n(&body.references, __ATOMIC_ACQUIRE) == 1 && body.owner == nullptr;
}

}  // namespace

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
  direct_memory_ = static_cast<char*>(pool_allocate(kDirectBytes));
  size_t calls = 0;
  for (const Step& step : plan_.steps) calls += step.calls.size();
  direct_.reserve(2 * calls);  // with slopes
  for (const Step& step : plan_.steps) {
    if (step.done_before) {
      parts_.push_back({nullptr, nullptr});
    } else if (step.group) {
      add_group(step);
      parts_.push_back({nullptr, groups_.back().get()});
    } else {
      add_call(trace_.calls()[step.calls[0]]);
      parts_.push_back({calls_.back().get(), nullptr});
    }
  }
  join_parts();
  for (uint32_t c = 0; c < plan_.cells.size(); ++c)
    watched_.push_back({.cell = plan_.cells[c].handle(), .read = c});
  for (uint32_t u = 0; u < plan_.updates.size(); ++u) {
    Cell* const cell = trace_.writes()[plan_.updates[u]].cell.handle();
    written_cells_.push_back(cell);
    const auto read = std::find_if(watched_.begin(), watched_.end(),
                                   [&](const Watched& w) { return w.cell == cell && w.update == kNone; });
    if (read == watched_.end()) watched_.push_back({.cell = cell, .update = u});
    else read->update = u;
  }
  held_.resize(plan_.cells.size());
  result_uses_.resize(plan_.roots.size());
  for (const uint32_t v : plan_.results) hand_out(v);
  for (const uint32_t w : plan_.copies) hand_out(trace_.writes()[w].value);
}

// Direct calls of groups that follow each other are one list.
void Replay::join_parts() {
  for (const Part& part : parts_) {
    if (part.call == nullptr && part.group == nullptr) continue;
    const Group* const group = part.group;
    if (group == nullptr || group->kind != Group::Kind::direct || group->head) {
      stretches_.push_back({part, nullptr, 0});
    } else if (stretches_.empty() || stretches_.back().direct == nullptr) {
      stretches_.push_back({{}, group->direct, group->directs});
    } else {
      stretches_.back().directs += group->directs;
    }
  }
}

// The value is still to be had at the end of a run.
void Replay::hand_out(uint32_t v) {
  const uint32_t root = trace_.values()[v].root;
  const Place& place = plan_.places[root];
  fixed_pointer(root);
  if (place.home == Home::result) ++result_uses_[place.index];
  // What a cell held is not written over.
  if (place.home == Home::cell) kept_cells_.push_back(place.index);
}

Replay::~Replay() {
  if (arena_ != nullptr) pool_free(arena_, plan_.arena_bytes);
  pool_free(direct_memory_, kDirectBytes);
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
  if (value.live != nullptr) {
    for (const Number& n : live_) {
      if (n.live == value.live && n.dtype == value.dtype) return number_at_[v] = n.to;
    }
  }
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

Tensor Replay::result(uint32_t v, std::span<Body* const> inputs) {
  const TraceValue& value = trace_.values()[v];
  const Place& place = plan_.places[value.root];
  Tensor root;
  switch (place.home) {
    case Home::constant: root = constants_[value.root]; break;
    case Home::input: root = Tensor::share(inputs[place.index]).detach(); break;
    case Home::cell: root = held_[place.index]; break;
    default:
      if (value.root == v && result_uses_[place.index] == 1) {  // nobody else will ask for it
        return Tensor::adopt(std::exchange(result_bodies_[place.index], nullptr));
      }
      root = Tensor::share(result_bodies_[place.index]);
      break;
  }
  if (value.root == v && place.home != Home::input) return root;
  if (root.shape() == value.shape) return root;
  return Tensor::adopt(new_alias(root.handle(), {value.shape.begin(), value.shape.end()}));
}

// Looks up where everything lies in this run, and makes the results.
void Replay::prepare(std::span<Body* const> inputs) {
  for (const HostWork& work : trace_.host_work()) work.prepare(work.state.get());
  put_numbers();
  for (const uint32_t c : kept_cells_) {
    held_[c] = Tensor::share(plan_.cells[c].handle()->value.handle());
  }
  for (size_t i = 0; i < inputs_.size(); ++i) inputs_[i].move_to(inputs[i]->data);
  for (Watched& w : watched_) {
    const Body* const body = w.cell->value.handle();
    if (body->data == w.data && (w.update == kNone || is_ours(*body))) continue;
    follow(w);
  }
  for (size_t r = 0; r < results_.size(); ++r) {
    const TraceValue& value = trace_.values()[plan_.roots[r]];
    result_bodies_[r] = make_body(value.dtype, {value.shape.begin(), value.shape.end()}, count_of(value));
    results_[r].move_to(result_bodies_[r]->data);
  }
}

// The cell holds something else than in the run before, or something that is not to be written over.
void Replay::follow(Watched& w) {
  Body* const body = w.cell->value.handle();
  if (w.read != kNone) cells_[w.read].move_to(body->data);
  w.data = body->data;
  if (w.update == kNone) return;
  Body* to = body;
  if (!is_ours(*body)) {
    w.data = nullptr;  // look again in the next run
    to = make_body(to->dtype, {to->dims(), to->rank}, to->numel);
    fresh_bodies_[w.update] = to;
    any_fresh_ = true;
  }
  updates_[w.update].move_to(to->data);
}

void Replay::let_go() noexcept {
  for (Body*& body : result_bodies_) {
    if (body != nullptr) release(std::exchange(body, nullptr));
  }
  if (any_fresh_) {
    for (Body*& body : fresh_bodies_) release(std::exchange(body, nullptr));
    any_fresh_ = false;
  }
  for (const uint32_t c : kept_cells_) held_[c] = Tensor();
}

void Replay::run(std::span<Body* const> inputs, std::span<Tensor> results) {
  struct Scope {
    Replay& replay;
    TapeImpl* tape;
    ~Scope() {
      t_state.tape = tape;
      replay.let_go();
    }
  } scope{*this, std::exchange(t_state.tape, nullptr)};
  const bool timed = clock_ != nullptr && clock_->begin();
  prepare(inputs);
  if (timed) [[unlikely]] {
    run_steps_timed();
  } else {
    run_steps();
  }
  for (size_t k = 0; k < results.size(); ++k) results[k] = result(plan_.results[k], inputs);
  if (!plan_.copies.empty()) write_copies(inputs);
  count_updates();
  for (const HostWork& work : trace_.host_work()) work.commit(work.state.get());
  if (timed) [[unlikely]]
    clock_->end();
}

void Replay::run_steps() {
#ifdef NDEBUG
  for (const Stretch& stretch : stretches_) {
    if (stretch.direct != nullptr) kernels::run_direct(stretch.direct, stretch.directs);
    else if (stretch.part.call != nullptr) stretch.part.call->run();
    else stretch.part.group->run();
  }
#else
  for (size_t s = 0; s < parts_.size(); ++s) {
    if (parts_[s].group != nullptr) parts_[s].group->run();
    else if (parts_[s].call != nullptr) parts_[s].call->run();
    poison(s);
  }
#endif
}

// The loop of run, with a look at the clock after each step.
void Replay::run_steps_timed() {
  clock_->start();
  for (size_t s = 0; s < parts_.size(); ++s) {
    if (parts_[s].group != nullptr) parts_[s].group->run();
    else if (parts_[s].call != nullptr) parts_[s].call->run();
    clock_->end_of_step(s);
    poison(s);
  }
}

// The writes that are not done in place. Nothing of this throws but for want of memory, before anything is
// written.
void Replay::write_copies(std::span<Body* const> inputs) {
  std::vector<Tensor> fresh;
  fresh.reserve(plan_.copies.size());
  for (const uint32_t w : plan_.copies) {
    const TraceValue& value = trace_.values()[trace_.writes()[w].value];
    const Place& place = plan_.places[value.root];
    const void* from = nullptr;
    switch (place.home) {
      case Home::input: from = inputs[place.index]->data; break;
      case Home::cell: from = cells_[place.index].data; break;
      case Home::result: from = result_bodies_[place.index]->data; break;
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
}

// What was done in place counts from here.
void Replay::count_updates() noexcept {
  for (size_t u = 0; any_fresh_ && u < fresh_bodies_.size(); ++u) {
    if (fresh_bodies_[u] != nullptr)
      written_cells_[u]->value = Tensor::adopt(std::exchange(fresh_bodies_[u], nullptr));
  }
  for (Cell* const cell : written_cells_) ++cell->version;
}

}  // namespace tapegrad::detail
