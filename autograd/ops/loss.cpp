#include <fmt/format.h>

#include "autograd/kernels/reduce.h"
#include "autograd/kernels/rows.h"
#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

struct LossOptions {
  Reduction reduction = Reduction::mean;
  static void fields(auto& self, auto&& f) { f("reduction", self.reduction); }
};

// Joins the per-element losses in `from` (n of them) to the one number in `to`.
void join(Reduction reduction, DType dtype, const void* from, void* to, int64_t n) {
  kernels::Reduction all{};
  all.rank_reduced = 1;
  all.reduced[0] = n;
  all.reduced_stride[0] = 1;
  kernels::reduce(reduction == Reduction::mean ? kernels::Reduce::mean : kernels::Reduce::sum, dtype, all,
                  from, to);
}

// g of the joined loss, as the g of each element.
Tensor spread(const Vjp& v, Reduction reduction, const Shape& elements) {
  const Tensor g = v.g(0);
  if (reduction == Reduction::none) return g;
  const Tensor each = reduction == Reduction::sum ? g : div(g, static_cast<double>(elements.numel()));
  return expand(each, elements);
}

struct MseLoss {
  using Options = LossOptions;
  static constexpr std::string_view name = "mse_loss",
                                    doc = "(input − target)², joined; the difference is kept for the sweep";
  static constexpr std::string_view operands[] = {"input", "target"};
  static constexpr int results = 1;
  static void shape(Call& call) {
    call.require_floating(0);
    call.require_same_dtype(0, 1);
    if (!call.same_shape(0, 1)) call.shape_error("expected input and target of one shape");
    if (call.options<Options>().reduction != Reduction::none) call.output(call.dtype(0), {}, 1);
    else call.output_like(call.dtype(0), 0);
    call.output_like(call.dtype(0), 0);
  }
  static void forward(Call& call) {
    const Reduction reduction = call.options<Options>().reduction;
    const DType dtype = call.dtype(0);
    const int64_t n = call.numel(0);
    const void* operands_of_sub[] = {call.data<void>(0), call.data<void>(1)};
    const void* difference[] = {call.out_data(1), call.out_data(1)};
    const int64_t dense[] = {1, 1};
    if (n > 0) find_kernel(false, dtype)(operands_of_sub, dense, call.out_data(1), n);
    if (reduction == Reduction::none) {
      if (n > 0) find_kernel(true, dtype)(difference, dense, call.out_data(0), n);
      return;
    }
    kernels::row_dot(dtype, difference[0], difference[0], call.out_data(0), 1, n);
    if (reduction == Reduction::sum) return;
    if (dtype == DType::float32) *call.out_data<float>(0) /= static_cast<float>(n);
    else *call.out_data<double>(0) /= static_cast<double>(n);
  }
  static PointwiseKernel find_kernel(bool square, DType dtype) {
    static const PointwiseKernel kKernels[2][2] = {
        {detail::pointwise_kernel("sub", DType::float32), detail::pointwise_kernel("sub", DType::float64)},
        {detail::pointwise_kernel("square", DType::float32),
         detail::pointwise_kernel("square", DType::float64)}};
    return kKernels[square][dtype == DType::float64];
  }
  static Cost cost(const Call& call) {
    return {3.0 * static_cast<double>(call.numel(0)), 3.0 * static_cast<double>(call.in(0).bytes())};
  }
  static void vjp(Vjp& v) {
    Tensor d;
    if (v.has_g(0)) {
      const Reduction reduction = v.options<Options>().reduction;
      const double factor = reduction == Reduction::mean ? 2.0 / static_cast<double>(v.numel(0)) : 2.0;
      d = mul(mul(v.g(0), factor), v.output(1));
    }
    if (v.has_g(1)) d = d.defined() ? add(d, v.g(1)) : v.g(1);
    v.add(0, d);
    if (v.needs(1)) v.add(1, neg(d));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1 << 20}), s.normal({1 << 20})}, Options{});
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 4}}) {
      for (Reduction r : {Reduction::mean, Reduction::sum, Reduction::none})
        s.add({s.normal(shape), s.normal(shape)}, Options{r});
    }
    s.add({s.normal({0, 3}), s.normal({0, 3})}, Options{Reduction::sum});
    s.add_error("one shape", {s.normal({3}), s.normal({3, 1})}, Options{});
  }
};

// ---- cross entropy ----

int64_t rows(const Call& call, int i) { return call.rank(i) == 2 ? call.in(i).dims()[0] : 1; }
int64_t classes(const Call& call, int i) { return call.in(i).dims()[call.rank(i) - 1]; }

void check_cross_entropy(const Call& call, int logits, int target) {
  call.require_floating(logits);
  if (call.rank(logits) != 1 && call.rank(logits) != 2)
    call.shape_error("expected logits [classes] or [n, classes]");
  if (call.dtype(target) != DType::int64) {
    call.dtype_error(
        fmt::format("expected target to be class indices, int64; given {}", name(call.dtype(target))));
  }
  if (call.rank(target) != call.rank(logits) - 1 || call.numel(target) != rows(call, logits)) {
    call.shape_error("expected one target for each row of logits");
  }
}

void check_targets(const Call& call, int logits, int target) {
  const auto* t = call.data<int64_t>(target);
  for (int64_t r = 0; r < call.numel(target); ++r) {
    if (t[r] < 0 || t[r] >= classes(call, logits)) {
      call.index_error(fmt::format("target {} of row {} is outside [0, {})", t[r], r, classes(call, logits)));
    }
  }
}

