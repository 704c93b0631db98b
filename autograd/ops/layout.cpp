#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "autograd/kernels/copy.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/raise.h"
#include "autograd/samples.h"
#include "autograd/text.h"

namespace tapegrad {
namespace ops {
namespace {

Cost copy_cost(const Call& call) { return {0, 2.0 * static_cast<double>(call.out().bytes())}; }

struct Reshape {
  struct Options {
    Dims shape;
    static void fields(auto& self, auto&& f) { f("shape", self.shape); }
  };
  static constexpr std::string_view name = "reshape",
                                    doc = "the same elements in another shape; one size may be −1";
  static constexpr std::string_view operands[] = {"x"};
  static constexpr bool is_view = true;
  static void shape(Call& call) {
    const Dims& wanted = call.options<Options>().shape;
    const int64_t numel = call.numel(0);
    Dims result = wanted;
    int open = -1;
    int64_t known = 1;
    for (int d = 0; d < wanted.size(); ++d) {
      if (wanted[d] == -1) {
        if (open >= 0) call.shape_error("ambiguous: two sizes of −1");
        open = d;
      } else if (wanted[d] < 0) {
        call.shape_error(fmt::format("negative size {}", wanted[d]));
      } else if (__builtin_mul_overflow(known, wanted[d], &known)) {
        call.shape_error("element count: overflow");
      }
    }
    if (open >= 0) {
      if (known == 0) call.shape_error("ambiguous: −1 beside a size of 0");
      if (numel % known == 0) result[open] = numel / known;
    }
    if ((open < 0 && known != numel) || (open >= 0 && numel % known != 0)) {
      call.shape_error(fmt::format("{} elements do not fit [{}]", numel, fmt::join(wanted, ", ")));
    }
    call.alias(0, Shape(result));
  }
  static Cost cost(const Call&) { return {}; }
  static void vjp(Vjp& v) { v.add(0, reshape(v.g(), v.shape(0))); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 1024})}, Options{{-1}});
    s.add({s.normal({})}, Options{{1, 1}});
    s.add({s.normal({1})}, Options{{}});
    s.add({s.normal({2, 6})}, Options{{3, -1}});
    s.add({s.normal({0, 3})}, Options{{3, 0}});
    s.add_error("6 elements do not fit [4]", {s.normal({6})}, Options{{4}});
    s.add_error("ambiguous", {s.normal({6})}, Options{{-1, -1}});
    s.add_error("ambiguous", {s.normal({0})}, Options{{-1, 0}});
    s.add_error("negative size", {s.normal({6})}, Options{{-2, 3}});
  }
};

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
    const Dims natural = broadcast_strides_of(x);
    Dims strides;
    for (int64_t d : call.options<Options>().dims) strides.push_back(natural[call.dim(d, x.rank())]);
    const Shape y = call.out().shape();
    kernels::copy_strided(element_size(call.dtype(0)), call.data<void>(0), {strides.begin(), strides.end()},
                          {y.begin(), y.end()}, call.out_data());
  }
  // Row-major strides, also along dims of size 1.
  static Dims broadcast_strides_of(const Shape& x) {
    Dims strides = x;
    int64_t stride = 1;
    for (int d = x.rank() - 1; d >= 0; --d) {
      strides[d] = stride;
      stride *= x[d];
    }
    return strides;
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

struct Expand {
  struct Options {
    Shape shape;
    static void fields(auto& self, auto&& f) { f("shape", self.shape); }
  };
  static constexpr std::string_view name = "expand", doc = "x repeated to the shape it broadcasts to";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    const Shape& wanted = call.options<Options>().shape;
    const Shape x = call.shape(0);
    Shape joined;
    int axis = 0;
    if (!broadcast(x, wanted, joined, axis) || !(joined == wanted)) {
      call.shape_error(fmt::format("x does not broadcast to [{}]", fmt::join(wanted, ", ")));
    }
    if (x == wanted) return call.alias(0, x);
    call.output(call.dtype(0), wanted);
  }
  static void forward(Call& call) {
    if (call.out().owner != nullptr) return;  // the same shape: shared, nothing to copy
    const Shape y = call.out().shape();
    const Dims strides = broadcast_strides(call.shape(0), y);
    kernels::copy_strided(element_size(call.dtype(0)), call.data<void>(0), {strides.begin(), strides.end()},
                          {y.begin(), y.end()}, call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) { v.add(0, sum_to_size(v.g(), v.shape(0))); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1, 1024})}, Options{{1024, 1024}});
    s.add({s.normal({})}, Options{{2, 3}});
    s.add({s.normal({3})}, Options{{3}});
    s.add({s.normal({3, 1})}, Options{{2, 3, 4}});
    s.add({s.normal({1, 3})}, Options{{0, 3}});
    s.add_error("does not broadcast", {s.normal({3})}, Options{{2}});
  }
};

