#include "autograd/ops/scan.h"

#include <limits>

#include "autograd/kernels/scan.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/product.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

kernels::ScanShape scan_shape(const Call& call) {
  const auto& options = call.options<ScanOptions>();
  const Along a = along(call.shape(0), resolve_dim(call, options.dim));
  return {a.outer, a.n, a.inner, options.reverse};
}

// The parts of a scan of one or two operands of one shape.
template <kernels::Scan Kind, bool Integers>
struct Scanning {
  using Options = ScanOptions;
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    if (!Integers || call.dtype(0) == DType::boolean) call.require_floating(0);
    resolve_dim(call, call.options<Options>().dim);
    if (call.inputs() == 2) {
      call.require_same_dtype(0, 1);
      if (!(call.shape(0) == call.shape(1))) call.shape_error("shapes differ");
    }
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    kernels::scan(Kind, call.dtype(0), scan_shape(call), call.data<void>(0),
                  call.inputs() == 2 ? call.data<void>(1) : nullptr, call.out_data());
  }
  static Cost cost(const Call& call) {
    Cost cost = detail::pointwise_cost(call);
    if (Kind == kernels::Scan::log_sum_exp) cost.flops *= 30;
    return cost;
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.uniform({512, 1000}, 0.9, 1.1)}, Options{1});
      return s.add({s.uniform({512, 1000}, 0.9, 1.1)}, Options{0});
    }
    s.add({s.normal({})}, Options{0});
    s.add({s.normal({1})}, Options{0});
    s.add({s.normal({5})}, Options{-1});
    s.add({s.normal({3, 4})}, Options{1});
    s.add({s.normal({3, 4})}, Options{0, true});
    s.add({s.normal({2, 3, 4})}, Options{1});
    s.add({s.normal({0, 4})}, Options{1});
    s.add({s.normal({2, 0})}, Options{-1});
    s.add_error("out of range", {s.normal({3})}, Options{1});
  }
};

struct Cumsum : Scanning<kernels::Scan::sum, true> {
  static constexpr std::string_view name = "cumsum",
                                    doc = "y_i = Σ_{j≤i} x_j along dim, compensated; j ≥ i with reverse";
  static void vjp(Vjp& v) {
    const auto& [dim, reverse] = v.options<Options>();
    v.add(0, apply(v.op(), {v.g()}, Options{dim, !reverse}));
  }
};

struct Cumprod : Scanning<kernels::Scan::product, true> {
  static constexpr std::string_view name = "cumprod",
                                    doc =
                                        "y_i = Π_{j≤i} x_j along dim, in float64; j ≥ i with reverse; the "
                                        "gradient divides by nothing, so it "
                                        "is right with zeros";
  static void vjp(Vjp& v) { v.add(0, running_product_backward(v.g(), v.input(0), v.options<Options>())); }
  static void samples(Samples& s) {
    Scanning::samples(s);
    if (s.benchmark()) return;
    s.add({s.values({2.0, 0.0, 3.0, 4.0})}, Options{0});
    s.add({s.values({{2.0, 0.0}, {0.0, 3.0}, {1.5, 0.0}})}, Options{0, true});
    s.add_convention({.what = "the gradient at zeros is that of the products",
                      .inputs = {s.values({{2, 0, 3, 4}, {0, 0, 3, 4}})},
                      .options = Options{1},
                      .value = s.values({{2, 0, 0, 0}, {0, 0, 0, 0}}),
                      .gradients = {s.values({{1, 32, 0, 0}, {1, 0, 0, 0}})}});
  }
};

