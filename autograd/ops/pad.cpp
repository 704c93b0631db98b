#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/copy.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/element.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// A tensor with a margin of one value.

namespace tapegrad {
namespace ops {
namespace {

struct Pad {
  struct Options {
    Pads pad;
    double value = 0;
    static void fields(auto& self, auto&& f) {
      f("pad", self.pad);
      f("value", self.value);
    }
  };
  static constexpr std::string_view name = "pad", doc =
                                                      "x with `value` around it: pad = {before, after} of "
                                                      "the last dim, then of the one before it, and so "
                                                      "on; negative ones cut off";
  static constexpr std::string_view operands[] = {"x"};
  // What comes before and after dim d.
  static int64_t margin(const Pads& pad, int rank, int d, bool after) {
    const int i = 2 * (rank - 1 - d) + (after ? 1 : 0);
    return i < pad.size() ? pad[i] : 0;
  }
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    const Shape x = call.shape(0);
    if (o.pad.size() % 2 != 0) {
      call.argument_error(
          fmt::format("expected pad to have two entries for each dimension, given {}", o.pad.size()));
    }
    if (o.pad.size() > 2 * x.rank()) {
      call.argument_error(fmt::format("pad is for {} dimensions, x has {}", o.pad.size() / 2, x.rank()));
    }
    Dims y = x;
    for (int d = 0; d < x.rank(); ++d) {
      const int64_t before = margin(o.pad, x.rank(), d, false), after = margin(o.pad, x.rank(), d, true);
      if (__builtin_add_overflow(y[d], before, &y[d]) || __builtin_add_overflow(y[d], after, &y[d])) {
        call.shape_error("element count: overflow");
      }
      if (y[d] < 0) {
        call.shape_error(
            fmt::format("{} and {} cut more off dimension {} than its size {}", before, after, d, x[d]));
      }
    }
    element_of(call, call.dtype(0), o.value);
    call.output(call.dtype(0), checked_shape(call, y));
  }
  // The margin slab by slab, each beside what is left of the dims before it, and then x where it lies.
  static void forward(Call& call) {
    if (call.out().numel == 0) return;
    const auto& o = call.options<Options>();
    const Shape x = call.shape(0), y = call.out().shape();
    const Dims from = dense_strides(x), to = dense_strides(y);
    const size_t element = element_size(call.dtype(0));
    const uint64_t value = element_of(call, call.dtype(0), o.value);
    const Dims still = [&] {
      Dims zero = y;
      for (int d = 0; d < y.rank(); ++d) zero[d] = 0;
      return zero;
    }();
    Dims sizes = y;
    int64_t source = 0, target = 0;
    auto copy = [&](const void* data, int64_t start, const Dims& strides) {
      kernels::copy_strided(element, {sizes.begin(), sizes.end()}, data, {strides.begin(), strides.end()},
                            call.out_data<char>() + static_cast<size_t>(start) * element,
                            {to.begin(), to.end()});
    };
    for (int d = 0; d < x.rank(); ++d) {
      const int64_t before = margin(o.pad, x.rank(), d, false);
      const int64_t first = std::clamp<int64_t>(before, 0, y[d]);
      const int64_t last = std::clamp<int64_t>(before + x[d], first, y[d]);  // behind the elements of x
      sizes[d] = first;
      copy(&value, target, still);
      sizes[d] = y[d] - last;
      copy(&value, target + last * to[d], still);
      sizes[d] = last - first;
      target += first * to[d];
      source += std::max<int64_t>(-before, 0) * from[d];
    }
    if (!sizes.empty() && Shape(sizes).numel() == 0) return;
    copy(call.data<char>(0) + static_cast<size_t>(source) * element, target, from);
  }
  static Cost cost(const Call& call) {
    return {0, static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) {
    Pads back;
    for (int64_t p : v.options<Options>().pad) back.push_back(-p);
    v.add(0, pad(v.g(), back));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({64, 28, 28})}, Options{{2, 2, 2, 2}, 0});
    s.add({s.normal({3})}, Options{{1, 2}, 0.5});
    s.add({s.normal({})}, Options{{}, 0.5});
    s.add({s.normal({2, 3})}, Options{{1, 0}, -1});
    s.add({s.normal({2, 3})}, Options{{1, 2, 3, 0}, 0});
    s.add({s.normal({2, 3, 2})}, Options{{0, 1, -1, 2}, 2});
    s.add({s.normal({4})}, Options{{-1, -2}, 0});
    s.add({s.normal({4})}, Options{{-5, 3}, 1.5});
    s.add({s.normal({4})}, Options{{3, -5}, 1.5});
    s.add({s.normal({2, 0})}, Options{{1, 1, 1, 1}, 7});
    s.add({s.normal({2, 3})}, Options{{-3, 0}, 1});
    s.add_error("two entries for each dimension, given 3", {s.normal({3})}, Options{{1, 2, 3}, 0});
    s.add_error("pad is for 2 dimensions, x has 1", {s.normal({3})}, Options{{1, 2, 3, 4}, 0});
    s.add_error("-2 and -2 cut more off dimension 0 than its size 3", {s.normal({3})}, Options{{-2, -2}, 0});
    s.add_error("overflow", {s.normal({3})}, Options{{INT64_MAX, 0}, 0});
  }
};

}  // namespace

std::span<const Op* const> padding() {
  static constexpr const Op* kOps[] = {&op<Pad>};
  return kOps;
}

}  // namespace ops

Tensor pad(const Arg& x, const Pads& pad, double value) {
  return apply(op<ops::Pad>, {x}, ops::Pad::Options{pad, value});
}

}  // namespace tapegrad
