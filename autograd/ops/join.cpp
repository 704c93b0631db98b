#include <fmt/format.h>

#include <vector>

#include "autograd/kernels/copy.h"
#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/raise.h"
#include "autograd/samples.h"
#include "autograd/text.h"

// Several tensors as one.

namespace tapegrad {
namespace ops {
namespace {

struct DimOption {
  int64_t dim = 0;
  static void fields(auto& self, auto&& f) { f("dim", self.dim); }
};

constexpr int kMostOperands = 65535;  // what a record can count

void check_count(const Call& call) {
  if (call.inputs() > kMostOperands) {
    call.argument_error(fmt::format("{} tensors, the limit is {}", call.inputs(), kMostOperands));
  }
}

// The operands one beside the other: row o of the result is row o of the first, of the second, and so on.
void join(Call& call, int64_t outer) {
  if (call.out().numel == 0) return;
  const size_t element = element_size(call.dtype(0));
  const int64_t row = call.out().numel / outer;
  int64_t at = 0;
  for (int i = 0; i < call.inputs(); ++i) {
    const int64_t part = call.numel(i) / outer;
    const int64_t sizes[] = {outer, part}, from[] = {part, 1}, to[] = {row, 1};
    kernels::copy_strided(element, sizes, call.data<void>(i), from,
                          call.out_data<char>() + static_cast<size_t>(at) * element, to);
    at += part;
  }
}

struct Cat {
  using Options = DimOption;
  static constexpr std::string_view name = "cat", doc = "tensors one after the other along dim";
  static constexpr std::string_view operands[] = {"tensors"};
  static constexpr int min_inputs = 1, max_inputs = -1;
  static void shape(Call& call) {
    check_count(call);
    Dims y = call.shape(0);
    if (y.empty()) call.shape_error("0-d tensors have no dimension to join along; use stack");
    const int dim = call.dim(call.options<Options>().dim, y.size());
    for (int i = 1; i < call.inputs(); ++i) {
      call.require_same_dtype(0, i);
      const Shape x = call.shape(i);
      if (x.rank() != y.size()) call.shape_error(fmt::format("ranks differ: {} and {}", y.size(), x.rank()));
      for (int d = 0; d < y.size(); ++d) {
        if (d != dim && x[d] != y[d])
          call.shape_error(fmt::format("sizes differ along dimension {}: {} and {}", d, y[d], x[d]));
      }
      if (__builtin_add_overflow(y[dim], x[dim], &y[dim])) call.shape_error("element count: overflow");
    }
    call.output(call.dtype(0), checked_shape(call, y));
  }
  static void forward(Call& call) {
    const Shape y = call.out().shape();
    join(call, along(y, call.dim(call.options<Options>().dim, y.rank())).outer);
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
    if (s.benchmark()) {
      s.add({s.normal({1024, 512}), s.normal({1024, 512})}, Options{1});
      s.add({s.normal({1 << 20}), s.normal({1 << 20})}, Options{0});
      return;
    }
    s.add({s.normal({3})}, Options{0});
    s.add({s.normal({2, 3}), s.normal({4, 3})}, Options{0});
    s.add({s.normal({2, 3}), s.normal({2, 0}), s.normal({2, 1})}, Options{-1});
    s.add({s.normal({2, 1, 2}), s.normal({2, 2, 2})}, Options{1});
    s.add({s.normal({0, 3}), s.normal({0, 3})}, Options{0});
    s.add_error("sizes differ", {s.normal({2, 3}), s.normal({3, 2})}, Options{0});
    s.add_error("ranks differ", {s.normal({2, 3}), s.normal({3})}, Options{0});
    s.add_error("no dimension to join along", {s.normal({}), s.normal({})}, Options{0});
    s.add_error("dimension 1 is out of range", {s.normal({3}), s.normal({3})}, Options{1});
    s.add_error("overflow", {s.normal({int64_t{1} << 58, 0}), s.normal({int64_t{1} << 58, 0})}, Options{0});
    s.add_error("expected 1 operands, given 0", {}, Options{0});
  }
};

struct Stack {
  using Options = DimOption;
  static constexpr std::string_view name = "stack",
                                    doc = "tensors of one shape side by side along dim, which is new";
  static constexpr std::string_view operands[] = {"tensors"};
  static constexpr int min_inputs = 1, max_inputs = -1;
  static void shape(Call& call) {
    check_count(call);
    const Shape x = call.shape(0);
    const int dim = call.dim(call.options<Options>().dim, x.rank() + 1);
    for (int i = 1; i < call.inputs(); ++i) {
      call.require_same_dtype(0, i);
      if (!(call.shape(i) == x)) {
        call.shape_error(
            fmt::format("shapes differ: [{}] and [{}]", fmt::join(x, ", "), fmt::join(call.shape(i), ", ")));
      }
    }
    if (x.rank() == kMaxRank) call.shape_error(fmt::format("the limit is {} dimensions", kMaxRank));
    Dims y = x;
    y.insert(dim, call.inputs());
    call.output(call.dtype(0), checked_shape(call, y));
  }
  static void forward(Call& call) {
    const Shape y = call.out().shape();
    join(call, along(y, call.dim(call.options<Options>().dim, y.rank())).outer);
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v) {
    const int64_t dim = v.options<Options>().dim;
    for (int i = 0; i < v.inputs(); ++i) {
      if (v.needs(i)) v.add(i, reshape(slice(v.g(), dim, i, i + 1), v.shape(i)));
    }
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 512}), s.normal({1024, 512})}, Options{1});
    s.add({s.normal({2, 3}), s.normal({2, 3})}, Options{0});
    s.add({s.normal({}), s.normal({}), s.normal({})}, Options{0});
    s.add({s.normal({3})}, Options{0});
    s.add({s.normal({3}), s.normal({3})}, Options{-1});
    s.add({s.normal({2, 3}), s.normal({2, 3})}, Options{1});
    s.add({s.normal({2, 3}), s.normal({2, 3}), s.normal({2, 3})}, Options{-1});
    s.add({s.normal({0, 3}), s.normal({0, 3})}, Options{1});
    s.add_error("shapes differ: [2, 3] and [3]", {s.normal({2, 3}), s.normal({3})}, Options{0});
    s.add_error("dimension 3 is out of range", {s.normal({2, 3})}, Options{3});
    s.add_error("the limit is 8 dimensions", {s.normal({1, 1, 1, 1, 1, 1, 1, 1})}, Options{0});
    s.add_error("expected 1 operands, given 0", {}, Options{0});
  }
};

}  // namespace

std::span<const Op* const> join() {
  static constexpr const Op* kOps[] = {&op<Cat>, &op<Stack>};
  return kOps;
}

}  // namespace ops

namespace {

Tensor join(const Op& op, std::span<const Tensor> tensors, int64_t dim, const char* file, int line) {
  if (tensors.empty()) {
    raise<ShapeError>("[{}] expected at least one tensor, given none{}", op.name, location({file, line}));
  }
  std::vector<Arg> args;
  args.reserve(tensors.size());
  for (const Tensor& x : tensors) args.emplace_back(x, file, line);
  return apply(op, std::span<const Arg>(args), ops::DimOption{dim});
}

}  // namespace

Tensor cat(std::span<const Tensor> tensors, int64_t dim, const char* file, int line) {
  return join(op<ops::Cat>, tensors, dim, file, line);
}
Tensor stack(std::span<const Tensor> tensors, int64_t dim, const char* file, int line) {
  return join(op<ops::Stack>, tensors, dim, file, line);
}

}  // namespace tapegrad
