// Rounding to whole numbers: piecewise constant, so the gradient is 0 everywhere.

#include <limits>

#include "autograd/kernels/scalar.h"
#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

template <class Derived, Lane L>
struct Rounding : PointwiseParts {
  static constexpr auto operands = detail::operand_names(1);
  static constexpr auto kernels = lanes<L>(kernels::scalar_kernel(kernels::Scalar::identity, DType::int64));
  static constexpr Flags flags = {.jump = true, .zero_gradient = true};
  static constexpr Ulp ulp = {0.5, 0.5};
  static void vjp(Vjp& v) { v.add(0, zeros(v.shape(0), v.dtype(0))); }
  static void samples(Samples& s) {
    detail::pointwise_samples(s, 1, {});
    if (s.benchmark()) return;
    s.add({tensor({-7, 0, 3})});
    constexpr double kInf = std::numeric_limits<double>::infinity();
    const auto& at = Derived::kAt;
    s.add_convention({.what = Derived::kWhat,
                      .inputs = {s.values({-2.5, -1.5, -0.5, -0.0, 0.5, 1.5, 2.5, kInf})},
                      .value = s.values({at[0], at[1], at[2], -0.0, at[3], at[4], at[5], kInf}),
                      .gradients = {s.values({0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0})}});
  }
};

// kAt: at −2.5, −1.5, −0.5, 0.5, 1.5 and 2.5.
struct Floor : Rounding<Floor, Lane::floor> {
  static constexpr std::string_view name = "floor",
                                    doc = "the largest whole number ≤ x; gradient 0; int64 stays as it is";
  static constexpr std::string_view kWhat = "rounds down; gradient 0; −0 stays −0";
  static constexpr double kAt[] = {-3, -2, -1, 0, 1, 2};
};
struct Ceil : Rounding<Ceil, Lane::ceil> {
  static constexpr std::string_view name = "ceil",
                                    doc = "the smallest whole number ≥ x; gradient 0; int64 stays as it is";
  static constexpr std::string_view kWhat = "rounds up, above −1 to −0; gradient 0";
  static constexpr double kAt[] = {-2, -1, -0.0, 1, 2, 3};
};
struct Round : Rounding<Round, Lane::round> {
  static constexpr std::string_view
      name = "round",
      doc = "the nearest whole number, the even one of two; gradient 0; int64 stays as it is";
  static constexpr std::string_view kWhat = "of two equally near the even one; gradient 0; −0.5 gives −0";
  static constexpr double kAt[] = {-2, -2, -0.0, 0, 2, 2};
};
struct Trunc : Rounding<Trunc, Lane::trunc> {
  static constexpr std::string_view name = "trunc",
                                    doc = "x without its fraction; gradient 0; int64 stays as it is";
  static constexpr std::string_view kWhat = "rounds to 0, keeping the sign also of 0; gradient 0";
  static constexpr double kAt[] = {-2, -1, -0.0, 0, 1, 2};
};

}  // namespace

std::span<const Op* const> rounding() {
  static constexpr const Op* kOps[] = {&op<Floor>, &op<Ceil>, &op<Round>, &op<Trunc>};
  return kOps;
}

}  // namespace ops

Tensor floor(const Arg& x) { return apply(op<ops::Floor>, {x}); }
Tensor ceil(const Arg& x) { return apply(op<ops::Ceil>, {x}); }
Tensor round(const Arg& x) { return apply(op<ops::Round>, {x}); }
Tensor trunc(const Arg& x) { return apply(op<ops::Trunc>, {x}); }

}  // namespace tapegrad
