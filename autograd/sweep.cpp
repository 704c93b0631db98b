#include "autograd/sweep.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "autograd/apply.h"
#include "autograd/body.h"
#include "autograd/debug.h"
#include "autograd/ops.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad {

using detail::Body;
using detail::t_state;
using detail::TapeImpl;

Sweep::Sweep(TapeImpl& tape, GradientOptions options, bool consume, SourceLine where)
    : tape_(tape),
      options_(options),
      consume_(consume),
      debug_(tape.debug),
      where_(t_state.site.file != nullptr ? t_state.site : where),
      saved_current_(t_state.tape) {
  if (tape_.freed)
    raise<GraphError>("[gradient] records freed: tape {} gave them up in an earlier sweep{}", tape_.serial,
                      location(where_));
  if (consume_ && tape_.sweeps > 0)
    raise<GraphError>("[gradient] a sweep of tape {} is running, whose records this one would free{}",
                      tape_.serial, location(where_));
  records_ = tape_.records.size();
  values_ = tape_.values.size();
  slots_ = static_cast<Tensor*>(detail::pool_allocate(values_ * sizeof(Tensor)));
  std::uninitialized_value_construct_n(slots_, values_);
  t_state.tape = options_.differentiable ? &tape_ : nullptr;
  tape_.debug = false;
  ++tape_.sweeps;
}

Sweep::~Sweep() {
  t_state.tape = saved_current_;
  tape_.debug = debug_;
  --tape_.sweeps;
  std::destroy_n(slots_, values_);
  detail::pool_free(slots_, values_ * sizeof(Tensor));
}

void Sweep::seed(const Tensor& y, const Tensor& cotangent) {
  if (!y.defined()) raise<ArgumentError>("[gradient] an undefined tensor given{}", location(where_));
  const Body& body = *y.handle();
  if (body.tape != tape_.serial || !tape_.values[body.value].tracked) {
    if (tape_.leaves.empty() && tape_.watched.empty()) {
      raise<GraphError>("[gradient] no leaf watched: tape {} saw no parameter and no watched tensor{}",
                        tape_.serial, location(where_));
    }
    raise<GraphError>(
        "[gradient] tape {} did not record {}: it depends on no parameter or watched tensor of this tape{}",
        tape_.serial, describe(body), location(where_));
  }
  if (debug_) seeds_.push_back(body.value);
  if (!cotangent.defined()) {
    if (body.numel != 1) {
      raise<GraphError>("[gradient] expected one element or a cotangent, given {}{}", describe(body),
                        location(where_));
    }
    seed(y, ones(y.shape(), y.dtype()));
    return;
  }
  if (cotangent.dtype() != body.dtype) {
    raise<DTypeError>("[gradient] cotangent is {}, expected {} like the output; use cast{}",
                      describe(*cotangent.handle()), describe(body), location(where_));
  }
  if (!(cotangent.shape() == body.shape())) {
    raise<ShapeError>("[gradient] cotangent is {}, expected {} like the output{}",
                      describe(*cotangent.handle()), describe(body), location(where_));
  }
  if (debug_) detail::check_cotangent(*cotangent.handle(), where_);
  if (observer_ != nullptr) observer_->seeded(body.value, cotangent);
  accumulate(body.value, Tensor(cotangent));
}

bool Sweep::reached(const Record& record) const {
  for (uint32_t k = 0; k < record.output_count; ++k) {
    if (slots_[record.first_output + k].defined()) return true;
  }
  return false;
}

void Sweep::check_versions() const {
  for (const detail::Leaf& leaf : tape_.leaves) {
    if (leaf.cell.version() == leaf.version) continue;
    raise<GraphError>("[gradient] parameter \"{}\" changed since it was recorded: version {} then, {} now{}",
                      leaf.cell.name(), leaf.version, leaf.cell.version(), location(where_));
  }
}

