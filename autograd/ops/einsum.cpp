#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "autograd/ops.h"
#include "autograd/ops/diagonal.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/einsum_contract.h"
#include "autograd/ops/einsum_terms.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

namespace tapegrad {
namespace ops {
namespace {

// So that the equation of a gradient, which has the result's letters too, always fits a Text.
constexpr int kMostOperands = 24;

struct Einsum {
  struct Options {
    Text equation;
    static void fields(auto& self, auto&& f) { f("equation", self.equation); }
  };
  static constexpr std::string_view name = "einsum",
                                    doc =
                                        "Einstein's summation: \"ij,jk->ik\" is y[i][k] = Σ_j "
                                        "a[i][j]·b[j][k]; a letter twice in one operand is "
                                        "its diagonal, \"...\" stands for dims that broadcast, sizes of 1 "
                                        "broadcast; operands are contracted "
                                        "from left to right";
  static constexpr std::string_view operands[] = {"operands"};
  static constexpr int min_inputs = 1, max_inputs = -1;

  static Terms terms(const Call& call) {
    std::vector<int> ranks;
    ranks.reserve(static_cast<size_t>(call.inputs()));
    for (int i = 0; i < call.inputs(); ++i) ranks.push_back(call.rank(i));
    return read_equation(call.options<Options>().equation, ranks);
  }
  static LabelSizes sizes(const Call& call, const Terms& terms, std::string& error) {
    std::vector<Shape> shapes;
    shapes.reserve(static_cast<size_t>(call.inputs()));
    for (int i = 0; i < call.inputs(); ++i) shapes.push_back(call.shape(i));
    return label_sizes(terms, shapes, error);
  }
  static void shape(Call& call) {
    call.require_floating(0);
    for (int i = 1; i < call.inputs(); ++i) call.require_same_dtype(0, i);
    if (call.inputs() > kMostOperands) {
      call.argument_error(fmt::format("{} operands, the limit is {}", call.inputs(), kMostOperands));
    }
    const std::string_view equation = call.options<Options>().equation;
    const auto in_equation = [&](const std::string& what) {
      return fmt::format("{} (\"{}\")", what, equation);
    };
    const Terms t = terms(call);
    if (t.misfit) call.shape_error(in_equation(t.error));
    if (!t.error.empty()) call.argument_error(in_equation(t.error));
    std::string error;
    const LabelSizes of = sizes(call, t, error);
    if (!error.empty()) call.shape_error(in_equation(error));
    const auto rank = std::max(t.result.size(), static_cast<size_t>(intermediate_rank(t, of)));
    if (rank > kMaxRank) {
      call.shape_error(
          in_equation(fmt::format("a result of {} dimensions, the limit is {}", rank, kMaxRank)));
    }
    Dims y;
    for (char c : t.result) y.push_back(of[c]);
    call.output(call.dtype(0), checked_shape(call, y));
  }
  static void forward(Call& call) {
    const Terms t = terms(call);
    std::string error;
    std::vector<const detail::Body*> bodies;
    bodies.reserve(static_cast<size_t>(call.inputs()));
    for (int i = 0; i < call.inputs(); ++i) bodies.push_back(&call.in(i));
    contract(t, sizes(call, t, error), bodies, call.out_data());
  }
  static Cost cost(const Call& call) {
    const Terms t = terms(call);
    std::string error, all;
    const LabelSizes of = sizes(call, t, error);
    double flops = call.inputs() == 1 ? 1 : 2.0 * (call.inputs() - 1);
    double bytes = static_cast<double>(call.out().bytes());
    for (int i = 0; i < call.inputs(); ++i) {
      bytes += static_cast<double>(call.in(i).bytes());
      for (char c : t.operands[static_cast<size_t>(i)]) {
        if (all.find(c) == std::string::npos) flops *= static_cast<double>(of[c]), all += c;
      }
    }
    return {flops, bytes};
  }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) {
      s.add({s.normal({256, 256}), s.normal({256, 256})}, Options{"ij,jk->ik"});
      s.add({s.normal({8, 128, 4, 64}), s.normal({8, 128, 4, 64})}, Options{"bqhd,bkhd->bhqk"});
      s.add({s.normal({512, 512}), s.normal({512})}, Options{"ij,j->ij"});
      return;
    }
    s.add({s.normal({3, 4}), s.normal({4, 2})}, Options{"ij,jk->ik"});
    s.add({s.normal({3, 3}), s.normal({3, 3})}, Options{"ij,jk"});
    s.add({s.normal({3, 4}), s.normal({4, 2})}, Options{" i j , j k -> k i "});
    s.add({s.normal({2, 3, 4}), s.normal({2, 4, 2})}, Options{"bij,bjk->bik"});
    s.add({s.normal({2, 3, 2}), s.normal({3, 2, 4})}, Options{"aib,ibc->acb"});
    s.add({s.normal({2, 3}), s.normal({2, 3})}, Options{"ij,ij->ij"});
    s.add({s.normal({2, 3}), s.normal({2, 3})}, Options{"ij,ij->i"});
    s.add({s.normal({2, 3}), s.normal({2, 3})}, Options{"ij,ij->"});
    s.add({s.normal({3}), s.normal({4})}, Options{"i,j->ji"});
    s.add({s.normal({3, 4})}, Options{"ij->ji"});
    s.add({s.normal({3, 4})}, Options{"ij->j"});
    s.add({s.normal({2, 3, 4})}, Options{"ijk->ki"});
    s.add({s.normal({2, 3, 4})}, Options{"ijk"});
    s.add({s.normal({3, 4})}, Options{"ba"});  // in the order of the letters: transposed
    s.add({s.normal({})}, Options{"->"});
    // Diagonals and traces.
    s.add({s.normal({3, 3})}, Options{"ii->i"});
    s.add({s.normal({3, 3})}, Options{"ii"});
    s.add({s.normal({2, 3, 2, 3})}, Options{"ijij->ji"});
    s.add({s.normal({3, 2, 3, 3})}, Options{"ijii->ij"});
    s.add({s.normal({3, 3}), s.normal({3, 3})}, Options{"ii,ij->j"});
    s.add({s.normal({1, 1}), s.normal({3})}, Options{"ii,i->i"});
    // Letters of one operand alone, which are summed, and three operands.
    s.add({s.normal({3, 4}), s.normal({2})}, Options{"ij,k->k"});
    s.add({s.normal({3, 2}), s.normal({2, 4}), s.normal({4, 3})}, Options{"ij,jk,ki->"});
    s.add({s.normal({3}), s.normal({2, 3}), s.normal({2})}, Options{"a,ba,b->ba"});
    // Ellipses and sizes of 1 broadcast.
    s.add({s.normal({2, 3, 4}), s.normal({4, 2})}, Options{"...ij,jk->...ik"});
    s.add({s.normal({2, 1, 3, 2}), s.normal({3, 2, 2})}, Options{"...ij,...jk->...ik"});
    s.add({s.normal({2, 3, 4})}, Options{"i...->...i"});
    s.add({s.normal({2, 3, 4}), s.normal({3, 1})}, Options{"i...,...->i..."});
    s.add({s.normal({2, 3, 4})}, Options{"...k->k"});
    s.add({s.normal({3, 1}), s.normal({4, 2})}, Options{"ij,jk->ik"});
    s.add({s.normal({3}), s.normal({1})}, Options{"i,i->"});
    s.add({s.normal({2, 0}), s.normal({0, 3})}, Options{"ij,jk->ik"});
    s.add({s.normal({0, 3})}, Options{"ij->j"});
    const auto error = [&](std::string_view gist, std::vector<Tensor> inputs, const char* equation) {
      s.add_error(gist, std::move(inputs), Options{equation});
    };
    error("the equation is for 2 operands, given 1", {s.normal({2, 3})}, "ij,jk->ik");
    error("operand 1 has 2 dimensions, \"j\" names 1 (\"ij,j->i\")", {s.normal({2, 3}), s.normal({3, 2})},
          "ij,j->i");
    error("operand 0 has 1 dimensions, \"ij\" names at least 2", {s.normal({3})}, "...ij->...");
    error("'j' has size 3 in operand 0 and 2 in operand 1", {s.normal({2, 3}), s.normal({2, 3})},
          "ij,jk->ik");
    error("'i' is repeated in operand 0 with sizes 2 and 3", {s.normal({2, 3})}, "ii->i");
    error("'i' is twice in the result", {s.normal({2, 3})}, "ij->ii");
    error("'k' of the result is in no operand", {s.normal({2, 3})}, "ij->k");
    error("unexpected '1' in \"i1\"", {s.normal({2, 3})}, "i1->i");
    error("unexpected '-' in", {s.normal({2, 3})}, "ij-i");
    error("unexpected ',' in", {s.normal({2, 3})}, "ij->i,j");
    error("two ellipses in \"......\"", {s.normal({2, 3})}, "......->");
    error("a dot that is no ellipsis in \"i..j\"", {s.normal({2, 3})}, "i..j->");
    error("a result of 9 dimensions", {s.normal({1, 1, 1, 1, 1}), s.normal({1, 1, 1, 1})},
          "abcde,fghi->abcdefghi");
  }
};

// Of a label that is repeated the last two places; first < 0: none is.
struct Repeated {
  int first, second;
};
Repeated repeated(const Labels& labels) {
  for (size_t i = labels.size(); i-- > 0;) {
    const size_t before = labels.substr(0, i).rfind(labels[i]);
    if (before != std::string::npos) return {static_cast<int>(before), static_cast<int>(i)};
  }
  return {-1, -1};
}

// The gradient of operand i is the einsum of g and the other operands. What only the operand has was summed,
// so it is repeated there; and a diagonal goes back onto a matrix of zeros.
void Einsum::vjp(Vjp& v) {
  std::vector<int> ranks;
  ranks.reserve(static_cast<size_t>(v.inputs()));
  for (int i = 0; i < v.inputs(); ++i) ranks.push_back(v.shape(i).rank());
  const Terms t = read_equation(v.options<Options>().equation, ranks);
  for (int i = 0; i < v.inputs(); ++i) {
    if (!v.needs(i)) continue;
    std::vector<Arg> factors = {v.g()};
    std::vector<Labels> labels = {t.result};
    std::string present = t.result;
    for (int j = 0; j < v.inputs(); ++j) {
      if (j == i) continue;
      factors.push_back(v.input(j));
      labels.push_back(t.operands[static_cast<size_t>(j)]);
      present += labels.back();
    }
    // Diagonal after diagonal until each label is there once, the diagonal's being the last then.
    struct Step {
      Shape shape;
      Repeated at;
    };
    std::vector<Step> steps;
    Labels own = t.operands[static_cast<size_t>(i)];
    Shape shape = v.shape(i);
    for (Repeated at = repeated(own); at.first >= 0; at = repeated(own)) {
      steps.push_back({shape, at});
      const char label = own[static_cast<size_t>(at.first)];
      const int64_t size = shape[at.first];
      for (int d : {at.second, at.first}) {
        own.erase(static_cast<size_t>(d), 1);
        shape.erase(d);
      }
      own += label;
      shape.push_back(size);
    }
    // Labels of size 1 in the operand were broadcast, so their gradient is summed.
    Labels found;
    Dims kept = shape;
    for (size_t d = 0; d < own.size(); ++d) {
      const bool here = shape[static_cast<int>(d)] != 1 && present.find(own[d]) != std::string::npos;
      if (here) found += own[d];
      else kept[static_cast<int>(d)] = 1;
    }
    Tensor d = apply(op<Einsum>, std::span<const Arg>(factors), Options{Text(write_equation(labels, found))});
    // A label that the others have with size 1 only comes back with that size.
    for (size_t k = 0, at = 0; at < own.size(); ++at) {
      if (kept[static_cast<int>(at)] != 1) kept[static_cast<int>(at)] = d.size(static_cast<int64_t>(k++));
    }
    d = expand(reshape(d, kept), shape);
    for (size_t s = steps.size(); s-- > 0;)
      d = diagonal_backward(d, steps[s].shape, steps[s].at.first, steps[s].at.second);
    v.add(i, d);
  }
}

}  // namespace

std::span<const Op* const> summation() {
  static constexpr const Op* kOps[] = {&op<Einsum>};
  return kOps;
}

}  // namespace ops

Tensor einsum(std::string_view equation, std::span<const Tensor> operands, const char* file, int line) {
  std::vector<Arg> args;
  args.reserve(operands.size());
  for (const Tensor& x : operands) args.emplace_back(x, file, line);
  return apply(op<ops::Einsum>, std::span<const Arg>(args), ops::Einsum::Options{equation});
}

}  // namespace tapegrad