struct LogCumsumExp : Scanning<kernels::Scan::log_sum_exp, false> {
  static constexpr std::string_view name = "logcumsumexp",
                                    doc =
                                        "y_i = ln Σ_{j≤i} e^x_j along dim, by the largest so far; gradient 0 "
                                        "where all so far are −inf; j ≥ i with reverse";
  static void vjp(Vjp& v) {
    // With any c near y, s_j = Σ_{i≤j} e^(x_i − c_j) and Σ_{i≥j} g_i·e^(x_j)/Σ_{k≤i} e^(x_k) = b_j/s_j·r_j,
    // b_j = e^(x_j − c_j), r_j = g_j + e^(c_j − c_{j+1})·s_j/s_{j+1}·r_{j+1}: no exponent is large. Dividing
    // by s and not taking y for exact keeps the shares of equal elements right where y has lost ln 2.
    const auto& options = v.options<Options>();
    const ScanOptions back{options.dim, !options.reverse};
    const double inf = std::numeric_limits<double>::infinity();
    const Tensor c = v.output_tensor().detach();
    const Tensor none = eq(c, -inf);
    const Tensor b = where(none, 0.0, exp(sub(v.input(0), c)));
    const Tensor rise = where(none, 0.0, exp(sub(shifted(c, options, false, -inf), c)));
    const Tensor s = where(none, 1.0, linear_scan(rise, b, options));
    const Tensor fall = where(none, 0.0, exp(sub(c, shifted(c, options, true, inf))));
    const Tensor reached = linear_scan(mul(fall, div(s, shifted(s, options, true, 1))), v.g(), back);
    v.add(0, mul(div(b, s), reached));
  }
  static void samples(Samples& s) {
    Scanning::samples(s);
    const double inf = std::numeric_limits<double>::infinity();
    s.add_convention({.what = "all −inf so far: −inf with gradient 0",
                      .inputs = {s.values({-inf, -inf, 3})},
                      .options = Options{0},
                      .value = s.values({-inf, -inf, 3}),
                      .gradients = {s.values({0, 0, 1})}});
  }
};

struct LinearScan : Scanning<kernels::Scan::linear, false> {
  static constexpr std::string_view name = "linear_scan",
                                    doc = "y_i = b_i + a_i·y_{i−1} along dim, from 0; y_{i+1} with reverse";
  static constexpr std::string_view operands[] = {"a", "b"};
  static void vjp(Vjp& v) {
    const auto& options = v.options<Options>();
    const Tensor t =
        linear_scan(shifted(v.input_tensor(0), options, true, 0), v.g(), {options.dim, !options.reverse});
    if (v.needs(0)) v.add(0, mul(t, shifted(v.output_tensor(), options, false, 0)));
    v.add(1, t);
  }
  static void samples(Samples& s) {
    Samples one(s.dtype(), 7, s.benchmark() ? Samples::Purpose::benchmark : Samples::Purpose::check);
    Scanning::samples(one);
    for (const Sample& sample : one.samples()) {
      const Shape shape = sample.inputs[0].shape();
      s.add({sample.inputs[0], s.normal(shape)}, sample.options.ref());
    }
    s.add_error("shapes differ", {s.normal({3}), s.normal({4})}, Options{0});
  }
};

}  // namespace

Tensor linear_scan(const Arg& a, const Arg& b, const ScanOptions& options) {
  return apply(op<LinearScan>, {a, b}, options);
}
Tensor running_product(const Arg& x, const ScanOptions& options) { return apply(op<Cumprod>, {x}, options); }

Tensor shifted(const Tensor& x, const ScanOptions& options, bool ahead, double first) {
  const int rank = x.rank();
  if (rank == 0) return full({}, first, x.dtype());
  const auto dim = static_cast<int>(options.dim < 0 ? options.dim + rank : options.dim);
  const int64_t n = x.shape()[dim];
  if (n == 0) return x;
  Shape edge = x.shape();
  edge[dim] = 1;
  const Tensor end = full(edge, first, x.dtype());
  const bool up = ahead == options.reverse;  // element i comes from i − 1
  return up ? cat({end, slice(x, dim, 0, n - 1)}, dim) : cat({slice(x, dim, 1, n), end}, dim);
}

std::span<const Op* const> scan() {
  static constexpr const Op* kOps[] = {&op<Cumsum>, &op<Cumprod>, &op<LogCumsumExp>, &op<LinearScan>};
  return kOps;
}

}  // namespace ops

Tensor cumsum(const Arg& x, int64_t dim) { return apply(op<ops::Cumsum>, {x}, ops::ScanOptions{dim}); }
Tensor cumprod(const Arg& x, int64_t dim) { return apply(op<ops::Cumprod>, {x}, ops::ScanOptions{dim}); }
Tensor logcumsumexp(const Arg& x, int64_t dim) {
  return apply(op<ops::LogCumsumExp>, {x}, ops::ScanOptions{dim});
}

}  // namespace tapegrad
