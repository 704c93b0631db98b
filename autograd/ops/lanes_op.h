#pragma once

// The library's own pointwise ops, whose formulas run on vector lanes. Internal, not installed.

#include <array>

#include "autograd/kernels/lanes.h"
#include "autograd/pointwise.h"

namespace tapegrad::ops {

using formula::Reads;
using kernels::Lane;

template <Lane L, class E>
void lane_kernel(const void* const* in, const int64_t* step, void* out, int64_t n) {
  const kernels::LaneTable& table = kernels::lane_table();
  (std::is_same_v<E, float> ? table.f32 : table.f64)[static_cast<size_t>(L)](in, step, out, n);
}

// The kernels of an op by dtype; an integer one where given.
template <Lane L>
consteval std::array<PointwiseKernel, kDTypes> lanes(PointwiseKernel integer = nullptr) {
  return {&lane_kernel<L, float>, &lane_kernel<L, double>, integer, nullptr};
}

// What all of them share.
struct PointwiseParts {
  static void shape(Call& call) { detail::pointwise_shape(call); }
  static void forward(Call& call) { detail::pointwise_forward(call); }
  static Cost cost(const Call& call) { return detail::pointwise_cost(call); }
};

// The options of formula F, for the forward op and its backward ops alike, empty where it has none: a struct
// Options, how many numbers its kernels and its df read after the operands, and what they are.
template <class F>
struct FormulaOptions {
  static constexpr int kNumbers = 0;
  static OptionsRef options_of(const Vjp&) { return {}; }
  static std::array<double, 0> numbers_of(const Vjp&) { return {}; }
};
template <class F>
  requires requires { typename F::Options; }
struct FormulaOptions<F> {
  using Options = typename F::Options;
  static constexpr int kNumbers = F::numbers, numbers = F::numbers;
  static bool number_options(const Options& options, double* to) { return F::number_options(options, to); }
  static OptionsRef options_of(const Vjp& vjp) { return vjp.options<Options>(); }
  static std::array<double, kNumbers> numbers_of(const Vjp& vjp) {
    std::array<double, kNumbers> result;
    number_options(vjp.options<Options>(), result.data());
    return result;
  }
};

// Stands for the lane of a derivative that has none: the kernel is F's df, block by block.
inline constexpr Lane kByFormula = Lane::count;

// g·df(x…, y, numbers…) on blocks; operands g, those of x… and y that the derivative reads, numbers.
template <class F, int I, int Count, class E>
void block_backward_kernel(const void* const* in, const int64_t* step, void* out, int64_t n) {
  using B = Block<E>;
  constexpr Reads kReads = detail::reads<F, I>();
  constexpr size_t kFirstX = kReads == Reads::y ? 0 : 1;  // g stands for what is not read
  constexpr size_t kY = kReads == Reads::x ? 0 : kFirstX * Count + 1;
  constexpr size_t kFirstNumber = 1 + kFirstX * Count + (kReads == Reads::x ? 0 : 1);
  static const PointwiseKernel multiply = detail::pointwise_kernel("pole_mul", dtype_of<E>());
  for (int64_t at = 0; at < n; at += B::kSize) {
    const int64_t count = n - at < B::kSize ? n - at : B::kSize;
    auto operand = [&](size_t k) { return B(static_cast<const E*>(in[k]) + at * step[k], step[k], count); };
    const B df = [&]<size_t... K, size_t... N>(std::index_sequence<K...>, std::index_sequence<N...>) {
      return B(detail::closed_form<F, I>(operand(kFirstX * (K + 1))..., operand(kY),
                                         operand(kFirstNumber + N)...));
    }
    (std::make_index_sequence<Count>{}, std::make_index_sequence<FormulaOptions<F>::kNumbers>{});
    detail::store_block<E>(B::call(multiply, operand(0), df), static_cast<E*>(out) + at, count);
  }
}

template <class F, int I, int Count, Lane L>
consteval std::array<PointwiseKernel, kDTypes> backward_kernels() {
  if constexpr (L != kByFormula) return lanes<L>();
  else
    return {&block_backward_kernel<F, I, Count, float>, &block_backward_kernel<F, I, Count, double>, nullptr,
            nullptr};
}

// g·∂F/∂x_I for the primitive op P with formula F of Count operands, by a lane of its own or by formula.
template <class P, class F, int I, int Count, Lane L>
struct LaneBackward : PointwiseParts, FormulaOptions<F> {
  using FormulaOptions<F>::kNumbers, FormulaOptions<F>::options_of, FormulaOptions<F>::numbers_of;

  static constexpr Reads kReads = detail::reads<F, I>();
  static constexpr bool kReadsX = kReads != Reads::y;
  static constexpr bool kReadsY = kReads != Reads::x;
  static constexpr std::string_view kNames[3][5] = {{"g", "x", "y"}, {"g", "a", "b", "y"}, {"g", "y"}};
  static constexpr size_t kOperands = 1 + (kReadsX ? Count : 0) + (kReadsY ? 1 : 0);