// g is per row here: the reduction is spread over the rows before.
struct CrossEntropyBackward {
  static constexpr std::string_view name = "cross_entropy_backward",
                                    doc = "g·(softmax − onehot) for each row";
  static constexpr std::string_view operands[] = {"g", "logits", "target"};
  static void shape(Call& call) {
    check_cross_entropy(call, 1, 2);
    call.require_same_dtype(0, 1);
    if (!(call.shape(0) == call.shape(2))) call.shape_error("expected g of target's shape");
    call.output(call.dtype(1), call.shape(1));
  }
  static void forward(Call& call) {
    check_targets(call, 1, 2);
    kernels::cross_entropy_rows_backward(call.dtype(1), call.data<void>(1), call.data<int64_t>(2),
                                         call.data<void>(0), call.out_data(), rows(call, 1),
                                         classes(call, 1));
  }
  static Cost cost(const Call& call) {
    return {5.0 * static_cast<double>(call.numel(1)), 2.0 * static_cast<double>(call.in(1).bytes())};
  }
  static void vjp(Vjp& v) {
    const Tensor& c = v.g();
    const Tensor p = softmax(v.input(1), -1);
    const Tensor cp = mul(c, p);
    const Tensor row = sum(cp, Dims{-1}, true);
    Dims column = v.shape(2);
    column.push_back(1);
    if (v.needs(0)) {
      const Tensor at_target = gather(c, -1, reshape(v.input(2), column));
      v.add(0, reshape(sub(row, at_target), v.shape(0)));
    }
    if (v.needs(1)) v.add(1, mul(reshape(v.input(0), column), sub(cp, mul(p, row))));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({512}), s.normal({512, 1000}), s.integers({512}, 0, 1000)});
    s.add({s.normal({}), s.normal({4}), s.integers({}, 0, 4)});
    s.add({s.normal({5}), s.normal({5, 3}), s.integers({5}, 0, 3)});
    s.add({s.normal({0}), s.normal({0, 3}), s.integers({0}, 0, 3)});
    s.add_error("g of target's shape", {s.normal({3}), s.normal({2, 3}), tensor({0, 1})});
  }
};

struct CrossEntropy {
  using Options = LossOptions;
  static constexpr std::string_view name = "cross_entropy",
                                    doc =
                                        "ln Σ e^x − x[target] for each row, joined; the rows are kept beside";
  static constexpr std::string_view operands[] = {"logits", "target"};
  static constexpr int results = 1;
  static void shape(Call& call) {
    check_cross_entropy(call, 0, 1);
    const bool joined = call.options<Options>().reduction != Reduction::none;
    call.output(call.dtype(0), joined ? Shape() : call.shape(1));
    if (joined) call.output(call.dtype(0), call.shape(1));
  }
  static void forward(Call& call) {
    check_targets(call, 0, 1);
    const Reduction reduction = call.options<Options>().reduction;
    const bool joined = reduction != Reduction::none;
    void* each = call.out_data(joined ? 1 : 0);
    kernels::cross_entropy_rows(call.dtype(0), call.data<void>(0), call.data<int64_t>(1), each, rows(call, 0),
                                classes(call, 0));
    if (joined) join(reduction, call.dtype(0), each, call.out_data(0), rows(call, 0));
  }
  static Cost cost(const Call& call) {
    return {5.0 * static_cast<double>(call.numel(0)), static_cast<double>(call.in(0).bytes())};
  }
  static void vjp(Vjp& v) {
    const Reduction reduction = v.options<Options>().reduction;
    Tensor each;
    if (v.has_g(0)) each = spread(v, reduction, v.shape(1));
    if (reduction != Reduction::none && v.has_g(1)) each = each.defined() ? add(each, v.g(1)) : v.g(1);
    v.add(0, apply(op<CrossEntropyBackward>, {each, v.input(0), v.input(1)}));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({512, 1000}), s.integers({512}, 0, 1000)}, Options{});
    for (Reduction r : {Reduction::mean, Reduction::sum, Reduction::none}) {
      s.add({s.normal({4}), s.integers({}, 0, 4)}, Options{r});
      s.add({s.normal({1, 1}), s.integers({1}, 0, 1)}, Options{r});
      s.add({s.normal({5, 3}), s.integers({5}, 0, 3)}, Options{r});
    }
    s.add({s.normal({0, 3}), s.integers({0}, 0, 3)}, Options{Reduction::sum});
    s.add_error("target 3 of row 1", {s.normal({2, 3}), tensor({0, 3})}, Options{});
    s.add_error("one target for each row", {s.normal({2, 3}), tensor({0})}, Options{});
    s.add_error("class indices", {s.normal({2, 3}), s.normal({2})}, Options{});
  }
};

}  // namespace

std::span<const Op* const> loss() {
  static constexpr const Op* kOps[] = {&op<MseLoss>, &op<CrossEntropy>, &op<CrossEntropyBackward>};
  return kOps;
}

}  // namespace ops

Tensor mse_loss(const Arg& input, const Arg& target, Reduction reduction) {
  return apply(op<ops::MseLoss>, {input, target}, ops::LossOptions{reduction});
}
Tensor cross_entropy(const Arg& logits, const Arg& target, Reduction reduction) {
  return apply(op<ops::CrossEntropy>, {logits, target}, ops::LossOptions{reduction});
}

}  // namespace tapegrad
