#include <fmt/format.h>

#include "autograd/kernels/mask.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/element.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

struct MaskedFill {
  struct Options {
    double value = 0;
    static void fields(auto& self, auto&& f) { f("value", self.value); }
  };
  static constexpr std::string_view
      name = "masked_fill",
      doc = "x with `value` where mask (bool) holds; they broadcast; what is replaced has gradient 0";
  static constexpr std::string_view operands[] = {"x", "mask"};
  static void shape(Call& call) {
    if (call.dtype(1) != DType::boolean) {
      call.dtype_error(
          fmt::format("expected mask to be bool, given {}; use cast", tapegrad::name(call.dtype(1))));
    }
    element_of(call, call.dtype(0), call.options<Options>().value);
    Shape y;
    int axis = 0;
    if (!broadcast(call.shape(0), call.shape(1), y, axis)) {
      call.shape_error(fmt::format("x [{}] and mask [{}] do not broadcast: dimension {} from the end",
                                   fmt::join(call.shape(0), ", "), fmt::join(call.shape(1), ", "), axis));
    }
    call.output(call.dtype(0), checked_shape(call, y));
  }
  static void forward(Call& call) {
    const Shape y = call.out().shape();
    const Dims x = broadcast_strides(call.shape(0), y), mask = broadcast_strides(call.shape(1), y);
    const uint64_t value = element_of(call, call.dtype(0), call.options<Options>().value);
    kernels::masked_fill(element_size(call.dtype(0)), {y.begin(), y.end()}, call.data<void>(0),
                         {x.begin(), x.end()}, call.data<bool>(1), {mask.begin(), mask.end()}, &value,
                         call.out_data());
  }
  static Cost cost(const Call& call) {
    return {0, static_cast<double>(call.in(0).bytes() + call.in(1).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) { v.add(0, masked_fill(v.g(), v.input(1), 0)); }
  static void samples(Samples& s) {
    const auto mask = [&](const Shape& shape) { return eq(s.integers(shape, 0, 2), 1); };
    if (s.benchmark()) return s.add({s.normal({1024, 1024}), mask({1024, 1024})}, Options{-1e9});
    s.add({s.normal({}), tensor(false)}, Options{2.5});
    s.add({s.normal({5}), mask({5})}, Options{0.5});
    s.add({s.normal({3, 4}), mask({3, 4})}, Options{-1});
    s.add({s.normal({2, 3, 4}), mask({3, 1})}, Options{7});
    s.add({s.normal({4}), mask({3, 1})}, Options{0});
    s.add({s.normal({2, 1}), mask({2, 1, 3})}, Options{1});
    s.add({s.normal({0, 3}), mask({1, 3})}, Options{1});
    s.add_error("expected mask to be bool, given int64", {s.normal({2}), tensor({0, 1})}, Options{1});
    s.add_error("do not broadcast", {s.normal({2}), tensor({false, true, true})}, Options{1});
    s.add_error("the number 0.5 beside int64", {tensor({1, 2}), tensor({true, false})}, Options{0.5});
  }
};

}  // namespace

std::span<const Op* const> mask() {
  static constexpr const Op* kOps[] = {&op<MaskedFill>};
  return kOps;
}

}  // namespace ops

Tensor masked_fill(const Arg& x, const Arg& mask, double value) {
  return apply(op<ops::MaskedFill>, {x, mask}, ops::MaskedFill::Options{value});
}

}  // namespace tapegrad
