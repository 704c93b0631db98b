#include <limits>

#include "autograd/kernels/rows.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct DimOption {
  int64_t dim = -1;
  static void fields(auto& self, auto&& f) { f("dim", self.dim); }
};

struct AlongDim {
  using Options = DimOption;
  static void shape(Call& call) {
    call.require_floating(0);
    resolve_dim(call, call.options<Options>().dim);
    if (call.inputs() == 2) {
      call.require_same_dtype(0, 1);
      if (!(call.shape(0) == call.shape(1))) call.shape_error("shapes differ");
    }
    call.output(call.dtype(0), call.shape(0));
  }
  static Along dims(const Call& call) {
    return along(call.shape(0), resolve_dim(call, call.options<Options>().dim));
  }
  static Cost cost(const Call& call) {
    Cost cost = detail::pointwise_cost(call);
    cost.flops *= 5;
    return cost;
  }
  static void cases(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({512, 1000})}, DimOption{-1});
    s.add({s.normal({})}, DimOption{0});
    s.add({s.normal({1})}, DimOption{0});
    s.add({s.normal({5})}, DimOption{-1});
    s.add({s.normal({3, 4})}, DimOption{-1});
    s.add({s.normal({3, 4})}, DimOption{0});
    s.add({s.normal({2, 3, 4})}, DimOption{1});
    s.add({s.normal({0, 4})}, DimOption{-1});
    s.add({s.normal({2, 0})}, DimOption{-1});
    s.add_error("out of range", {s.normal({3})}, DimOption{1});
  }
};

const Op& backward_of(bool logarithm);

struct Softmax : AlongDim {
  static constexpr std::string_view name = "softmax", doc = "e^x / Σ e^x along dim, shifted by the largest";
  static constexpr std::string_view operands[] = {"x"};
  static void forward(Call& call) {
    const Along a = dims(call);
    kernels::softmax(call.dtype(0), call.data<void>(0), call.out_data(), a.outer, a.n, a.inner);
  }
  static void vjp(Vjp& v) { v.add(0, apply(backward_of(false), {v.g(), v.output()}, v.options<Options>())); }
  static void samples(Samples& s) {
    cases(s);
    s.add_convention({.what = "−inf gets 0, with gradient 0; all −inf gives NaN",
                      .inputs = {s.values({{-kInf, 1, 1}, {-kInf, -kInf, -kInf}})},
                      .options = DimOption{1},
                      .value = s.values({{0, 0.5, 0.5}, {kNan, kNan, kNan}}),
                      .gradients = {s.values({{-0.0, -0.25, 0.25}, {kNan, kNan, kNan}})},
                      .cotangent = s.values({{1, 2, 3}, {1, 2, 3}})});
  }
};

struct LogSoftmax : AlongDim {
  static constexpr std::string_view name = "log_softmax",
                                    doc = "x − ln Σ e^x along dim, shifted by the largest";
  static constexpr std::string_view operands[] = {"x"};
  static void forward(Call& call) {
    const Along a = dims(call);
    kernels::log_softmax(call.dtype(0), call.data<void>(0), call.out_data(), a.outer, a.n, a.inner);
  }
  static void vjp(Vjp& v) { v.add(0, apply(backward_of(true), {v.g(), v.output()}, v.options<Options>())); }
  static void samples(Samples& s) {
    cases(s);
    s.add_convention({.what = "−inf stays and has the gradient of its share 0; all −inf gives NaN",
                      .inputs = {s.values({{-kInf, 4}, {-kInf, -kInf}})},
                      .options = DimOption{1},
                      .value = s.values({{-kInf, 0}, {kNan, kNan}}),
                      .gradients = {s.values({{1, -1}, {kNan, kNan}})},
                      .cotangent = s.values({{1, 2}, {1, 2}})});
  }
};

void backward_cases(Samples& s) {
  Samples forward(s.dtype(), 7, s.benchmark() ? Samples::Purpose::benchmark : Samples::Purpose::check);
  AlongDim::cases(forward);
  for (const Sample& sample : forward.samples()) {
    const Shape shape = sample.inputs[0].shape();
    s.add({s.normal(shape), s.uniform(shape, 0.1, 0.9)}, sample.options.ref());
  }
  s.add_error("shapes differ", {s.normal({3, 4}), s.normal({4, 3})}, DimOption{0});
}

struct SoftmaxBackward : AlongDim {
  static constexpr std::string_view name = "softmax_backward", doc = "y·(g − Σ g·y) along dim";
  static constexpr std::string_view operands[] = {"g", "y"};
  static void forward(Call& call) {
    const Along a = dims(call);
    kernels::softmax_backward(call.dtype(0), call.data<void>(0), call.data<void>(1), call.out_data(), a.outer,
                              a.n, a.inner);
  }
  static void vjp(Vjp& v) {
    const Tensor& c = v.g();
    const auto& options = v.options<Options>();
    if (v.needs(0)) v.add(0, apply(v.op(), {c, v.input(1)}, options));
    if (!v.needs(1)) return;
    // d/dy of c·y·(g − Σgy): c·(g − Σgy) − g·Σcy.
    const Dims dim = {options.dim};
    const Tensor gy = sum(mul(v.input(0), v.input(1)), dim, true);
    const Tensor cy = sum(mul(c, v.input(1)), dim, true);
    v.add(1, sub(mul(c, sub(v.input(0), gy)), mul(v.input(0), cy)));
  }
  static void samples(Samples& s) { backward_cases(s); }
};

struct LogSoftmaxBackward : AlongDim {
  static constexpr std::string_view name = "log_softmax_backward", doc = "g − e^y·Σ g along dim";
  static constexpr std::string_view operands[] = {"g", "y"};
  static void forward(Call& call) {
    const Along a = dims(call);
    kernels::log_softmax_backward(call.dtype(0), call.data<void>(0), call.data<void>(1), call.out_data(),
                                  a.outer, a.n, a.inner);
  }
  static void vjp(Vjp& v) {
    const Tensor& c = v.g();
    const Dims dim = {v.options<Options>().dim};
    const Tensor p = exp(v.input(1));
    if (v.needs(0)) v.add(0, sub(c, sum(mul(c, p), dim, true)));
    if (v.needs(1)) v.add(1, neg(mul(mul(c, p), sum(v.input(0), dim, true))));
  }
  static void samples(Samples& s) { backward_cases(s); }
};

const Op& backward_of(bool logarithm) { return logarithm ? op<LogSoftmaxBackward> : op<SoftmaxBackward>; }

}  // namespace

std::span<const Op* const> softmax() {
  static constexpr const Op* kOps[] = {&op<Softmax>, &op<LogSoftmax>, &op<SoftmaxBackward>,
                                       &op<LogSoftmaxBackward>};
  return kOps;
}

}  // namespace ops

Tensor softmax(const Arg& x, int64_t dim) { return apply(op<ops::Softmax>, {x}, ops::DimOption{dim}); }
Tensor log_softmax(const Arg& x, int64_t dim) { return apply(op<ops::LogSoftmax>, {x}, ops::DimOption{dim}); }

}  // namespace tapegrad
