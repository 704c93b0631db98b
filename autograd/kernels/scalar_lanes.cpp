#include "autograd/kernels/scalar_lanes.h"

#include "autograd/kernels/dispatch.h"
#include "autograd/kernels/simd_targets.h"

// Includes this file once more for each target but the baseline, which comes last.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "autograd/kernels/scalar_lanes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>
#include <tuple>
#include <type_traits>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::kernels::HWY_NAMESPACE {
namespace {

using namespace hwy::HWY_NAMESPACE;

// Vectors of at most 64 bytes, the unit of alignment and padding.
template <class T>
using Tag = CappedTag<T, 64 / sizeof(T)>;

// How the elements of a dtype lie in memory.
template <DType T>
using Element = std::tuple_element_t<static_cast<size_t>(T), std::tuple<float, double, int64_t, uint8_t>>;

template <class T>
constexpr T kInfinity = std::numeric_limits<T>::infinity();

// Also where one is NaN, which Highway's Ne leaves to the target.
template <class V>
HWY_INLINE HWY_ATTR auto unequal(V a, V b) {
  return Not(Eq(a, b));
}

// A mask of what holds.
template <Scalar S, class D, class V>
HWY_INLINE HWY_ATTR auto test(D d, V a, V b) {
  if constexpr (S == Scalar::eq) return Eq(a, b);
  if constexpr (S == Scalar::ne) return unequal(a, b);
  if constexpr (S == Scalar::lt) return Lt(a, b);
  if constexpr (S == Scalar::gt) return Gt(a, b);
  if constexpr (S == Scalar::le) {
    if constexpr (std::is_floating_point_v<TFromD<D>>) return Le(a, b);
    else return Not(Gt(a, b));
  }
  if constexpr (S == Scalar::ge) {
    if constexpr (std::is_floating_point_v<TFromD<D>>) return Ge(a, b);
    else return Not(Lt(a, b));
  }
  if constexpr (S == Scalar::logical_and) return Ne(And(a, b), Zero(d));
  if constexpr (S == Scalar::logical_or) return Ne(Or(a, b), Zero(d));
  if constexpr (S == Scalar::logical_xor) return Ne(Xor(a, b), Zero(d));
}
template <Scalar S, class D, class V>
HWY_INLINE HWY_ATTR auto test(D d, V x) {
  if constexpr (S == Scalar::isnan) return IsNaN(x);
  if constexpr (S == Scalar::isinf) return Eq(Abs(x), Set(d, kInfinity<TFromD<D>>));
  if constexpr (S == Scalar::isfinite) return Lt(Abs(x), Set(d, kInfinity<TFromD<D>>));
  if constexpr (S == Scalar::logical_not) return Eq(x, Zero(d));
}

// The lanes as bytes of 0 and 1.
template <class D, class M>
HWY_INLINE HWY_ATTR void store_bools(D d, M mask, uint8_t* to) {
  if constexpr (sizeof(TFromD<D>) == 1) {
    StoreU(IfThenElseZero(mask, Set(d, 1)), d, to);
  } else {
    const RebindToUnsigned<D> wide;
    const Rebind<uint8_t, D> bytes;
    StoreU(TruncateTo(bytes, IfThenElseZero(RebindMask(wide, mask), Set(wide, 1))), bytes, to);
  }
}

// As many bytes as d has lanes, each as a whole lane.
template <class D>
HWY_INLINE HWY_ATTR auto load_bools(D d, const uint8_t* from) {
  using T = TFromD<D>;
  const auto byte = LoadU(Rebind<uint8_t, D>(), from);
  if constexpr (sizeof(T) == 1) {
    return byte;
  } else if constexpr (sizeof(T) == 4) {
    return PromoteTo(d, byte);
  } else {
    return PromoteTo(d, PromoteTo(Rebind<uint32_t, D>(), byte));
  }
}
template <class D>
HWY_INLINE HWY_ATTR auto load_condition(D d, const uint8_t* from) {
  const RebindToUnsigned<D> wide;
  return RebindMask(d, Ne(load_bools(wide, from), Zero(wide)));
}

// A dense operand, or one value repeated over 64 bytes, which stays where it is.
template <class T>
class Operand {
 public:
  HWY_ATTR Operand(const void* from, int64_t step) : from_(static_cast<const T*>(from)) {
    if (step != 0) return;
    moves_ = 0;
    const Tag<T> d;
    const auto value = Set(d, *from_);
    for (size_t i = 0; i < 64 / sizeof(T); i += Lanes(d)) Store(value, d, repeated_ + i);
    from_ = repeated_;
  }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;
  const T* at(size_t i) const { return from_ + (i & moves_); }

