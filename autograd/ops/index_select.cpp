#include <fmt/format.h>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/indexing.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Whole slices along a dim, named by an index.

namespace tapegrad {
namespace ops {
namespace {

// Adds operand `src` to the result where operand `index` says.
void add(Call& call, const Shape& x, int64_t dim, int index, int src) {
  const kernels::Slices s = slices(call, x, dim, index);
  if (s.outer * s.inner == 0) return check_all_inside(call, index, s.n);
  check_inside(call, index,
               kernels::add_slices(call.out().dtype, s, call.data<void>(src), call.data<int64_t>(index),
                                   call.out_data()),
               s.n);
}

struct IndexSelect {
  using Options = IndexOption;
  static constexpr std::string_view name = "index_select", doc = "the slices of x along dim that index lists";
  static constexpr std::string_view operands[] = {"x", "index"};
  static void shape(Call& call) {
    require_index(call, 1);
    call.output(call.dtype(0), sliced_shape(call, call.shape(0), call.options<Options>().dim, 1));
  }
  static void forward(Call& call) {
    const kernels::Slices s = slices(call, call.shape(0), call.options<Options>().dim, 1);
    if (s.outer * s.inner == 0) return check_all_inside(call, 1, s.n);
    check_inside(call, 1,
                 kernels::take(element_size(call.dtype(0)), s, call.data<void>(0), call.data<int64_t>(1),
                               call.out_data()),
                 s.n);
  }
  static Cost cost(const Call& call) {
    return {0, 2.0 * static_cast<double>(call.out().bytes()) + static_cast<double>(call.in(1).bytes())};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({10000, 64}), s.integers({8192}, 0, 10000)}, Options{0});
      s.add({s.normal({512, 1000}), s.integers({1000}, 0, 1000)}, Options{1});
      return;
    }
    s.add({s.normal({5}), tensor({0, 4, 4, 1})}, Options{0});
    s.add({s.normal({3, 4}), tensor({2, 0, 2})}, Options{0});
    s.add({s.normal({2, 3, 4}), tensor({1, 1})}, Options{-2});
    s.add({s.normal({2, 3, 2}), tensor({2, 0, 2, 1})}, Options{1});
    s.add({s.normal({2, 3, 5}), full({}, 2, int64)}, Options{1});
    s.add({s.normal({}), zeros({1}, int64)}, Options{0});
    s.add({s.normal({3, 4}), zeros({0}, int64)}, Options{1});
    s.add({s.normal({0, 4}), tensor({3, 3})}, Options{1});
    s.add_error("index 3 at position 1 is outside [0, 3)", {s.normal({3}), tensor({0, 3})}, Options{0});
    s.add_error("index -1 at position 0 is outside [0, 3)", {s.normal({3}), tensor({-1, 3})}, Options{0});
    s.add_error("index 4 at position 1 is outside [0, 4)", {s.normal({0, 4}), tensor({3, 4})}, Options{1});
    s.add_error("expected index to be int64", {s.normal({3}), s.normal({2})}, Options{0});
    s.add_error("at most one dimension", {s.normal({3}), s.integers({2, 2}, 0, 3)}, Options{0});
    s.add_error("dimension 1 is out of range", {s.normal({3}), tensor({0})}, Options{1});
    s.add_error("one entry to index a 0-d tensor", {s.normal({}), tensor({0, 0})}, Options{0});
  }
};

