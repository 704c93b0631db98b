// Groups made ready to run.

#include <algorithm>
#include <utility>

#include "autograd/program/replay.h"

namespace tapegrad::detail {

using Kind = TraceValue::Kind;

namespace {

// Whether the value has an element for each one of the group; else it has one for all.
bool is_dense(const Group& group, const TraceValue& value) {
  return value.kind != Kind::number && (count_of(value) != 1 || group.count == 1);
}

}  // namespace

void Replay::place_operand(Group& group, uint32_t v, GroupOp::Operand& operand) {
  const TraceValue& value = trace_.values()[v];
  const Place& place = plan_.places[value.root];
  operand.element = is_dense(group, value) ? static_cast<uint8_t>(element_size(value.dtype)) : 0;
  if (value.kind == Kind::number) {
    operand.at = static_cast<char*>(number(v));
  } else if (place.home == Home::scratch) {
    operand.base = GroupOp::Base::scratch;
    operand.scratch = place.index;
    group.widest = std::max(group.widest, element_size(value.dtype));
    group.slots = std::max(group.slots, size_t{place.index} + 1);
  } else if (place.home == Home::slice) {
    operand.base = GroupOp::Base::slice;
  } else {
    point(value.root, reinterpret_cast<void**>(&operand.at));
  }
}

void Replay::place_direct(const Group& group, uint32_t v, void** at, int64_t* step) {
  const TraceValue& value = trace_.values()[v];
  const Place& place = plan_.places[value.root];
  if (step != nullptr) *step = is_dense(group, value);
  if (value.kind == Kind::number) {
    *at = number(v);
  } else if (place.home == Home::scratch) {
    *at = direct_memory_ + place.index * kDirectSlot;
  } else if (place.home == Home::slice) {
    *at = direct_memory_ + kGroupScratch * kDirectSlot;
  } else {
    point(value.root, at);
  }
}

void Replay::add_head(Group& group, const TraceCall& call) {
  const auto& values = trace_.values();
  GroupHead& head = group.head.emplace();
  head.dtype = values[call.inputs[0]].dtype;
  head.product = call.op->product(values[call.inputs[0]].shape, values[call.inputs[1]].shape);
  head.product.padded = group.count > 1;
  head.slices = std::max<int64_t>(1, kernels::gemm_slices(head.product));
  head.each = group.count / head.slices;
  head.at_once = kernels::gemm_slices_at_once(head.dtype, head.product, kSliceBytes);
  head.grain = kernels::gemm_grain(head.product, head.at_once);
  void** const to[] = {&head.a, &head.b, &head.bias};
  for (size_t k = 0; k < call.inputs.size(); ++k) point(values[call.inputs[k]].root, to[k]);
  const uint32_t out = call.outputs[0];
  if (head.grain != INT64_MAX) group.kind = Group::Kind::walk;
  if (group.kind == Group::Kind::direct) {
    place_direct(group, out, &head.out);
  } else if (plan_.places[out].home != Home::slice) {
    point(out, &head.out);
  }
}

// Where the step moves a matrix along a product.
bool Replay::add_move(Group& group, const Step& step) {
  if (!is_move(plan_, step)) return false;
  const TraceCall& call = trace_.calls()[step.calls[1]];
  place_direct(group, plan_.splats[call.inputs[1]], &group.move.factor);
  place_direct(group, plan_.splats[call.inputs[2]], &group.move.from);
  place_direct(group, call.outputs[0], &group.move.to);
  group.kind = step.folded ? Group::Kind::accumulate : Group::Kind::move;
  return true;
}

// The product that a small group begins with as a call of its own, together with the step of a matrix along
// it or beside it. False where it is none of a vector.
bool Replay::add_direct_head(Group& group, const Step& step) {
  const auto& values = trace_.values();
  const TraceCall& call = trace_.calls()[step.calls[0]];
  const uint32_t a = call.inputs[0], b = call.inputs[1];
  kernels::Gemm product = call.op->product(values[a].shape, values[b].shape);
  product.padded = group.count > 1;
  const bool beside = step.beside != kNoStep, moves = !beside && is_move(plan_, step);
  kernels::DirectOp op{.dtype = values[a].dtype};
  bool swapped = beside;
  if (step.folded) return false;
  if (beside) gemm_and_move_as_direct(product, op);
  else if (!(moves ? gemm_move_as_direct(op.dtype, product, op, swapped)
                   : gemm_as_direct(product, op, swapped)))
    return false;
  kernels::DirectOp& planned = direct_.emplace_back(op);
  const auto in = [&](size_t k) { return const_cast<void**>(planned.in + k); };
  point(values[swapped ? b : a].root, in(0));
  point(values[swapped ? a : b].root, in(1));
  if (!moves) place_direct(group, call.outputs[0], &planned.out);
  if (!moves && !beside) {
    if (call.inputs.size() == 3) point(values[call.inputs[2]].root, in(2));
    return true;
  }
  const Step& moving = beside ? plan_.steps[step.beside] : step;
  const TraceCall& update = trace_.calls()[moving.calls[1]];
  place_direct(group, plan_.splats[update.inputs[1]], in(2));
  if (beside) point(values[trace_.calls()[moving.calls[0]].inputs[1]].root, in(3));
  else place_direct(group, plan_.splats[update.inputs[2]], in(3));
  place_direct(group, update.outputs[0], beside ? &planned.moved : &planned.out);
  return true;
}

void* Replay::option_number(DType dtype, double given) {
  numbers_.push_back(std::make_unique<double>());
  put_number(dtype, Arg(given), numbers_.back().get());
  return numbers_.back().get();
}

// A pointwise op with its kernel, as yet without operands.
kernels::DirectOp& Replay::add_lane(Group& group, const Op& op, DType dtype) {
  kernels::DirectOp& planned = direct_.emplace_back();
  planned.dtype = dtype;
  planned.kernel = op.pointwise[static_cast<int>(dtype)];
  planned.count = group.count;
  if (!is_floating(dtype)) return planned;
  for (const kernels::DirectLane& lane : kernels::kDirectLanes) {
    if (&op != find_op(lane.op)) continue;
    planned.kind = kernels::DirectOp::Kind::lane;
    planned.lane = lane.lane;
    resolve(planned);
  }
  return planned;
}

// The slope of a backward call, as its result for g = 1, in the place of x.
void Replay::add_slope(Group& group, const TraceCall& call) {
  const DType dtype = trace_.values()[call.inputs[1]].dtype;
  kernels::DirectOp& planned = add_lane(group, *call.op, dtype);
  planned.count = count_of(trace_.values()[call.inputs[1]]);
  planned.in[0] = option_number(dtype, 1);
  for (size_t k : {1, 2})
    place_direct(group, call.inputs[k], const_cast<void**>(planned.in + k), planned.step + k);
  place_direct(group, call.inputs[1], &planned.out);
}

// The backward call whose slope stands in the place of x.
void Replay::add_scaling(Group& group, const TraceCall& call, DType dtype) {
  kernels::DirectOp& planned = add_lane(group, *find_op("pole_mul"), dtype);
  place_direct(group, plan_.splats[call.inputs[0]], const_cast<void**>(planned.in), planned.step);
  place_direct(group, call.inputs[1], const_cast<void**>(planned.in + 1), planned.step + 1);
  place_direct(group, call.outputs[0], &planned.out);
}

void Replay::add_group(const Step& step) {
  auto group = std::make_unique<Group>();
  group->count = step.count;
  group->kind = step.count <= kDirectCount ? Group::Kind::direct : Group::Kind::walk;
  // So that operands keep their addresses.
  group->direct = direct_.data() + direct_.size();
  group->ops.reserve(step.calls.size());
  const bool direct_head = step.head && group->kind == Group::Kind::direct && add_direct_head(*group, step);
  if (step.head && !direct_head) add_head(*group, trace_.calls()[step.calls[0]]);
  if (direct_head ? step.beside == kNoStep && is_move(plan_, step) : add_move(*group, step)) {
    group->directs = static_cast<size_t>(direct_.data() + direct_.size() - group->direct);
    groups_.push_back(std::move(group));
    return;
  }
  const bool direct = group->kind == Group::Kind::direct;
  for (size_t at = step.head; at < step.calls.size(); ++at) {
    const TraceCall& call = trace_.calls()[step.calls[at]];
    const Op& op = *call.op;
    const DType dtype = trace_.values()[call.inputs[static_cast<size_t>(op.first_value)]].dtype;
    const PointwiseKernel kernel = op.pointwise[static_cast<int>(dtype)];
    const size_t inputs = call.inputs.size();
    double numbers[kMaxOperands];
    if (op.numbers > 0) op.number_options(call.options.ref().data, numbers);
    if (std::any_of(plan_.slopes.begin(), plan_.slopes.end(),
                    [&](const Slope& slope) { return slope.backward == step.calls[at]; })) {
      add_scaling(*group, call, dtype);
    } else if (direct) {
      kernels::DirectOp& planned = add_lane(*group, op, dtype);
      for (size_t k = 0; k < inputs; ++k) {
        place_direct(*group, plan_.splats[call.inputs[k]], const_cast<void**>(planned.in + k),
                     planned.step + k);
      }
      for (int i = 0; i < op.numbers; ++i)
        planned.in[inputs + static_cast<size_t>(i)] = option_number(dtype, numbers[i]);
      place_direct(*group, call.outputs[0], &planned.out);
    } else {
      GroupOp& planned = group->ops.emplace_back(GroupOp{.kernel = kernel});
      for (size_t k = 0; k < inputs; ++k) {
        place_operand(*group, plan_.splats[call.inputs[k]], planned.in[k]);
      }
      for (int i = 0; i < op.numbers; ++i) {
        planned.in[inputs + static_cast<size_t>(i)].at = static_cast<char*>(option_number(dtype, numbers[i]));
      }
      planned.operands = static_cast<uint8_t>(inputs + static_cast<size_t>(op.numbers));
      place_operand(*group, call.outputs[0], planned.out);
    }
  }
  for (const Slope& slope : plan_.slopes) {
    if (&plan_.steps[slope.step] == &step) add_slope(*group, trace_.calls()[slope.backward]);
  }
  // Longer blocks cost fewer calls, as long as their scratch stays in the first cache.
  constexpr size_t kCached = 24576;
  if (2 * kGroupBlock * group->slots * group->widest <= kCached) group->block = 2 * kGroupBlock;
  group->directs = static_cast<size_t>(direct_.data() + direct_.size() - group->direct);
  groups_.push_back(std::move(group));
}

}  // namespace tapegrad::detail