 private:
  const T* from_;
  size_t moves_ = ~size_t{0};
  alignas(64) T repeated_[64 / sizeof(T)];
};

template <Scalar S, class T>
HWY_ATTR void test_all(const void* const* in, const int64_t* step, void* out, int64_t n) {
  const Tag<T> d;
  const size_t lanes = Lanes(d), count = static_cast<size_t>(n);
  auto* to = static_cast<uint8_t*>(out);
  const Operand<T> a(in[0], step[0]);
  constexpr bool kUnary = (S >= Scalar::isnan && S <= Scalar::isfinite) || S == Scalar::logical_not;
  if constexpr (kUnary) {
    for (size_t i = 0; i < count; i += lanes) store_bools(d, test<S>(d, Load(d, a.at(i))), to + i);
  } else {
    const Operand<T> b(in[1], step[1]);
    for (size_t i = 0; i < count; i += lanes)
      store_bools(d, test<S>(d, Load(d, a.at(i)), Load(d, b.at(i))), to + i);
  }
}

template <class T>
HWY_ATTR void where_all(const void* const* in, const int64_t* step, void* out, int64_t n) {
  const Tag<T> d;
  const size_t lanes = Lanes(d), count = static_cast<size_t>(n);
  auto* to = static_cast<T*>(out);
  const Operand<uint8_t> condition(in[0], step[0]);
  const Operand<T> a(in[1], step[1]), b(in[2], step[2]);
  for (size_t i = 0; i < count; i += lanes) {
    const auto chosen = load_condition(d, condition.at(i));
    Store(IfThenElse(chosen, Load(d, a.at(i)), Load(d, b.at(i))), d, to + i);
  }
}

template <Scalar S, DType D>
constexpr LaneKernel kernel() {
  if constexpr (!scalar_has_lanes(S, D)) return nullptr;
  else if constexpr (S == Scalar::where) return &where_all<Element<D>>;
  else return &test_all<S, Element<D>>;
}

template <size_t... I>
constexpr std::array<LaneKernel, sizeof...(I)> kernels(std::index_sequence<I...>) {
  return {kernel<static_cast<Scalar>(I / kDTypes), static_cast<DType>(I % kDTypes)>()...};
}
constexpr auto kKernels = kernels(std::make_index_sequence<kScalars * kDTypes>{});

// One vector of the wider type at a time.
template <class From, class To>
HWY_ATTR int64_t convert(const void* in, void* out, int64_t n) {
  using Wide = std::conditional_t<(sizeof(From) > sizeof(To)), From, To>;
  const Tag<Wide> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const auto* from = static_cast<const From*>(in);
  auto* to = static_cast<To*>(out);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    if constexpr (std::is_same_v<To, uint8_t>) {
      store_bools(d, unequal(LoadU(d, from + i), Zero(d)), to + i);
    } else if constexpr (std::is_same_v<From, uint8_t>) {
      const auto one = Set(d, static_cast<To>(1));
      StoreU(IfThenElseZero(load_condition(d, from + i), one), d, to + i);
    } else if constexpr (sizeof(From) < sizeof(To)) {
      StoreU(PromoteTo(d, LoadU(Rebind<From, decltype(d)>(), from + i)), d, to + i);
    } else {
      const Rebind<To, decltype(d)> narrow;
      StoreU(DemoteTo(narrow, LoadU(d, from + i)), narrow, to + i);
    }
  }
  return i;
}

HWY_ATTR int64_t convert_none(const void*, void*, int64_t) { return 0; }

LaneKernel find_kernel(Scalar which, DType dtype) {
  return kKernels[static_cast<size_t>(which) * kDTypes + static_cast<size_t>(dtype)];
}

// The baseline's DemoteTo gives the largest number where others give an infinity.
constexpr bool kOverflows = HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128;

using Convert = int64_t (*)(const void* in, void* out, int64_t n);
template <class From, class To>
constexpr Convert conversion() {
  constexpr bool kFloats = std::is_floating_point_v<From> && std::is_floating_point_v<To> &&
                           (sizeof(From) < sizeof(To) || kOverflows);
  constexpr bool kBools = std::is_same_v<From, uint8_t> != std::is_same_v<To, uint8_t>;
  if constexpr (!std::is_same_v<From, To> && (kFloats || kBools)) return &convert<From, To>;
  else return &convert_none;
}
template <size_t... I>
constexpr std::array<Convert, sizeof...(I)> conversions(std::index_sequence<I...>) {
  return {
      conversion<Element<static_cast<DType>(I / kDTypes)>, Element<static_cast<DType>(I % kDTypes)>>()...};
}
constexpr auto kConversions = conversions(std::make_index_sequence<kDTypes * kDTypes>{});

int64_t convert_any(DType from, const void* in, DType to, void* out, int64_t n) {
  return kConversions[static_cast<size_t>(from) * kDTypes + static_cast<size_t>(to)](in, out, n);
}

template <class T>
HWY_ATTR int64_t masked_fill(const void* from, const void* mask, const void* value, void* to, int64_t n) {
  const Tag<T> d;
  const auto lanes = static_cast<int64_t>(Lanes(d));
  const auto* x = static_cast<const T*>(from);
  const auto* chosen = static_cast<const uint8_t*>(mask);
  auto* y = static_cast<T*>(to);
  T element;
  hwy::CopyBytes<sizeof(T)>(value, &element);
  const auto with = Set(d, element);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    StoreU(IfThenElse(load_condition(d, chosen + i), with, LoadU(d, x + i)), d, y + i);
  return i;
}

int64_t masked_fill_any(size_t element, const void* x, const void* mask, const void* value, void* y,
                        int64_t n) {
  switch (element) {
    case 1: return masked_fill<uint8_t>(x, mask, value, y, n);
    case 4: return masked_fill<uint32_t>(x, mask, value, y, n);
    default: return masked_fill<uint64_t>(x, mask, value, y, n);
  }
}

}  // namespace
}  // namespace tapegrad::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tapegrad::kernels {

HWY_EXPORT(find_kernel);
HWY_EXPORT(convert_any);
HWY_EXPORT(masked_fill_any);

LaneKernel scalar_lanes(Scalar which, DType dtype) {
  return target(HWY_DISPATCH_TABLE(find_kernel))(which, dtype);
}

int64_t cast_lanes(DType from, const void* in, DType to, void* out, int64_t n) {
  return target(HWY_DISPATCH_TABLE(convert_any))(from, in, to, out, n);
}

int64_t masked_fill_lanes(size_t element, const void* x, const void* mask, const void* value, void* y,
                          int64_t n) {
  return target(HWY_DISPATCH_TABLE(masked_fill_any))(element, x, mask, value, y, n);
}

}  // namespace tapegrad::kernels

#endif
