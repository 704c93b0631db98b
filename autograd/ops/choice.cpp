// Choice by a condition, comparisons, and the change of dtype.

#include <fmt/format.h>

#include <limits>

#include "autograd/kernels/scalar.h"
#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/lanes_op.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

using kernels::Scalar;

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

constexpr std::array<PointwiseKernel, kDTypes> comparison(Scalar which) {
  return {kernels::scalar_kernel(which, DType::float32), kernels::scalar_kernel(which, DType::float64),
          kernels::scalar_kernel(which, DType::int64), kernels::scalar_kernel(which, DType::boolean)};
}

struct Where : PointwiseParts {
  static constexpr std::string_view name = "where",
                                    doc = "y = condition ? a : b; the other side has no influence";
  static constexpr std::string_view operands[] = {"condition", "a", "b"};
  static constexpr auto kernels = comparison(Scalar::where);
  static constexpr int first_value = 1;
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    if (v.needs(1)) v.add(1, where(v.input(0), g, 0.0));
    if (v.needs(2)) v.add(2, where(v.input(0), 0.0, g));
  }
  static void samples(Samples& s) {
    auto condition = [&](const Shape& shape) { return gt(s.normal(shape), 0.0); };
    if (s.benchmark()) return s.add({condition({1 << 20}), s.normal({1 << 20}), s.normal({1 << 20})});
    s.add({condition({}), s.normal({}), s.normal({})});
    s.add({condition({3, 4}), s.normal({3, 4}), s.normal({3, 4})});
    s.add({condition({3, 1}), s.normal({4}), s.normal({})});
    s.add({condition({}), s.normal({2, 3}), s.normal({3})});
    s.add({condition({0, 4}), s.normal({1, 4}), s.normal({4})});
    s.add_error("do not broadcast", {condition({3}), s.normal({4}), s.normal({})});
    s.add_error("to be bool", {s.normal({3}), s.normal({3}), s.normal({3})});
    s.add_convention({.what = "the side not chosen has no influence, not even NaN or an infinity",
                      .inputs = {tensor({true, false}), s.values({1, kNan}), s.values({kInf, 2})},
                      .value = s.values({1, 2}),
                      .gradients = {{}, s.values({1, 0}), s.values({0, 1})}});
  }
};

template <Scalar Which>
struct Comparison : PointwiseParts {
  static constexpr auto operands = detail::operand_names(2);
  static constexpr auto kernels = comparison(Which);
  static constexpr bool boolean_result = true;
  static constexpr Flags flags = {.jump = true, .non_differentiable = "its result is bool"};
  static void samples(Samples& s) { detail::pointwise_samples(s, 2, {}); }
};
struct Eq : Comparison<Scalar::eq> {
  static constexpr std::string_view name = "eq", doc = "y = (a = b)";
};
struct Ne : Comparison<Scalar::ne> {
  static constexpr std::string_view name = "ne", doc = "y = (a ≠ b)";
};
struct Lt : Comparison<Scalar::lt> {
  static constexpr std::string_view name = "lt", doc = "y = (a < b)";
};
struct Le : Comparison<Scalar::le> {
  static constexpr std::string_view name = "le", doc = "y = (a ≤ b)";
};
struct Gt : Comparison<Scalar::gt> {
  static constexpr std::string_view name = "gt", doc = "y = (a > b)";
};
struct Ge : Comparison<Scalar::ge> {
  static constexpr std::string_view name = "ge", doc = "y = (a ≥ b)";
};

struct Cast {
  static constexpr std::string_view
      name = "cast",
      doc = "the elements as another dtype; a float64 beyond the range of float32 becomes infinite";
  static constexpr std::string_view operands[] = {"x"};
  struct Options {
    DType dtype = DType::float32;
    static void fields(auto& self, auto&& f) { f("dtype", self.dtype); }
  };
  static void shape(Call& call) { call.output(call.options<Options>().dtype, call.shape(0)); }
  static void forward(Call& call) {
    if (!kernels::cast(call.dtype(0), call.data<void>(0), call.out().dtype, call.out_data(), call.numel(0))) {
      call.argument_error(
          fmt::format("a value is NaN or outside the range of {}", tapegrad::name(call.out().dtype)));
    }
  }
  static Cost cost(const Call& call) { return detail::pointwise_cost(call); }
  static void vjp(Vjp& v) { v.add(0, cast(v.g(), v.dtype(0))); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1 << 20})}, Options{DType::float64});
    for (const Shape& shape : {Shape{}, Shape{3, 4}, Shape{0, 2}})
      s.add({s.normal(shape)}, Options{DType::float64});
    s.add({tensor({1, 2, 3})}, Options{s.dtype()});
    s.add_error("outside the range", {s.values({1e30})}, Options{DType::int64});
  }
};

}  // namespace

std::span<const Op* const> choice() {
  static constexpr const Op* kOps[] = {&op<Where>, &op<Eq>, &op<Ne>, &op<Lt>,
                                       &op<Le>,    &op<Gt>, &op<Ge>, &op<Cast>};
  return kOps;
}

}  // namespace ops

Tensor eq(const Arg& a, const Arg& b) { return apply(op<ops::Eq>, {a, b}); }
Tensor ne(const Arg& a, const Arg& b) { return apply(op<ops::Ne>, {a, b}); }
Tensor lt(const Arg& a, const Arg& b) { return apply(op<ops::Lt>, {a, b}); }
Tensor le(const Arg& a, const Arg& b) { return apply(op<ops::Le>, {a, b}); }
Tensor gt(const Arg& a, const Arg& b) { return apply(op<ops::Gt>, {a, b}); }
Tensor ge(const Arg& a, const Arg& b) { return apply(op<ops::Ge>, {a, b}); }
Tensor where(const Arg& condition, const Arg& a, const Arg& b) {
  return apply(op<ops::Where>, {condition, a, b});
}
Tensor cast(const Arg& x, DType dtype) { return apply(op<ops::Cast>, {x}, ops::Cast::Options{dtype}); }

}  // namespace tapegrad
