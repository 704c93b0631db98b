#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/gemm.h"
#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

struct Matmul {
  struct Options {
    bool transpose_a = false;
    bool transpose_b = false;
    static void fields(auto& self, auto&& f) {
      f("transpose_a", self.transpose_a);
      f("transpose_b", self.transpose_b);
    }
  };
  static constexpr std::string_view name = "matmul",
                                    doc =
                                        "matrix product over the last two dims, broadcasting the ones before";
  static constexpr std::string_view operands[] = {"a", "b"};

  // The operands as matrices: rows × inner, inner × columns, and the batch dims before them.
  struct Plan {
    int64_t m, n, k, k_b;
    Shape batch_a, batch_b, batch;
    bool vector_a, vector_b;
  };
  static Plan plan(const Shape& a, const Shape& b, const Options& options) {
    Plan p;
    p.vector_a = a.rank() == 1;
    p.vector_b = b.rank() == 1;
    const bool ta = options.transpose_a && !p.vector_a;
    const bool tb = options.transpose_b && !p.vector_b;
    p.m = p.vector_a ? 1 : a[a.rank() - (ta ? 1 : 2)];
    p.k = p.vector_a ? a[0] : a[a.rank() - (ta ? 2 : 1)];
    p.k_b = p.vector_b ? b[0] : b[b.rank() - (tb ? 1 : 2)];
    p.n = p.vector_b ? 1 : b[b.rank() - (tb ? 2 : 1)];
    for (int d = 0; d < a.rank() - 2; ++d) p.batch_a.push_back(a[d]);
    for (int d = 0; d < b.rank() - 2; ++d) p.batch_b.push_back(b[d]);
    return p;
  }
  static void shape(Call& call) {
    call.require_same_dtype(0, 1);
    call.require_floating(0);
    if (call.rank(0) == 0 || call.rank(1) == 0)
      call.shape_error("expected at least one dimension on either side");
    Plan p = plan(call.shape(0), call.shape(1), call.options<Options>());
    if (p.k != p.k_b) call.shape_error(fmt::format("inner dimensions differ: {} and {}", p.k, p.k_b));
    int axis = 0;
    if (!broadcast(p.batch_a, p.batch_b, p.batch, axis)) {
      call.shape_error(fmt::format("batch dimensions do not broadcast: [{}] and [{}]",
                                   fmt::join(p.batch_a, ", "), fmt::join(p.batch_b, ", ")));
    }
    Dims result = p.batch;
    if (!p.vector_a) result.push_back(p.m);
    if (!p.vector_b) result.push_back(p.n);
    call.output(call.dtype(0), Shape(result));
  }
  static void forward(Call& call) {
    const auto& options = call.options<Options>();
    Plan p = plan(call.shape(0), call.shape(1), options);
    int axis = 0;
    broadcast(p.batch_a, p.batch_b, p.batch, axis);
    kernels::Gemm g{.m = p.m, .n = p.n, .k = p.k};
    g.transpose_a = options.transpose_a && !p.vector_a;
    g.transpose_b = options.transpose_b && !p.vector_b;
    const Shape& batch = p.batch;
    g.batch = batch.numel();
    g.stride_a = p.batch_a.numel() == 1 ? 0 : p.m * p.k;
    g.stride_b = p.batch_b.numel() == 1 ? 0 : p.k * p.n;
    g.stride_c = p.m * p.n;
    const bool uniform = (p.batch_a.numel() == 1 || p.batch_a.numel() == g.batch) &&
                         (p.batch_b.numel() == 1 || p.batch_b.numel() == g.batch);
    // Matrices shared by a whole batch on the right make one tall product.
    if (uniform && g.stride_b == 0 && !g.transpose_a && g.batch > 1) {
      g.m *= g.batch;
      g.batch = 1;
    }
    if (uniform)
      return kernels::gemm(call.dtype(0), g, call.data<void>(0), call.data<void>(1), nullptr,
                           call.out_data());
    // Batch dims repeated in the middle: one product at a time.
    const Dims step_a = broadcast_strides(p.batch_a, batch);
    const Dims step_b = broadcast_strides(p.batch_b, batch);
    const auto size = static_cast<int64_t>(element_size(call.dtype(0)));
    const int64_t total = g.batch;
    g.batch = 1;
    for (int64_t i = 0; i < total; ++i) {
      int64_t rest = i, at_a = 0, at_b = 0;
      for (int d = batch.rank() - 1; d >= 0; --d) {
        at_a += rest % batch[d] * step_a[d];
        at_b += rest % batch[d] * step_b[d];
        rest /= batch[d];
      }
      kernels::gemm(call.dtype(0), g, call.data<char>(0) + at_a * p.m * p.k * size,
                    call.data<char>(1) + at_b * p.k * p.n * size, nullptr,
                    call.out_data<char>() + i * p.m * p.n * size);
    }
  }
  static Cost cost(const Call& call) {
    const Plan p = plan(call.shape(0), call.shape(1), call.options<Options>());
    return {2.0 * static_cast<double>(call.out().numel) * static_cast<double>(p.k),
            static_cast<double>(call.in(0).bytes() + call.in(1).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) {
    const auto [ta, tb] = v.options<Options>();
    const Shape a = v.shape(0);
    const Shape b = v.shape(1);
    Tensor g = v.g();
    // With both operands and g as matrices, the four rules of ABᵀ and AᵀB hold; vectors get their dim of 1
    // back.
    Dims g_shape = g.shape();
    if (b.rank() == 1) g_shape.push_back(1);
    if (a.rank() == 1) g_shape.insert(g_shape.size() - 1, 1);
    g = reshape(g, g_shape);
    const bool transpose_a = ta && a.rank() > 1;
    const bool transpose_b = tb && b.rank() > 1;
    if (v.needs(0)) {
      const Tensor matrix = b.rank() == 1 ? reshape(v.input(1), {b[0], 1}) : v.input_tensor(1);
      Tensor da = transpose_a ? matmul(matrix, g, transpose_b, true) : matmul(g, matrix, false, !transpose_b);
      v.add(0, a.rank() == 1 ? collapse(da, a) : da);
    }
    if (v.needs(1)) {
      const Tensor matrix = a.rank() == 1 ? reshape(v.input(0), {1, a[0]}) : v.input_tensor(0);
      Tensor db = transpose_b ? matmul(g, matrix, true, transpose_a) : matmul(matrix, g, !transpose_a, false);
      v.add(1, b.rank() == 1 ? collapse(db, b) : db);
    }
  }
  // The gradient of a vector operand, [..., 1, k] or [..., k, 1], summed over the batch.
  static Tensor collapse(const Tensor& d, const Shape& vector) {
    return sum(reshape(d, {-1, vector[0]}), Dims{0});
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      for (int64_t n : {16, 128, 512}) s.add({s.normal({n, n}), s.normal({n, n})}, Options{});
      return;
    }
    s.add({s.normal({3, 4}), s.normal({4, 2})}, Options{});
    s.add({s.normal({4, 3}), s.normal({4, 2})}, Options{true, false});
    s.add({s.normal({3, 4}), s.normal({2, 4})}, Options{false, true});
    s.add({s.normal({4, 3}), s.normal({2, 4})}, Options{true, true});
    s.add({s.normal({4}), s.normal({4})}, Options{});
    s.add({s.normal({4}), s.normal({4, 2})}, Options{});
    s.add({s.normal({3, 4}), s.normal({4})}, Options{});
    s.add({s.normal({1, 1}), s.normal({1, 1})}, Options{});
    s.add({s.normal({2, 3, 4}), s.normal({4, 2})}, Options{});
    s.add({s.normal({3, 4}), s.normal({2, 4, 2})}, Options{});
    s.add({s.normal({2, 4, 3}), s.normal({2, 2, 4})}, Options{true, true});
    s.add({s.normal({2, 1, 3, 4}), s.normal({3, 4, 2})}, Options{});
    s.add({s.normal({2, 3, 4}), s.normal({4})}, Options{});
    s.add({s.normal({4}), s.normal({2, 4, 3})}, Options{});
    s.add({s.normal({3, 0}), s.normal({0, 2})}, Options{});
    s.add({s.normal({0, 3}), s.normal({3, 2})}, Options{});
    s.add_error("inner dimensions differ: 4 and 3", {s.normal({3, 4}), s.normal({3, 4})}, Options{});
    s.add_error("batch dimensions", {s.normal({2, 3, 4}), s.normal({3, 4, 2})}, Options{});
    s.add_error("at least one dimension", {s.normal({}), s.normal({3})}, Options{});
  }
};

struct Linear {
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
    std::copy(call.in(0).dims(), call.in(0).dims() + call.rank(0), dims);
    dims[call.rank(0) - 1] = weight[0];
    int64_t numel = 1;
    for (int d = 0; d < call.rank(0); ++d) numel *= dims[d];
    call.output(call.dtype(0), {dims, static_cast<size_t>(call.rank(0))}, numel);
  }
  static void forward(Call& call) {
    const int64_t* weight = call.in(1).dims();
    kernels::Gemm g{.m = weight[0] == 0 ? 0 : call.out().numel / weight[0], .n = weight[0], .k = weight[1]};
    g.transpose_b = true;
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
    s.add_error("inner dimensions differ: 4 and 3", {s.normal({2, 4}), s.normal({2, 3})});
    s.add_error("expected bias [2]", {s.normal({2, 4}), s.normal({2, 4}), s.normal({3})});
  }
};

