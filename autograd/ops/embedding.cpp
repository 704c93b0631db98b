#include <fmt/format.h>

#include <optional>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/indexing.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Rows of a table.

namespace tapegrad {
namespace ops {
namespace {

// The row that takes no part in gradients as a place in [0, rows), or −1.
int64_t padding_row(const Call& call, const std::optional<int64_t>& padding_idx, int64_t rows) {
  if (!padding_idx) return -1;
  if (*padding_idx < -rows || *padding_idx >= rows) {
    call.argument_error(fmt::format("padding_idx {} is outside [-{}, {})", *padding_idx, rows, rows));
  }
  return *padding_idx < 0 ? *padding_idx + rows : *padding_idx;
}

struct Embedding {
  struct Options {
    std::optional<int64_t> padding_idx;
    static void fields(auto& self, auto&& f) { f("padding_idx", self.padding_idx); }
  };
  static constexpr std::string_view
      name = "embedding",
      doc = "the rows of weight [n, d] that index names: [...] → [..., d]; row padding_idx has gradient 0";
  static constexpr std::string_view operands[] = {"index", "weight"};
  static void shape(Call& call) {
    require_index(call, 0);
    if (call.rank(1) != 2) call.shape_error("expected weight [n, d]");
    padding_row(call, call.options<Options>().padding_idx, call.shape(1)[0]);
    if (call.rank(0) == kMaxRank) call.shape_error(fmt::format("the limit is {} dimensions", kMaxRank));
    Dims y = call.shape(0);
    y.push_back(call.shape(1)[1]);
    call.output(call.dtype(1), checked_shape(call, y));
  }
  static void forward(Call& call) {
    const Shape weight = call.shape(1);
    const kernels::Slices s = {1, weight[0], weight[1], call.numel(0)};
    check_inside(call, 0,
                 kernels::take(element_size(call.dtype(1)), s, call.data<void>(1), call.data<int64_t>(0),
                               call.out_data()),
                 weight[0]);
  }
  static Cost cost(const Call& call) {
    return {0, 2.0 * static_cast<double>(call.out().bytes()) + static_cast<double>(call.in(0).bytes())};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) {
      return s.add({s.integers({8192}, 0, 10000), s.normal({10000, 64})}, Options{});
    }
    s.add({tensor({0, 3, 3, 1}), s.normal({4, 3})}, Options{});
    s.add({full({}, 2, int64), s.normal({3, 2})}, Options{});
    s.add({s.integers({2, 3}, 0, 4), s.normal({4, 5})}, Options{});
    // An index that names the padding row has a gradient that is no derivative; conventions have a test for
    // it.
    s.add({tensor({0, 3, 3}), s.normal({4, 3})}, Options{-2});
    s.add({zeros({0}, int64), s.normal({4, 3})}, Options{1});
    s.add({tensor({1, 1}), s.normal({4, 0})}, Options{});
    s.add_error("index 4 at position 1 is outside [0, 4)", {tensor({0, 4}), s.normal({4, 3})}, Options{});
    s.add_error("index -1 at position 0 is outside [0, 4)", {tensor({-1, 4}), s.normal({4, 3})}, Options{});
    s.add_error("expected index to be int64", {s.normal({2}), s.normal({4, 3})}, Options{});
    s.add_error("expected weight [n, d]", {tensor({0}), s.normal({4})}, Options{});
    s.add_error("padding_idx 4 is outside [-4, 4)", {tensor({0}), s.normal({4, 3})}, Options{4});
    s.add_error("padding_idx -5 is outside [-4, 4)", {tensor({0}), s.normal({4, 3})}, Options{-5});
  }
};

struct EmbeddingBackward {
  struct Options {
    int64_t rows = 0;
    std::optional<int64_t> padding_idx;
    static void fields(auto& self, auto&& f) {
      f("rows", self.rows);
      f("padding_idx", self.padding_idx);
    }
  };
  static constexpr std::string_view
      name = "embedding_backward",
      doc = "zeros [rows, d] with the rows of g [..., d] added where index says, but none at padding_idx";
  static constexpr std::string_view operands[] = {"g", "index"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    require_index(call, 1);
    call.require_floating(0);
    if (o.rows < 0) call.shape_error(fmt::format("negative size {}", o.rows));
    padding_row(call, o.padding_idx, o.rows);
    Dims rows = call.shape(0);
    const int64_t d = rows.empty() ? 0 : rows[rows.size() - 1];
    if (!rows.empty()) rows.erase(rows.size() - 1);
    if (call.rank(0) == 0 || !(rows == call.shape(1)))
      call.shape_error("expected g of index's shape and one dimension more");
    call.output(call.dtype(0), checked_shape(call, {o.rows, d}));
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    const kernels::Slices s = {1, o.rows, call.out().dims()[1], call.numel(1)};
    start_with_zeros(call);
    check_inside(call, 1,
                 kernels::add_slices(call.dtype(0), s, call.data<void>(0), call.data<int64_t>(1),
                                     call.out_data(), padding_row(call, o.padding_idx, o.rows)),
                 o.rows);
  }
  static Cost cost(const Call& call) { return traffic(call); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Tensor rows = embedding(v.input(1), v.g());
    if (!o.padding_idx) return v.add(0, rows);
    const int64_t padding = *o.padding_idx < 0 ? *o.padding_idx + o.rows : *o.padding_idx;
    v.add(0, masked_fill(rows, unsqueeze(eq(v.input(1), padding), -1), 0));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({8192, 64}), s.integers({8192}, 0, 10000)}, Options{10000, {}});
    s.add({s.normal({4, 3}), tensor({0, 3, 3, 1})}, Options{4, {}});
    s.add({s.normal({4, 3}), tensor({0, 3, 3, 1})}, Options{4, 3});
    s.add({s.normal({2, 2, 3}), s.integers({2, 2}, 0, 3)}, Options{3, -3});
    s.add({s.normal({2}), full({}, 1, int64)}, Options{3, {}});
    s.add({s.normal({0, 3}), zeros({0}, int64)}, Options{4, {}});
    s.add_error("outside [0, 4)", {s.normal({1, 3}), tensor({4})}, Options{4, {}});
    s.add_error("expected g of index's shape", {s.normal({2, 3}), tensor({1})}, Options{4, {}});
    s.add_error("padding_idx 4", {s.normal({1, 3}), tensor({1})}, Options{4, 4});
  }
};

void Embedding::vjp(Vjp& v) {
  v.add(1, apply(op<EmbeddingBackward>, {v.g(), v.input(0)},
                 EmbeddingBackward::Options{v.shape(1)[0], v.options<Options>().padding_idx}));
}

}  // namespace

std::span<const Op* const> rows_by_index() {
  static constexpr const Op* kOps[] = {&op<Embedding>, &op<EmbeddingBackward>};
  return kOps;
}

}  // namespace ops

Tensor embedding(const Arg& index, const Arg& weight, std::optional<int64_t> padding_idx) {
  return apply(op<ops::Embedding>, {index, weight}, ops::Embedding::Options{padding_idx});
}

}  // namespace tapegrad
