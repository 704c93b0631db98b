#include "autograd/ops/reduce.h"

#include <fmt/format.h>

#include <limits>

#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"

namespace tapegrad {
namespace ops {

kernels::Reduction plan(const Shape& shape, const Dims& dims) {
  kernels::Reduction r{};
  int64_t strides[kMaxRank] = {};
  int64_t stride = 1;
  for (int d = shape.rank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= shape[d];
  }
  for (int d = 0; d < shape.rank(); ++d) {
    if (dims.contains(d)) {
      r.reduced[r.rank_reduced] = shape[d];
      r.reduced_stride[r.rank_reduced++] = strides[d];
    } else {
      r.kept[r.rank_kept] = shape[d];
      r.kept_stride[r.rank_kept++] = strides[d];
    }
  }
  return r;
}

JoinedDims::JoinedDims(const Shape& x, const std::optional<Dims>& dim) : shape_(x) {
  const int rank = x.rank();
  auto reduced = [&](int d) { return !dim || dim->contains(d) || dim->contains(d - rank); };
  int first = rank, last = -1;
  for (int d = 0; d < rank; ++d) {
    if (!reduced(d)) continue;
    n_ *= x[d];
    if (x[d] == 1) continue;
    first = std::min(first, d);
    last = d;
  }
  bool neighbours = true;
  for (int d = 0; d < rank; ++d) {
    if (reduced(d)) continue;
    (d < first ? outer_ : inner_) *= x[d];
    neighbours = neighbours && (d < first || d > last || x[d] == 1);
  }
  if (neighbours) return;
  // The kept dims, then the reduced ones.
  outer_ *= inner_;
  inner_ = 1;
  for (bool wanted : {false, true}) {
    for (int d = 0; d < rank; ++d) {
      if (reduced(d) == wanted) order_.push_back(d);
    }
  }
  permuted_ = x;
  back_ = x;
  for (int d = 0; d < rank; ++d) {
    permuted_[d] = x[static_cast<int>(order_[d])];
    back_[static_cast<int>(order_[d])] = d;
  }
}

Tensor JoinedDims::join(const Arg& x) const {
  if (order_.empty()) return reshape(x, {outer_, n_, inner_});
  return reshape(permute(x, order_), {outer_, n_, inner_});
}
Tensor JoinedDims::join_reduced(const Arg& y) const { return reshape(y, {outer_, 1, inner_}); }
Tensor JoinedDims::restore(const Arg& joined) const {
  if (order_.empty()) return reshape(joined, shape_);
  return permute(reshape(joined, permuted_), back_);
}

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

struct Sum : Reducing<kernels::Reduce::sum, true, true> {
  static constexpr std::string_view name = "sum", doc = "Σ x over dim; 0 for no elements; pairwise";
  static void vjp(Vjp& v) {
    v.add(0, expand(unreduce(v.g(), v.shape(0), v.options<Options>().dim), v.shape(0)));
  }
  static void samples(Samples& s) {
    Reducing::samples(s);
    s.add_convention({.what = "of no elements: 0",
                      .inputs = {s.normal({0})},
                      .options = Options{},
                      .value = s.values(0),
                      .gradients = {s.normal({0})}});
    s.add_convention({.what = "inf − inf is NaN; the gradient does not see it",
                      .inputs = {s.values({kInf, -kInf})},
                      .options = Options{},
                      .value = s.values(kNan),
                      .gradients = {s.values({1, 1})}});
  }
};

struct Mean : Reducing<kernels::Reduce::mean, true, false> {
  static constexpr std::string_view name = "mean", doc = "Σ x / n over dim; NaN for no elements";
  static void vjp(Vjp& v) {
    const Shape x = v.shape(0);
    const Tensor& g = v.g();
    if (x.numel() == 0) return v.add(0, zeros(x, v.dtype(0)));
    const double n = static_cast<double>(x.numel()) / static_cast<double>(g.numel());
    v.add(0, expand(unreduce(div(g, n), x, v.options<Options>().dim), x));
  }
  static void samples(Samples& s) {
    Reducing::samples(s);
    s.add_convention({.what = "of no elements: NaN",
                      .inputs = {s.normal({0})},
                      .options = Options{},
                      .value = s.values(kNan),
                      .gradients = {s.normal({0})}});
  }
};

struct LogSumExp : Reducing<kernels::Reduce::logsumexp, true, false> {
  static constexpr std::string_view
      name = "logsumexp",
      doc =
          "ln Σ e^x over dim: the largest, and log1p of the rest beside it, so that [0, −20] gives "
          "ln(1 + e^−20) and not 0; within 2 ULP where the two do not cancel; −inf for no elements; "
          "gradient 0 where all are −inf";
  static void vjp(Vjp& v) {
    const Shape x = v.shape(0);
    const auto& dim = v.options<Options>().dim;
    if (x.numel() == 0) return v.add(0, zeros(x, v.dtype(0)));
    // The softmax, and not exp(x − y): that gives 1 + 1 at (1e50, 1e50).
    const JoinedDims joined(x, dim);
    const Tensor weights = joined.restore(softmax(joined.join(v.input(0)), 1));
    const Tensor y = unreduce(v.output(), x, dim);
    const Tensor masked = eq(y.detach(), -std::numeric_limits<double>::infinity());
    v.add(0, mul(unreduce(v.g(), x, dim), where(masked, 0.0, weights)));
  }
  static void samples(Samples& s) {
    cases(s, &Samples::normal);
    if (s.benchmark()) return;
    s.add({s.values({{1.0, 1.0, -3.0}, {5.0, -2.0, 5.0}})}, Options{Dims{1}, false});
    s.add_convention({.what = "−inf counts as nothing; all −inf: −inf with gradient 0",
                      .inputs = {s.values({{-kInf, 4, -kInf}, {-kInf, -kInf, -kInf}})},
                      .options = Options{Dims{1}, false},
                      .value = s.values({4, -kInf}),
                      .gradients = {s.values({{0, 1, 0}, {0, 0, 0}})}});
    s.add_convention({.what = "of no elements: −inf",
                      .inputs = {s.normal({0})},
                      .options = Options{},
                      .value = s.values(-kInf),
                      .gradients = {s.normal({0})}});
    s.add_convention({.what = "+inf: +inf with NaN gradient",
                      .inputs = {s.values({kInf, 1})},
                      .options = Options{},
                      .value = s.values(kInf),
                      .gradients = {s.values({kNan, kNan})}});
    s.add_convention({.what = "equal elements share, however large",
                      .inputs = {s.values({1e30, 1e30})},
                      .options = Options{},
                      .value = s.values(1e30),
                      .gradients = {s.values({0.5, 0.5})}});
  }
};

struct SumToSize {
  struct Options {
    Shape size;
    static void fields(auto& self, auto&& f) { f("size", self.size); }
  };
  static constexpr std::string_view name = "sum_to_size",
                                    doc = "x summed over the dims along which size was broadcast";
  static constexpr std::string_view operands[] = {"x"};
  static Dims summed(const Shape& x, const Shape& size) {
    Dims dims;
    const int lead = x.rank() - size.rank();
    for (int d = 0; d < x.rank(); ++d) {
      if (d < lead || size[d - lead] != x[d]) dims.push_back(d);
    }
    return dims;
  }
  static void shape(Call& call) {
    const Shape& size = call.options<Options>().size;
    const Shape x = call.shape(0);
    Shape joined;
    int axis = 0;
    if (!broadcast(x, size, joined, axis) || !(joined == x)) {
      call.shape_error(fmt::format("size [{}] does not broadcast to x", fmt::join(size, ", ")));
    }
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    call.output(call.dtype(0), size);
  }
  static void forward(Call& call) {
    if (call.out().numel == 0) return;
    const Shape x = call.shape(0);
    kernels::reduce(kernels::Reduce::sum, call.dtype(0), plan(x, summed(x, call.options<Options>().size)),
                    call.data<void>(0), call.out_data());
  }
  static Cost cost(const Call& call) { return Sum::cost(call); }
  static void vjp(Vjp& v) { v.add(0, expand(v.g(), v.shape(0))); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({512, 1000})}, Options{{1000}});
    s.add({s.normal({})}, Options{{}});
    s.add({s.normal({3, 4})}, Options{{}});
    s.add({s.normal({3, 4})}, Options{{4}});
    s.add({s.normal({2, 3, 4})}, Options{{3, 1}});
    s.add({s.normal({0, 4})}, Options{{1, 4}});
    s.add_error("does not broadcast", {s.normal({3, 4})}, Options{{3}});
  }
};

}  // namespace

std::span<const Op* const> reduce() {
  static constexpr const Op* kOps[] = {&op<Sum>, &op<Mean>, &op<LogSumExp>, &op<SumToSize>};
  return kOps;
}

}  // namespace ops

Tensor sum(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Sum>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor mean(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Mean>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor logsumexp(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::LogSumExp>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor sum_to_size(const Arg& x, const Shape& size) {
  return apply(op<ops::SumToSize>, {x}, ops::SumToSize::Options{size});
}

}  // namespace tapegrad
