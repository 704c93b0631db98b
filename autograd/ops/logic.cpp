// Yes or no: what kind of number an element is, and logic.

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

constexpr auto scalars(Scalar which) {
  std::array<PointwiseKernel, kDTypes> of{};
  for (int d = 0; d < kDTypes; ++d)
    of[static_cast<size_t>(d)] = kernels::scalar_kernel(which, static_cast<DType>(d));
  return of;
}

// What both kinds share.
template <Scalar Which>
struct Predicate : PointwiseParts {
  static constexpr auto kernels = scalars(Which);
  static constexpr bool boolean_result = true;
  static constexpr Flags flags = {.jump = true, .non_differentiable = "its result is bool"};
};

template <class Derived, Scalar Which>
struct Classification : Predicate<Which> {
  static constexpr auto operands = detail::operand_names(1);
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1 << 20})});
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{3, 5}, Shape{0, 2}, Shape{2, 1, 300}}) {
      s.add({s.normal(shape)});
    }
    constexpr double kInf = std::numeric_limits<double>::infinity();
    constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
    const Tensor all = s.values({kNan, -kNan, kInf, -kInf, 0.0, -0.0, 1e30, -1e-30});
    s.add({all});
    s.add({tensor({-7, 0, 3})});
    s.add({tensor({true, false})});
    s.add_error("expected 1 operands, given 2", {all, all});
    const auto& is = Derived::kIs;
    s.add_convention({.what = Derived::kWhat,
                      .inputs = {all},
                      .value = tensor({is[0], is[0], is[1], is[1], is[2], is[2], is[2], is[2]})});
  }
};

// kIs: of NaN, of an infinity, of a finite number.
struct IsNan : Classification<IsNan, Scalar::isnan> {
  static constexpr std::string_view name = "isnan", doc = "y = (x is NaN); false for integers and bool";
  static constexpr std::string_view kWhat = "NaN alone, of either sign";
  static constexpr bool kIs[] = {true, false, false};
};
struct IsInf : Classification<IsInf, Scalar::isinf> {
  static constexpr std::string_view name = "isinf", doc = "y = (x is ±inf); false for integers and bool";
  static constexpr std::string_view kWhat = "both infinities";
  static constexpr bool kIs[] = {false, true, false};
};
struct IsFinite : Classification<IsFinite, Scalar::isfinite> {
  static constexpr std::string_view name = "isfinite",
                                    doc = "y = (x is neither NaN nor ±inf); true for integers and bool";
  static constexpr std::string_view kWhat = "neither NaN nor an infinity";
  static constexpr bool kIs[] = {false, false, true};
};

template <Scalar Which, int Operands>
struct Logical : Predicate<Which> {
  static constexpr auto operands = detail::operand_names(Operands);
  static void samples(Samples& s) {
    auto draw = [&](const Shape& shape) { return gt(s.normal(shape), 0.0); };
    auto add = [&](const Shape& a, const Shape& b) {
      std::vector<Tensor> inputs = {draw(a)};
      if (Operands == 2) inputs.push_back(draw(b));
      s.add(std::move(inputs));
    };
    if (s.benchmark()) return add({1 << 20}, {1 << 20});
    add({}, {});
    add({1}, {1});
    add({3, 5}, {3, 5});
    add({0, 2}, {1, 2});
    add({2, 1, 300}, {70, 1});
    s.add_error("does not take", std::vector<Tensor>(Operands, s.normal({3})));
    if (Operands == 2) s.add_error("do not broadcast", {draw({3}), draw({4})});
  }
};

struct LogicalNot : Logical<Scalar::logical_not, 1> {
  static constexpr std::string_view name = "logical_not", doc = "y = not x, of bool";
};
struct LogicalAnd : Logical<Scalar::logical_and, 2> {
  static constexpr std::string_view name = "logical_and", doc = "y = a and b, of bool";
};
struct LogicalOr : Logical<Scalar::logical_or, 2> {
  static constexpr std::string_view name = "logical_or", doc = "y = a or b, of bool";
};
struct LogicalXor : Logical<Scalar::logical_xor, 2> {
  static constexpr std::string_view name = "logical_xor", doc = "y = either a or b, of bool";
};

}  // namespace

std::span<const Op* const> logic() {
  static constexpr const Op* kOps[] = {&op<IsNan>,      &op<IsInf>,     &op<IsFinite>,  &op<LogicalNot>,
                                       &op<LogicalAnd>, &op<LogicalOr>, &op<LogicalXor>};
  return kOps;
}

}  // namespace ops

Tensor isnan(const Arg& x) { return apply(op<ops::IsNan>, {x}); }
Tensor isinf(const Arg& x) { return apply(op<ops::IsInf>, {x}); }
Tensor isfinite(const Arg& x) { return apply(op<ops::IsFinite>, {x}); }
Tensor logical_not(const Arg& x) { return apply(op<ops::LogicalNot>, {x}); }
Tensor logical_and(const Arg& a, const Arg& b) { return apply(op<ops::LogicalAnd>, {a, b}); }
Tensor logical_or(const Arg& a, const Arg& b) { return apply(op<ops::LogicalOr>, {a, b}); }
Tensor logical_xor(const Arg& a, const Arg& b) { return apply(op<ops::LogicalXor>, {a, b}); }

}  // namespace tapegrad
