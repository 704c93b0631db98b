#pragma once

// Losses that are a sum over elements, each a formula of input and target. Internal, not installed.
//
// Such a loss is a struct Term with
//   name, doc, Options (with a field `reduction`), flags
//   value(x, t, o, pw), slope_input(x, t, o, pw), slope_target(…): the loss of an element and its
//   derivatives,
//       on blocks; pw is null, or pos_weight where the loss has that option
//   bend_xx(x, t, o, pw), bend_xt(…), bend_tt(…): its second derivatives, on tensors; undefined: 0 everywhere
//   kLinearInput or kLinearTarget where it is linear in one of them: its slope there does not read it, and
//       there is no bend_xx, or bend_tt
//   root(x, t, o, pw), where value is its square and there is no weight: a joined loss then takes a pass less
//   kDifference: it depends on input − target alone, so there is no slope_target
//   check(call): throws where an option is wrong
//   calls(s, shape, reduction, add): adds sample calls by add(input, target, options)
//   errors(s), conventions(s)
//   kOnNumbers: root and slope_input are also formulas of single numbers, for a loss of one element
//   kOperands: 3 where it takes a weight of each element, else 2; the weight is a constant to the sweep.
// The loss and its gradients are ops of their own: one pass over the operands each, nothing kept.

#include <fmt/format.h>

#include <cmath>
#include <optional>
#include <vector>

#include "autograd/kernels/reduce_parts.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/ops/loss.h"
#include "autograd/samples.h"

namespace tapegrad::ops {

inline constexpr int64_t kLossGrain = 16384;  // elements of a piece of work; a multiple of a block

// A vector function that formula.h does not have.
template <Lane L, class E>
Block<E> lane(const Block<E>& x) {
  return Block<E>::call(&lane_kernel<L, E>, x);
}

// q·d, but 0 where q = 0 and d is not finite.
template <class E>
Block<E> pole_product(const Block<E>& q, const Block<E>& d) {
  return Block<E>::call(&lane_kernel<Lane::pole_mul, E>, q, d);
}

// Reads an operand that broadcasts to a shape, block by block.
template <class E>
class BroadcastReader {
 public:
  BroadcastReader(const detail::Body& from, const Shape& to)
      : data_(static_cast<const E*>(from.data)), single_(from.numel == 1), dense_(from.numel == to.numel()) {
    sizes_ = to;
    strides_ = broadcast_strides(from.shape(), to);
  }
  // Elements [at, at + count); `scratch` has room for them.
  Block<E> read(int64_t at, int64_t count, E* scratch) const {
    if (dense_) return {data_ + at, 1, count};
    if (single_) return {data_, 0, count};
    const int last = sizes_.size() - 1;
    for (int64_t i = 0; i < count;) {
      int64_t rest = (at + i) / sizes_[last];
      const int64_t first = (at + i) % sizes_[last];
      const E* row = data_;
      for (int d = last - 1; d >= 0; --d) {
        row += rest % sizes_[d] * strides_[d];
        rest /= sizes_[d];
      }
      for (int64_t k = first; k < sizes_[last] && i < count; ++k) scratch[i++] = row[k * strides_[last]];
    }
    return {scratch, 1, count};
  }

 private:
  const E* data_;
  bool single_, dense_;
  Dims sizes_, strides_;
};

template <class O>
concept HasPosWeight = requires(O o) {
  o.pos_weight;
};

template <class O>
const std::vector<double>* pos_weight_of(const O& options) {
  if constexpr (HasPosWeight<O>) return options.pos_weight.empty() ? nullptr : &options.pos_weight;
  else return nullptr;
}

// The blocks of a call's operands from `input` on: input, target and perhaps weight.
template <class Term, class E>
class TermBlocks {
 public:
  using B = Block<E>;
  using Options = typename Term::Options;

  TermBlocks(const Call& call, int input)
      : x_(call.data<E>(input)),
        t_(call.data<E>(input + 1)),
        options_(call.options<Options>()),
        pos_weight_(pos_weight_of(options_)) {
    if (call.inputs() > input + 2) weight_.emplace(call.in(input + 2), call.shape(input));
  }

