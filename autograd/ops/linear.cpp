#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/column_sums.h"
#include "autograd/kernels/gemm.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

// The product of all dims but the last.
int64_t rows_of(const detail::Body& body) {
  int64_t rows = 1;
  for (int d = 0; d + 1 < body.rank; ++d) rows *= body.dims()[d];
  return rows;
}
int64_t rows_of(const Shape& shape) {
  int64_t rows = 1;
  for (int d = 0; d + 1 < shape.rank(); ++d) rows *= shape[d];
  return rows;
}

struct Linear {
  static constexpr bool never_throws = true;
  static constexpr std::string_view name = "linear",
                                    doc = "x·weightᵀ + bias: [..., in], [out, in], [out] → [..., out]";
  static constexpr std::string_view operands[] = {"x", "weight", "bias"};
  static constexpr int min_inputs = 2;

  static void shape(Call& call) {
    call.require_same_dtype(0, 1);
    call.require_floating(0);
    if (call.rank(0) == 0) call.shape_error("expected x of at least one dimension");
    if (call.rank(1) != 2) call.shape_error("expected weight [out, in]");
    const int64_t* weight = call.in(1).dims();
    const int64_t in = call.in(0).dims()[call.rank(0) - 1];
    if (in != weight[1]) call.shape_error(fmt::format("inner dimensions differ: {} and {}", in, weight[1]));
    if (call.inputs() == 3) {
      call.require_same_dtype(0, 2);
      if (call.rank(2) != 1 || call.in(2).dims()[0] != weight[0]) {
        call.shape_error(fmt::format("expected bias [{}]", weight[0]));
      }
    }
    int64_t dims[kMaxRank];
    int64_t numel = weight[0];
    bool overflow = false;
    const int last = call.rank(0) - 1;
    for (int d = 0; d < last; ++d) {
      dims[d] = call.in(0).dims()[d];
      overflow |= __builtin_mul_overflow(numel, dims[d], &numel);
    }
    dims[last] = weight[0];
    // As in Shape: room for 8 bytes an element and a header.
    if (overflow || numel > (INT64_MAX >> 4)) call.shape_error("element count: overflow");
    call.output(call.dtype(0), {dims, static_cast<size_t>(call.rank(0))}, numel);
  }
  static kernels::Gemm product(const Shape& x, const Shape& weight) {
    return {.m = rows_of(x), .n = weight[0], .k = weight[1], .transpose_b = true};
  }
  static void forward(Call& call) {
    const int64_t* weight = call.in(1).dims();
    kernels::Gemm g{.m = weight[0] == 0 ? 0 : call.out().numel / weight[0], .n = weight[0], .k = weight[1]};
    g.transpose_b = true;
    g.padded = call.out().numel > 1;
    kernels::gemm(call.dtype(0), g, call.data<void>(0), call.data<void>(1),
                  call.inputs() == 3 ? call.data<void>(2) : nullptr, call.out_data());
  }
  static Cost cost(const Call& call) {
    double bytes = static_cast<double>(call.out().bytes());
    for (int i = 0; i < call.inputs(); ++i) bytes += static_cast<double>(call.in(i).bytes());
    return {2.0 * static_cast<double>(call.out().numel) * static_cast<double>(call.in(1).dims()[1]), bytes};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) {
      for (int64_t n : {1, 32, 128}) s.add({s.normal({n, 784}), s.normal({512, 784}), s.normal({512})});
      return;
    }
    s.add({s.normal({3, 4}), s.normal({2, 4}), s.normal({2})});
    s.add({s.normal({3, 4}), s.normal({2, 4})});
    s.add({s.normal({4}), s.normal({2, 4}), s.normal({2})});
    s.add({s.normal({1, 1}), s.normal({1, 1}), s.normal({1})});
    s.add({s.normal({2, 3, 4}), s.normal({5, 4}), s.normal({5})});
    s.add({s.normal({0, 4}), s.normal({2, 4}), s.normal({2})});
    s.add({s.normal({3, 0}), s.normal({2, 0}), s.normal({2})});
    s.add({s.normal({2, 3, 4}), s.normal({0, 4}), s.normal({0})});
    s.add_error("inner dimensions differ: 4 and 3", {s.normal({2, 4}), s.normal({2, 3})});
    s.add_error("expected bias [2]", {s.normal({2, 4}), s.normal({2, 4}), s.normal({3})});
  }
};

