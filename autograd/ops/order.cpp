#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "autograd/kernels/copy.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// The dims in another order, and elements in another order along dims.

namespace tapegrad {
namespace ops {
namespace {

struct Permute {
  struct Options {
    Dims dims;
    static void fields(auto& self, auto&& f) { f("dims", self.dims); }
  };
  static constexpr std::string_view name = "permute", doc = "the dims in another order";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    const Dims& dims = call.options<Options>().dims;
    const Shape x = call.shape(0);
    if (dims.size() != x.rank()) {
      call.argument_error(fmt::format("expected {} dimensions in dims, given {}", x.rank(), dims.size()));
    }
    Dims result;
    bool seen[kMaxRank] = {};
    for (int64_t d : dims) {
      const int at = call.dim(d, x.rank());
      if (seen[at]) call.argument_error(fmt::format("dimension {} is listed twice", d));
      seen[at] = true;
      result.push_back(x[at]);
    }
    call.output(call.dtype(0), Shape(result));
  }
  static void forward(Call& call) {
    const Shape x = call.shape(0);
    const Dims natural = dense_strides(x);
    Dims strides;
    for (int64_t d : call.options<Options>().dims) strides.push_back(natural[call.dim(d, x.rank())]);
    const Shape y = call.out().shape();
    kernels::copy_strided(element_size(call.dtype(0)), call.data<void>(0), {strides.begin(), strides.end()},
                          {y.begin(), y.end()}, call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const Dims& dims = v.options<Options>().dims;
    Dims inverse = dims;
    for (int i = 0; i < dims.size(); ++i)
      inverse[static_cast<int>(dims[i] < 0 ? dims[i] + dims.size() : dims[i])] = i;
    v.add(0, permute(v.g(), inverse));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({1024, 1024})}, Options{{1, 0}});
      s.add({s.normal({64, 64, 256})}, Options{{1, 0, 2}});
      return;
    }
    s.add({s.normal({})}, Options{{}});
    s.add({s.normal({3})}, Options{{0}});
    s.add({s.normal({3, 4})}, Options{{1, 0}});
    s.add({s.normal({2, 3, 4})}, Options{{2, 0, 1}});
    s.add({s.normal({2, 3, 4})}, Options{{0, -1, 1}});
    s.add({s.normal({2, 0, 4})}, Options{{1, 2, 0}});
    s.add_error("listed twice", {s.normal({2, 3})}, Options{{1, 1}});
    s.add_error("out of range", {s.normal({2, 3})}, Options{{0, 2}});
    s.add_error("expected 2 dimensions", {s.normal({2, 3})}, Options{{0}});
  }
};

struct Transpose {
  struct Options {
    int64_t dim0 = 0;
    int64_t dim1 = 0;
    static void fields(auto& self, auto&& f) {
      f("dim0", self.dim0);
      f("dim1", self.dim1);
    }
  };
  static constexpr std::string_view name = "transpose", doc = "two dims exchanged";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    Shape y = call.shape(0);
    const int a = resolve_dim(call, o.dim0), b = resolve_dim(call, o.dim1);
    if (a == b) return call.alias(0, y);
    std::swap(y[a], y[b]);
    call.output(call.dtype(0), y);
  }
  static void forward(Call& call) {
    if (call.out().owner != nullptr) return;  // nothing exchanged: shared
    const auto& o = call.options<Options>();
    const Shape y = call.out().shape();
    Dims strides = dense_strides(call.shape(0));
    std::swap(strides[resolve_dim(call, o.dim0)], strides[resolve_dim(call, o.dim1)]);
    kernels::copy_strided(element_size(call.dtype(0)), call.data<void>(0), {strides.begin(), strides.end()},
                          {y.begin(), y.end()}, call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    v.add(0, transpose(v.g(), o.dim0, o.dim1));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({1024, 1024})}, Options{0, 1});
      s.add({s.normal({2048, 3000})}, Options{0, 1});
      return;
    }
    s.add({s.normal({})}, Options{0, -1});
    s.add({s.normal({3})}, Options{0, 0});
    s.add({s.normal({3, 4})}, Options{0, 1});
    s.add({s.normal({2, 3, 4})}, Options{-1, 0});
    s.add({s.normal({2, 3, 4})}, Options{1, -1});
    s.add({s.normal({2, 0, 4})}, Options{0, 1});
    s.add_error("dimension 2 is out of range", {s.normal({2, 3})}, Options{0, 2});
    s.add_error("dimension -3 is out of range", {s.normal({2, 3})}, Options{-3, 0});
  }
};

struct Flip {
  struct Options {
    Dims dims;
    static void fields(auto& self, auto&& f) { f("dims", self.dims); }
  };
  static constexpr std::string_view name = "flip", doc = "the elements in reverse order along each of dims";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    resolve_dims(call, call.options<Options>().dims, call.rank(0));
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    if (call.out().numel == 0) return;
    const Shape x = call.shape(0);
    Dims strides = dense_strides(x);
    int64_t start = 0;
    for (int64_t d : resolve_dims(call, call.options<Options>().dims, x.rank())) {
      const int at = static_cast<int>(d);
      start += (x[at] - 1) * strides[at];
      strides[at] = -strides[at];
    }
    const size_t element = element_size(call.dtype(0));
    kernels::copy_strided(element, call.data<char>(0) + static_cast<size_t>(start) * element,
                          {strides.begin(), strides.end()}, {x.begin(), x.end()}, call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) { v.add(0, flip(v.g(), v.options<Options>().dims)); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 1024})}, Options{{1}});
    s.add({s.normal({})}, Options{{}});
    s.add({s.normal({})}, Options{{-1}});
    s.add({s.normal({5})}, Options{{0}});
    s.add({s.normal({3, 4})}, Options{{}});
    s.add({s.normal({3, 4})}, Options{{-1}});
    s.add({s.normal({2, 3, 4})}, Options{{0, -1}});
    s.add({s.normal({2, 3, 4})}, Options{{1}});
    s.add({s.normal({2, 0, 4})}, Options{{0, 1}});
    s.add_error("listed twice", {s.normal({2, 3})}, Options{{1, -1}});
    s.add_error("dimension 2 is out of range", {s.normal({2, 3})}, Options{{2}});
  }
};

