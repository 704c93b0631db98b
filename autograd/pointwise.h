#pragma once

#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "autograd/formula.h"
#include "autograd/formula_activation.h"
#include "autograd/formula_exponential.h"
#include "autograd/formula_trigonometric.h"
#include "autograd/op.h"
#include "autograd/tape.h"

namespace tapegrad {

// Where the sample inputs of a pointwise op come from.
struct Domain {
  double low = -2;
  double high = 2;
};

namespace detail {

// The parts that every pointwise op shares: broadcasting, walking the operands block by block, cost and
// samples.
TAPEGRAD_API void pointwise_shape(Call& call);
TAPEGRAD_API void pointwise_forward(Call& call);
TAPEGRAD_API Cost pointwise_cost(const Call& call);
TAPEGRAD_API void pointwise_samples(Samples& samples, int operands, Domain domain);
// Samples of a backward op: g, and those of x… and y that it reads, y by its primal.
TAPEGRAD_API void backward_samples(Samples& samples, const Op& primal, int operands, formula::Reads reads);
// g·d, but 0 where g is 0 and d is not finite.
TAPEGRAD_API Tensor pole_mul(const Arg& g, const Arg& d);

inline constexpr std::string_view kUnaryNames[] = {"x"};
inline constexpr std::string_view kBinaryNames[] = {"a", "b"};
inline constexpr std::string_view kTernaryNames[] = {"a", "b", "c"};

constexpr std::span<const std::string_view> operand_names(int count) {
  if (count == 1) return kUnaryNames;
  if (count == 2) return kBinaryNames;
  return kTernaryNames;
}

template <class T>
constexpr Domain domain_of() {
  if constexpr (requires { T::domain; }) return T::domain;
  else return {};
}
template <class T>
constexpr Flags flags_of() {
  if constexpr (requires { T::flags; }) return T::flags;
  else return {};
}

template <class T>
constexpr Ulp ulp_of() {
  if constexpr (requires { T::ulp; }) return T::ulp;
  else return {};
}

// Text joined at compile time, for the names of derived ops.
template <size_t N>
struct Name {
  char text[N];
  constexpr operator std::string_view() const { return {text, N}; }
};
template <class F, int I, int Count>
consteval auto backward_name() {
  constexpr std::string_view base = F::name;
  constexpr std::string_view kSuffix[] = {"_backward", "_backward_a", "_backward_b", "_backward_c"};
  constexpr std::string_view suffix = kSuffix[Count == 1 ? 0 : I + 1];
  Name<base.size() + suffix.size()> name{};
  for (size_t i = 0; i < base.size(); ++i) name.text[i] = base[i];
  for (size_t i = 0; i < suffix.size(); ++i) name.text[base.size() + i] = suffix[i];
  return name;
}

// How many operands a formula takes.
template <class F>
consteval int arity() {
  using B = Block<double>;
  if constexpr (requires(B b) { F::f(b); }) return 1;
  else if constexpr (requires(B b) { F::f(b, b); }) return 2;
  else return 3;
}
template <class F>
inline constexpr bool has_df = requires(Block<double> b) {
  F::df(b, b);
};

template <class E, size_t... K>
auto load_blocks(std::index_sequence<K...>, const void* const* in, const int64_t* step, int64_t at,
                 int64_t count) {
  return std::array<Block<E>, sizeof...(K)>{
      Block<E>(static_cast<const E*>(in[K]) + at * step[K], step[K], count)...};
}

template <class E>
void store_block(const Block<E>& block, E* out, int64_t count) {
  if (block.step() == 1) {
    std::memcpy(out, block.data(), static_cast<size_t>(count) * sizeof(E));
  } else {
    for (int64_t i = 0; i < count; ++i) out[i] = *block.data();
  }
}

// The forward kernel of a formula.
template <class F, class E, size_t... K>
void formula_kernel(const void* const* in, const int64_t* step, void* out, int64_t n) {
  for (int64_t at = 0; at < n; at += Block<E>::kSize) {
    const int64_t count = n - at < Block<E>::kSize ? n - at : Block<E>::kSize;
    auto x = load_blocks<E>(std::index_sequence<K...>{}, in, step, at, count);
    store_block<E>(F::f(x[K]...), static_cast<E*>(out) + at, count);
  }
}

// The backward kernel with respect to operand I: operands g, x…, and y where F has a closed form of its own.
template <class F, class E, int I, size_t... K>
void formula_backward_kernel(const void* const* in, const int64_t* step, void* out, int64_t n) {
  static const PointwiseKernel multiply = pointwise_kernel("pole_mul", dtype_of<E>());
  constexpr size_t kInputs = sizeof...(K) + 1 + (has_df<F> ? 1 : 0);
  for (int64_t at = 0; at < n; at += Block<E>::kSize) {
    const int64_t count = n - at < Block<E>::kSize ? n - at : Block<E>::kSize;
    auto x = load_blocks<E>(std::make_index_sequence<kInputs>{}, in, step, at, count);
    E* to = static_cast<E*>(out) + at;
    if constexpr (has_df<F>) {
      store_block<E>(Block<E>::call(multiply, x[0], Block<E>(F::df(x[1], x[2]))), to, count);
    } else {
      Dual<Block<E>> y = F::f(Dual<Block<E>>(x[K + 1], Block<E>(1.0), K == I)...);
      store_block<E>(Block<E>::call(multiply, x[0], y.active ? y.d : Block<E>(0.0)), to, count);
    }
  }
}

// ∂²f/∂x_I∂x_J on tensors; undefined where it is 0 everywhere.
template <class F, int I, int J, size_t... K>
Tensor second_derivative(std::index_sequence<K...>, const Vjp& vjp) {
  const Tensor one = full({}, 1, vjp.dtype(1));
  if constexpr (has_df<F>) {
    const Tensor x = vjp.input_tensor(1);
    const Tensor y = vjp.input_tensor(2);
    Dual<Tensor> slope = F::df(Dual<Tensor>(x, one), Dual<Tensor>(y, F::df(x, y)));
    return slope.active ? slope.d : Tensor();
  } else {
    using D = Dual<Tensor>;
    const Tensor x[] = {vjp.input_tensor(static_cast<int>(K) + 1)...};
    Dual<D> y = F::f(Dual<D>(D(x[K], one, K == J), D(one), K == I)...);
    return y.active && y.d.active ? y.d.d : Tensor();
  }
}

template <class F, int I>
struct FormulaBackward;

// A user's formula as a whole op.
template <class F>
struct FormulaOp {
  static constexpr int kArity = arity<F>();

