#include <fmt/format.h>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/indexing.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Single elements, named by an index of x's rank.

namespace tapegrad {
namespace ops {
namespace {

struct Gather {
  using Options = IndexOption;
  static constexpr std::string_view name = "gather", doc = "y[i][j] = x[i][index[i][j]] for dim 1, and so on";
  static constexpr std::string_view operands[] = {"x", "index"};
  static void shape(Call& call) {
    require_index(call, 1);
    check_elements(call, call.shape(0), call.options<Options>().dim, 1);
    call.output(call.dtype(0), call.shape(1));
  }
  static void forward(Call& call) {
    const kernels::Elements e = elements(call, call.shape(0), call.options<Options>().dim, 1, call.shape(1));
    check_inside(call, 1,
                 kernels::gather(element_size(call.dtype(0)), e, call.data<void>(0), call.data<int64_t>(1),
                                 call.out_data()),
                 e.n);
  }
  static Cost cost(const Call& call) {
    return {0, 2.0 * static_cast<double>(call.out().bytes()) + static_cast<double>(call.in(1).bytes())};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({512, 1000}), s.integers({512, 1000}, 0, 1000)}, Options{1});
      s.add({s.normal({512, 1000}), s.integers({512, 1000}, 0, 512)}, Options{0});
      return;
    }
    s.add({s.normal({}), zeros({}, int64)}, Options{0});
    s.add({s.normal({5}), tensor({4, 0, 4})}, Options{0});
    s.add({s.normal({3, 4}), s.integers({3, 6}, 0, 4)}, Options{1});
    s.add({s.normal({3, 4}), s.integers({2, 3}, 0, 3)}, Options{0});
    s.add({s.normal({2, 3, 4}), s.integers({2, 5, 4}, 0, 3)}, Options{-2});
    s.add({s.normal({3, 2, 4}), s.integers({5, 1, 3}, 0, 3)}, Options{0});
    s.add({s.normal({3, 4}), zeros({3, 0}, int64)}, Options{1});
    s.add({s.normal({3, 4}), zeros({0, 2}, int64)}, Options{1});
    s.add_error("index 3 at position 0 is outside [0, 3)", {s.normal({3}), tensor({3})}, Options{0});
    s.add_error("index -1 at position 1 is outside [0, 3)", {s.normal({3}), tensor({0, -1})}, Options{0});
    s.add_error("x's rank 2, given 1", {s.normal({3, 2}), tensor({0})}, Options{0});
    s.add_error("larger than x along dimension 0: 4 and 3", {s.normal({3, 2}), zeros({4, 2}, int64)},
                Options{1});
    s.add_error("expected index to be int64", {s.normal({3}), s.normal({3})}, Options{0});
    s.add_error("dimension 1 is out of range", {s.normal({3}), tensor({0})}, Options{1});
  }
};

// Adds operand `src` to the result where operand `index` says.
void add(Call& call, const Shape& x, int64_t dim, int index, int src) {
  const kernels::Elements e = elements(call, x, dim, index, call.shape(src));
  check_inside(call, index,
               kernels::scatter_add(call.out().dtype, e, call.data<void>(src), call.data<int64_t>(index),
                                    call.out_data()),
               e.n);
}

struct GatherBackward {
  using Options = IndexBackwardOptions;
  static constexpr std::string_view name = "gather_backward",
                                    doc = "zeros of a shape with g added where index says, in its order";
  static constexpr std::string_view operands[] = {"g", "index"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    require_index(call, 1);
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    check_elements(call, o.shape, o.dim, 1);
    if (!(call.shape(0) == call.shape(1))) call.shape_error("expected g of index's shape");
    call.output(call.dtype(0), o.shape);
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    start_with_zeros(call);
    add(call, o.shape, o.dim, 1, 0);
  }
  static Cost cost(const Call& call) { return traffic(call); }
  static void vjp(Vjp& v) { v.add(0, gather(v.g(), v.options<Options>().dim, v.input(1))); }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({512, 1000}), s.integers({512, 1000}, 0, 1000)}, Options{1, {512, 1000}});
    }
    s.add({s.normal({}), zeros({}, int64)}, Options{0, {}});
    s.add({s.normal({3, 6}), s.integers({3, 6}, 0, 4)}, Options{1, {3, 4}});
    s.add({s.normal({1, 5, 3}), s.integers({1, 5, 3}, 0, 3)}, Options{-2, {2, 3, 4}});
    s.add({s.normal({3, 0}), zeros({3, 0}, int64)}, Options{1, {3, 4}});
    s.add_error("outside [0, 3)", {s.normal({1}), tensor({3})}, Options{0, {3}});
    s.add_error("index's shape", {s.normal({2}), tensor({1})}, Options{0, {3}});
  }
};

void Gather::vjp(Vjp& v) {
  v.add(0, apply(op<GatherBackward>, {v.g(), v.input(1)},
                 IndexBackwardOptions{v.options<Options>().dim, v.shape(0)}));
}

// The shape rule of x, index, src.
void scatter_shape(Call& call) {
  require_index(call, 1);
  check_elements(call, call.shape(0), call.options<IndexOption>().dim, 1);
  call.require_same_dtype(0, 2);
  const Shape index = call.shape(1), src = call.shape(2);
  bool covered = src.rank() == index.rank();
  for (int d = 0; covered && d < src.rank(); ++d) covered &= index[d] <= src[d];
  if (!covered) call.shape_error("expected src of index's rank, nowhere smaller than index");
  call.output(call.dtype(0), call.shape(0));
}