// A range of one dim by Python's rule: positions start, start + step, … `count` of them.
struct Range {
  int64_t start, step, count;
};

struct Slice {
  struct Options {
    int64_t dim = 0;
    std::optional<int64_t> start, end;
    int64_t step = 1;
    static void fields(auto& self, auto&& f) {
      f("dim", self.dim);
      f("start", self.start);
      f("end", self.end);
      f("step", self.step);
    }
  };
  static constexpr std::string_view name = "slice", doc = "x[start:end:step] along dim, by Python's rule";
  static constexpr std::string_view operands[] = {"x"};
  static Range range(const Options& o, int64_t size) {
    const int64_t low = o.step > 0 ? 0 : -1;
    const int64_t high = o.step > 0 ? size : size - 1;
    auto clip = [&](std::optional<int64_t> at, int64_t otherwise) {
      if (!at) return otherwise;
      return std::clamp(*at < 0 ? *at + size : *at, low, high);
    };
    const int64_t start = clip(o.start, o.step > 0 ? low : high);
    const int64_t end = clip(o.end, o.step > 0 ? high : low);
    const int64_t span = o.step > 0 ? end - start : start - end;
    const int64_t magnitude = o.step > 0 ? o.step : -o.step;
    return {start, o.step, span <= 0 ? 0 : (span - 1) / magnitude + 1};
  }
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    if (call.rank(0) == 0) call.shape_error("a 0-d tensor has nothing to slice");
    const int dim = call.dim(o.dim, call.rank(0));
    if (o.step == 0) call.argument_error("step must not be 0");
    Shape y = call.shape(0);
    y[dim] = range(o, y[dim]).count;
    call.output(call.dtype(0), y);
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    const Shape x = call.shape(0);
    const int dim = call.dim(o.dim, x.rank());
    const Range r = range(o, x[dim]);
    const Along a = along(x, dim);
    const int64_t strides[] = {a.n * a.inner, r.step * a.inner, 1};
    const int64_t sizes[] = {a.outer, r.count, a.inner};
    const size_t size = element_size(call.dtype(0));
    kernels::copy_strided(size, call.data<char>(0) + r.start * a.inner * static_cast<int64_t>(size), strides,
                          sizes, call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 1024})}, Options{1, 256, 768, 1});
    s.add({s.normal({5})}, Options{0, 1, 4, 1});
    s.add({s.normal({5})}, Options{0, {}, {}, -1});
    s.add({s.normal({5})}, Options{0, -1, 0, -2});
    s.add({s.normal({2, 7, 3})}, Options{1, 1, {}, 3});
    s.add({s.normal({2, 7})}, Options{-1, 5, 2, 1});
    s.add({s.normal({0, 2})}, Options{0, 0, 9, 1});
    s.add_error("step must not be 0", {s.normal({3})}, Options{0, {}, {}, 0});
    s.add_error("out of range", {s.normal({3})}, Options{1, {}, {}, 1});
  }
};

