#include <fmt/format.h>

#include <cstring>

#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

struct DimOption {
  int64_t dim = 0;
  static void fields(auto& self, auto&& f) { f("dim", self.dim); }
};

void check_index(const Call& call, int i) {
  if (call.dtype(i) != DType::int64) {
    call.dtype_error(fmt::format("expected {} to be int64, given {}",
                                 call.op().operands[static_cast<size_t>(i)], name(call.dtype(i))));
  }
}

// Every entry of the index in [0, size): checked before anything is written.
void check_bounds(const Call& call, int i, int64_t size) {
  const auto* index = call.data<int64_t>(i);
  for (int64_t k = 0; k < call.numel(i); ++k) {
    if (index[k] < 0 || index[k] >= size) {
      call.index_error(fmt::format("index {} at position {} is outside [0, {})", index[k], k, size));
    }
  }
}

Cost copy_cost(const Call& call) { return {0, 2.0 * static_cast<double>(call.out().bytes())}; }

// Adds along dim are done per dtype, in order of the index, so that duplicates add up deterministically.
template <class Function>
void for_floating_or_int(DType dtype, Function&& f) {
  switch (dtype) {
    case DType::float32: return f(float{});
    case DType::float64: return f(double{});
    default: return f(int64_t{});
  }
}

struct IndexSelect {
  using Options = DimOption;
  static constexpr std::string_view name = "index_select", doc = "the slices of x along dim that index lists";
  static constexpr std::string_view operands[] = {"x", "index"};
  static void shape(Call& call) {
    check_index(call, 1);
    if (call.rank(1) > 1) call.shape_error("expected index of at most one dimension");
    Shape y = call.shape(0);
    const int dim = resolve_dim(call, call.options<Options>().dim);
    if (y.rank() > 0) y[dim] = call.numel(1);
    call.output(call.dtype(0), y);
  }
  static void forward(Call& call) {
    const Along a = along(call.shape(0), resolve_dim(call, call.options<Options>().dim));
    check_bounds(call, 1, a.n);
    const auto* index = call.data<int64_t>(1);
    const int64_t count = call.numel(1);
    const size_t row = static_cast<size_t>(a.inner) * element_size(call.dtype(0));
    char* to = call.out_data<char>();
    for (int64_t o = 0; o < a.outer; ++o) {
      for (int64_t k = 0; k < count; ++k, to += row) {
        std::memcpy(to, call.data<char>(0) + static_cast<size_t>(o * a.n + index[k]) * row, row);
      }
    }
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    v.add(0, index_add(zeros(v.shape(0), v.dtype(0)), v.options<Options>().dim, v.input(1), v.g()));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({10000, 64}), s.integers({8192}, 0, 10000)}, Options{0});
    s.add({s.normal({5}), tensor({0, 4, 4, 1})}, Options{0});
    s.add({s.normal({3, 4}), tensor({2, 0, 2})}, Options{0});
    s.add({s.normal({2, 3, 4}), tensor({1, 1})}, Options{-2});
    s.add({s.normal({3, 4}), zeros({0}, int64)}, Options{1});
    s.add({s.normal({0, 4}), tensor({3, 3})}, Options{1});
    s.add_error("index 3 at position 1 is outside [0, 3)", {s.normal({3}), tensor({0, 3})}, Options{0});
    s.add_error("expected index to be int64", {s.normal({3}), s.normal({2})}, Options{0});
    s.add_error("at most one dimension", {s.normal({3}), s.integers({2, 2}, 0, 3)}, Options{0});
  }
};

