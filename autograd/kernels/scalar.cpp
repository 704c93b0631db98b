#include "autograd/kernels/scalar.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "autograd/kernels/parallel.h"
#include "autograd/kernels/scalar_lanes.h"

namespace tapegrad::kernels {
namespace {

template <Scalar S>
struct Formula;

// The one whose operands are (bool, T, T).
template <>
struct Formula<Scalar::where> {
  template <class T>
  static T f(bool condition, T a, T b) {
    return condition ? a : b;
  }
};

// Signed overflow is undefined in C++; that of unsigned numbers wraps around.
uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }
int64_t wrapped(uint64_t x) { return static_cast<int64_t>(x); }

template <>
struct Formula<Scalar::add> {
  static int64_t f(int64_t a, int64_t b) { return wrapped(bits(a) + bits(b)); }
};
template <>
struct Formula<Scalar::sub> {
  static int64_t f(int64_t a, int64_t b) { return wrapped(bits(a) - bits(b)); }
};
template <>
struct Formula<Scalar::mul> {
  static int64_t f(int64_t a, int64_t b) { return wrapped(bits(a) * bits(b)); }
};
template <>
struct Formula<Scalar::neg> {
  static int64_t f(int64_t x) { return wrapped(0 - bits(x)); }
};
template <>
struct Formula<Scalar::abs> {
  static int64_t f(int64_t x) { return x < 0 ? wrapped(0 - bits(x)) : x; }
};
template <>
struct Formula<Scalar::sign> {
  static int64_t f(int64_t x) { return (x > 0) - (x < 0); }
};
template <>
struct Formula<Scalar::square> {
  static int64_t f(int64_t x) { return wrapped(bits(x) * bits(x)); }
};
template <>
struct Formula<Scalar::maximum> {
  static int64_t f(int64_t a, int64_t b) { return a > b ? a : b; }
};
template <>
struct Formula<Scalar::minimum> {
  static int64_t f(int64_t a, int64_t b) { return a < b ? a : b; }
};
template <>
struct Formula<Scalar::identity> {
  static int64_t f(int64_t x) { return x; }
};
template <>
struct Formula<Scalar::clamp> {
  static int64_t f(int64_t x, int64_t low, int64_t high) { return std::min(std::max(x, low), high); }
};

template <>
struct Formula<Scalar::eq> {
  template <class T>
  static bool f(T a, T b) {
    return a == b;
  }
};
template <>
struct Formula<Scalar::ne> {
  template <class T>
  static bool f(T a, T b) {
    return a != b;
  }
};
template <>
struct Formula<Scalar::lt> {
  template <class T>
  static bool f(T a, T b) {
    return a < b;
  }
};
template <>
struct Formula<Scalar::le> {
  template <class T>
  static bool f(T a, T b) {
    return a <= b;
  }
};
template <>
struct Formula<Scalar::gt> {
  template <class T>
  static bool f(T a, T b) {
    return a > b;
  }
};
template <>
struct Formula<Scalar::ge> {
  template <class T>
  static bool f(T a, T b) {
    return a >= b;
  }
};

// Of integers x − x is 0; of floats it is NaN where x is infinite or NaN.
template <>
struct Formula<Scalar::isnan> {
  template <class T>
  static bool f(T x) {
    return x != x;
  }
};
template <>
struct Formula<Scalar::isinf> {
  template <class T>
  static bool f(T x) {
    return x == x && x - x != 0;
  }
};
template <>
struct Formula<Scalar::isfinite> {
  template <class T>
  static bool f(T x) {
    return x - x == 0;
  }
};

template <>
struct Formula<Scalar::logical_not> {
  static bool f(uint8_t a) { return a == 0; }
};
template <>
struct Formula<Scalar::logical_and> {
  static bool f(uint8_t a, uint8_t b) { return (a & b) != 0; }
};
template <>
struct Formula<Scalar::logical_or> {
  static bool f(uint8_t a, uint8_t b) { return (a | b) != 0; }
};
template <>
struct Formula<Scalar::logical_xor> {
  static bool f(uint8_t a, uint8_t b) { return (a ^ b) != 0; }
};

// How the elements of a dtype lie in memory.
template <DType T>
using Element = std::tuple_element_t<static_cast<size_t>(T), std::tuple<float, double, int64_t, uint8_t>>;

// f over n elements X…, as many at a time as 64 bytes of the widest type hold. An operand of one value is
// repeated as often, so it is read like the others but stays where it is; the inner loop is the same for all
// and vectorises.
template <class F, class... X, size_t... K>
void loop(std::index_sequence<K...>, const void* const* in, const int64_t* step, void* out, int64_t n) {
  using Result = decltype(F::f(X{}...));
  using R = std::conditional_t<std::is_same_v<Result, bool>, uint8_t, Result>;
  constexpr size_t kChunk = 64 / std::max({sizeof(R), sizeof(X)...});
  if (n == 1) {
    *static_cast<R*>(out) = F::f(*static_cast<const X*>(in[K])...);
    return;
  }
  const size_t moves[] = {step[K] == 0 ? 0 : ~size_t{0}...};
  std::tuple<const X*...> from{static_cast<const X*>(in[K])...};
  std::tuple<std::array<X, kChunk>...> repeated;
  auto repeat = [](auto*& one, auto& many) {
    many.fill(*one);
    one = many.data();
  };
  ((moves[K] != 0 ? void() : repeat(std::get<K>(from), std::get<K>(repeated))), ...);
  for (size_t i = 0; i < static_cast<size_t>(n); i += kChunk) {
    const std::tuple at{std::get<K>(from) + (i & moves[K])...};
    R y[kChunk];
    for (size_t j = 0; j < kChunk; ++j) y[j] = F::f(std::get<K>(at)[j]...);
    std::memcpy(static_cast<R*>(out) + i, y, sizeof y);
  }
}

template <Scalar S, DType D>
void run(const void* const* in, const int64_t* step, void* out, int64_t n) {
  using F = Formula<S>;
  using T = Element<D>;
  if constexpr (S == Scalar::where) {
    loop<F, uint8_t, T, T>(std::make_index_sequence<3>{}, in, step, out, n);
  } else if constexpr (requires(T x) { F::f(x, x, x); }) {
    loop<F, T, T, T>(std::make_index_sequence<3>{}, in, step, out, n);
  } else if constexpr (requires(T x) { F::f(x, x); }) {
    loop<F, T, T>(std::make_index_sequence<2>{}, in, step, out, n);
  } else {
    loop<F, T>(std::make_index_sequence<1>{}, in, step, out, n);
  }
}

template <Scalar S, DType D>
constexpr LaneKernel kernel() {
  if constexpr (scalar_takes(S, D)) {
    return &run<S, D>;
  } else {
    return nullptr;
  }
}

template <size_t... I>
constexpr std::array<LaneKernel, sizeof...(I)> kernels(std::index_sequence<I...>) {
  return {kernel<static_cast<Scalar>(I / kDTypes), static_cast<DType>(I % kDTypes)>()...};
}
constexpr auto kKernels = kernels(std::make_index_sequence<kScalars * kDTypes>{});

constexpr int64_t kCastGrain = 32768;  // elements of a piece of work

// Calls f with a null pointer to the dtype's element.
template <class F>
bool with_element(DType dtype, F f) {
  switch (dtype) {
    case DType::float32: return f(static_cast<Element<DType::float32>*>(nullptr));
    case DType::float64: return f(static_cast<Element<DType::float64>*>(nullptr));
    case DType::int64: return f(static_cast<Element<DType::int64>*>(nullptr));
    case DType::boolean: return f(static_cast<Element<DType::boolean>*>(nullptr));
  }
  return false;
}

template <class To, class From>
bool cast_elements(const From* in, To* out, int64_t n) {
  bool all_fit = true;
  for (int64_t i = 0; i < n; ++i) {
    if constexpr (std::is_same_v<To, uint8_t>) {
      out[i] = in[i] != 0;
    } else if constexpr (std::is_same_v<To, int64_t> && std::is_floating_point_v<From>) {
      const bool fits = in[i] >= From{-0x1p63} && in[i] < From{0x1p63};
      out[i] = fits ? static_cast<int64_t>(in[i]) : 0;
      all_fit &= fits;
    } else {
      out[i] = static_cast<To>(in[i]);
    }
  }
  return all_fit;
}

}  // namespace

