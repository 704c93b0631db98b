#include <fmt/format.h>

#include <limits>

#include "autograd/kernels/reduce.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

struct ReduceOptions {
  std::optional<Dims> dim;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("keepdim", self.keepdim);
  }
};

// The kept and the reduced dims of x with their strides.
kernels::Reduction plan(const Shape& shape, const Dims& dims) {
  kernels::Reduction r{};
  int64_t strides[kMaxRank];
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

// The parts that sum, mean, amax and logsumexp share.
template <kernels::Reduce Kind, bool Identity, bool Integers>
struct Reducing {
  using Options = ReduceOptions;
  static constexpr std::string_view operands[] = {"x"};

  static void shape(Call& call) {
    if (!Integers || call.dtype(0) == DType::boolean) call.require_floating(0);
    const auto& options = call.options<Options>();
    const Shape x = call.shape(0);
    const Dims dims = resolve_dims(call, options.dim, x.rank());
    const Shape y = reduced_shape(x, dims, options.keepdim);
    if (!Identity && x.numel() == 0 && y.numel() > 0) {
      call.shape_error("no identity: the largest of no elements");
    }
    call.output(call.dtype(0), y);
  }
  static void forward(Call& call) {
    if (call.out().numel == 0) return;
    const Shape x = call.shape(0);
    const Dims dims = resolve_dims(call, call.options<Options>().dim, x.rank());
    kernels::reduce(Kind, call.dtype(0), plan(x, dims), call.data<void>(0), call.out_data());
  }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)), static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void cases(Samples& s, Tensor (Samples::*draw)(const Shape&)) {
    if (s.benchmark()) {
      s.add({(s.*draw)({1 << 20})}, Options{});
      s.add({(s.*draw)({512, 1000})}, Options{Dims{1}, false});
      s.add({(s.*draw)({512, 1000})}, Options{Dims{0}, false});
      return;
    }
    s.add({(s.*draw)({})}, Options{});
    s.add({(s.*draw)({1})}, Options{});
    s.add({(s.*draw)({7})}, Options{Dims{0}, true});
    s.add({(s.*draw)({3, 4})}, Options{});
    s.add({(s.*draw)({3, 4})}, Options{Dims{1}, false});
    s.add({(s.*draw)({3, 4})}, Options{Dims{-2}, true});
    s.add({(s.*draw)({2, 3, 4})}, Options{Dims{0, 2}, false});
    s.add({(s.*draw)({2, 3, 4})}, Options{Dims{1}, false});
    s.add({(s.*draw)({0, 3})}, Options{Dims{1}, false});
    s.add_error("out of range", {(s.*draw)({3})}, Options{Dims{1}, false});
    s.add_error("listed twice", {(s.*draw)({3, 2})}, Options{Dims{1, -1}, false});
    if (!Identity) s.add_error("no identity", {(s.*draw)({0, 3})}, Options{Dims{0}, false});
    if (Identity) s.add({(s.*draw)({0, 3})}, Options{Dims{0}, false});
  }
  static void samples(Samples& s) { cases(s, &Samples::normal); }
};

struct Sum : Reducing<kernels::Reduce::sum, true, true> {
  static constexpr std::string_view name = "sum", doc = "Σ x over dim; 0 for no elements; pairwise";
  static void vjp(Vjp& v) {
    v.add(0, expand(unreduce(v.g(), v.shape(0), v.options<Options>().dim), v.shape(0)));
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
};

struct Amax : Reducing<kernels::Reduce::amax, false, false> {
  static constexpr std::string_view name = "amax",
                                    doc = "largest over dim; NaN wins; ties share the gradient evenly";
  static constexpr Flags flags = {.kinks = true};
  static void vjp(Vjp& v) {
    const Shape x = v.shape(0);
    const auto& dim = v.options<Options>().dim;
    const Tensor top = unreduce(v.output(), x, dim).detach();
    const Tensor at = v.input_tensor(0).detach();
    const Tensor hit = cast(eq(at, top), v.dtype(0));
    // keepdim over all dims gives 1s everywhere, so ties broadcasts back.
    v.add(0, mul(unreduce(v.g(), x, dim), div(hit, sum(hit, dim, true))));
  }
  static void samples(Samples& s) { cases(s, &Samples::distinct); }
};

struct LogSumExp : Reducing<kernels::Reduce::logsumexp, true, false> {
  static constexpr std::string_view name = "logsumexp",
                                    doc = "ln Σ e^x over dim, shifted by the largest; −inf for no elements";
  static void vjp(Vjp& v) {
    const Shape x = v.shape(0);
    const auto& dim = v.options<Options>().dim;
    if (x.numel() == 0) return v.add(0, zeros(x, v.dtype(0)));
    // The softmax, and not exp(x − y): that gives 1 + 1 at (1e50, 1e50). Where all are −inf the gradient is
    // 0.
    const Tensor y = unreduce(v.output(), x, dim);
    v.add(0, mul(unreduce(v.g(), x, dim), softmax_over(v.input_tensor(0), y, dim)));
  }
  static Tensor softmax_over(const Tensor& x, const Tensor& y, const std::optional<Dims>& dim) {
    const Shape shape = x.shape();
    Tensor weights;
    if (shape.rank() == 0) {
      weights = softmax(x, 0);
    } else if (!dim || dim->size() == shape.rank()) {
      weights = reshape(softmax(reshape(x, {-1}), 0), shape);
    } else if (dim->size() == 1) {
      weights = softmax(x, (*dim)[0]);
    } else {
      // The reduced dims last and joined, softmax there, and back.
      Dims order;
      Dims back = shape;
      int64_t joined = 1;
      Dims kept_sizes;
      auto reduces = [&](int d) { return dim->contains(d) || dim->contains(d - shape.rank()); };
      for (int d = 0; d < shape.rank(); ++d) {
        if (reduces(d)) continue;
        order.push_back(d);
        kept_sizes.push_back(shape[d]);
      }
      Dims permuted = kept_sizes;
      for (int d = 0; d < shape.rank(); ++d) {
        if (!reduces(d)) continue;
        order.push_back(d);
        permuted.push_back(shape[d]);
        joined *= shape[d];
      }
      for (int d = 0; d < order.size(); ++d) back[static_cast<int>(order[d])] = d;
      Dims flat = kept_sizes;
      flat.push_back(joined);
      weights = permute(reshape(softmax(reshape(permute(x, order), flat), -1), permuted), back);
    }
    const Tensor masked = eq(y.detach(), -std::numeric_limits<double>::infinity());
    return where(masked, 0.0, weights);
  }
};

// ---- along one dim, with indices ----

struct DimOptions {
  int64_t dim = 0;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("keepdim", self.keepdim);
  }
};

