#pragma once

// Pointwise kernels on vector lanes, for the processor the program runs on. Internal, not installed.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tapegrad::kernels {

// One pointwise kernel: out[i] = f(in[0][i·step[0]], in[1][i·step[1]], …) for i < n. step[k] is 1, or 0 where
// in[k] points to one value for all i. For n > 1, dense pointers are 64-byte aligned, and memory up to the
// next multiple of 64 bytes may be read and written, so whole vectors run into the padding. `out` may be any
// dense operand. Every result depends on the operands of its own index alone.
using LaneKernel = void (*)(const void* const* in, const int64_t* step, void* out, int64_t n);

// The functions there are kernels for, each for float and double. g is a cotangent, y the result of the
// forward function. A NaN operand gives NaN and denormal numbers are kept. A backward function is g·df,
// except that it is 0 where g = 0 and df is not finite. Errors, in units in the last place of the exact
// result, for both types and all targets: exp, expm1, log, log1p, tanh and sigmoid at most 2, tanh_backward
// and sigmoid_backward (g = 1) at most 4; xlogy 2.5; activations at most 3, their slopes 4, but those of silu
// and mish a quarter of epsilon near their zeros; those of lanes_exponential.cpp and after at most 1.1 in
// float and 4 in double, where nothing cancels (it may in logaddexp and near the least value of gelu). What
// is one operation of IEEE 754 is rounded correctly. pow is off by at most 0.52 in float, its slope (g = 1)
// by 0.52; in double they are those of the C library.
enum class Lane : uint8_t {
  // lanes_arithmetic.cpp
  add,         // a + b
  sub,         // a − b
  mul,         // a·b
  div,         // a / b
  mul_add,     // a·b + c, rounded after each operation
  maximum,     // NaN if either is NaN
  minimum,     // NaN if either is NaN
  neg,         // −x, also of 0
  abs,         // |x|
  sign,        // −1, 1, or x itself if it is 0
  square,      // x·x
  reciprocal,  // 1 / x
  sqrt,
  rsqrt,                // 1 / √x
  relu,                 // max(x, 0)
  pole_mul,             // (g, d): g·d
  pole_div,             // (g, b): g / b
  maximum_backward_a,   // (g, a, b): g where a > b, g/2 where equal, 0 where a < b; g if either is NaN
  maximum_backward_b,   // (g, a, b): g where b > a, g/2 where equal, 0 where b < a; g if either is NaN
  minimum_backward_a,   // (g, a, b): g where a < b, g/2 where equal, 0 where a > b; g if either is NaN
  minimum_backward_b,   // (g, a, b): g where b < a, g/2 where equal, 0 where b > a; g if either is NaN
  abs_backward,         // (g, x): g·sign(x)
  square_backward,      // (g, x): g·2x
  reciprocal_backward,  // (g, y): −g·y²
  sqrt_backward,        // (g, y): g / 2y; +inf·g at 0
  rsqrt_backward,       // (g, y): −g·y³/2; −inf·g at 0
  relu_backward,        // (g, y): g where y > 0 or y is NaN, else 0
  floor,                // these four keep the sign of x, also where they give 0
  ceil,
  round,  // to even where two are equally near
  trunc,

  // lanes_elementary.cpp
  pow,  // x^p by the rules of C's pow
  exp,
  expm1,  // e^x − 1
  log,
  log1p,  // ln(1 + x)
  tanh,
  sigmoid,           // 1 / (1 + e^−x)
  pow_backward_x,    // (g, x, p): g·p·x^(p−1), where p = 0: 0
  pow_backward_p,    // (g, x, p, y): g·y·ln x; at x = 0 the slope is 0 for p ≥ 0 and −inf for p < 0
  exp_backward,      // (g, y): g·y
  expm1_backward,    // (g, x): g·e^x
  log_backward,      // (g, x): g / x; +inf·g at 0, NaN for x < 0
  log1p_backward,    // (g, x): g / (1 + x); NaN for x < −1
  tanh_backward,     // (g, x, y): g·(1 − tanh² x), y unread: it has lost the digits where it saturates
  sigmoid_backward,  // (g, x, y): g times the slope at x, likewise