Gradients Sweep::run() {
  check_versions();
  tape_.freed = consume_;  // also if a rule throws on the way
  // Whatever a rule runs reports the line of the record.
  const CallSite restored_at_the_end(t_state.site, true);
  for (size_t r = records_; r-- > 0;) {
    const Record& record = tape_.records[r];
    if (reached(record)) {
      t_state.site = record.where;
      Vjp vjp(*this, record);
      if (observer_ != nullptr) observer_->reached(r, {slots_ + record.first_output, record.output_count});
      if (record.op->vjp == nullptr) {
        raise<GraphError>("[{}] has no derivative: {}{}", record.op->name,
                          record.op->flags.non_differentiable, location(record.where));
      }
      record.op->vjp(vjp);
      for (uint32_t k = 0; k < record.output_count; ++k) {
        const uint32_t value = record.first_output + k;
        if (slots_[value].defined() && !tape_.values[value].kept) slots_[value] = Tensor();
      }
    }
    if (consume_) free_record(record);
  }
  Gradients gradients;
  gradients.reserve(tape_.leaves.size() + tape_.watched.size());
  auto take = [&](uint32_t value, const CellRef& cell) {
    if (value >= values_ || !slots_[value].defined()) return;
    Tensor gradient = std::move(slots_[value]);
    const bool named = cell.defined();
    gradients.add({cell, named ? 0 : tape_.serial, named ? 0 : uint64_t{value}, std::move(gradient)});
  };
  for (const detail::Leaf& leaf : tape_.leaves) take(leaf.value, leaf.cell);
  for (uint32_t value : tape_.watched) take(value, CellRef());
  return gradients;
}

void Sweep::free_record(const Record& record) {
  for (uint32_t k = 0; k < record.output_count; ++k)
    tape_.release_value(tape_.values[record.first_output + k]);
}

namespace {

// Hands a value on the tape to a rule as an operand.
Arg operand(const TapeImpl& tape, uint32_t index, const SourceLine& where) {
  const detail::Value& value = tape.values[index];
  switch (value.kind) {
    case ValueKind::parameter: return Arg(tape.leaves[value.leaf].cell, where.file, where.line);
    case ValueKind::real_literal: return Arg(value.real, where.file, where.line);
    case ValueKind::integer_literal: return Arg(value.integer, where.file, where.line);
    default: return Arg::borrow(value.body, where);
  }
}

const Body& body_of(const TapeImpl& tape, uint32_t index) {
  const detail::Value& value = tape.values[index];
  return value.kind == ValueKind::parameter ? *tape.leaves[value.leaf].cell.handle()->value.handle()
                                            : *value.body;
}

bool is_literal(const TapeImpl& tape, uint32_t index) {
  const ValueKind kind = tape.values[index].kind;
  return kind == ValueKind::real_literal || kind == ValueKind::integer_literal;
}

[[noreturn, gnu::cold]] void no_such(const Record& record, const char* what, int i, int count) {
  raise<GraphError>("[{}] its VJP named {} {}, but there are {}{}", record.op->name, what, i, count,
                    location(record.where));
}

}  // namespace

[[gnu::always_inline]] inline uint32_t Vjp::input_place(int i) const {
  if (static_cast<unsigned>(i) >= record_->input_count) [[unlikely]]
    no_such(*record_, "operand", i, record_->input_count);
  return record_->inputs[i];
}

[[gnu::always_inline]] inline uint32_t Vjp::output_place(int k) const {
  if (static_cast<unsigned>(k) >= record_->output_count) [[unlikely]]
    no_such(*record_, "output", k, record_->output_count);
  return record_->first_output + static_cast<uint32_t>(k);
}

bool Vjp::needs_far(int i) const { return sweep_.tape_.values[input_place(i)].tracked; }

Arg Vjp::input(int i) const { return operand(sweep_.tape_, input_place(i), record_->where); }

Arg Vjp::output(int k) const { return operand(sweep_.tape_, output_place(k), record_->where); }

Tensor Vjp::input_tensor(int i) const {
  const uint32_t index = input_place(i);
  if (is_literal(sweep_.tape_, index)) return full({}, input(i).real(), dtype(i));
  const detail::Value& value = sweep_.tape_.values[index];
  if (value.kind != ValueKind::parameter) return Tensor::share(value.body);
  Tensor now = sweep_.tape_.leaves[value.leaf].cell.value();
  if (!sweep_.options_.differentiable) return now;
  Body* leaf = detail::new_alias(now.handle(), {now.handle()->dims(), now.handle()->rank});
  detail::put_on_tape(*leaf, sweep_.tape_.serial, index, true);
  return Tensor::adopt(leaf);
}

