// The largest and smallest, over dims or along one with their indices.

#include <limits>

#include "autograd/ops/groups.h"
#include "autograd/ops/reduce.h"
#include "autograd/pointwise.h"

namespace tapegrad {
namespace ops {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// ---- over dims ----

template <kernels::Reduce Kind>
struct Extreme : Reducing<Kind, false, true> {
  using Base = Reducing<Kind, false, true>;
  static constexpr Flags flags = {.kinks = true};
  static void vjp(Vjp& v) {
    const Shape x = v.shape(0);
    const auto& dim = v.options<ReduceOptions>().dim;
    const Tensor top = unreduce(v.output(), x, dim).detach();
    const Tensor at = v.input_tensor(0).detach();
    const Tensor hit = cast(eq(at, top), v.dtype(0));
    // keepdim over all dims gives 1s everywhere, so ties broadcasts back.
    v.add(0, mul(unreduce(v.g(), x, dim), div(hit, sum(hit, dim, true))));
  }
  static void samples(Samples& s) {
    Base::cases(s, &Samples::distinct);
    constexpr double kSign = Kind == kernels::Reduce::amax ? 1 : -1;
    s.add_convention({.what = "a tie shares the gradient evenly",
                      .inputs = {s.values({{3 * kSign, 5 * kSign, 5 * kSign, kSign}, {2, 2, 2, 2}})},
                      .options = ReduceOptions{Dims{1}, false},
                      .value = s.values({5 * kSign, 2}),
                      .gradients = {s.values({{0, 1.5, 1.5, 0}, {2, 2, 2, 2}})},
                      .cotangent = s.values({3, 8})});
    s.add_convention({.what = "NaN wins; the gradient goes nowhere that can be said, so it is NaN",
                      .inputs = {s.values({1, kNan, 3})},
                      .options = ReduceOptions{},
                      .value = s.values(kNan),
                      .gradients = {s.values({kNan, kNan, kNan})}});
  }
};

struct Amax : Extreme<kernels::Reduce::amax> {
  static constexpr std::string_view name = "amax",
                                    doc = "largest over dim; NaN wins; ties share the gradient evenly";
};
struct Amin : Extreme<kernels::Reduce::amin> {
  static constexpr std::string_view name = "amin",
                                    doc = "smallest over dim; NaN wins; ties share the gradient evenly";
};

// ---- along one dim ----

void check_nonempty(const Call& call, const Shape& y) {
  if (call.numel(0) == 0 && y.numel() > 0) {
    call.shape_error("no identity: the largest or smallest of no elements");
  }
}

struct DimOptions {
  int64_t dim = 0;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("keepdim", self.keepdim);
  }
};

template <bool Largest>
struct Selecting {
  using Options = DimOptions;
  static constexpr std::string_view operands[] = {"x"};
  static constexpr Flags flags = {.kinks = true};
  static void shape(Call& call) {
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    const auto& options = call.options<Options>();
    const int dim = resolve_dim(call, options.dim);
    const Shape x = call.shape(0);
    const Shape y = x.rank() == 0 ? x : reduced_shape(x, {dim}, options.keepdim);
    check_nonempty(call, y);
    call.output(call.dtype(0), y);
    call.output(DType::int64, y);
  }
  static void forward(Call& call) {
    if (call.numel(0) == 0) return;
    const Along a = along(call.shape(0), resolve_dim(call, call.options<Options>().dim));
    kernels::extreme_with_index(Largest, call.dtype(0), call.data<void>(0), call.out_data(0),
                                call.out_data<int64_t>(1), a.outer, a.n, a.inner);
  }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)),
            static_cast<double>(call.in(0).bytes() + call.out(0).bytes() + call.out(1).bytes())};
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
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.distinct({512, 1000})}, Options{1, false});
      return s.add({s.distinct({512, 1000})}, Options{0, false});
    }
    s.add({s.distinct({})}, Options{0, false});
    s.add({s.distinct({5})}, Options{0, false});
    s.add({s.distinct({3, 4})}, Options{1, true});
    s.add({s.distinct({2, 3, 4})}, Options{-2, false});
    s.add({s.distinct({0, 4})}, Options{1, false});
    s.add_error("out of range", {s.distinct({3})}, Options{2, false});
    s.add_error("no identity", {s.distinct({2, 0})}, Options{1, false});
    constexpr double kSign = Largest ? 1 : -1;
    s.add_convention({.what = "of a tie the first is taken and has the whole gradient",
                      .inputs = {s.values({{3 * kSign, 5 * kSign, 5 * kSign, kSign}, {2, 2, 2, 2}})},
                      .options = Options{1, false},
                      .value = s.values({5 * kSign, 2}),
                      .gradients = {s.values({{0, 3, 0, 0}, {8, 0, 0, 0}})},
                      .cotangent = s.values({3, 8})});
    s.add_convention({.what = "the first NaN wins and has the gradient",
                      .inputs = {s.values({1, kNan, 3, kNan})},
                      .options = Options{0, false},
                      .value = s.values(kNan),
                      .gradients = {s.values({0, 1, 0, 0})}});
  }
};