void shape_along(Call& call, bool with_values) {
  call.require_floating(0);
  const auto& options = call.options<DimOptions>();
  const Shape x = call.shape(0);
  const int dim = resolve_dim(call, options.dim);
  const Shape y = x.rank() == 0 ? x : reduced_shape(x, {dim}, options.keepdim);
  if (x.rank() > 0 && x[dim] == 0 && y.numel() > 0)
    call.shape_error("no identity: the largest of no elements");
  if (with_values) call.output(call.dtype(0), y);
  call.output(DType::int64, y);
}

void samples_along(Samples& s) {
  if (s.benchmark()) return s.add({s.distinct({512, 1000})}, DimOptions{1, false});
  s.add({s.distinct({})}, DimOptions{0, false});
  s.add({s.distinct({5})}, DimOptions{0, false});
  s.add({s.distinct({3, 4})}, DimOptions{1, true});
  s.add({s.distinct({2, 3, 4})}, DimOptions{1, false});
  s.add({s.distinct({0, 4})}, DimOptions{1, false});
  s.add_error("out of range", {s.distinct({3})}, DimOptions{2, false});
  s.add_error("no identity", {s.distinct({2, 0})}, DimOptions{1, false});
}

struct Max {
  using Options = DimOptions;
  static constexpr std::string_view
      name = "max",
      doc = "largest along dim and the index of its first occurrence, which gets the gradient";
  static constexpr std::string_view operands[] = {"x"};
  static constexpr Flags flags = {.kinks = true};
  static void shape(Call& call) { shape_along(call, true); }
  static void forward(Call& call) {
    if (call.numel(0) == 0) return;
    const Along a = along(call.shape(0), resolve_dim(call, call.options<Options>().dim));
    kernels::max_with_index(call.dtype(0), call.data<void>(0), call.out_data(0), call.out_data<int64_t>(1),
                            a.outer, a.n, a.inner);
  }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)),
            static_cast<double>(call.in(0).bytes() + 2 * call.out().bytes())};
  }
  static void vjp(Vjp& v) {
    if (!v.has_g(0)) return;
    const auto& options = v.options<Options>();
    const Shape x = v.shape(0);
    Tensor index = v.output_tensor(1);
    Tensor g = v.g(0);
    if (x.rank() > 0) {
      index = unreduce(index, x, Dims{options.dim});
      g = unreduce(g, x, Dims{options.dim});
    }
    v.add(0, scatter_add(zeros(x, v.dtype(0)), options.dim, index, g));
  }
  static void samples(Samples& s) { samples_along(s); }
};

struct Argmax {
  using Options = DimOptions;
  static constexpr std::string_view name = "argmax",
                                    doc = "index of the first largest along dim; the first NaN wins";
  static constexpr std::string_view operands[] = {"x"};
  static constexpr Flags flags = {.jump = true, .non_differentiable = "its result is an index"};
  static void shape(Call& call) { shape_along(call, false); }
  static void forward(Call& call) {
    if (call.numel(0) == 0) return;
    const Along a = along(call.shape(0), resolve_dim(call, call.options<Options>().dim));
    kernels::max_with_index(call.dtype(0), call.data<void>(0), nullptr, call.out_data<int64_t>(0), a.outer,
                            a.n, a.inner);
  }
  static Cost cost(const Call& call) { return Max::cost(call); }
  static void samples(Samples& s) { samples_along(s); }
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
  static constexpr const Op* kOps[] = {&op<Sum>, &op<Mean>,   &op<Amax>,     &op<LogSumExp>,
                                       &op<Max>, &op<Argmax>, &op<SumToSize>};
  return kOps;
}

}  // namespace ops

Tensor sum(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Sum>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor mean(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Mean>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor amax(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Amax>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor logsumexp(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::LogSumExp>, {x}, ops::ReduceOptions{dim, keepdim});
}
ValuesAndIndices max(const Arg& x, int64_t dim, bool keepdim) {
  std::vector<Tensor> both = apply_all(op<ops::Max>, {x}, ops::DimOptions{dim, keepdim});
  return {both[0], both[1]};
}
Tensor argmax(const Arg& x, int64_t dim, bool keepdim) {
  return apply(op<ops::Argmax>, {x}, ops::DimOptions{dim, keepdim});
}
Tensor sum_to_size(const Arg& x, const Shape& size) {
  return apply(op<ops::SumToSize>, {x}, ops::SumToSize::Options{size});
}

}  // namespace tapegrad
