// The loss of log-probabilities and class indices. It is linear in them, so loss and gradient are each
// other's derivative.

#include <fmt/format.h>

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/class_targets.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/loss.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

// Calls visit(row, place of the row's target in the input, its weight) for each row that counts.
template <class E, class Visit>
void for_targets(const Call& call, const ClassDims& dims, int target, int weight, int64_t ignore_index,
                 const Visit& visit) {
  const auto* t = call.data<int64_t>(target);
  const E* weights = weight >= 0 ? call.data<E>(weight) : nullptr;
  for (int64_t r = 0; r < call.numel(target); ++r) {
    if (t[r] == ignore_index) continue;
    const E w = weights != nullptr ? weights[t[r]] : E{1};
    visit(r, (r / dims.inner * dims.classes + t[r]) * dims.inner + r % dims.inner, w);
  }
}

template <class Add>
void nll_calls(Samples& s, const Add& add) {
  for (Reduction r : {Reduction::none, Reduction::mean, Reduction::sum}) {
    add(s.normal({5, 3}), s.integers({5}, 0, 3), Tensor(), r, -100);
    add(s.normal({5, 3}), tensor({2, -100, 0, 1, -100}), s.uniform({3}, 0.5, 2), r, -100);
    add(s.normal({4}), s.integers({}, 0, 4), Tensor(), r, -100);
    add(s.normal({2, 3, 2, 2}), s.integers({2, 2, 2}, 0, 3), s.uniform({3}, 0.5, 2), r, 1);
  }
  add(s.normal({0, 3}), s.integers({0}, 0, 3), Tensor(), Reduction::sum, -100);
}

struct NllLoss {
  struct Options {
    Reduction reduction = Reduction::mean;
    int64_t ignore_index = -100;
    static void fields(auto& self, auto&& f) {
      f("reduction", self.reduction);
      f("ignore_index", self.ignore_index);
    }
  };
  static constexpr std::string_view
      name = "nll_loss",
      doc = "−weight[target]·input[target] for each row, joined; weight has no gradient";
  static constexpr std::string_view operands[] = {"input", "target", "weight"};
  static constexpr int min_inputs = 2;
  static constexpr uint32_t constant_operands = 1u << 2;
  static void shape(Call& call) {
    call.require_floating(0);
    const ClassDims dims = class_dims(call, 0);
    check_class_indices(call, dims.rows, 1, "class indices, int64");
    check_class_weight(call, dims.classes, 0, 2);
    const bool joined = call.options<Options>().reduction != Reduction::none;
    call.output(call.dtype(0), joined ? Shape() : dims.rows);
  }
  template <class E>
  static void run(Call& call) {
    const auto& o = call.options<Options>();
    const ClassDims dims = class_dims(call.shape(0));
    const int weight = call.inputs() == 3 ? 2 : -1;
    const double divisor = target_weights(call, 1, weight, o.ignore_index, dims.classes);
    const E* x = call.data<E>(0);
    // A weight of 0 leaves a row out, whatever its input.
    auto loss = [&](int64_t place, E w) { return w == 0 ? E{0} : -w * x[place]; };
    if (o.reduction == Reduction::none) {
      E* out = call.out_data<E>();
      std::fill(out, out + call.out().numel, E{0});
      for_targets<E>(call, dims, 1, weight, o.ignore_index,
                     [&](int64_t r, int64_t place, E w) { out[r] = loss(place, w); });
      return;
    }
    kernels::PairwiseSum<double> tree;
    for_targets<E>(call, dims, 1, weight, o.ignore_index,
                   [&](int64_t, int64_t place, E w) { tree.add(static_cast<double>(loss(place, w))); });
    put_result(call, o.reduction == Reduction::mean ? weighted_mean(tree.total(), divisor) : tree.total());
  }
  static void forward(Call& call) { call.dtype(0) == DType::float32 ? run<float>(call) : run<double>(call); }
  static Cost cost(const Call& call) {
    const auto n = static_cast<double>(call.numel(1));
    return {2 * n, n * static_cast<double>(8 + element_size(call.dtype(0)))};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    auto add = [&](Tensor x, Tensor t, Tensor weight, Reduction r, int64_t ignore_index) {
      std::vector<Tensor> inputs = {std::move(x), std::move(t)};
      if (weight.defined()) inputs.push_back(std::move(weight));
      s.add(std::move(inputs), Options{r, ignore_index});
    };
    if (s.benchmark())
      return add(s.normal({512, 1000}), s.integers({512}, 0, 1000), {}, Reduction::mean, -100);
    nll_calls(s, add);
    const Tensor x = s.normal({2, 3});
    s.add_error("target 3 of row 1 is outside [0, 3)", {x, tensor({0, 3})}, Options{});
    s.add_error("target -1 of row 0", {x, tensor({-1, 0})}, Options{});
    s.add_error("one target for each row: [2]", {x, tensor({0})}, Options{});
    s.add_error("class indices", {x, x}, Options{});
    s.add_error("expected input [classes]", {s.normal({}), full({}, 0, int64)}, Options{});
    s.add_error("a weight for each class: [3]", {x, tensor({0, 1}), s.normal({3, 1})}, Options{});
    s.add_convention({.what = "where all rows are ignored the mean is NaN and the gradient 0",
                      .inputs = {x, tensor({-100, -100})},
                      .options = OptionsBox(Options{}),
                      .value = full({}, std::numeric_limits<double>::quiet_NaN(), s.dtype()),
                      .gradients = {zeros({2, 3}, s.dtype())}});
  }
};