struct IndexAdd {
  using Options = DimOption;
  static constexpr std::string_view name = "index_add",
                                    doc =
                                        "x with the slices of src added where index says; duplicates add up";
  static constexpr std::string_view operands[] = {"x", "index", "src"};
  static void shape(Call& call) {
    check_index(call, 1);
    call.require_same_dtype(0, 2);
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    if (call.rank(1) > 1) call.shape_error("expected index of at most one dimension");
    const Shape x = call.shape(0);
    Shape expected = x;
    const int dim = resolve_dim(call, call.options<Options>().dim);
    if (x.rank() > 0) expected[dim] = call.numel(1);
    if (!(call.shape(2) == expected))
      call.shape_error(fmt::format("expected src [{}]", fmt::join(expected, ", ")));
    call.output(call.dtype(0), x);
  }
  static void forward(Call& call) {
    const Along a = along(call.shape(0), resolve_dim(call, call.options<Options>().dim));
    check_bounds(call, 1, a.n);
    if (call.out().bytes() > 0) std::memcpy(call.out_data(), call.data<void>(0), call.out().bytes());
    const auto* index = call.data<int64_t>(1);
    const int64_t count = call.numel(1);
    for_floating_or_int(call.dtype(0), [&](auto zero) {
      using E = decltype(zero);
      E* out = call.out_data<E>();
      const E* src = call.data<E>(2);
      for (int64_t o = 0; o < a.outer; ++o) {
        for (int64_t k = 0; k < count; ++k, src += a.inner) {
          E* to = out + (o * a.n + index[k]) * a.inner;
          for (int64_t i = 0; i < a.inner; ++i) to[i] += src[i];
        }
      }
    });
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
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
    s.add({s.normal({3, 2}), zeros({0}, int64), s.normal({0, 2})}, Options{0});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({-1}), s.normal({1})}, Options{0});
    s.add_error("expected src [2]", {s.normal({3}), tensor({0, 1}), s.normal({3})}, Options{0});
  }
};

// For gather and scatter_add: the offset in x of each entry of the index, walking the index in order.
template <class Visit>
void walk_index(const Call& call, const Shape& x, int dim, Visit&& visit) {
  const Shape index_shape = call.shape(1);
  const auto* index = call.data<int64_t>(1);
  int64_t strides[kMaxRank];
  int64_t stride = 1;
  for (int d = x.rank() - 1; d >= 0; --d) {
    strides[d] = stride;
    stride *= x[d];
  }
  int64_t at[kMaxRank] = {};
  int64_t offset = 0;  // without the contribution of dim
  const int64_t along = x.rank() > 0 ? strides[dim] : 1;
  for (int64_t k = 0; k < index_shape.numel(); ++k) {
    visit(k, offset + index[k] * along);
    for (int d = x.rank() - 1; d >= 0; --d) {
      if (d != dim) offset += strides[d];
      if (++at[d] < index_shape[d]) break;
      if (d != dim) offset -= strides[d] * index_shape[d];
      at[d] = 0;
    }
  }
}

void check_gather(const Call& call, int dim) {
  check_index(call, 1);
  const Shape x = call.shape(0);
  const Shape index = call.shape(1);
  if (index.rank() != x.rank()) call.shape_error("expected index of x's rank");
  for (int d = 0; d < x.rank(); ++d) {
    if (d != dim && index[d] > x[d]) {
      call.shape_error(
          fmt::format("index is larger than x along dimension {}: {} and {}", d, index[d], x[d]));
    }
  }
}

int64_t size_along(const Call& call, int dim) { return call.rank(0) == 0 ? 1 : call.in(0).dims()[dim]; }

