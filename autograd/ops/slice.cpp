#include <fmt/format.h>

#include <algorithm>

#include "autograd/kernels/copy.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/raise.h"
#include "autograd/samples.h"
#include "autograd/text.h"

// Parts of a tensor along one dim.

namespace tapegrad {
namespace ops {
namespace {

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
    if (span <= 0) return {0, 1, 0};
    const uint64_t magnitude = o.step > 0 ? static_cast<uint64_t>(o.step) : 0 - static_cast<uint64_t>(o.step);
    const auto count = static_cast<int64_t>(static_cast<uint64_t>(span - 1) / magnitude) + 1;
    return {start, count == 1 ? 1 : o.step, count};
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
    s.add({s.normal({4})}, Options{0, -99, 99, int64_t{1} << 40});
    s.add({s.normal({4})}, Options{0, 99, -99, -(int64_t{1} << 40)});
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
    const size_t element = element_size(call.dtype(0));
    const int64_t zero = 0;
    kernels::fill(element, call.out_data(), call.out().numel, &zero);
    const int64_t sizes[] = {a.outer, r.count, a.inner};
    const int64_t from[] = {r.count * a.inner, a.inner, 1};
    const int64_t to[] = {a.n * a.inner, r.step * a.inner, 1};
    kernels::copy_strided(element, sizes, call.data<void>(0), from,
                          call.out_data<char>() + r.start * a.inner * static_cast<int64_t>(element), to);
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

struct Split {
  struct Options {
    int64_t split_size = 1;
    int64_t dim = 0;
    static void fields(auto& self, auto&& f) {
      f("split_size", self.split_size);
      f("dim", self.dim);
    }
  };
  static constexpr std::string_view name = "split", doc =
                                                        "pieces of size split_size along dim, the last one "
                                                        "shorter; an output each, one for a dim of size 0";
  static constexpr std::string_view operands[] = {"x"};
  static constexpr int64_t kMostPieces = 65535;  // what a record can count
  static int64_t pieces(const Options& o, int64_t n) { return n <= 0 ? 1 : (n - 1) / o.split_size + 1; }
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    Shape x = call.shape(0);
    if (x.rank() == 0) call.shape_error("a 0-d tensor has nothing to split");
    const int dim = call.dim(o.dim, x.rank());
    const int64_t n = x[dim];
    if (o.split_size < 0 || (o.split_size == 0 && n > 0)) {
      call.argument_error(fmt::format("expected split_size > 0, given {}", o.split_size));
    }
    const int64_t count = pieces(o, n);
    if (count > kMostPieces) {
      call.argument_error(fmt::format("{} pieces, the limit is {}", count, kMostPieces));
    }
    for (int64_t k = 0; k < count; ++k) {
      x[dim] = std::min(o.split_size, n - k * o.split_size);
      call.output(call.dtype(0), x);
    }
  }
  static void forward(Call& call) {
    const Shape x = call.shape(0);
    const int dim = call.dim(call.options<Options>().dim, x.rank());
    const Along a = along(x, dim);
    const size_t element = element_size(call.dtype(0));
    const int64_t from[] = {a.n * a.inner, 1};
    int64_t at = 0;
    for (int k = 0; k < call.outputs(); ++k) {
      const int64_t part = call.out(k).dims()[dim] * a.inner;
      const int64_t sizes[] = {a.outer, part};
      kernels::copy_strided(element, call.data<char>(0) + static_cast<size_t>(at) * element, from, sizes,
                            call.out_data(k));
      at += part;
    }
  }
  static Cost cost(const Call& call) { return {0, 2.0 * static_cast<double>(call.in(0).bytes())}; }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Shape x = v.shape(0);
    std::vector<Tensor> g;
    for (int64_t k = 0; k < pieces(o, x[static_cast<int>(o.dim < 0 ? o.dim + x.rank() : o.dim)]); ++k) {
      g.push_back(v.g(static_cast<int>(k)));
    }
    v.add(0, cat(g, o.dim));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({1024, 1024})}, Options{256, 0});
      s.add({s.normal({1024, 1024})}, Options{256, 1});
      return;
    }
    s.add({s.normal({5})}, Options{2, 0});
    s.add({s.normal({4, 3})}, Options{2, 0});
    s.add({s.normal({2, 7, 2})}, Options{3, 1});
    s.add({s.normal({3, 4})}, Options{9, -1});
    s.add({s.normal({3, 0})}, Options{2, 1});
    s.add({s.normal({3, 0})}, Options{0, 1});
    s.add({s.normal({0, 3})}, Options{2, 1});
    s.add_error("expected split_size > 0, given 0", {s.normal({3})}, Options{0, 0});
    s.add_error("expected split_size > 0, given -2", {s.normal({3})}, Options{-2, 0});
    s.add_error("dimension 1 is out of range", {s.normal({3})}, Options{1, 1});
    s.add_error("nothing to split", {s.normal({})}, Options{1, 0});
    s.add_error("70000 pieces", {s.normal({70000})}, Options{1, 0});
  }
};

}  // namespace

std::span<const Op* const> parts() {
  static constexpr const Op* kOps[] = {&op<Slice>, &op<SliceBackward>, &op<Split>};
  return kOps;
}

}  // namespace ops

namespace {
Shape shape_of(const Arg& x) {
  if (x.kind() == Arg::Kind::cell) return CellRef::share(x.cell()).value().shape();
  return x.kind() == Arg::Kind::tensor ? x.body()->shape() : Shape();
}
}  // namespace

Tensor slice(const Arg& x, int64_t dim, std::optional<int64_t> start, std::optional<int64_t> end,
             int64_t step) {
  return apply(op<ops::Slice>, {x}, ops::Slice::Options{dim, start, end, step});
}
std::vector<Tensor> split(const Arg& x, int64_t split_size, int64_t dim) {
  return apply_all(op<ops::Split>, {x}, ops::Split::Options{split_size, dim});
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

}  // namespace tapegrad