// Zeros of a shape with g written over the slice: what slice's gradient is.
struct SliceBackward {
  struct Options {
    Slice::Options slice;
    Shape shape;
    static void fields(auto& self, auto&& f) {
      Slice::Options::fields(self.slice, f);
      f("shape", self.shape);
    }
  };
  static constexpr std::string_view name = "slice_backward", doc = "zeros of a shape with g over the slice";
  static constexpr std::string_view operands[] = {"g"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    Shape expected = o.shape;
    const int dim = call.dim(o.slice.dim, o.shape.rank());
    expected[dim] = Slice::range(o.slice, o.shape[dim]).count;
    if (!(expected == call.shape(0)))
      call.shape_error(fmt::format("expected g [{}]", fmt::join(expected, ", ")));
    call.output(call.dtype(0), o.shape);
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    const int dim = call.dim(o.slice.dim, o.shape.rank());
    const Range r = Slice::range(o.slice, o.shape[dim]);
    const Along a = along(o.shape, dim);
    const size_t row = static_cast<size_t>(a.inner) * element_size(call.dtype(0));
    std::memset(call.out_data(), 0, call.out().bytes());
    const char* from = call.data<char>(0);
    for (int64_t i = 0; i < a.outer; ++i) {
      for (int64_t j = 0; j < r.count; ++j, from += row) {
        std::memcpy(call.out_data<char>() + static_cast<size_t>(i * a.n + r.start + j * r.step) * row, from,
                    row);
      }
    }
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>().slice;
    v.add(0, slice(v.g(), o.dim, o.start, o.end, o.step));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 512})}, Options{{1, 256, 768, 1}, {1024, 1024}});
    s.add({s.normal({3})}, Options{{0, 1, 4, 1}, {5}});
    s.add({s.normal({2, 2, 3})}, Options{{1, 1, {}, 3}, {2, 7, 3}});
    s.add({s.normal({0})}, Options{{0, 3, 1, 1}, {5}});
    s.add_error("expected g [3]", {s.normal({4})}, Options{{0, 1, 4, 1}, {5}});
  }
};

void Slice::vjp(Vjp& v) {
  v.add(0, apply(op<SliceBackward>, {v.g()}, SliceBackward::Options{v.options<Options>(), v.shape(0)}));
}

struct Cat {
  struct Options {
    int64_t dim = 0;
    static void fields(auto& self, auto&& f) { f("dim", self.dim); }
  };
  static constexpr std::string_view name = "cat", doc = "tensors one after the other along dim";
  static constexpr std::string_view operands[] = {"tensors"};
  static constexpr int min_inputs = 1, max_inputs = -1;
  static void shape(Call& call) {
    Shape y = call.shape(0);
    if (y.rank() == 0) call.shape_error("0-d tensors have no dimension to join along");
    const int dim = call.dim(call.options<Options>().dim, y.rank());
    for (int i = 1; i < call.inputs(); ++i) {
      call.require_same_dtype(0, i);
      const Shape x = call.shape(i);
      if (x.rank() != y.rank()) call.shape_error(fmt::format("ranks differ: {} and {}", y.rank(), x.rank()));
      for (int d = 0; d < y.rank(); ++d) {
        if (d != dim && x[d] != y[d])
          call.shape_error(fmt::format("sizes differ along dimension {}: {} and {}", d, y[d], x[d]));
      }
      y[dim] += x[dim];
    }
    call.output(call.dtype(0), y);
  }
  static void forward(Call& call) {
    const Shape y = call.out().shape();
    const int dim = call.dim(call.options<Options>().dim, y.rank());
    const size_t size = element_size(call.dtype(0));
    const Along whole = along(y, dim);
    const size_t row = static_cast<size_t>(whole.n * whole.inner) * size;
    size_t offset = 0;
    for (int i = 0; i < call.inputs(); ++i) {
      const Along a = along(call.shape(i), dim);
      const size_t part = static_cast<size_t>(a.n * a.inner) * size;
      for (int64_t o = 0; o < a.outer && part > 0; ++o) {
        std::memcpy(call.out_data<char>() + static_cast<size_t>(o) * row + offset,
                    call.data<char>(i) + static_cast<size_t>(o) * part, part);
      }
      offset += part;
    }
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const int64_t option = v.options<Options>().dim;
    const Tensor& g = v.g();
    const int64_t dim = option < 0 ? option + g.rank() : option;
    int64_t at = 0;
    for (int i = 0; i < v.inputs(); ++i) {
      const int64_t size = v.shape(i)[static_cast<int>(dim)];
      if (v.needs(i)) v.add(i, slice(g, dim, at, at + size));
      at += size;
    }
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 512}), s.normal({1024, 512})}, Options{1});
    s.add({s.normal({3})}, Options{0});
    s.add({s.normal({2, 3}), s.normal({4, 3})}, Options{0});
    s.add({s.normal({2, 3}), s.normal({2, 0}), s.normal({2, 1})}, Options{-1});
    s.add_error("sizes differ", {s.normal({2, 3}), s.normal({3, 2})}, Options{0});
    s.add_error("ranks differ", {s.normal({2, 3}), s.normal({3})}, Options{0});
    s.add_error("expected 1 operands, given 0", {}, Options{0});
  }
};

}  // namespace