  // Calls use(at, formula(x, t, options, pos_weight), weight or null) for each block of [begin, end).
  template <class Formula, class Use>
  void each(int64_t begin, int64_t end, const Formula& formula, const Use& use) const {
    alignas(64) E weight[B::kSize];
    alignas(64) E positive[B::kSize];
    for (int64_t at = begin; at < end; at += B::kSize) {
      const int64_t count = std::min<int64_t>(B::kSize, end - at);
      const B x(x_ + at, 1, count), t(t_ + at, 1, count);
      std::optional<B> pw, w;
      if (pos_weight_ != nullptr) {
        const size_t size = pos_weight_->size();
        size_t k = static_cast<size_t>(at) % size;
        for (int64_t i = 0; i < count; ++i, k = k + 1 == size ? 0 : k + 1)
          positive[i] = static_cast<E>((*pos_weight_)[k]);
        pw.emplace(positive, 1, count);
      }
      if (weight_) w.emplace(weight_->read(at, count, weight));
      use(at, formula(x, t, options_, pw ? &*pw : nullptr), w ? &*w : nullptr);
    }
  }

 private:
  const E* x_;
  const E* t_;
  const Options& options_;
  const std::vector<double>* pos_weight_;
  std::optional<BroadcastReader<E>> weight_;
};

// What the loss and its gradients check of the operands from `input` on.
template <class Term>
void check_term(const Call& call, int input) {
  call.require_floating(input);
  call.require_same_dtype(input, input + 1);
  if (!call.same_shape(input, input + 1)) call.shape_error("expected input and target of one shape");
  if (call.inputs() > input + 2) {
    call.require_same_dtype(input, input + 2);
    Shape joint;
    int axis = 0;
    if (!broadcast(call.shape(input), call.shape(input + 2), joint, axis) || !(joint == call.shape(input)))
      call.shape_error("expected a weight that broadcasts to input's shape");
  }
  const auto& options = call.options<typename Term::Options>();
  if (const std::vector<double>* pos_weight = pos_weight_of(options)) {
    const int rank = call.rank(input);
    const int64_t last = rank == 0 ? 1 : call.in(input).dims()[rank - 1];
    const auto given = static_cast<int64_t>(pos_weight->size());
    if (given != last && given != 1)
      call.shape_error(fmt::format("expected pos_weight of {} entries, given {}", last, given));
  }
  Term::check(call);
}

template <class Options>
double mean_factor(const Options& options, int64_t n) {
  return options.reduction == Reduction::mean ? 1.0 / static_cast<double>(n) : 1.0;
}

template <class Term>
Cost term_cost(const Call& call) {
  return {10.0 * static_cast<double>(call.out().numel), detail::pointwise_cost(call).bytes};
}

template <class Term>
void term_samples(Samples& s, bool backward) {
  auto add = [&](const Shape& shape, Reduction reduction) {
    Term::calls(s, shape, reduction,
                [&](Tensor x, Tensor t, const typename Term::Options& o, Tensor weight = {}) {
                  std::vector<Tensor> inputs = {std::move(x), std::move(t)};
                  if (weight.defined()) inputs.push_back(std::move(weight));
                  if (backward) {
                    inputs.insert(inputs.begin(), s.normal(reduction == Reduction::none ? shape : Shape()));
                  }
                  s.add(std::move(inputs), o);
                });
  };
  if (s.benchmark()) return add({1 << 20}, Reduction::mean);
  for (const Shape& shape : {Shape{3, 4}, Shape{}, Shape{1}}) {
    for (Reduction r : {Reduction::none, Reduction::mean, Reduction::sum}) add(shape, r);
  }
  add({3, 2, 100}, Reduction::none);  // more than a block
  add({0, 4}, Reduction::sum);
}

// g·∂/∂input of the loss (Operand 0) or g·∂/∂target (1); g has the shape of the loss.
template <class Term, int Operand>
struct TermBackward {
  using Options = typename Term::Options;
  static constexpr auto kSuffix = [] {
    if constexpr (Operand == 0) return std::string_view("_backward");
    else return std::string_view("_backward_target");
  }();
  static constexpr auto kName = [] {
    detail::Name<Term::name.size() + kSuffix.size()> joined{};
    std::copy(Term::name.begin(), Term::name.end(), joined.text);
    std::copy(kSuffix.begin(), kSuffix.end(), joined.text + Term::name.size());
    return joined;
  }();
  static constexpr std::string_view name = kName;
  static constexpr std::string_view doc = Operand == 0
                                              ? "g times the derivative by input, joined as the loss"
                                              : "g times the derivative by target, joined as the loss";
  static constexpr std::string_view kNames[] = {"g", "input", "target", "weight"};
  static constexpr std::span<const std::string_view> operands{kNames, Term::kOperands + 1};
  static constexpr int min_inputs = 3;
  static constexpr bool kLinear = Operand == 0 ? Term::kLinearInput : Term::kLinearTarget;
  static constexpr uint32_t constant_operands = 1u << 3 | (kLinear ? 2u << Operand : 0);
  static constexpr Flags flags = [] {
    Flags of = Term::flags;
    of.jump |= of.kinks;
    of.kinks = true;
    return of;
  }();

