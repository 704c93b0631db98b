#include <fmt/format.h>

#include "autograd/ops.h"
#include "autograd/ops/class_rows.h"
#include "autograd/ops/class_targets.h"
#include "autograd/ops/groups.h"
#include "autograd/ops/loss.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

struct CrossEntropyFields {
  Reduction reduction = Reduction::mean;
  double label_smoothing = 0;
  int64_t ignore_index = -100;
  static void fields(auto& self, auto&& f) {
    f("reduction", self.reduction);
    f("label_smoothing", self.label_smoothing);
    f("ignore_index", self.ignore_index);
  }
};

// Both ops have the operands logits, target and perhaps weight, from `logits` on.
ClassDims check_cross_entropy(const Call& call, int logits) {
  const auto& o = call.options<CrossEntropyFields>();
  const int target = logits + 1;
  call.require_floating(logits);
  const ClassDims dims = class_dims(call, logits);
  if (is_floating(call.dtype(target))) {
    call.require_same_dtype(logits, target);
    if (!call.same_shape(logits, target))
      call.shape_error("expected target to be class indices, int64, or probabilities of logits' shape");
    if (o.ignore_index >= 0)
      call.argument_error("ignore_index goes with class indices, target holds probabilities");
  } else {
    check_class_indices(call, dims.rows, target, "class indices, int64, or probabilities");
  }
  check_class_weight(call, dims.classes, logits, logits + 2);
  if (!(o.label_smoothing >= 0 && o.label_smoothing <= 1))
    call.argument_error(fmt::format("expected label_smoothing in [0, 1], given {}", o.label_smoothing));
  return dims;
}

// What the kernels read, and what the mean divides by; throws for a class outside the range.
ClassRows class_rows(const Call& call, int logits, double& divisor) {
  const auto& o = call.options<CrossEntropyFields>();
  const ClassDims dims = class_dims(call.shape(logits));
  const int target = logits + 1;
  const int weight = call.inputs() > logits + 2 ? logits + 2 : -1;
  ClassRows rows{.dtype = call.dtype(logits),
                 .outer = dims.outer,
                 .classes = dims.classes,
                 .inner = dims.inner,
                 .logits = call.data<void>(logits)};
  if (is_floating(call.dtype(target))) {
    rows.probabilities = call.data<void>(target);
    divisor = static_cast<double>(rows.rows());
  } else {
    rows.target = call.data<int64_t>(target);
    divisor = target_weights(call, target, weight, o.ignore_index, dims.classes);
  }
  if (weight >= 0) rows.weight = call.data<void>(weight);
  rows.smoothing = o.label_smoothing;
  rows.ignore_index = o.ignore_index;
  return rows;
}

Cost class_cost(const Call& call, int logits) {
  const Cost memory = detail::pointwise_cost(call);
  return {5.0 * static_cast<double>(call.numel(logits)), memory.bytes};
}

// ---- the parts of a derivative, as tensors that broadcast against the logits ----

// `weight` [c] along the class dim.
Tensor along_classes(const Arg& weight, const ClassDims& dims, int rank) {
  Dims shape = {dims.classes};
  for (int d = dims.dim + 1; d < rank; ++d) shape.push_back(1);
  return reshape(weight, shape);
}

// One number for each row, of the rows' shape or 0-d, along the other dims.
Tensor along_rows(const Tensor& x, const ClassDims& dims) {
  return x.rank() == dims.rows.rank() ? unsqueeze(x, dims.dim) : x;
}