// g of the covered part as the gradient of all of src: 0 outside.
Tensor uncovered(const Tensor& g, const Shape& src) {
  Pads behind;
  for (int d = src.rank() - 1; d >= 0; --d) {
    behind.push_back(0);
    behind.push_back(src[d] - g.size(d));
  }
  return g.shape() == src ? g : pad(g, behind);
}

struct ScatterAdd {
  using Options = IndexOption;
  static constexpr std::string_view name = "scatter_add",
                                    doc =
                                        "x with src added where index says, in its order; src may be larger "
                                        "than index, which reads its start";
  static constexpr std::string_view operands[] = {"x", "index", "src"};
  static void shape(Call& call) {
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    scatter_shape(call);
  }
  static void forward(Call& call) {
    start_with(call, 0);
    add(call, call.shape(0), call.options<Options>().dim, 1, 2);
  }
  static Cost cost(const Call& call) { return traffic(call); }
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    v.add(0, g);
    if (v.needs(2)) v.add(2, uncovered(gather(g, v.options<Options>().dim, v.input(1)), v.shape(2)));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({512, 1000}), s.integers({512, 1000}, 0, 1000), s.normal({512, 1000})},
                   Options{1});
    }
    s.add({s.normal({}), zeros({}, int64), s.normal({})}, Options{0});
    s.add({s.normal({5}), tensor({4, 0, 4}), s.normal({3})}, Options{0});
    s.add({s.normal({3, 4}), s.integers({3, 6}, 0, 4), s.normal({3, 6})}, Options{1});
    s.add({s.normal({2, 3, 4}), s.integers({1, 5, 3}, 0, 3), s.normal({1, 5, 3})}, Options{1});
    s.add({s.normal({3, 4}), s.integers({2, 2}, 0, 4), s.normal({3, 4})}, Options{1});
    s.add({s.normal({3, 4}), zeros({0, 2}, int64), s.normal({3, 4})}, Options{0});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({5}), s.normal({1})}, Options{0});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({-1}), s.normal({1})}, Options{0});
    s.add_error("nowhere smaller than index", {s.normal({3}), tensor({1, 2}), s.normal({1})}, Options{0});
    s.add_error("expected index to be int64", {s.normal({3}), s.normal({3}), s.normal({3})}, Options{0});
  }
};

struct Scatter {
  using Options = IndexOption;
  static constexpr std::string_view name = "scatter",
                                    doc =
                                        "x with src written where index says; where several are written to "
                                        "one element the last in the order "
                                        "of the index stays and has the gradient";
  static constexpr std::string_view operands[] = {"x", "index", "src"};
  static void shape(Call& call) { scatter_shape(call); }
  static void forward(Call& call) {
    const kernels::Elements e = elements(call, call.shape(0), call.options<Options>().dim, 1, call.shape(2));
    start_with(call, 0);
    check_inside(call, 1,
                 kernels::scatter(element_size(call.dtype(0)), e, call.data<void>(2), call.data<int64_t>(1),
                                  call.out_data()),
                 e.n);
  }
  static Cost cost(const Call& call) { return traffic(call); }
  static void vjp(Vjp& v) {
    const int64_t dim = v.options<Options>().dim;
    const Tensor& g = v.g();
    const Tensor index = v.input_tensor(1);
    if (v.needs(0)) v.add(0, scatter(g, dim, index, zeros(index.shape(), g.dtype())));
    if (!v.needs(2)) return;
    // The places of the index written as the elements are: an entry that finds its own place has won.
    const Tensor place = reshape(arange(0, index.numel()), index.shape());
    const Tensor last = gather(scatter(zeros(g.shape(), int64), dim, index, place), dim, index);
    v.add(2, uncovered(where(eq(last, place), gather(g, dim, index), 0.0), v.shape(2)));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.normal({512, 1000}), s.integers({512, 1000}, 0, 1000), s.normal({512, 1000})},
                   Options{1});
    }
    s.add({s.normal({3, 4}), s.integers({3, 4}, 0, 4), s.normal({3, 4})}, Options{1});
    s.add({s.normal({}), zeros({}, int64), s.normal({})}, Options{0});
    s.add({s.normal({5}), tensor({4, 0, 4}), s.normal({3})}, Options{0});
    s.add({s.normal({2, 3, 4}), s.integers({1, 5, 3}, 0, 3), s.normal({2, 5, 3})}, Options{-2});
    s.add({s.normal({3, 4}), zeros({0, 2}, int64), s.normal({3, 4})}, Options{0});
    s.add_error("index 5 at position 0 is outside [0, 3)", {s.normal({3}), tensor({5}), s.normal({1})},
                Options{0});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({-1}), s.normal({1})}, Options{0});
    s.add_error("nowhere smaller than index", {s.normal({3}), tensor({1, 2}), s.normal({1})}, Options{0});
    s.add_error("x's rank 1, given 2", {s.normal({3}), zeros({1, 1}, int64), s.normal({1, 1})}, Options{0});
  }
};

}  // namespace

std::span<const Op* const> elements_by_index() {
  static constexpr const Op* kOps[] = {&op<Gather>, &op<GatherBackward>, &op<ScatterAdd>, &op<Scatter>};
  return kOps;
}

}  // namespace ops

Tensor gather(const Arg& x, int64_t dim, const Arg& index) {
  return apply(op<ops::Gather>, {x, index}, ops::IndexOption{dim});
}
Tensor scatter_add(const Arg& x, int64_t dim, const Arg& index, const Arg& src) {
  return apply(op<ops::ScatterAdd>, {x, index, src}, ops::IndexOption{dim});
}
Tensor scatter(const Arg& x, int64_t dim, const Arg& index, const Arg& src) {
  return apply(op<ops::Scatter>, {x, index, src}, ops::IndexOption{dim});
}

}  // namespace tapegrad