// g has the shape of the loss. The input itself is not read, so its size along the classes is an option.
struct NllLossBackward {
  struct Options {
    int64_t classes = 1;
    Reduction reduction = Reduction::mean;
    int64_t ignore_index = -100;
    static void fields(auto& self, auto&& f) {
      f("classes", self.classes);
      f("reduction", self.reduction);
      f("ignore_index", self.ignore_index);
    }
  };
  static constexpr std::string_view name = "nll_loss_backward",
                                    doc = "g·∂loss/∂input of nll_loss, joined as the loss";
  static constexpr std::string_view operands[] = {"g", "target", "weight"};
  static constexpr int min_inputs = 2;
  static constexpr uint32_t constant_operands = 1u << 2;
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    call.require_floating(0);
    const Shape rows = call.shape(1);
    check_class_indices(call, rows, 1, "class indices, int64");
    if (o.classes < 0) call.shape_error(fmt::format("negative size {}", o.classes));
    check_class_weight(call, o.classes, 0, 2);
    const bool joined = o.reduction != Reduction::none;
    if (!(call.shape(0) == (joined ? Shape() : rows))) call.shape_error("expected g of the loss's shape");
    Dims dims = rows;
    if (dims.size() == kMaxRank) call.shape_error(fmt::format("the limit is {} dimensions", kMaxRank));
    dims.insert(dims.empty() ? 0 : 1, o.classes);
    call.output(call.dtype(0), Shape(dims));
  }
  template <class E>
  static void run(Call& call) {
    const auto& o = call.options<Options>();
    const ClassDims dims = class_dims(call.out().shape());
    const int weight = call.inputs() == 3 ? 2 : -1;
    const double divisor = target_weights(call, 1, weight, o.ignore_index, dims.classes);
    const E* g = call.data<E>(0);
    E* out = call.out_data<E>();
    std::fill(out, out + call.out().numel, E{0});
    const bool by_row = o.reduction == Reduction::none;
    const E each =
        by_row ? E{0} : static_cast<E>(number_of(call, 0) / (o.reduction == Reduction::mean ? divisor : 1));
    for_targets<E>(call, dims, 1, weight, o.ignore_index,
                   [&](int64_t r, int64_t place, E w) { out[place] = -w * (by_row ? g[r] : each); });
  }
  static void forward(Call& call) { call.dtype(0) == DType::float32 ? run<float>(call) : run<double>(call); }
  static Cost cost(const Call& call) {
    return {2.0 * static_cast<double>(call.numel(1)), detail::pointwise_cost(call).bytes};
  }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Arg weight = v.inputs() == 3 ? v.input(2) : Arg();
    v.add(0, apply(op<NllLoss>, {v.g(), v.input(1), weight}, NllLoss::Options{o.reduction, o.ignore_index}));
  }
  static void samples(Samples& s) {
    auto add = [&](const Tensor& x, Tensor t, Tensor weight, Reduction r, int64_t ignore_index) {
      const ClassDims dims = class_dims(x.shape());
      std::vector<Tensor> inputs = {s.normal(r == Reduction::none ? dims.rows : Shape()), std::move(t)};
      if (weight.defined()) inputs.push_back(std::move(weight));
      s.add(std::move(inputs), Options{dims.classes, r, ignore_index});
    };
    if (s.benchmark())
      return add(s.normal({512, 1000}), s.integers({512}, 0, 1000), {}, Reduction::mean, -100);
    nll_calls(s, add);
    s.add_error("g of the loss's shape", {s.normal({3}), tensor({0, 1})}, Options{3});
    s.add_error("target 3 of row 1", {s.normal({}), tensor({0, 3})}, Options{3});
  }
};

void NllLoss::vjp(Vjp& v) {
  const auto& o = v.options<Options>();
  const Arg weight = v.inputs() == 3 ? v.input(2) : Arg();
  const int64_t classes = class_dims(v.shape(0)).classes;
  v.add(0, apply(op<NllLossBackward>, {v.g(), v.input(1), weight},
                 NllLossBackward::Options{classes, o.reduction, o.ignore_index}));
}

}  // namespace

std::span<const Op* const> nll() {
  static constexpr const Op* kOps[] = {&op<NllLoss>, &op<NllLossBackward>};
  return kOps;
}

}  // namespace ops

Tensor nll_loss(const Arg& input, const Arg& target, Reduction reduction) {
  return apply(op<ops::NllLoss>, {input, target}, ops::NllLoss::Options{reduction});
}
Tensor nll_loss(const Arg& input, const Arg& target, const NllLossOptions& options) {
  return apply(op<ops::NllLoss>, {input, target, options.weight},
               ops::NllLoss::Options{options.reduction, options.ignore_index});
}

}  // namespace tapegrad