// linear's gradients as ops of their own: any leading dims are rows, without a reshape.
struct LinearBackwardInput {
  static constexpr bool never_throws = true;
  static constexpr std::string_view name = "linear_backward_input",
                                    doc = "g·weight: [..., out], [out, in] → [..., in]";
  static constexpr std::string_view operands[] = {"g", "weight"};
  static void shape(Call& call) {
    call.require_same_dtype(0, 1);
    call.require_floating(0);
    if (call.rank(0) == 0 || call.rank(1) != 2)
      call.shape_error("expected g [..., out] and weight [out, in]");
    const int64_t* weight = call.in(1).dims();
    const int64_t* g = call.in(0).dims();
    const auto rank = static_cast<size_t>(call.rank(0));
    if (g[rank - 1] != weight[0]) {
      call.shape_error(fmt::format("inner dimensions differ: {} and {}", g[rank - 1], weight[0]));
    }
    int64_t dims[kMaxRank];
    std::copy(g, g + rank, dims);
    dims[rank - 1] = weight[1];
    call.output(call.dtype(0), {dims, rank}, rows_of(call.in(0)) * weight[1]);
  }
  static kernels::Gemm product(const Shape& g, const Shape& weight) {
    return {.m = rows_of(g), .n = weight[1], .k = weight[0]};
  }
  static void forward(Call& call) {
    const int64_t* weight = call.in(1).dims();
    const kernels::Gemm g{.m = rows_of(call.in(0)), .n = weight[1], .k = weight[0]};
    kernels::gemm(call.dtype(0), g, call.data<void>(0), call.data<void>(1), nullptr, call.out_data());
  }
  static Cost cost(const Call& call) {
    return {2.0 * static_cast<double>(call.out().numel) * static_cast<double>(call.in(1).dims()[0]),
            static_cast<double>(call.in(0).bytes() + call.in(1).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({128, 512}), s.normal({512, 784})});
    s.add({s.normal({3, 2}), s.normal({2, 4})});
    s.add({s.normal({2}), s.normal({2, 4})});
    s.add({s.normal({3, 3}), s.normal({3, 3})});
    s.add({s.normal({2, 3, 5}), s.normal({5, 4})});
    s.add({s.normal({0, 2}), s.normal({2, 4})});
    s.add_error("inner dimensions differ: 3 and 2", {s.normal({4, 3}), s.normal({2, 4})});
  }
};