  template <class E, size_t... K>
  static consteval PointwiseKernel kernel(std::index_sequence<K...>) {
    return &formula_kernel<F, E, K...>;
  }
  template <int I>
  static void add(Vjp& vjp) {
    if (!vjp.needs(I)) return;
    const Tensor& g = vjp.g();
    Arg inputs[kArity + 2] = {g};
    for (int k = 0; k < kArity; ++k) inputs[k + 1] = vjp.input(k);
    if (has_df<F>) inputs[kArity + 1] = vjp.output();
    vjp.add(I,
            apply(op<FormulaBackward<F, I>>, std::span<const Arg>(inputs, kArity + 1 + (has_df<F> ? 1 : 0))));
  }
  static void vjp(Vjp& vjp) {
    [&]<size_t... K>(std::index_sequence<K...>) { (add<static_cast<int>(K)>(vjp), ...); }
    (std::make_index_sequence<kArity>{});
  }
  static void samples(Samples& samples) { pointwise_samples(samples, kArity, domain_of<F>()); }
};

// g·∂f/∂x_I as an op of its own.
template <class F, int I>
struct FormulaBackward {
  static constexpr int kArity = arity<F>();
  static constexpr auto kName = backward_name<F, I, kArity>();
  static constexpr std::string_view kOperands[2][5] = {{"g", "x", "y"}, {"g", "a", "b", "c", "y"}};

