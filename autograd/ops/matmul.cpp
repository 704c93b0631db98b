#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/gemm.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
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
    call.output(call.dtype(0), checked_shape(call, result));
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
      Tensor matrix = a.rank() == 1 ? reshape(v.input(0), {1, a[0]}) : v.input_tensor(0);
      if (b.rank() <= 2 && !transpose_a && a.rank() > 2) {
        // One b for the whole batch: its rows are those of one tall matrix.
        matrix = flatten(matrix, 0, -2);
        g = flatten(g, 0, -2);
      }
      Tensor db = transpose_b ? matmul(g, matrix, true, transpose_a) : matmul(matrix, g, !transpose_a, false);
      v.add(1, b.rank() == 1 ? collapse(db, b) : db);
    }
  }
  // The gradient of a vector operand, [..., 1, k] or [..., k, 1], summed over the batch.
  static Tensor collapse(const Tensor& d, const Shape& vector) {
    int64_t batch = 1;
    for (int i = 0; i < d.rank() - 2; ++i) batch *= d.size(i);
    return sum(reshape(d, {batch, vector[0]}), Dims{0});
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
    s.add({s.normal({0}), s.normal({2, 0, 3})}, Options{});
    s.add({s.normal({2, 3, 0}), s.normal({0})}, Options{});
    s.add({s.normal({0, 2, 3}), s.normal({3})}, Options{});
    s.add({s.normal({2, 2, 1, 3, 2}), s.normal({1, 3, 2, 2})}, Options{});
    s.add_error("inner dimensions differ: 4 and 3", {s.normal({3, 4}), s.normal({3, 4})}, Options{});
    s.add_error("batch dimensions", {s.normal({2, 3, 4}), s.normal({3, 4, 2})}, Options{});
    s.add_error("at least one dimension", {s.normal({}), s.normal({3})}, Options{});
    s.add_error("overflow", {s.normal({int64_t{1} << 40, 0}), s.normal({0, int64_t{1} << 40})}, Options{});
  }
};

}  // namespace

std::span<const Op* const> matrix_product() {
  static constexpr const Op* kOps[] = {&op<Matmul>};
  return kOps;
}

}  // namespace ops

Tensor matmul(const Arg& a, const Arg& b, bool transpose_a, bool transpose_b) {
  return apply(op<ops::Matmul>, {a, b}, ops::Matmul::Options{transpose_a, transpose_b});
}

}  // namespace tapegrad
