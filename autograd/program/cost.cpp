#include "autograd/program/cost.h"

#include <algorithm>
#include <memory>
#include <new>

#include "autograd/body.h"
#include "autograd/program/replay.h"

namespace tapegrad::detail {
namespace {

using Kind = TraceValue::Kind;

// A header without elements.
struct FreeHeader {
  void operator()(Body* body) const { pool_free(body, header_bytes(body->rank)); }
};
using Header = std::unique_ptr<Body, FreeHeader>;

Header header_of(const TraceValue& value) {
  const Shape& shape = value.shape;
  Header header(static_cast<Body*>(pool_allocate(header_bytes(static_cast<size_t>(shape.rank())))));
  new (header.get()) Body{
      1, value.dtype, static_cast<uint8_t>(shape.rank()), false, 0, 0, 0, nullptr, nullptr, count_of(value)};
  std::copy(shape.begin(), shape.end(), header->dims());
  return header;
}

double bytes_in_step(const Plan& plan, const Step& step, uint32_t v) {
  const TraceValue& value = plan.trace->values()[plan.splats[v]];
  const Home home = plan.places[value.root].home;
  if (value.kind == Kind::number || home == Home::scratch || home == Home::slice) return 0;
  const int64_t count = count_of(value);
  if (count == 1 && step.count != 1) return 0;
  return static_cast<double>(count) * static_cast<double>(element_size(value.dtype));
}

}  // namespace

Cost cost_of(const Trace& trace, const TraceCall& call) {
  std::vector<Header> headers;
  std::vector<const Body*> in;
  std::vector<Arg> args;
  std::vector<Body*> out;
  for (const uint32_t v : call.inputs) {
    const TraceValue& value = trace.values()[v];
    headers.push_back(header_of(value));
    in.push_back(headers.back().get());
    args.push_back(value.kind == Kind::number ? Arg(value.number)
                                              : Arg::borrow(headers.back().get(), call.where));
  }
  for (const uint32_t v : call.outputs) {
    headers.push_back(header_of(trace.values()[v]));
    out.push_back(headers.back().get());
  }
  return PlannedCall(call, std::move(in), std::move(args), std::move(out)).cost();
}

Cost cost_in_step(const Plan& plan, const Step& step, const TraceCall& call) {
  Cost cost = cost_of(*plan.trace, call);
  if (!step.group) return cost;
  cost.bytes = 0;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const auto end = call.inputs.begin() + static_cast<ptrdiff_t>(i);
    if (std::find(call.inputs.begin(), end, call.inputs[i]) != end) continue;
    cost.bytes += bytes_in_step(plan, step, call.inputs[i]);
  }
  for (const uint32_t v : call.outputs) cost.bytes += bytes_in_step(plan, step, v);
  return cost;
}

DType rate_dtype(const Trace& trace, const TraceCall& call) {
  const auto is_double = [&](uint32_t v) { return trace.values()[v].dtype == DType::float64; };
  return std::any_of(call.inputs.begin(), call.inputs.end(), is_double) ||
                 std::any_of(call.outputs.begin(), call.outputs.end(), is_double)
             ? DType::float64
             : DType::float32;
}

}  // namespace tapegrad::detail