struct Max : Selecting<true> {
  static constexpr std::string_view
      name = "max",
      doc = "largest along dim and the index of its first occurrence, which gets the gradient";
};
struct Min : Selecting<false> {
  static constexpr std::string_view
      name = "min",
      doc = "smallest along dim and the index of its first occurrence, which gets the gradient";
};

// ---- the index alone ----

struct IndexOptions {
  std::optional<int64_t> dim;
  bool keepdim = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("keepdim", self.keepdim);
  }
};

template <bool Largest>
struct Index {
  using Options = IndexOptions;
  static constexpr std::string_view operands[] = {"x"};
  static constexpr Flags flags = {.jump = true, .non_differentiable = "its result is an index"};
  static Dims dims(const Call& call) {
    const auto& dim = call.options<Options>().dim;
    return resolve_dims(call, dim ? std::optional<Dims>(Dims{*dim}) : std::nullopt, call.rank(0));
  }
  static void shape(Call& call) {
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    const Shape y = reduced_shape(call.shape(0), dims(call), call.options<Options>().keepdim);
    check_nonempty(call, y);
    call.output(DType::int64, y);
  }
  static void forward(Call& call) {
    if (call.numel(0) == 0) return;
    const auto& dim = call.options<Options>().dim;
    Along a{1, call.numel(0), 1};
    if (dim) a = along(call.shape(0), resolve_dim(call, *dim));
    kernels::extreme_with_index(Largest, call.dtype(0), call.data<void>(0), nullptr,
                                call.out_data<int64_t>(0), a.outer, a.n, a.inner);
  }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)), static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.distinct({1 << 20})}, Options{});
      return s.add({s.distinct({512, 1000})}, Options{1, false});
    }
    s.add({s.distinct({})}, Options{});
    s.add({s.distinct({})}, Options{0, false});
    s.add({s.distinct({5})}, Options{0, false});
    s.add({s.distinct({3, 4})}, Options{});
    s.add({s.distinct({3, 4})}, Options{{}, true});
    s.add({s.distinct({3, 4})}, Options{1, true});
    s.add({s.distinct({2, 3, 4})}, Options{-2, false});
    s.add({s.distinct({0, 4})}, Options{1, false});
    s.add_error("out of range", {s.distinct({3})}, Options{2, false});
    s.add_error("no identity", {s.distinct({2, 0})}, Options{1, false});
    s.add_error("no identity", {s.distinct({0})}, Options{});
    constexpr double kSign = Largest ? 1 : -1;
    s.add_convention({.what = "the first of a tie",
                      .inputs = {s.values({{3 * kSign, 5 * kSign, 5 * kSign, kSign}, {2, 2, 2, 2}})},
                      .options = Options{1, false},
                      .value = tensor({1, 0})});
    s.add_convention({.what = "the first NaN",
                      .inputs = {s.values({1, kNan, 3, kNan})},
                      .options = Options{},
                      .value = tensor(1)});
  }
};

struct Argmax : Index<true> {
  static constexpr std::string_view name = "argmax",
                                    doc =
                                        "index of the first largest along dim, or of the flattened tensor; "
                                        "the first NaN wins";
};
struct Argmin : Index<false> {
  static constexpr std::string_view name = "argmin",
                                    doc =
                                        "index of the first smallest along dim, or of the flattened tensor; "
                                        "the first NaN wins";
};

}  // namespace

std::span<const Op* const> extremes() {
  static constexpr const Op* kOps[] = {&op<Amax>, &op<Amin>, &op<Max>, &op<Min>, &op<Argmax>, &op<Argmin>};
  return kOps;
}

}  // namespace ops

Tensor amax(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Amax>, {x}, ops::ReduceOptions{dim, keepdim});
}
Tensor amin(const Arg& x, std::optional<Dims> dim, bool keepdim) {
  return apply(op<ops::Amin>, {x}, ops::ReduceOptions{dim, keepdim});
}
ValuesAndIndices max(const Arg& x, int64_t dim, bool keepdim) {
  std::vector<Tensor> both = apply_all(op<ops::Max>, {x}, ops::DimOptions{dim, keepdim});
  return {both[0], both[1]};
}
ValuesAndIndices min(const Arg& x, int64_t dim, bool keepdim) {
  std::vector<Tensor> both = apply_all(op<ops::Min>, {x}, ops::DimOptions{dim, keepdim});
  return {both[0], both[1]};
}
Tensor argmax(const Arg& x, std::optional<int64_t> dim, bool keepdim) {
  return apply(op<ops::Argmax>, {x}, ops::IndexOptions{dim, keepdim});
}
Tensor argmin(const Arg& x, std::optional<int64_t> dim, bool keepdim) {
  return apply(op<ops::Argmin>, {x}, ops::IndexOptions{dim, keepdim});
}

}  // namespace tapegrad