void detail::run_scalar(Scalar which, DType dtype, const void* const* in, const int64_t* step, void* out,
                        int64_t n) {
  const bool lanes = n > 1 && scalar_has_lanes(which, dtype);
  (lanes ? scalar_lanes(which, dtype) : plain_scalar_kernel(which, dtype))(in, step, out, n);
}

LaneKernel plain_scalar_kernel(Scalar which, DType dtype) {
  return kKernels[static_cast<size_t>(which) * kDTypes + static_cast<size_t>(dtype)];
}

bool plain_cast(DType from, const void* in, DType to, void* out, int64_t n) {
  return with_element(from, [&](auto* x) {
    return with_element(to, [&](auto* y) {
      return cast_elements(static_cast<const std::remove_pointer_t<decltype(x)>*>(in),
                           static_cast<decltype(y)>(out), n);
    });
  });
}

bool cast(DType from, const void* in, DType to, void* out, int64_t n) {
  std::atomic<bool> all_fit = true;
  const auto place = [](auto* data, DType dtype, int64_t i) {
    return data + static_cast<size_t>(i) * element_size(dtype);
  };
  parallel_for(n, kCastGrain, [&](int64_t begin, int64_t end) {
    const char* x = place(static_cast<const char*>(in), from, begin);
    char* y = place(static_cast<char*>(out), to, begin);
    const int64_t done = cast_lanes(from, x, to, y, end - begin);
    if (!plain_cast(from, place(x, from, done), to, place(y, to, done), end - begin - done))
      all_fit.store(false, std::memory_order_relaxed);
  });
  return all_fit.load(std::memory_order_relaxed);
}

bool fill(DType dtype, double value, void* out, int64_t n) {
  return with_element(dtype, [&](auto* y) {
    std::remove_pointer_t<decltype(y)> element;
    const bool fits = cast_elements(&value, &element, 1);
    std::fill_n(static_cast<decltype(y)>(out), n, element);
    return fits;
  });
}

}  // namespace tapegrad::kernels