  template <class E, size_t... K>
  static consteval PointwiseKernel kernel(std::index_sequence<K...>) {
    return &formula_backward_kernel<F, E, I, K...>;
  }
  template <int J>
  static void add(Vjp& vjp) {
    if (!vjp.needs(J + 1)) return;
    Tensor bend = second_derivative<F, I, J>(std::make_index_sequence<kArity>{}, vjp);
    if (bend.defined()) vjp.add(J + 1, pole_mul(mul(vjp.g(), vjp.input(0)), bend));
  }
  static void vjp(Vjp& vjp) {
    if (vjp.needs(0)) {
      Arg inputs[kArity + 2];
      const Tensor& g = vjp.g();
      inputs[0] = g;
      for (int k = 1; k < vjp.inputs(); ++k) inputs[k] = vjp.input(k);
      vjp.add(0, apply(vjp.op(), std::span<const Arg>(inputs, static_cast<size_t>(vjp.inputs()))));
    }
    [&]<size_t... K>(std::index_sequence<K...>) { (add<static_cast<int>(K)>(vjp), ...); }
    (std::make_index_sequence<kArity>{});
  }
  static void samples(Samples& samples) {
    backward_samples(samples, op<F>, kArity, has_df<F> ? formula::Reads::x_and_y : formula::Reads::x);
  }
  static constexpr const Op* primal() { return &op<F>; }
  static constexpr bool reads_y() { return has_df<F>; }
};

template <class T>
inline constexpr bool is_formula_backward = false;
template <class F, int I>
inline constexpr bool is_formula_backward<FormulaBackward<F, I>> = true;

template <class Parts>
consteval void fill_pointwise(Op& op, int inputs) {
  op.min_inputs = op.max_inputs = inputs;
  op.shape = &pointwise_shape;
  op.forward = &pointwise_forward;
  op.cost = &pointwise_cost;
  op.vjp = &Parts::vjp;
  op.samples = &Parts::samples;
  constexpr auto kOperands = std::make_index_sequence<Parts::kArity>{};
  op.pointwise[0] = Parts::template kernel<float>(kOperands);
  op.pointwise[1] = Parts::template kernel<double>(kOperands);
  op.plain_operands = inputs;
}

template <class T>
consteval Op make_op() {
  Op result{};
  result.results = -1;
  if constexpr (is_formula_backward<T>) {
    result.name = T::kName;
    result.doc = "g times the derivative of the formula";
    result.operands = T::kArity == 1 ? std::span(T::kOperands[0], 3) : std::span(T::kOperands[1], 5);
    result.primal = T::reads_y() ? T::primal() : nullptr;
    fill_pointwise<T>(result, T::kArity + 1 + (T::reads_y() ? 1 : 0));
  } else if constexpr (
      requires(Block<double> b) { T::f(b); } || requires(Block<double> b) { T::f(b, b); } ||
      requires(Block<double> b) { T::f(b, b, b); }) {
    static_assert(
        requires {
          std::string_view(T::name);
          std::string_view(T::doc);
        },
        "an op needs a name and a doc");
    result.name = T::name;
    result.doc = T::doc;
    result.flags = flags_of<T>();
    result.ulp = ulp_of<T>();
    result.operands = operand_names(FormulaOp<T>::kArity);
    fill_pointwise<FormulaOp<T>>(result, FormulaOp<T>::kArity);
  } else {
    result.name = T::name;
    result.doc = T::doc;
    result.flags = flags_of<T>();
    result.ulp = ulp_of<T>();
    result.operands = T::operands;
    result.min_inputs = result.max_inputs = static_cast<int>(std::size(T::operands));
    if constexpr (requires { T::min_inputs; }) result.min_inputs = T::min_inputs;
    if constexpr (requires { T::max_inputs; }) result.max_inputs = T::max_inputs;
    if constexpr (requires { T::constant_operands; }) result.constant_operands = T::constant_operands;
    if constexpr (requires { T::results; }) result.results = T::results;
    if constexpr (requires { typename T::Options; }) result.options = &options_type<typename T::Options>;
    result.shape = &T::shape;
    if constexpr (!requires { T::is_view; }) result.forward = &T::forward;
    static_assert(
        requires { &T::vjp; } || flags_of<T>().non_differentiable != nullptr,
        "an op needs a VJP, or flags that say why it has none");
    if constexpr (requires { &T::vjp; }) result.vjp = &T::vjp;
    result.cost = &T::cost;
    result.samples = &T::samples;
    if constexpr (requires { T::kernels; }) {
      for (int d = 0; d < kDTypes; ++d) result.pointwise[d] = T::kernels[static_cast<size_t>(d)];
    }
    if constexpr (requires { &T::product; }) result.product = &T::product;
    if constexpr (requires { T::never_throws; }) result.never_throws = T::never_throws;
    if constexpr (requires { T::first_value; }) result.first_value = T::first_value;
    if constexpr (requires { T::boolean_result; }) result.boolean_result = T::boolean_result;
    if constexpr (requires { T::numbers; }) {
      result.numbers = T::numbers;
      result.number_options = [](const void* options, double* to) {
        return T::number_options(*static_cast<const typename T::Options*>(options), to);
      };
    }
    if constexpr (requires { T::primal(); }) result.primal = T::primal();
    if (requires { T::kernels; } && result.first_value == 0 && result.min_inputs == result.max_inputs) {
      result.plain_operands = result.max_inputs;
    }
  }
  return result;
}

}  // namespace detail
}  // namespace tapegrad