std::span<const Op* const> layout() {
  static constexpr const Op* kOps[] = {&op<Reshape>, &op<Permute>,       &op<Expand>,
                                       &op<Slice>,   &op<SliceBackward>, &op<Cat>};
  return kOps;
}

}  // namespace ops

namespace {
Shape shape_of(const Arg& x) {
  if (x.kind() == Arg::Kind::cell) return CellRef::share(x.cell()).value().shape();
  return x.kind() == Arg::Kind::tensor ? x.body()->shape() : Shape();
}
}  // namespace

Tensor reshape(const Arg& x, const Dims& shape) {
  return apply(op<ops::Reshape>, {x}, ops::Reshape::Options{shape});
}
Tensor permute(const Arg& x, const Dims& dims) {
  return apply(op<ops::Permute>, {x}, ops::Permute::Options{dims});
}
Tensor expand(const Arg& x, const Shape& shape) {
  return apply(op<ops::Expand>, {x}, ops::Expand::Options{shape});
}
Tensor slice(const Arg& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
  return apply(op<ops::Slice>, {x}, ops::Slice::Options{dim, start, end, step});
}
Tensor transpose(const Arg& x, int64_t dim0, int64_t dim1) {
  const int rank = shape_of(x).rank();
  Dims dims;
  for (int d = 0; d < rank; ++d) dims.push_back(d);
  auto at = [&](int64_t dim) {
    if (dim < -rank || dim >= rank)
      raise<IndexError>("[transpose] dimension {} is out of range for rank {}{}", dim, rank,
                        location(x.where()));
    return static_cast<int>(dim < 0 ? dim + rank : dim);
  };
  std::swap(dims[at(dim0)], dims[at(dim1)]);
  return permute(x, dims);
}
Tensor select(const Arg& x, int64_t dim, int64_t index) {
  const Shape shape = shape_of(x);
  const int rank = shape.rank();
  if (dim < -rank || dim >= rank) {
    raise<IndexError>("[select] dimension {} is out of range for rank {}{}", dim, rank, location(x.where()));
  }
  const int at = static_cast<int>(dim < 0 ? dim + rank : dim);
  if (index < -shape[at] || index >= shape[at]) {
    raise<IndexError>("[select] index {} is out of range for size {}{}", index, shape[at],
                      location(x.where()));
  }
  const int64_t start = index < 0 ? index + shape[at] : index;
  Dims rest = shape;
  rest.erase(at);
  CallSite site(x);
  return reshape(slice(x, at, start, start + 1), rest);
}
Tensor Tensor::operator[](Index i) const { return select(Arg(*this, i.file, i.line), 0, i.value); }
Tensor cat(std::span<const Tensor> tensors, int64_t dim, const char* file, int line) {
  std::vector<Arg> args;
  args.reserve(tensors.size());
  for (const Tensor& x : tensors) args.emplace_back(x, file, line);
  return apply(op<ops::Cat>, std::span<const Arg>(args), ops::Cat::Options{dim});
}

}  // namespace tapegrad
