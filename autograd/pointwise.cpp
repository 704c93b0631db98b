#include "autograd/pointwise.h"

#include <algorithm>
#include <cstring>

#include "autograd/apply.h"
#include "autograd/body.h"
#include "autograd/kernels/parallel.h"
#include "autograd/ops/dims.h"
#include "autograd/raise.h"
#include "autograd/samples.h"

namespace tapegrad::detail {
namespace {

constexpr int64_t kBlock = 256;  // elements gathered at a time for an operand that is repeated or spread

// How one operand is read while the output is walked in order.
struct Walk {
  const char* data;
  size_t element;
  int64_t step;  // 1: dense; 0: one value; -1: gathered through `strides`
  Dims strides;
};

// Joins neighbouring dims of the output that all operands walk alike, so that inner runs are long.
void collapse(Dims& sizes, Walk* walks, int operands) {
  for (int d = sizes.size() - 2; d >= 0; --d) {
    bool joined = true;
    for (int k = 0; k < operands && joined; ++k) {
      if (walks[k].step != -1) continue;
      const Dims& s = walks[k].strides;
      joined = s[d] == s[d + 1] * sizes[d + 1];
    }
    if (!joined) continue;
    sizes[d] *= sizes[d + 1];
    sizes.erase(d + 1);
    for (int k = 0; k < operands; ++k) {
      if (walks[k].step != -1) continue;
      walks[k].strides[d] = walks[k].strides[d + 1];
      walks[k].strides.erase(d + 1);
    }
  }
}

template <class E>
void copy_run(const E* from, int64_t stride, E* to, int64_t count) {
  if (stride == 1) {
    std::memcpy(to, from, static_cast<size_t>(count) * sizeof(E));
  } else if (stride == 0) {
    std::fill(to, to + count, *from);
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = from[i * stride];
  }
}

// Elements [at, at + count) of the operand as the output sees it.
template <class E>
void gather(const Walk& walk, const Dims& sizes, int64_t at, int64_t count, void* out) {
  const int rank = sizes.size();
  int64_t index[kMaxRank];
  int64_t offset = 0;
  for (int d = rank - 1; d >= 0; --d) {
    index[d] = at % sizes[d];
    at /= sizes[d];
    offset += index[d] * walk.strides[d];
  }
  const auto* data = reinterpret_cast<const E*>(walk.data);
  auto* to = static_cast<E*>(out);
  while (count > 0) {
    const int64_t run = std::min(count, sizes[rank - 1] - index[rank - 1]);
    copy_run(data + offset, walk.strides[rank - 1], to, run);
    to += run;
    count -= run;
    offset += run * walk.strides[rank - 1];
    index[rank - 1] += run;
    for (int d = rank - 1; d > 0 && index[d] == sizes[d]; --d) {
      index[d] = 0;
      offset += walk.strides[d - 1] - sizes[d] * walk.strides[d];
      ++index[d - 1];
    }
  }
}

void gather_any(const Walk& walk, const Dims& sizes, int64_t at, int64_t count, void* out) {
  switch (walk.element) {
    case 1: return gather<uint8_t>(walk, sizes, at, count, out);
    case 4: return gather<uint32_t>(walk, sizes, at, count, out);
    default: return gather<uint64_t>(walk, sizes, at, count, out);
  }
}

void walk_broadcast(const Call& call, PointwiseKernel kernel) {
  const Body& out = call.out();
  Walk walks[kMaxOperands];
  Dims sizes = out.shape();
  const Op& op = call.op();
  const int operands = call.inputs() + op.numbers;
  double numbers[kMaxOperands], number[kMaxOperands];
  if (op.numbers > 0) op.number_options(call.option_data(), numbers);
  bool gathers = false;
  for (int k = 0; k < operands; ++k) {
    Walk& walk = walks[k];
    if (k >= call.inputs()) {
      walk.step = 0;
      put_number(call.dtype(op.first_value), Arg(numbers[k - call.inputs()]), &number[k]);
      walk.data = reinterpret_cast<const char*>(&number[k]);
      continue;
    }
    const Body& in = call.in(k);
    walk.data = static_cast<const char*>(in.data);
    walk.element = element_size(in.dtype);
    if (in.numel == out.numel) {
      walk.step = 1;
    } else if (in.numel == 1) {
      walk.step = 0;
    } else {
      walk.step = -1;
      walk.strides = broadcast_strides(in.shape(), out.shape());
      gathers = true;
    }
  }
  if (gathers) collapse(sizes, walks, operands);
  const size_t out_element = element_size(out.dtype);
  auto piece = [&](int64_t begin, int64_t end) {
    alignas(64) char scratch[kMaxOperands][kBlock * 8];
    const void* in[kMaxOperands];
    int64_t step[kMaxOperands];
    for (int64_t at = begin; at < end;) {
      const int64_t count = gathers ? std::min(kBlock, end - at) : end - at;
      for (int k = 0; k < operands; ++k) {
        const Walk& walk = walks[k];
        step[k] = walk.step != 0;
        if (walk.step == 1) {
          in[k] = walk.data + static_cast<size_t>(at) * walk.element;
        } else if (walk.step == 0) {
          in[k] = walk.data;
        } else {
          gather_any(walk, sizes, at, count, scratch[k]);
          in[k] = scratch[k];
        }
      }
      kernel(in, step, static_cast<char*>(out.data) + static_cast<size_t>(at) * out_element, count);
      at += count;
    }
  };
  if (out.numel <= kPointwisePiece) {
    piece(0, out.numel);
  } else {
    kernels::parallel_for(out.numel, kPointwisePiece, piece);
  }
}

void check_pointwise_dtypes(const Call& call) {
  const Op& op = call.op();
  const int first = op.first_value;
  const DType dtype = call.dtype(first);
  for (int i = first + 1; i < call.inputs(); ++i) call.require_same_dtype(first, i);
  if (op.pointwise[static_cast<int>(dtype)] == nullptr) {
    if (op.pointwise[0] != nullptr && op.pointwise[2] == nullptr) call.require_floating(first);
    call.dtype_error(fmt::format("does not take {}; use cast", name(dtype)));
  }
  if (first == 1 && call.dtype(0) != DType::boolean) {
    call.dtype_error(fmt::format("expected {} to be bool, given {}", op.operands[0], name(call.dtype(0))));
  }
}

}  // namespace

void pointwise_shape(Call& call) {
  const Op& op = call.op();
  const DType dtype = call.dtype(op.first_value);
  // Most calls have operands of one dtype and one shape, or numbers beside one shape.
  bool one_dtype = op.first_value == 0 && op.pointwise[static_cast<int>(dtype)] != nullptr;
  bool plain = true;
  const Body* widest = &call.in(0);
  for (int i = 1; i < call.inputs(); ++i) {
    const Body& in = call.in(i);
    one_dtype &= in.dtype == dtype;
    if (in.rank == 0) continue;
    if (widest->rank == 0) {
      widest = &in;
    } else {
      plain = plain && same_dims(in, *widest);
    }
  }
  if (!one_dtype) check_pointwise_dtypes(call);
  const DType result = op.boolean_result ? DType::boolean : dtype;
  if (plain) return call.output(result, {widest->dims(), widest->rank}, widest->numel);
  Shape shape = call.shape(0);
  int axis = 0;
  for (int i = 1; i < call.inputs(); ++i) {
    if (!broadcast(shape, call.shape(i), shape, axis)) {
      call.shape_error(fmt::format("shapes do not broadcast: [{}] and [{}] differ at dimension -{}",
                                   fmt::join(shape, ", "), fmt::join(call.shape(i), ", "), axis));
    }
  }
  call.output(result, ops::checked_shape(call, shape));
}

void pointwise_forward(Call& call) {
  const PointwiseKernel kernel = call.op().pointwise[static_cast<int>(call.dtype(call.op().first_value))];
  const Body& out = call.out();
  if (out.numel == 0) return;
  if (out.numel <= kBlock) {
    // Small and dense, or a number: straight to the kernel.
    bool dense = true;
    const void* in[kMaxOperands];
    int64_t step[kMaxOperands];
    for (int k = 0; k < call.inputs() && dense; ++k) {
      const Body& operand = call.in(k);
      in[k] = operand.data;
      step[k] = operand.numel != 1 || out.numel == 1;
      dense = operand.numel == out.numel || operand.numel == 1;
    }
    if (dense && call.op().numbers == 0) return kernel(in, step, out.data, out.numel);
  }
  walk_broadcast(call, kernel);
}

Cost pointwise_cost(const Call& call) {
  Cost cost;
  for (int i = 0; i < call.inputs(); ++i) cost.bytes += static_cast<double>(call.in(i).bytes());
  cost.bytes += static_cast<double>(call.out().bytes());
  cost.flops = static_cast<double>(call.out().numel);
  return cost;
}

void pointwise_samples(Samples& s, int operands, Domain domain) {
  auto draw = [&](const Shape& shape) { return s.uniform(shape, domain.low, domain.high); };
  auto case_of = [&](std::initializer_list<Shape> shapes) {
    std::vector<Tensor> inputs;
    inputs.reserve(static_cast<size_t>(operands));
    for (int k = 0; k < operands; ++k)
      inputs.push_back(draw(shapes.begin()[static_cast<size_t>(k) % shapes.size()]));
    s.add(std::move(inputs));
  };
  if (s.benchmark()) {
    case_of({{1024}});
    case_of({{1 << 20}});
    return;
  }
  case_of({{}});
  case_of({{1}});
  case_of({{3, 5}});
  case_of({{0, 2}});
  case_of({{2, 1, 300}});
  if (operands == 1) {
    s.add_error("use cast", {zeros({3}, boolean)});
    return;
  }
  case_of({{2, 3}, {3}, {}});
  case_of({{2, 1}, {1, 3}, {3}});
  case_of({{4, 1, 70}, {3, 70}, {1}});
  case_of({{0, 3}, {1, 3}, {3}});
  std::vector<Tensor> bad(static_cast<size_t>(operands), draw({3}));
  bad.back() = draw({4});
  s.add_error("do not broadcast", std::move(bad));
}

void backward_samples(Samples& s, const Op& primal, int operands, formula::Reads reads) {
  const bool reads_x = reads != formula::Reads::y;
  const bool reads_y = reads != formula::Reads::x;
  Samples forward(s.dtype(), 7, s.benchmark() ? Samples::Purpose::benchmark : Samples::Purpose::check);
  primal.samples(forward);
  for (const Sample& sample : forward.samples()) {
    const Tensor y = run(primal, sample.inputs, sample.options.ref())[0];
    if (!is_floating(y.dtype())) continue;
    std::vector<Tensor> inputs = {s.normal(y.shape())};
    if (reads_x) inputs.insert(inputs.end(), sample.inputs.begin(), sample.inputs.end());
    // Alone, y stands for x; a jump of the slope would lie on values that y takes, so it is drawn freely
    // there.
    if (reads_y) inputs.push_back(!reads_x && primal.flags.kinks ? s.normal(y.shape()) : y);
    s.add(std::move(inputs), sample.options.ref());
  }
  if (s.benchmark()) return;
  std::vector<Tensor> bad(static_cast<size_t>(1 + (reads_x ? operands : 0) + (reads_y ? 1 : 0)),
                          s.normal({3}));
  bad[0] = s.normal({4});
  s.add_error("do not broadcast", std::move(bad));
}

PointwiseKernel pointwise_kernel(std::string_view op_name, DType dtype) {
  const Op* op = find_op(op_name);
  if (op == nullptr || op->pointwise[static_cast<int>(dtype)] == nullptr) {
    raise<DTypeError>("[{}] has no pointwise kernel for {}", op_name, name(dtype));
  }
  return op->pointwise[static_cast<int>(dtype)];
}

}  // namespace tapegrad::detail
