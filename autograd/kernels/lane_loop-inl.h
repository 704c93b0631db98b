// How a lane's formula becomes a kernel. Included once per target by the files lanes_*.cpp.
//
// A new lane is an enumerator in lanes.h, in the range of its file, and a Formula in that file's -inl.h, with
// either f(d, lanes…) on whole vectors or scalar(x…) on single elements.

#include <utility>

#include "autograd/kernels/lane_groups.h"

#if defined(TAPEGRAD_KERNELS_LANE_LOOP_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef TAPEGRAD_KERNELS_LANE_LOOP_INL_H
#undef TAPEGRAD_KERNELS_LANE_LOOP_INL_H
#else
#define TAPEGRAD_KERNELS_LANE_LOOP_INL_H
#endif

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {

using namespace hwy::HWY_NAMESPACE;

template <Lane L>
struct Formula;

// The product of g and a slope, but 0 where g = 0 and the slope is not finite: only there is 0·slope not a
// number.
template <class D, class V>
HWY_INLINE HWY_ATTR V without_pole(D d, V g, V product) {
  return IfThenZeroElse(And(Eq(g, Zero(d)), IsNaN(product)), product);
}

// g·df by that rule.
template <class D, class V>
HWY_INLINE HWY_ATTR V pole_mul(D d, V g, V df) {
  return without_pole(d, g, Mul(g, df));
}

// Vectors of at most 64 bytes, the unit of alignment and padding.
template <class T>
using Tag = CappedTag<T, 64 / sizeof(T)>;

template <class X, size_t>
using Repeat = X;

template <class F, class T, size_t... K>
constexpr bool on_lanes(std::index_sequence<K...>) {
  return requires(Tag<T> d, Repeat<Vec<Tag<T>>, K>... x) { F::f(d, x...); };
}
template <class F, class T, size_t... K>
constexpr bool on_scalars(std::index_sequence<K...>) {
  return requires(Repeat<T, K>... x) { F::scalar(x...); };
}

// How many operands formula F takes.
template <class F, class T, size_t N = 1>
constexpr size_t operand_count() {
  static_assert(N <= 4, "the formula has neither f nor scalar");
  constexpr std::make_index_sequence<N> kIndices;
  if constexpr (on_lanes<F, T>(kIndices) || on_scalars<F, T>(kIndices)) {
    return N;
  } else {
    return operand_count<F, T, N + 1>();
  }
}

// How many vectors are computed together: those of a formula that waits for its own results are given other
// work meanwhile.
template <class F>
constexpr size_t together() {
  if constexpr (requires { F::kTogether; }) return F::kTogether;
  else return 1;
}

// f on whole vectors; at the end by 64 bytes, few enough to stay within the padding. Where no operand is
// repeated, one index serves all of them.
template <class F, bool kRepeats, class T, size_t... K>
HWY_ATTR void vectors(const T* const (&from)[sizeof...(K)], const size_t (&moves)[sizeof...(K)], T* to,
                      size_t count, std::index_sequence<K...>) {
  const Tag<T> d;
  const size_t lanes = Lanes(d);
  const size_t chunk = lanes * sizeof(T) < 64 ? 2 * lanes : lanes;
  size_t i = 0;
  if constexpr (constexpr size_t kTogether = together<F>(); kTogether > 1) {
    for (; i + kTogether * lanes <= count; i += kTogether * lanes) {
      Vec<Tag<T>> y[kTogether];
#pragma GCC unroll 4
      for (size_t j = 0; j < kTogether; ++j) {
        const size_t index = i + j * lanes;
        y[j] = F::f(d, Load(d, from[K] + (kRepeats ? index & moves[K] : index))...);
      }
#pragma GCC unroll 4
      for (size_t j = 0; j < kTogether; ++j) Store(y[j], d, to + i + j * lanes);
    }
  }
  for (; i < count; i += chunk) {
    const T* const at[] = {from[K] + (kRepeats ? i & moves[K] : i)...};
    const auto y = F::f(d, Load(d, at[K])...);
    if (chunk > lanes) Store(F::f(d, Load(d, at[K] + lanes)...), d, to + i + lanes);
    Store(y, d, to + i);
  }
}

// Fills 64 bytes with the value at `from`, which then points to them.
template <class T>
HWY_ATTR void repeat(const T*& from, T* to) {
  const Tag<T> d;
  const auto value = Set(d, *from);
  for (size_t i = 0; i < 64 / sizeof(T); i += Lanes(d)) Store(value, d, to + i);
  from = to;
}

template <class F, class T, size_t... K>
HWY_ATTR void loop(std::index_sequence<K...> indices, const void* const* in, const int64_t* step, void* out,
                   int64_t n) {
  const T* from[] = {static_cast<const T*>(in[K])...};
  // An operand of one value stays where it is.
  const size_t moves[] = {step[K] == 0 ? 0 : ~size_t{0}...};
  T* const to = static_cast<T*>(out);
  const size_t count = static_cast<size_t>(n);
  if constexpr (on_scalars<F, T>(indices)) {
    for (size_t i = 0; i < count; ++i) to[i] = F::scalar(from[K][i & moves[K]]...);
  } else if (count == 1) {
    const Tag<T> d;
    *to = GetLane(F::f(d, Set(d, *from[K])...));
  } else if ((moves[K] & ...) != 0) {
    vectors<F, false>(from, moves, to, count, indices);
  } else {
    alignas(64) T repeated[sizeof...(K)][64 / sizeof(T)];
    ((moves[K] != 0 ? void() : repeat(from[K], repeated[K])), ...);
    vectors<F, true>(from, moves, to, count, indices);
  }
}

template <class F, class T>
HWY_ATTR void run(const void* const* in, const int64_t* step, void* out, int64_t n) {
  loop<F, T>(std::make_index_sequence<operand_count<F, T>()>{}, in, step, out, n);
}

// Puts the kernels of the lanes from First to before Last into the table. Fails to compile for a lane without
// a formula.
template <Lane First, Lane Last>
void fill_range(LaneTable& table) {
  constexpr size_t kFirst = static_cast<size_t>(First);
  [&]<size_t... K>(std::index_sequence<K...>) {
    ((table.f32[kFirst + K] = &run<Formula<static_cast<Lane>(kFirst + K)>, float>,
      table.f64[kFirst + K] = &run<Formula<static_cast<Lane>(kFirst + K)>, double>,
      table.operands[kFirst + K] = operand_count<Formula<static_cast<Lane>(kFirst + K)>, float>()),
     ...);
  }
  (std::make_index_sequence<static_cast<size_t>(Last) - kFirst>{});
}

}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