struct IndexSelectBackward {
  using Options = IndexBackwardOptions;
  static constexpr std::string_view
      name = "index_select_backward",
      doc = "zeros of a shape with the slices of g added where index says, in its order";
  static constexpr std::string_view operands[] = {"g", "index"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    require_index(call, 1);
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    const Shape expected = sliced_shape(call, o.shape, o.dim, 1);
    if (!(call.shape(0) == expected))
      call.shape_error(fmt::format("expected g [{}]", fmt::join(expected, ", ")));
    call.output(call.dtype(0), o.shape);
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    start_with_zeros(call);
    add(call, o.shape, o.dim, 1, 0);
  }
  static Cost cost(const Call& call) { return traffic(call); }
  static void vjp(Vjp& v) { v.add(0, index_select(v.g(), v.options<Options>().dim, v.input(1))); }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({8192, 64}), s.integers({8192}, 0, 10000)}, Options{0, {10000, 64}});
    }
    s.add({s.normal({4}), tensor({0, 4, 4, 1})}, Options{0, {5}});
    s.add({s.normal({2, 2, 4}), tensor({1, 1})}, Options{-2, {2, 3, 4}});
    s.add({s.normal({3, 0}), zeros({0}, int64)}, Options{1, {3, 4}});
    s.add({s.normal({}), zeros({1}, int64)}, Options{0, {}});
    s.add_error("outside [0, 3)", {s.normal({2}), tensor({0, 3})}, Options{0, {3}});
    s.add_error("expected g [2]", {s.normal({3}), tensor({0, 1})}, Options{0, {3}});
  }
};

void IndexSelect::vjp(Vjp& v) {
  v.add(0, apply(op<IndexSelectBackward>, {v.g(), v.input(1)},
                 IndexBackwardOptions{v.options<Options>().dim, v.shape(0)}));
}

struct IndexAdd {
  using Options = IndexOption;
  static constexpr std::string_view name = "index_add",
                                    doc = "x with the slices of src added where index says, in its order";
  static constexpr std::string_view operands[] = {"x", "index", "src"};
  static void shape(Call& call) {
    require_index(call, 1);
    call.require_same_dtype(0, 2);
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    const Shape expected = sliced_shape(call, call.shape(0), call.options<Options>().dim, 1);
    if (!(call.shape(2) == expected))
      call.shape_error(fmt::format("expected src [{}]", fmt::join(expected, ", ")));
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    start_with(call, 0);
    add(call, call.shape(0), call.options<Options>().dim, 1, 2);
  }
  static Cost cost(const Call& call) { return traffic(call); }
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    v.add(0, g);
    if (v.needs(2)) v.add(2, index_select(g, v.options<Options>().dim, v.input(1)));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({10000, 64}), s.integers({8192}, 0, 10000), s.normal({8192, 64})}, Options{0});
    }
    s.add({s.normal({5}), tensor({0, 4, 4}), s.normal({3})}, Options{0});
    s.add({s.normal({2, 3, 4}), tensor({2, 2}), s.normal({2, 2, 4})}, Options{1});
    s.add({s.normal({2, 3}), tensor({2, 2, 0}), s.normal({2, 3})}, Options{-1});
    s.add({s.normal({}), zeros({1}, int64), s.normal({})}, Options{0});
    s.add({s.normal({3, 2}), zeros({0}, int64), s.normal({0, 2})}, Options{0});
    s.add({s.normal({3, 0}), tensor({2, 1}), s.normal({2, 0})}, Options{0});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({-1}), s.normal({1})}, Options{0});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({0, 3}), s.normal({2})}, Options{0});
    s.add_error("expected src [2]", {s.normal({3}), tensor({0, 1}), s.normal({3})}, Options{0});
    s.add_error("expected index to be int64", {s.normal({3}), s.normal({1}), s.normal({1})}, Options{0});
  }
};

}  // namespace

std::span<const Op* const> slices_by_index() {
  static constexpr const Op* kOps[] = {&op<IndexSelect>, &op<IndexSelectBackward>, &op<IndexAdd>};
  return kOps;
}

}  // namespace ops

Tensor index_select(const Arg& x, int64_t dim, const Arg& index) {
  return apply(op<ops::IndexSelect>, {x, index}, ops::IndexOption{dim});
}
Tensor index_add(const Arg& x, int64_t dim, const Arg& index, const Arg& src) {
  return apply(op<ops::IndexAdd>, {x, index, src}, ops::IndexOption{dim});
}

}  // namespace tapegrad