// Calls of cross_entropy and cross_entropy_backward.
template <class Add>
void class_calls(Samples& s, const Add& add) {
  using O = CrossEntropyFields;
  for (Reduction r : {Reduction::none, Reduction::mean, Reduction::sum}) {
    add(s.normal({5, 3}), s.integers({5}, 0, 3), {}, O{r});
    add(s.normal({5, 3}), tensor({2, -100, 0, 1, -100}), s.uniform({3}, 0.5, 2), O{r, 0.3});
    add(s.normal({4, 3}), s.uniform({4, 3}, 0, 1), {}, O{r});
    add(s.normal({4, 3}), s.uniform({4, 3}, 0, 1), s.uniform({3}, 0.5, 2), O{r, 0.1});
    add(s.normal({4}), s.integers({}, 0, 4), {}, O{r});
    add(s.normal({4}), s.uniform({4}, 0, 1), {}, O{r});
    add(s.normal({2, 3, 2, 5}), s.integers({2, 2, 5}, 0, 3), {}, O{r, 0, 1});
    add(s.normal({2, 3, 19}), s.integers({2, 19}, 0, 3), s.uniform({3}, 0.5, 2), O{r});
  }
  add(s.normal({4, 3}), tensor({0, 1, 2, 0}), {}, O{Reduction::mean, 0.2, 0});
  add(s.normal({4, 3}), tensor({0, 1, 2, 0}), {}, O{Reduction::mean, 1});
  add(s.normal({2, 3, 19}), s.uniform({2, 3, 19}, 0, 1), {}, O{Reduction::sum, 0.1});
  add(s.normal({1, 1}), s.integers({1}, 0, 1), {}, O{});
  add(s.normal({0, 3}), s.integers({0}, 0, 3), {}, O{Reduction::sum});
}

// g has the shape of the loss.
struct CrossEntropyBackward {
  using Options = CrossEntropyFields;
  static constexpr std::string_view name = "cross_entropy_backward",
                                    doc = "g·∂loss/∂logits of cross_entropy, joined as the loss";
  static constexpr std::string_view operands[] = {"g", "logits", "target", "weight"};
  static constexpr int min_inputs = 3;
  static constexpr uint32_t constant_operands = 1u << 3;
  static constexpr Flags flags = {.cancels = true};  // softmax − target
  static void shape(Call& call) {
    const ClassDims dims = check_cross_entropy(call, 1);
    call.require_same_dtype(1, 0);
    const bool joined = call.options<Options>().reduction != Reduction::none;
    if (!(call.shape(0) == (joined ? Shape() : dims.rows)))
      call.shape_error("expected g of the loss's shape");
    call.output_like(call.dtype(1), 1);
  }
  static void forward(Call& call) {
    double divisor;
    const ClassRows rows = class_rows(call, 1, divisor);
    if (call.options<Options>().reduction != Reduction::mean) {
      const bool by_row = call.options<Options>().reduction == Reduction::none;
      return class_loss_backward(rows, call.data<void>(0), by_row, call.out_data());
    }
    const double g = number_of(call, 0) / divisor;
    const auto narrow = static_cast<float>(g);
    const void* each = call.dtype(1) == DType::float32 ? static_cast<const void*>(&narrow) : &g;
    class_loss_backward(rows, each, false, call.out_data());
  }
  static Cost cost(const Call& call) { return class_cost(call, 1); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Tensor& c = v.g();
    const int rank = v.shape(1).rank();
    const ClassDims dims = class_dims(v.shape(1));
    const Dims dim = {dims.dim};
    const bool weighted = v.inputs() == 4;
    const Arg weight = weighted ? v.input(3) : Arg();
    const bool indices = v.dtype(2) == DType::int64;
    if (v.needs(0)) {
      const Tensor one = ones(v.shape(0), v.dtype(0));
      const Tensor slope = mul(c, apply(v.op(), {one, v.input(1), v.input(2), weight}, o));
      v.add(0, o.reduction == Reduction::none ? sum(slope, dim) : sum(slope));
    }
    if (!v.needs(1) && !v.needs(2)) return;
    const Tensor p = softmax(v.input(1), dims.dim);
    const Tensor pull = sum(mul(c, p), dim, true);  // what Σ_c c·p takes from each entry
    const Tensor g = along_rows(v.input_tensor(0), dims);
    if (indices) {
      // A row's coefficients add up to (1 − s)·weight_t + s·mean(weight), s the smoothing.
      const Tensor kept = ne(v.input(2), o.ignore_index);
      Tensor total = ones(v.shape(2), v.dtype(1));
      Tensor divisor = sum(cast(kept, v.dtype(1)));
      if (weighted) {
        const Tensor safe = where(kept, v.input(2), 0);
        const Tensor of_target = reshape(index_select(weight, 0, reshape(safe, {-1})), v.shape(2));
        divisor = sum(where(kept, of_target, 0.0));
        total = (1 - o.label_smoothing) * of_target + o.label_smoothing * mean(weight);
      }
      Tensor factor = mul(g, along_rows(total, dims));
      if (o.reduction == Reduction::mean) factor = div(factor, divisor);
      v.add(1, where(along_rows(kept, dims), mul(factor, mul(p, sub(c, pull))), 0.0));
      return;
    }
    const double kept = 1 - o.label_smoothing;
    Tensor q = add(mul(v.input(2), kept), o.label_smoothing / static_cast<double>(dims.classes));
    if (weighted) q = mul(q, along_classes(weight, dims, rank));
    const double rows = static_cast<double>(dims.outer * dims.inner);
    const Tensor factor = o.reduction == Reduction::mean ? div(g, rows) : g;
    if (v.needs(1)) v.add(1, mul(mul(factor, sum(q, dim, true)), mul(p, sub(c, pull))));
    if (v.needs(2)) {
      const Tensor each = mul(mul(factor, kept), sub(pull, c));
      v.add(2, weighted ? mul(each, along_classes(weight, dims, rank)) : each);
    }
  }
  static void samples(Samples& s) {
    auto add = [&](Tensor x, Tensor t, Tensor weight, const Options& o) {
      const Shape rows = o.reduction == Reduction::none ? class_dims(x.shape()).rows : Shape();
      std::vector<Tensor> inputs = {s.normal(rows), std::move(x), std::move(t)};
      if (weight.defined()) inputs.push_back(std::move(weight));
      s.add(std::move(inputs), o);
    };
    if (s.benchmark()) {
      add(s.normal({128, 10}), s.integers({128}, 0, 10), {}, {});
      return add(s.normal({512, 1000}), s.integers({512}, 0, 1000), {}, {});
    }
    add(s.normal({3, 3}), s.integers({3}, 0, 3), {}, {});
    class_calls(s, add);
    s.add_error("g of the loss's shape", {s.normal({3}), s.normal({2, 3}), tensor({0, 1})}, Options{});
  }
};