struct Roll {
  struct Options {
    Dims shifts;
    std::optional<Dims> dims;
    static void fields(auto& self, auto&& f) {
      f("shifts", self.shifts);
      f("dims", self.dims);
    }
  };
  static constexpr std::string_view
      name = "roll",
      doc = "element i goes to i + shift, around the end, along each of dims; dims absent: of x flattened";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    const int expected = o.dims ? o.dims->size() : 1;
    if (o.shifts.size() != expected) {
      call.argument_error(
          fmt::format("expected {} shifts, one for each of dims (one if dims are absent), given {}", expected,
                      o.shifts.size()));
    }
    if (o.dims) resolve_dims(call, o.dims, call.rank(0));
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    if (call.out().numel == 0) return;
    const Shape x = o.dims && call.rank(0) > 0 ? call.shape(0) : Shape{call.numel(0)};
    const Dims strides = dense_strides(x);
    Dims shift = x;  // of each dim, in [0, size)
    for (int d = 0; d < x.rank(); ++d) shift[d] = 0;
    for (int i = 0; i < o.shifts.size(); ++i) {
      const int d = o.dims && call.rank(0) > 0 ? call.dim((*o.dims)[i], x.rank()) : 0;
      shift[d] = (o.shifts[i] % x[d] + x[d]) % x[d];
    }
    // Each dim falls into the part that moves up and the part that comes around; the result is the product of
    // these.
    const size_t element = element_size(call.dtype(0));
    for (unsigned around = 0; around < 1u << x.rank(); ++around) {
      Dims sizes = x;
      int64_t from = 0, to = 0;
      for (int d = 0; d < x.rank(); ++d) {
        const int64_t up = x[d] - shift[d];
        const bool second = around >> d & 1;
        sizes[d] = second ? shift[d] : up;
        (second ? from : to) += (second ? up : shift[d]) * strides[d];
      }
      kernels::copy_strided(
          element, {sizes.begin(), sizes.end()}, call.data<char>(0) + static_cast<size_t>(from) * element,
          {strides.begin(), strides.end()}, call.out_data<char>() + static_cast<size_t>(to) * element,
          {strides.begin(), strides.end()});
    }
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Shape x = v.shape(0);
    Dims back = o.shifts;
    for (int i = 0; i < back.size(); ++i) {
      int64_t size = x.numel();
      if (o.dims && x.rank() > 0)
        size = x[static_cast<int>((*o.dims)[i] < 0 ? (*o.dims)[i] + x.rank() : (*o.dims)[i])];
      back[i] = -(back[i] % std::max<int64_t>(size, 1));
    }
    v.add(0, roll(v.g(), back, o.dims));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 1024})}, Options{{100, 100}, Dims{0, 1}});
    s.add({s.normal({})}, Options{{3}, {}});
    s.add({s.normal({})}, Options{{3}, Dims{0}});
    s.add({s.normal({5})}, Options{{2}, {}});
    s.add({s.normal({5})}, Options{{-7}, Dims{0}});
    s.add({s.normal({3, 4})}, Options{{5}, {}});
    s.add({s.normal({3, 4})}, Options{{1, -1}, Dims{0, 1}});
    s.add({s.normal({2, 3, 4})}, Options{{2}, Dims{-2}});
    s.add({s.normal({2, 3})}, Options{{3}, Dims{1}});
    s.add({s.normal({2, 3})}, Options{{}, Dims{}});
    s.add({s.normal({0, 3})}, Options{{1, 1}, Dims{0, 1}});
    s.add_error("expected 1 shifts", {s.normal({2, 3})}, Options{{1, 1}, {}});
    s.add_error("expected 2 shifts", {s.normal({2, 3})}, Options{{1}, Dims{0, 1}});
    s.add_error("listed twice", {s.normal({2, 3})}, Options{{1, 1}, Dims{1, -1}});
    s.add_error("dimension 2 is out of range", {s.normal({2, 3})}, Options{{1}, Dims{2}});
  }
};

}  // namespace

std::span<const Op* const> order() {
  static constexpr const Op* kOps[] = {&op<Permute>, &op<Transpose>, &op<Flip>, &op<Roll>};
  return kOps;
}

}  // namespace ops

Tensor permute(const Arg& x, const Dims& dims) {
  return apply(op<ops::Permute>, {x}, ops::Permute::Options{dims});
}
Tensor transpose(const Arg& x, int64_t dim0, int64_t dim1) {
  return apply(op<ops::Transpose>, {x}, ops::Transpose::Options{dim0, dim1});
}
Tensor flip(const Arg& x, const Dims& dims) { return apply(op<ops::Flip>, {x}, ops::Flip::Options{dims}); }
Tensor roll(const Arg& x, const Dims& shifts, std::optional<Dims> dims) {
  return apply(op<ops::Roll>, {x}, ops::Roll::Options{shifts, dims});
}

}  // namespace tapegrad