  static void shape(Call& call) {
    check_term<Term>(call, 1);
    call.require_same_dtype(1, 0);
    const bool joined = call.options<Options>().reduction != Reduction::none;
    if (joined ? call.rank(0) != 0 : !call.same_shape(0, 1))
      call.shape_error("expected g of the loss's shape");
    call.output_like(call.dtype(1), 1);
  }
  template <class E>
  static void run(Call& call) {
    using B = Block<E>;
    const int64_t n = call.numel(1);
    if constexpr (requires { Term::kOnNumbers; } && Operand == 0) {
      if (n == 1 && call.inputs() == 3) {
        const E g = *call.data<E>(0);
        const E df = Term::template slope_input<E>(*call.data<E>(1), *call.data<E>(2),
                                                   call.options<Options>(), nullptr);
        *call.out_data<E>() = g == 0 && !std::isfinite(df) ? E{0} : g * df;
        return;
      }
    }
    const TermBlocks<Term, E> blocks(call, 1);
    const bool joined = call.options<Options>().reduction != Reduction::none;
    const E* g = call.data<E>(0);
    const E scaled =
        joined ? static_cast<E>(number_of(call, 0) * mean_factor(call.options<Options>(), n)) : E{};
    E* out = call.out_data<E>();
    static const PointwiseKernel multiply = detail::pointwise_kernel("pole_mul", dtype_of<E>());
    auto slope = [](const B& x, const B& t, const Options& o, const B* pw) {
      if constexpr (Operand == 0) return Term::slope_input(x, t, o, pw);
      else return Term::slope_target(x, t, o, pw);
    };
    kernels::parallel_for(n, kLossGrain, [&](int64_t begin, int64_t end) {
      blocks.each(begin, end, slope, [&](int64_t at, const B& df, const B* weight) {
        const int64_t count = std::min<int64_t>(B::kSize, end - at);
        const B by = joined ? B(&scaled, 0, count) : B(g + at, 1, count);
        const void* in[] = {by.data(), df.data()};
        const int64_t step[] = {by.step(), df.step()};
        if (weight == nullptr) return multiply(in, step, out + at, count);
        const B weighted = df * *weight;
        in[1] = weighted.data();
        multiply(in, step, out + at, count);
      });
    });
  }
  static void forward(Call& call) { call.dtype(1) == DType::float32 ? run<float>(call) : run<double>(call); }
  static Cost cost(const Call& call) { return term_cost<Term>(call); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Tensor& c = v.g();
    const bool weighted = v.inputs() == 4;
    const Arg weight = weighted ? v.input(3) : Arg();
    if (v.needs(0)) {
      if (o.reduction == Reduction::none) {
        v.add(0, apply(v.op(), {c, v.input(1), v.input(2), weight}, o));
      } else {
        const Tensor one = ones({}, v.dtype(0));
        v.add(0, sum(mul(c, apply(v.op(), {one, v.input(1), v.input(2), weight}, o))));
      }
    }
    if (!v.needs(1) && !v.needs(2)) return;
    Tensor factor = mul(c, mul(v.input(0), mean_factor(o, v.numel(1))));
    if (weighted) factor = mul(factor, weight);
    const Tensor x = v.input_tensor(1), t = v.input_tensor(2);
    std::optional<Tensor> pw;
    if (const std::vector<double>* pos_weight = pos_weight_of(o)) {
      pw = cast(from_span(std::span<const double>(*pos_weight), {static_cast<int64_t>(pos_weight->size())}),
                v.dtype(1));
      if (x.rank() == 0) pw = reshape(*pw, {});
    }
    const Tensor* p = pw ? &*pw : nullptr;
    auto bend = [&](int slot, const Tensor& second) {
      if (second.defined()) v.add(slot, mul(factor, second));
    };
    if constexpr (Operand == 0) {
      if constexpr (!kLinear) {
        if (v.needs(1)) bend(1, Term::bend_xx(x, t, o, p));
      }
      if (v.needs(2)) bend(2, Term::bend_xt(x, t, o, p));
    } else {
      if (v.needs(1)) bend(1, Term::bend_xt(x, t, o, p));
      if constexpr (!kLinear) {
        if (v.needs(2)) bend(2, Term::bend_tt(x, t, o, p));
      }
    }
  }
  static void samples(Samples& s) {
    term_samples<Term>(s, true);
    s.add_error("g of the loss's shape", {s.normal({2}), s.values({0.5, 0.5, 0.5}), s.values({0.5, 0.25, 1})},
                Options{});
  }
};

// The loss itself.
template <class Term>
struct TermLoss {
  using Options = typename Term::Options;
  static constexpr std::string_view name = Term::name, doc = Term::doc;
  static constexpr std::string_view kNames[] = {"input", "target", "weight"};
  static constexpr std::span<const std::string_view> operands{kNames, Term::kOperands};
  static constexpr int min_inputs = 2;
  static constexpr uint32_t constant_operands = 1u << 2;
  static constexpr Flags flags = Term::flags;

