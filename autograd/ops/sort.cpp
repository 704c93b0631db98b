#include "autograd/kernels/sort.h"

#include <cmath>

#include "autograd/ops.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"
#include "autograd/storage.h"

namespace tapegrad {
namespace ops {
namespace {

struct SortOptions {
  int64_t dim = -1;
  bool descending = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("descending", self.descending);
  }
};

// Memory of the pool for the time of one call.
struct Scratch {
  explicit Scratch(size_t size) : bytes(size), memory(detail::pool_allocate(size)) {}
  ~Scratch() { detail::pool_free(memory, bytes); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  size_t bytes;
  void* memory;
};

struct Sort {
  using Options = SortOptions;
  static constexpr std::string_view name = "sort",
                                    doc =
                                        "x in rising or falling order along dim, and where each came from; "
                                        "equal elements keep their order, NaN counts as largest";
  static constexpr std::string_view operands[] = {"x"};
  static constexpr Flags flags = {.kinks = true};
  static void shape(Call& call) {
    if (call.dtype(0) == DType::boolean) call.require_floating(0);
    const int dim = resolve_dim(call, call.options<Options>().dim);
    if (element_size(call.dtype(0)) == 4 && along(call.shape(0), dim).n > int64_t{0xffffffff}) {
      call.shape_error("float32 is sorted up to 2^32 elements in a row");
    }
    call.output(call.dtype(0), call.shape(0));
    call.output(DType::int64, call.shape(0));
  }
  static void forward(Call& call) {
    const auto& options = call.options<Options>();
    const Along a = along(call.shape(0), resolve_dim(call, options.dim));
    const Scratch scratch(kernels::sort_scratch(call.dtype(0), a.outer, a.n, a.inner));
    kernels::sort(call.dtype(0), call.data<void>(0), call.out_data(0), call.out_data<int64_t>(1), a.outer,
                  a.n, a.inner, options.descending, scratch.memory);
  }
  static Cost cost(const Call& call) {
    const auto count = static_cast<double>(call.numel(0));  // comparisons are counted as operations
    return {count * std::log2(count + 1), static_cast<double>(2 * call.in(0).bytes() + call.out(1).bytes())};
  }
  static void vjp(Vjp& v) {
    if (!v.has_g(0)) return;
    v.add(0, scatter_add(zeros(v.shape(0), v.dtype(0)), v.options<Options>().dim, v.output(1), v.g(0)));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.distinct({512, 1000})}, Options{1, false});
      return s.add({s.distinct({1 << 20})}, Options{0, false});
    }
    s.add({s.distinct({})}, Options{0, false});
    s.add({s.distinct({1})}, Options{0, true});
    s.add({s.distinct({7})}, Options{-1, false});
    s.add({s.distinct({3, 4})}, Options{1, true});
    s.add({s.distinct({3, 4})}, Options{0, false});
    s.add({s.distinct({2, 3, 4})}, Options{1, true});
    s.add({s.distinct({0, 4})}, Options{1, false});
    s.add({s.distinct({2, 0})}, Options{1, false});
    s.add_error("out of range", {s.distinct({3})}, Options{1, false});
  }
};

}  // namespace

std::span<const Op* const> sort() {
  static constexpr const Op* kOps[] = {&op<Sort>};
  return kOps;
}

}  // namespace ops

ValuesAndIndices sort(const Arg& x, int64_t dim, bool descending) {
  std::vector<Tensor> both = apply_all(op<ops::Sort>, {x}, ops::SortOptions{dim, descending});
  return {both[0], both[1]};
}

}  // namespace tapegrad