  static constexpr std::string_view name = F::backward[I];
  static constexpr std::string_view doc = "g times the derivative";
  static constexpr std::span<const std::string_view> operands{kNames[kReadsX ? Count - 1 : 2], kOperands};
  static constexpr auto kernels = backward_kernels<F, I, Count, L>();
  static constexpr Flags flags = [] {
    Flags of = detail::flags_of<P>();
    of.jump |= of.kinks;  // the slope jumps where the value has a kink
    return of;
  }();
  // y is no free variable beside x; alone, it stands for x.
  static constexpr const Op* primal() { return kReadsX && kReadsY ? &op<P> : nullptr; }

  // ∂²f/∂x_I∂x_J, by duals of the derivative's formula; operand J of this op is its slot J + 1.
  template <int J>
  static void add_bend(Vjp& vjp) {
    if (!vjp.needs(J + 1)) return;
    const Tensor one = full({}, 1, vjp.dtype(0));
    using D = Dual<Tensor>;
    const auto numbers = numbers_of(vjp);
    auto slope = [&]<size_t... K, size_t... N>(std::index_sequence<K...>, std::index_sequence<N...>) {
      const Tensor x[] = {vjp.input_tensor(static_cast<int>(K) + 1)...};
      if constexpr (kReads == Reads::y) {
        return detail::closed_form<F, I>(D(x[0]), D(x[0], one), numbers[N]...);
      } else if constexpr (kReads == Reads::x) {
        return detail::closed_form<F, I>(D(x[K], one, K == J)..., D(x[0]), numbers[N]...);
      } else {
        static const Op& backward = *find_op(F::backward[J]);
        const Tensor y = vjp.input_tensor(Count + 1);
        const Tensor dy = detail::with_read<F, J>(
            [&](const auto&... read) {
              return apply(backward, {one, read...}, options_of(vjp));
            },
            x[K]..., y);
        return detail::closed_form<F, I>(D(x[K], one, K == J)..., D(y, dy), numbers[N]...);
      }
    }
    (std::make_index_sequence<Count>{}, std::make_index_sequence<kNumbers>{});
    if (slope.active) vjp.add(J + 1, detail::pole_mul(mul(vjp.g(), vjp.input(0)), slope.d));
  }

  static void vjp(Vjp& vjp) {
    if (vjp.needs(0)) {
      const Tensor& g = vjp.g();
      Arg inputs[kOperands] = {g};
      for (size_t k = 1; k < kOperands; ++k) inputs[k] = vjp.input(static_cast<int>(k));
      vjp.add(0, apply(vjp.op(), std::span<const Arg>(inputs, kOperands), options_of(vjp)));
    }
    if constexpr (!detail::is_linear<F>) {
      constexpr int kBends = 1 + kReadsX * (Count - 1);  // of g, and where x takes part of x and the others
      [&]<size_t... K>(std::index_sequence<K...>) { (add_bend<static_cast<int>(K)>(vjp), ...); }
      (std::make_index_sequence<kBends>{});
    }
  }
  static void samples(Samples& s) { detail::backward_samples(s, op<P>, Count, kReads); }
};

// The forward op with formula F, its lane and the lanes of its derivatives by each operand (or kByFormula).
// Derived adds doc, ulp, flags and domain.
template <class Derived, class F, Lane Forward, Lane... Backward>
struct LaneOp : PointwiseParts, FormulaOptions<F> {
  static constexpr int kCount = sizeof...(Backward);
  static constexpr std::string_view name = F::name;
  static constexpr std::span<const std::string_view> operands = detail::operand_names(kCount);
  static constexpr auto kernels = lanes<Forward>();

  template <int I>
  using BackwardOp =
      LaneBackward<Derived, F, I, kCount, std::array<Lane, kCount>{Backward...}[static_cast<size_t>(I)]>;

  template <int I>
  static void add(Vjp& vjp) {
    if (!vjp.needs(I)) return;
    const Tensor& g = vjp.g();
    Arg inputs[kCount + 2] = {g};
    size_t count = 1;
    if (BackwardOp<I>::kReadsX) {
      for (int k = 0; k < kCount; ++k) inputs[count++] = vjp.input(k);
    }
    if (BackwardOp<I>::kReadsY) inputs[count++] = vjp.output();
    vjp.add(I, apply(op<BackwardOp<I>>, std::span<const Arg>(inputs, count), LaneOp::options_of(vjp)));
  }
  static void vjp(Vjp& vjp) {
    [&]<size_t... K>(std::index_sequence<K...>) { (add<static_cast<int>(K)>(vjp), ...); }
    (std::make_index_sequence<kCount>{});
  }
  static void samples(Samples& s) { detail::pointwise_samples(s, kCount, detail::domain_of<Derived>()); }
};

}  // namespace tapegrad::ops