  static void shape(Call& call) {
    check_term<Term>(call, 0);
    if (call.options<Options>().reduction != Reduction::none) call.output(call.dtype(0), {}, 1);
    else call.output_like(call.dtype(0), 0);
  }
  template <class E>
  static void run(Call& call) {
    using B = Block<E>;
    if constexpr (requires { Term::check_values(call); }) Term::check_values(call);
    const int64_t n = call.numel(0);
    const auto& options = call.options<Options>();
    if constexpr (requires { Term::kOnNumbers; }) {
      if (n == 1 && call.inputs() == 2) {
        const E root = Term::template root<E>(*call.data<E>(0), *call.data<E>(1), options, nullptr);
        *call.out_data<E>() = root * root;
        return;
      }
    }
    const TermBlocks<Term, E> blocks(call, 0);
    auto value = [](const B& x, const B& t, const Options& o, const B* pw) {
      return Term::value(x, t, o, pw);
    };
    if (options.reduction == Reduction::none) {
      E* out = call.out_data<E>();
      kernels::parallel_for(n, kLossGrain, [&](int64_t begin, int64_t end) {
        blocks.each(begin, end, value, [&](int64_t at, const B& y, const B* weight) {
          const int64_t count = std::min<int64_t>(B::kSize, end - at);
          detail::store_block(weight != nullptr ? y * *weight : y, out + at, count);
        });
      });
      return;
    }
    const auto& rows = kernels::reduce_kernels<E>();
    const auto sum = rows.row[static_cast<size_t>(kernels::Measure::sum)];
    const double total = sum_of_pieces(n, kLossGrain, [&](int64_t begin, int64_t end) {
      kernels::PairwiseSum<double> tree;
      auto size = [&](int64_t at) { return std::min<int64_t>(B::kSize, end - at); };
      if constexpr (requires(const B& b, const Options& o) { Term::root(b, b, o, &b); }) {
        auto root = [](const B& x, const B& t, const Options& o, const B* pw) {
          return Term::root(x, t, o, pw);
        };
        blocks.each(begin, end, root, [&](int64_t at, const B& d, const B*) {
          tree.add(rows.product(d.data(), d.data(), size(at)));
        });
      } else {
        blocks.each(begin, end, value, [&](int64_t at, const B& y, const B* weight) {
          tree.add(sum((weight != nullptr ? y * *weight : y).data(), size(at), 0).a);
        });
      }
      return tree.total();
    });
    put_result(call,
               options.reduction == Reduction::mean ? weighted_mean(total, static_cast<double>(n)) : total);
  }
  static void forward(Call& call) { call.dtype(0) == DType::float32 ? run<float>(call) : run<double>(call); }
  static Cost cost(const Call& call) {
    Cost cost = term_cost<Term>(call);
    cost.flops = 10.0 * static_cast<double>(call.numel(0));
    return cost;
  }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Arg weight = v.inputs() == 3 ? v.input(2) : Arg();
    auto gradient = [&](const Op& backward) {
      return apply(backward, {v.g(), v.input(0), v.input(1), weight}, o);
    };
    if constexpr (Term::kDifference) {
      const Tensor d = gradient(op<TermBackward<Term, 0>>);
      if (v.needs(0)) v.add(0, d);
      if (v.needs(1)) v.add(1, neg(d));
    } else {
      if (v.needs(0)) v.add(0, gradient(op<TermBackward<Term, 0>>));
      if (v.needs(1)) v.add(1, gradient(op<TermBackward<Term, 1>>));
    }
  }
  static void samples(Samples& s) {
    term_samples<Term>(s, false);
    if (s.benchmark()) return;
    s.add_error("one shape", {s.values({0.5, 0.25, 1}), s.values({{0.5}, {0.25}, {1.0}})}, Options{});
    Term::errors(s);
    Term::conventions(s);
  }
};

}  // namespace tapegrad::ops