struct Gather {
  using Options = DimOption;
  static constexpr std::string_view name = "gather", doc = "y[i][j] = x[i][index[i][j]] for dim 1, and so on";
  static constexpr std::string_view operands[] = {"x", "index"};
  static void shape(Call& call) {
    check_gather(call, resolve_dim(call, call.options<Options>().dim));
    call.output(call.dtype(0), call.shape(1));
  }
  static void forward(Call& call) {
    const int dim = resolve_dim(call, call.options<Options>().dim);
    check_bounds(call, 1, size_along(call, dim));
    auto copy = [&](auto zero) {
      using E = decltype(zero);
      const E* x = call.data<E>(0);
      E* y = call.out_data<E>();
      walk_index(call, call.shape(0), dim, [&](int64_t k, int64_t offset) { y[k] = x[offset]; });
    };
    switch (element_size(call.dtype(0))) {
      case 1: return copy(uint8_t{});
      case 4: return copy(uint32_t{});
      default: return copy(uint64_t{});
    }
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    v.add(0, scatter_add(zeros(v.shape(0), v.dtype(0)), v.options<Options>().dim, v.input(1), v.g()));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({512, 1000}), s.integers({512, 1000}, 0, 1000)}, Options{1});
    s.add({s.normal({}), zeros({}, int64)}, Options{0});
    s.add({s.normal({5}), tensor({4, 0, 4})}, Options{0});
    s.add({s.normal({3, 4}), s.integers({3, 6}, 0, 4)}, Options{1});
    s.add({s.normal({3, 4}), s.integers({2, 3}, 0, 3)}, Options{0});
    s.add({s.normal({2, 3, 4}), s.integers({2, 5, 4}, 0, 3)}, Options{-2});
    s.add({s.normal({3, 4}), zeros({3, 0}, int64)}, Options{1});
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({3})}, Options{0});
    s.add_error("x's rank", {s.normal({3, 2}), tensor({0})}, Options{0});
    s.add_error("larger than x", {s.normal({3, 2}), zeros({4, 2}, int64)}, Options{1});
  }
};

struct ScatterAdd {
  using Options = DimOption;
  static constexpr std::string_view name = "scatter_add",
                                    doc = "x with src added where index says; duplicates add up in order";
  static constexpr std::string_view operands[] = {"x", "index", "src"};
  static void shape(Call& call) {
    check_gather(call, resolve_dim(call, call.options<Options>().dim));
    call.require_same_dtype(0, 2);
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    if (!(call.shape(2) == call.shape(1))) call.shape_error("expected src of index's shape");
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    const int dim = resolve_dim(call, call.options<Options>().dim);
    check_bounds(call, 1, size_along(call, dim));
    if (call.out().bytes() > 0) std::memcpy(call.out_data(), call.data<void>(0), call.out().bytes());
    for_floating_or_int(call.dtype(0), [&](auto zero) {
      using E = decltype(zero);
      const E* src = call.data<E>(2);
      E* y = call.out_data<E>();
      walk_index(call, call.shape(0), dim, [&](int64_t k, int64_t offset) { y[offset] += src[k]; });
    });
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const Tensor& g = v.g();
    v.add(0, g);
    if (v.needs(2)) v.add(2, gather(g, v.options<Options>().dim, v.input(1)));
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
    s.add_error("outside [0, 3)", {s.normal({3}), tensor({5}), s.normal({1})}, Options{0});
    s.add_error("index's shape", {s.normal({3}), tensor({1}), s.normal({2})}, Options{0});
  }
};

}  // namespace

std::span<const Op* const> index() {
  static constexpr const Op* kOps[] = {&op<IndexSelect>, &op<IndexAdd>, &op<Gather>, &op<ScatterAdd>};
  return kOps;
}

}  // namespace ops

Tensor index_select(const Arg& x, int64_t dim, const Arg& index) {
  return apply(op<ops::IndexSelect>, {x, index}, ops::DimOption{dim});
}
Tensor index_add(const Arg& x, int64_t dim, const Arg& index, const Arg& src) {
  return apply(op<ops::IndexAdd>, {x, index, src}, ops::DimOption{dim});
}
Tensor gather(const Arg& x, int64_t dim, const Arg& index) {
  return apply(op<ops::Gather>, {x, index}, ops::DimOption{dim});
}
Tensor scatter_add(const Arg& x, int64_t dim, const Arg& index, const Arg& src) {
  return apply(op<ops::ScatterAdd>, {x, index, src}, ops::DimOption{dim});
}

}  // namespace tapegrad