struct LinearBackwardWeight {
  static constexpr bool never_throws = true;
  static constexpr std::string_view name = "linear_backward_weight",
                                    doc = "Σ g·xᵀ over rows: [..., out], [..., in] → [out, in]";
  static constexpr std::string_view operands[] = {"g", "x"};
  static void shape(Call& call) {
    call.require_same_dtype(0, 1);
    call.require_floating(0);
    const int rank = call.rank(0);
    const int64_t* g = call.in(0).dims();
    const int64_t* x = call.in(1).dims();
    bool same_rows = rank != 0 && call.rank(1) == rank;
    for (int d = 0; same_rows && d + 1 < rank; ++d) same_rows = g[d] == x[d];
    if (!same_rows) {
      call.shape_error("expected g [..., out] and x [..., in] with the same rows");
    }
    const int64_t dims[] = {g[rank - 1], x[rank - 1]};
    call.output(call.dtype(0), dims, dims[0] * dims[1]);
  }
  static kernels::Gemm product(const Shape& g, const Shape& x) {
    const int rank = g.rank();
    return {.m = g[rank - 1], .n = x[rank - 1], .k = rows_of(g), .transpose_a = true};
  }
  static void forward(Call& call) {
    const int64_t* out = call.out().dims();
    kernels::Gemm g{.m = out[0], .n = out[1], .k = rows_of(call.in(0))};
    g.transpose_a = true;
    kernels::gemm(call.dtype(0), g, call.data<void>(0), call.data<void>(1), nullptr, call.out_data());
  }
  static Cost cost(const Call& call) {
    return {2.0 * static_cast<double>(call.out().numel) * static_cast<double>(rows_of(call.in(0))),
            static_cast<double>(call.in(0).bytes() + call.in(1).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) {
    const Tensor& c = v.g();
    if (v.needs(0)) v.add(0, linear(v.input(1), c));
    if (v.needs(1)) v.add(1, apply(op<LinearBackwardInput>, {v.input(0), c}));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({128, 512}), s.normal({128, 784})});
    s.add({s.normal({3, 2}), s.normal({3, 4})});
    s.add({s.normal({3, 2}), s.normal({3, 2})});
    s.add({s.normal({2}), s.normal({4})});
    s.add({s.normal({2, 3, 5}), s.normal({2, 3, 4})});
    s.add({s.normal({0, 2}), s.normal({0, 4})});
    s.add_error("with the same rows", {s.normal({4, 3}), s.normal({2, 3})});
  }
};

struct LinearBackwardBias {
  static constexpr bool never_throws = true;
  static constexpr std::string_view name = "linear_backward_bias", doc = "Σ g over rows: [..., out] → [out]";
  static constexpr std::string_view operands[] = {"g"};
  static void shape(Call& call) {
    call.require_floating(0);
    if (call.rank(0) == 0) call.shape_error("expected g [..., out]");
    const int64_t out = call.in(0).dims()[call.rank(0) - 1];
    call.output(call.dtype(0), {&out, 1}, out);
  }
  static void forward(Call& call) {
    kernels::column_sums(call.dtype(0), call.data<void>(0), rows_of(call.in(0)), call.out().numel,
                         call.out_data());
  }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)), static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) { v.add(0, expand(v.g(), v.shape(0))); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({128, 512})});
    for (const Shape& shape :
         {Shape{3, 2}, Shape{4}, Shape{2, 3, 5}, Shape{0, 2}, Shape{37, 1}, Shape{9, 21}, Shape{3, 0}}) {
      s.add({s.normal(shape)});
    }
    s.add_error("expected g [..., out]", {s.normal({})});
  }
};

void LinearBackwardInput::vjp(Vjp& v) {
  const Tensor& c = v.g();
  if (v.needs(0)) v.add(0, linear(c, v.input(1)));
  if (v.needs(1)) v.add(1, apply(op<LinearBackwardWeight>, {v.input(0), c}));
}

void Linear::vjp(Vjp& v) {
  const Tensor& g = v.g();
  if (v.needs(0)) v.add(0, apply(op<LinearBackwardInput>, {g, v.input(1)}));
  if (v.needs(1)) v.add(1, apply(op<LinearBackwardWeight>, {g, v.input(0)}));
  if (v.inputs() == 3 && v.needs(2)) {
    v.add(2, g.rank() == 1 ? g : apply(op<LinearBackwardBias>, {g}));
  }
}

}  // namespace

std::span<const Op* const> linear_layer() {
  static constexpr const Op* kOps[] = {&op<Linear>, &op<LinearBackwardInput>, &op<LinearBackwardWeight>,
                                       &op<LinearBackwardBias>};
  return kOps;
}

}  // namespace ops

Tensor linear(const Arg& x, const Arg& weight, const Arg& bias) {
  return apply(op<ops::Linear>, {x, weight, bias});
}

}  // namespace tapegrad
