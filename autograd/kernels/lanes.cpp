#include "autograd/kernels/lanes.h"

#include <type_traits>
#include <utility>

#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "autograd/kernels/backward-inl.h"
#include "autograd/kernels/formulas-inl.h"

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels {
namespace HWY_NAMESPACE {
namespace {

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

// f on whole vectors, two at a time where 64 bytes hold as many: few enough to stay within the padding. Where
// no operand is repeated, one index serves all of them.
template <class F, bool kRepeats, class T, size_t... K>
HWY_ATTR void vectors(const T* const (&from)[sizeof...(K)], const size_t (&moves)[sizeof...(K)], T* to,
                      size_t count, std::index_sequence<K...>) {
  const Tag<T> d;
  const size_t lanes = Lanes(d);
  const size_t chunk = lanes * sizeof(T) < 64 ? 2 * lanes : lanes;
  for (size_t i = 0; i < count; i += chunk) {
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

// Fails to compile for a lane without a formula.
template <size_t... L>
const LaneTable& table(std::index_sequence<L...>) {
  static const LaneTable table{hwy::TargetName(HWY_TARGET),
                               {&run<Formula<static_cast<Lane>(L)>, float>...},
                               {&run<Formula<static_cast<Lane>(L)>, double>...},
                               {operand_count<Formula<static_cast<Lane>(L)>, float>()...}};
  return table;
}

}  // namespace
}  // namespace HWY_NAMESPACE

namespace {
const LaneTable& table_of(std::integral_constant<int64_t, HWY_TARGET>) {
  return HWY_NAMESPACE::table(std::make_index_sequence<kLanes>{});
}
}  // namespace

}  // namespace tapegrad::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {
namespace {

struct Tables {
  const LaneTable* of[8];
  size_t count = 0;

  Tables() { add(std::make_index_sequence<63>{}, hwy::SupportedTargets() | HWY_STATIC_TARGET); }

  // Targets are bits, the better ones lower.
  template <size_t... Bit>
  void add(std::index_sequence<Bit...>, int64_t supported) {
    (add_target<int64_t{1} << Bit>(supported), ...);
  }
  template <int64_t Target>
  void add_target(int64_t supported) {
    if constexpr ((HWY_TARGETS & Target) != 0) {
      if ((supported & Target) != 0) of[count++] = &table_of(std::integral_constant<int64_t, Target>{});
    }
  }
};

}  // namespace

std::span<const LaneTable* const> lane_tables() {
  static const Tables tables;
  return {tables.of, tables.count};
}

const LaneTable& lane_table() {
  static const LaneTable& best = *lane_tables().front();
  return best;
}

const LaneTable* lane_table_for(std::string_view target) {
  for (const LaneTable* table : lane_tables()) {
    if (table->target == target) return table;
  }
  return nullptr;
}

}  // namespace tapegrad::kernels

#endif