struct CrossEntropy {
  using Options = CrossEntropyFields;
  static constexpr std::string_view
      name = "cross_entropy",
      doc = "ln Σ e^x − x[target] for each row, or Σ target·(ln Σ e^x − x), joined; weight has no gradient";
  static constexpr std::string_view operands[] = {"logits", "target", "weight"};
  static constexpr int min_inputs = 2;
  static constexpr uint32_t constant_operands = 1u << 2;
  static void shape(Call& call) {
    const ClassDims dims = check_cross_entropy(call, 0);
    const bool joined = call.options<Options>().reduction != Reduction::none;
    call.output(call.dtype(0), joined ? Shape() : dims.rows);
  }
  static void forward(Call& call) {
    double divisor;
    const ClassRows rows = class_rows(call, 0, divisor);
    const Reduction reduction = call.options<Options>().reduction;
    if (reduction == Reduction::none) return class_losses(rows, call.out_data());
    const double total = class_loss_sum(rows);
    put_result(call, reduction == Reduction::mean ? weighted_mean(total, divisor) : total);
  }
  static Cost cost(const Call& call) { return class_cost(call, 0); }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const bool weighted = v.inputs() == 3;
    const Arg weight = weighted ? v.input(2) : Arg();
    if (v.needs(0)) v.add(0, apply(op<CrossEntropyBackward>, {v.g(), v.input(0), v.input(1), weight}, o));
    if (!v.needs(1)) return;
    const ClassDims dims = class_dims(v.shape(0));
    double kept = 1 - o.label_smoothing;
    if (o.reduction == Reduction::mean) kept /= static_cast<double>(dims.outer * dims.inner);
    Tensor by = along_rows(mul(v.g(), -kept), dims);
    if (weighted) by = mul(by, along_classes(weight, dims, v.shape(0).rank()));
    v.add(1, detail::pole_mul(by, log_softmax(v.input(0), dims.dim)));
  }
  static void samples(Samples& s) {
    auto add = [&](Tensor x, Tensor t, Tensor weight, const Options& o) {
      std::vector<Tensor> inputs = {std::move(x), std::move(t)};
      if (weight.defined()) inputs.push_back(std::move(weight));
      s.add(std::move(inputs), o);
    };
    if (s.benchmark()) {
      add(s.normal({128, 10}), s.integers({128}, 0, 10), {}, {});
      return add(s.normal({512, 1000}), s.integers({512}, 0, 1000), {}, {});
    }
    class_calls(s, add);
    errors(s);
    conventions(s);
  }
  static void errors(Samples& s) {
    const Tensor x = s.normal({2, 3});
    const Tensor t = tensor({0, 1});
    s.add_error("target 3 of row 1 is outside [0, 3)", {x, tensor({0, 3})}, Options{});
    s.add_error("target -1 of row 0", {x, tensor({-1, 0})}, Options{});
    s.add_error("target -100 of row 0", {x, tensor({-100, 0})}, Options{Reduction::mean, 0, -1});
    s.add_error("one target for each row: [2]", {x, tensor({0})}, Options{});
    s.add_error("one target for each row: [2, 4]", {s.normal({2, 3, 4}), tensor({0, 1})}, Options{});
    s.add_error("class indices", {x, s.normal({2})}, Options{});
    s.add_error("class indices", {x, tensor({true, false})}, Options{});
    s.add_error("expected logits [classes]", {s.normal({}), full({}, 0, int64)}, Options{});
    s.add_error("a weight for each class: [3]", {x, t, s.normal({2})}, Options{});
    s.add_error("label_smoothing in [0, 1], given 1.5", {x, t}, Options{Reduction::mean, 1.5});
    s.add_error("label_smoothing in [0, 1], given -0.5", {x, t}, Options{Reduction::mean, -0.5});
    s.add_error("ignore_index goes with class indices", {x, x}, Options{Reduction::mean, 0, 2});
  }
  static void conventions(Samples& s) {
    const double inf = std::numeric_limits<double>::infinity();
    const Tensor nan = full({}, std::numeric_limits<double>::quiet_NaN(), s.dtype());
    const Tensor none = s.values({{0, 0}, {0, 0}});
    const Tensor ignored = tensor({-100, -100});
    s.add_convention({.what = "where all rows are ignored the mean is NaN and the gradient 0",
                      .inputs = {s.values({{1, 2}, {-inf, inf}}), ignored},
                      .options = OptionsBox(Options{}),
                      .value = nan,
                      .gradients = {none}});
    s.add_convention({.what = "where all rows are ignored the sum is 0",
                      .inputs = {s.values({{1, 2}, {-inf, inf}}), ignored, s.values({2, 3})},
                      .options = OptionsBox(Options{Reduction::sum, 0.5}),
                      .value = s.values({0})[0],
                      .gradients = {none}});
    s.add_convention({.what = "a class of probability 0 adds nothing, even at a logit of −inf",
                      .inputs = {s.values({{-inf, 1}}), s.values({{0, 1}})},
                      .options = OptionsBox(Options{Reduction::sum}),
                      .value = s.values({0})[0],
                      .gradients = {s.values({{0, 0}}), s.values({{inf, -0.0}})}});
    s.add_convention({.what = "at ±1e4 nothing overflows",
                      .inputs = {s.values({{1e4, -1e4}, {-1e4, 1e4}}), tensor({0, 0})},
                      .options = OptionsBox(Options{Reduction::none}),
                      .value = s.values({0, 2e4}),
                      .gradients = {s.values({{0, 0}, {-1, 1}})}});
  }
};

}  // namespace

std::span<const Op* const> class_losses() {
  static constexpr const Op* kOps[] = {&op<CrossEntropy>, &op<CrossEntropyBackward>};
  return kOps;
}

}  // namespace ops

Tensor cross_entropy(const Arg& logits, const Arg& target, Reduction reduction) {
  return apply(op<ops::CrossEntropy>, {logits, target}, ops::CrossEntropyFields{reduction});
}
Tensor cross_entropy(const Arg& logits, const Arg& target, const CrossEntropyOptions& options) {
  return apply(op<ops::CrossEntropy>, {logits, target, options.weight},
               ops::CrossEntropyFields{options.reduction, options.label_smoothing, options.ignore_index});
}

}  // namespace tapegrad
