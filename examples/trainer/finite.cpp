#include "examples/trainer/finite.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "autograd/samples.h"

namespace trainer {
namespace {

using namespace tapegrad;

struct CheckFinite {
  static constexpr std::string_view name = "check_finite", doc = "y = x, or an error where x is not finite";
  static constexpr std::string_view operands[] = {"x"};

  static void shape(Call& call) {
    call.require_floating(0);
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) { call.dtype(0) == float32 ? run<float>(call) : run<double>(call); }
  template <class E>
  static void run(Call& call) {
    const E* x = call.data<E>(0);
    for (int64_t i = 0; i < call.numel(0); ++i) {
      if (!std::isfinite(x[i])) throw NumericError(fmt::format("[check_finite] found {}", x[i]));
    }
    std::memcpy(call.out_data<E>(), x, static_cast<size_t>(call.numel(0)) * sizeof(E));
  }
  static void vjp(Vjp& v) { v.add(0, v.g()); }
  static Cost cost(const Call& call) { return {0, 2.0 * static_cast<double>(call.in(0).bytes())}; }
  static void samples(Samples& s) { s.add({s.normal({3})}); }
};

}  // namespace

Tensor check_finite(const Arg& x) { return apply(op<CheckFinite>, {x}); }

}  // namespace trainer