// The product of all dims but the last.
int64_t rows_of(const detail::Body& body) {
  int64_t rows = 1;
  for (int d = 0; d + 1 < body.rank; ++d) rows *= body.dims()[d];
  return rows;
}

// linear's gradients as ops of their own: any leading dims are rows, without a reshape.
struct LinearBackwardInput {
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
  static constexpr std::string_view name = "linear_backward_weight",
                                    doc = "Σ g·xᵀ over rows: [..., out], [..., in] → [out, in]";
  static constexpr std::string_view operands[] = {"g", "x"};
  static void shape(Call& call) {
    call.require_same_dtype(0, 1);
    call.require_floating(0);
    const int rank = call.rank(0);
    const int64_t* g = call.in(0).dims();
    const int64_t* x = call.in(1).dims();
    if (rank == 0 || call.rank(1) != rank || !std::equal(g, g + rank - 1, x)) {
      call.shape_error("expected g [..., out] and x [..., in] with the same rows");
    }
    const int64_t dims[] = {g[rank - 1], x[rank - 1]};
    call.output(call.dtype(0), dims, dims[0] * dims[1]);
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
    const int rank = g.rank();
    v.add(2, rank == 1 ? g : sum(rank == 2 ? g : reshape(g, {-1, g.size(-1)}), Dims{0}));
  }
}

}  // namespace

std::span<const Op* const> linalg() {
  static constexpr const Op* kOps[] = {&op<Matmul>, &op<Linear>, &op<LinearBackwardInput>,
                                       &op<LinearBackwardWeight>};
  return kOps;
}

}  // namespace ops

Tensor matmul(const Arg& a, const Arg& b, bool transpose_a, bool transpose_b) {
  return apply(op<ops::Matmul>, {a, b}, ops::Matmul::Options{transpose_a, transpose_b});
}
Tensor linear(const Arg& x, const Arg& weight, const Arg& bias) {
  return apply(op<ops::Linear>, {x, weight, bias});
}

}  // namespace tapegrad
