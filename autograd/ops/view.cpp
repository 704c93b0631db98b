#include <fmt/format.h>

#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Ops whose result shares the memory of their operand.

namespace tapegrad {
namespace ops {
namespace {

// The gradient of each of them: g in the operand's shape.
struct View {
  static constexpr std::string_view operands[] = {"x"};
  static constexpr bool is_view = true;
  static Cost cost(const Call&) { return {}; }
  static void vjp(Vjp& v) { v.add(0, reshape(v.g(), v.shape(0))); }
};

struct Reshape : View {
  struct Options {
    Dims shape;
    static void fields(auto& self, auto&& f) { f("shape", self.shape); }
  };
  static constexpr std::string_view name = "reshape",
                                    doc = "the same elements in another shape; one size may be −1";
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
    call.alias(0, checked_shape(call, result));
  }
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

struct Squeeze : View {
  struct Options {
    std::optional<int64_t> dim;
    static void fields(auto& self, auto&& f) { f("dim", self.dim); }
  };
  static constexpr std::string_view name = "squeeze",
                                    doc = "x without dim if its size is 1; absent: without all such dims";
  static void shape(Call& call) {
    const auto& dim = call.options<Options>().dim;
    const Shape x = call.shape(0);
    const int only = dim ? resolve_dim(call, *dim) : -1;
    Dims y;
    for (int d = 0; d < x.rank(); ++d) {
      if (x[d] != 1 || (dim && d != only)) y.push_back(x[d]);
    }
    call.alias(0, Shape(y));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1, 1024, 1, 1024})}, Options{});
    s.add({s.normal({})}, Options{});
    s.add({s.normal({})}, Options{-1});
    s.add({s.normal({1, 3, 1})}, Options{});
    s.add({s.normal({1, 3, 1})}, Options{0});
    s.add({s.normal({1, 3, 1})}, Options{-1});
    s.add({s.normal({1, 3})}, Options{1});
    s.add({s.normal({1, 0})}, Options{});
    s.add_error("dimension 2 is out of range", {s.normal({1, 3})}, Options{2});
    s.add_error("dimension 1 is out of range", {s.normal({})}, Options{1});
  }
};

struct Unsqueeze : View {
  struct Options {
    int64_t dim = 0;
    static void fields(auto& self, auto&& f) { f("dim", self.dim); }
  };
  static constexpr std::string_view name = "unsqueeze",
                                    doc = "x with a dim of size 1 put in, which is dim in the result";
  static void shape(Call& call) {
    Dims y = call.shape(0);
    const int at = call.dim(call.options<Options>().dim, y.size() + 1);
    if (y.size() == kMaxRank) call.shape_error(fmt::format("the limit is {} dimensions", kMaxRank));
    y.insert(at, 1);
    call.alias(0, Shape(y));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 1024})}, Options{1});
    s.add({s.normal({})}, Options{0});
    s.add({s.normal({3})}, Options{-1});
    s.add({s.normal({2, 3})}, Options{1});
    s.add({s.normal({2, 3})}, Options{-3});
    s.add({s.normal({0, 3})}, Options{2});
    s.add_error("dimension 3 is out of range", {s.normal({2, 3})}, Options{3});
    s.add_error("dimension -4 is out of range", {s.normal({2, 3})}, Options{-4});
    s.add_error("the limit is 8 dimensions", {s.normal({1, 1, 1, 1, 1, 1, 1, 1})}, Options{0});
  }
};

struct Flatten : View {
  struct Options {
    int64_t start_dim = 0;
    int64_t end_dim = -1;
    static void fields(auto& self, auto&& f) {
      f("start_dim", self.start_dim);
      f("end_dim", self.end_dim);
    }
  };
  static constexpr std::string_view name = "flatten",
                                    doc = "the dims from start_dim to end_dim joined into one; 0-d gives [1]";
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    const Shape x = call.shape(0);
    const int start = resolve_dim(call, o.start_dim), end = resolve_dim(call, o.end_dim);
    if (start > end) {
      call.argument_error(fmt::format("start_dim {} comes after end_dim {}", o.start_dim, o.end_dim));
    }
    Dims y;
    int64_t joined = 1;
    for (int d = start; d <= end && d < x.rank(); ++d) joined *= x[d];
    for (int d = 0; d < start; ++d) y.push_back(x[d]);
    y.push_back(joined);
    for (int d = end + 1; d < x.rank(); ++d) y.push_back(x[d]);
    call.alias(0, Shape(y));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({16, 64, 1024})}, Options{1, -1});
    s.add({s.normal({})}, Options{});
    s.add({s.normal({3})}, Options{});
    s.add({s.normal({2, 3, 4})}, Options{});
    s.add({s.normal({2, 3, 4})}, Options{1, 2});
    s.add({s.normal({2, 3, 4})}, Options{-3, -2});
    s.add({s.normal({2, 3, 4})}, Options{1, 1});
    s.add({s.normal({2, 0, 4})}, Options{1, -1});
    s.add_error("start_dim 1 comes after end_dim 0", {s.normal({2, 3})}, Options{1, 0});
    s.add_error("dimension 2 is out of range", {s.normal({2, 3})}, Options{0, 2});
  }
};

}  // namespace

std::span<const Op* const> view() {
  static constexpr const Op* kOps[] = {&op<Reshape>, &op<Squeeze>, &op<Unsqueeze>, &op<Flatten>};
  return kOps;
}

}  // namespace ops

Tensor reshape(const Arg& x, const Dims& shape) {
  return apply(op<ops::Reshape>, {x}, ops::Reshape::Options{shape});
}
Tensor squeeze(const Arg& x, std::optional<int64_t> dim) {
  return apply(op<ops::Squeeze>, {x}, ops::Squeeze::Options{dim});
}
Tensor unsqueeze(const Arg& x, int64_t dim) {
  return apply(op<ops::Unsqueeze>, {x}, ops::Unsqueeze::Options{dim});
}
Tensor flatten(const Arg& x, int64_t start_dim, int64_t end_dim) {
  return apply(op<ops::Flatten>, {x}, ops::Flatten::Options{start_dim, end_dim});
}

}  // namespace tapegrad