  // lanes_activation.cpp
  leaky_relu,           // (x, slope): x where x > 0, else x·slope
  elu,                  // (x, alpha): x where x > 0, else alpha·(e^x − 1)
  selu,                 // elu of one alpha, times one scale
  softplus,             // (x, beta, threshold): ln(1 + e^(beta·x))/beta; x where beta·x > threshold
  silu,                 // x / (1 + e^−x)
  mish,                 // x·tanh(ln(1 + e^x))
  hardtanh,             // (x, min, max): x between min ≤ max
  clamp,                // (x, min, max): min(max(x, min), max); NaN if any is
  leaky_relu_backward,  // (g, x, slope): g where x > 0, else g·slope
  softplus_backward,    // (g, x, beta, threshold): g/(1 + e^(−beta·x)); g where beta·x > threshold
  silu_backward,        // (g, x)
  mish_backward,        // (g, x)
  hardtanh_backward,    // (g, x, min, max): 0 where x ≤ min or x ≥ max, else g
  clamp_backward,       // (g, x, min, max): g where min ≤ x ≤ max, else 0

  // lanes_trigonometric.cpp; errors in float and double: sin and cos at most 0.51 and 1, asin and acos 0.51
  // and 1.5, tan, atan and atan2 0.51 and 2, hypot 1.5, their derivatives at g = 1 3
  sin,  // of any finite x, NaN of ±inf; so cos and tan
  cos,
  tan,
  asin,  // NaN beyond ±1; so acos
  acos,
  atan,
  atan2,          // (y, x), by the rules of C's atan2
  hypot,          // √(a² + b²) without overflow on the way; inf if either is infinite, even beside a NaN
  atan_backward,  // (g, x): g / (1 + x²)
  atan2_backward_a,  // (g, y, x): g·x / (x² + y²); 0 at (0, 0) and at infinity, so the next
  atan2_backward_b,  // (g, y, x): −g·y / (x² + y²)
  hypot_backward_a,  // (g, a, b, y): g·a / y; 0 at (0, 0), so the next
  hypot_backward_b,  // (g, a, b, y): g·b / y

  // lanes_exponential.cpp
  exp2,  // 2^x, exact at integers
  log2,  // exact at powers of two
  log10,
  xlogy,      // (x, y): x·ln y; 0 where x = 0 and y is not NaN
  logaddexp,  // (a, b): ln(e^a + e^b)

  // lanes_hyperbolic.cpp
  sinh,
  cosh,
  asinh,
  acosh,
  atanh,

  // lanes_error_function.cpp
  erf,
  erfc,                // 1 − erf x, with all its digits
  gelu,                // x·Φ(x), Φ the normal distribution function; −0 at −inf
  gelu_tanh,           // x·(1 + tanh u)/2, u = √(2/π)·(x + 0.044715·x³); −0 at −inf
  erf_backward,        // (g, x): g·2/√π·e^(−x²)
  erfc_backward,       // (g, x): −g·2/√π·e^(−x²)
  gelu_backward,       // (g, x): g·(Φ(x) + x·φ(x))
  gelu_tanh_backward,  // (g, x)

  count
};

// The first lane of each file after the first.
inline constexpr Lane kFirstElementary = Lane::pow;
inline constexpr Lane kFirstActivation = Lane::leaky_relu;
inline constexpr Lane kFirstTrigonometric = Lane::sin;
inline constexpr Lane kFirstExponential = Lane::exp2;
inline constexpr Lane kFirstHyperbolic = Lane::sinh;
inline constexpr Lane kFirstErrorFunction = Lane::erf;

inline constexpr size_t kLanes = static_cast<size_t>(Lane::count);

// Every kernel, compiled for one vector target.
struct LaneTable {
  const char* target;  // Highway's name for it: "AVX2", "AVX3", "NEON"; "SCALAR" or "EMU128" is the baseline
  LaneKernel f32[kLanes];
  LaneKernel f64[kLanes];
  uint8_t operands[kLanes];  // how many operands the kernel reads
};

namespace detail {
extern std::atomic<const LaneTable*> lanes_in_use;  // null until they have been looked up
const LaneTable& find_lanes();
}  // namespace detail

// The table for the target in use: the best that this processor has, unless a test chose another
// (dispatch.h).
inline const LaneTable& lane_table() {
  const LaneTable* table = detail::lanes_in_use.load(std::memory_order_relaxed);
  return table != nullptr ? *table : detail::find_lanes();
}

// The tables of all compiled targets that this processor has, best first, the baseline last.
std::span<const LaneTable* const> lane_tables();

// The one of them with that name, or null.
const LaneTable* lane_table_for(std::string_view target);

}  // namespace tapegrad::kernels