Tensor Vjp::output_tensor(int k) const { return Tensor::share(sweep_.tape_.values[output_place(k)].body); }

Shape Vjp::shape(int i) const {
  const uint32_t index = input_place(i);
  return is_literal(sweep_.tape_, index) ? Shape() : body_of(sweep_.tape_, index).shape();
}

int64_t Vjp::numel(int i) const {
  const uint32_t index = input_place(i);
  return is_literal(sweep_.tape_, index) ? 1 : body_of(sweep_.tape_, index).numel;
}

DType Vjp::dtype(int i) const {
  const uint32_t index = input_place(i);
  if (!is_literal(sweep_.tape_, index)) return body_of(sweep_.tape_, index).dtype;
  return sweep_.tape_.values[record_->first_output].body->dtype;
}

bool Vjp::has_g(int k) const { return sweep_.slots_[output_place(k)].defined(); }

const Tensor& Vjp::g(int k) const {
  const uint32_t value = output_place(k);
  Tensor& slot = sweep_.slots_[value];
  if (!slot.defined()) {
    const Body& output = *sweep_.tape_.values[value].body;
    slot = zeros(output.shape(), output.dtype);
  }
  return slot;
}

void Vjp::add(int i, Tensor contribution) {
  const uint32_t value = input_place(i);
  if (!needs(i)) return;
  const Body& x = body_of(sweep_.tape_, value);
  const Body* c = contribution.handle();
  if (c == nullptr || c->dtype != x.dtype || !detail::same_dims(*c, x)) [[unlikely]]
    contribution = fitted(i, contribution);
  if (sweep_.observer_ != nullptr) [[unlikely]]
    sweep_.observer_->contributed(i, contribution);
  sweep_.accumulate(value, std::move(contribution));
  if (sweep_.debug_) [[unlikely]] {
    detail::check_gradient(sweep_.tape_, *record_, i, {sweep_.slots_, sweep_.values_}, sweep_.seeds_);
  }
}

Tensor Vjp::fitted(int i, const Tensor& contribution) const {
  const Body& x = body_of(sweep_.tape_, record_->inputs[i]);
  if (!contribution.defined()) {
    raise<GraphError>("[{}] its VJP gave an undefined tensor for operand {}{}", op().name,
                      operand_name(op(), i), location(record_->where));
  }
  const Body& c = *contribution.handle();
  Shape joined;
  int axis = 0;
  if (c.dtype != x.dtype || !broadcast(c.shape(), x.shape(), joined, axis) || !(joined == c.shape())) {
    raise<GraphError>("[{}] its VJP gave {} for operand {}, which is {}{}", op().name, describe(c),
                      operand_name(op(), i), describe(x), location(record_->where));
  }
  return sum_to_size(contribution, x.shape());
}

Gradients Tape::gradient(std::span<const Tensor> ys, std::span<const Tensor> cotangents,
                         GradientOptions options, const char* file, int line) & {
  if (ys.size() != cotangents.size()) {
    raise<GraphError>("[gradient] {} outputs but {} cotangents{}", ys.size(), cotangents.size(),
                      location({file, line}));
  }
  Sweep sweep(*impl_, options, false, {file, line});
  for (size_t i = 0; i < ys.size(); ++i) sweep.seed(ys[i], cotangents[i]);
  return sweep.run();
}

Gradients Tape::gradient(const Tensor& y, GradientOptions options, const char* file, int line) & {
  return gradient(y, Tensor(), options, file, line);
}

Gradients Tape::gradient(const Tensor& y, const Tensor& cotangent, GradientOptions options, const char* file,
                         int line) & {
  Sweep sweep(*impl_, options, false, {file, line});
  sweep.seed(y, cotangent);
  return sweep.run();
}

Gradients Tape::gradient(const Tensor& y, const char* file, int line) && {
  return std::move(*this).gradient(y, Tensor(), file, line);
}

Gradients Tape::gradient(const Tensor& y, const Tensor& cotangent, const char* file, int line) && {
  Sweep sweep(*impl_, {}, true, {file, line});
  sweep.seed(y, cotangent);
  return sweep.run();
}

}  // namespace tapegrad
