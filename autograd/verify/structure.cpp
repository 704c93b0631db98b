#include "autograd/verify/structure.h"

#include <algorithm>
#include <cmath>

#include "autograd/raise.h"
#include "autograd/text.h"
#include "autograd/verify/line.h"

namespace tapegrad::verify {
namespace {

double at(const Tensor& x, int64_t i) {
  const auto j = static_cast<size_t>(i);
  return x.dtype() == float64 ? x.data<double>()[j] : static_cast<double>(x.data<float>()[j]);
}
double unit(const Tensor& x) { return x.dtype() == float64 ? kUnit : 0x1p-24; }

double largest(const Tensor& x) {
  double top = 0;
  for (int64_t i = 0; i < x.numel(); ++i) top = std::max(top, std::fabs(at(x, i)));
  return top;
}

double largest_of(const Tensors& list) {
  double top = 0;
  for (const Tensor& x : list) top = std::max(top, largest(x));
  return top;
}

double dot(const Tensors& a, const Tensors& b, double& mass) {
  CompensatedSum sum;
  for (size_t k = 0; k < a.size(); ++k) {
    for (int64_t i = 0; i < a[k].numel(); ++i) {
      const double term = at(a[k], i) * at(b[k], i);
      sum.add(term);
      mass += std::fabs(term);
    }
  }
  return sum.value();
}

// Leaves NaN in the free memory that tensors of these sizes will be given.
void poison(const Tensors& like) {
  for (int copies = 0; copies < 3; ++copies) {
    Tensors held;
    for (const Tensor& x : like) {
      if (is_floating(x.dtype())) held.push_back(full(x.shape(), NAN, x.dtype()));
    }
  }
}

class Structure {
 public:
  Structure(Subject& subject, uint64_t seed, ReportBuilder& report)
      : subject_(subject),
        report_(report),
        recording_(subject, subject.inputs()),
        y_(recording_.outputs()),
        c1_(normal_like(y_, seed * 3 + 11)),
        c2_(normal_like(y_, seed * 3 + 12)),
        g1_(recording_.gradient(c1_)) {
    for (const Tensor& y : y_) finite_ &= all_finite(y);
    for (const Tensor& g : g1_) finite_ &= all_finite(g);
  }

  void run() {
    repeats();
    fits();
    leaves_alone();
    zero();
    if (finite_) linear();
    if (finite_) transposed();
    alone();
    if (finite_) shared();
  }

 private:
  void fault(Verdict verdict, int input, std::string what) { report_.fault(verdict, input, std::move(what)); }
  int input(size_t v) const { return subject_.varied()[v]; }
  const std::string& name(size_t v) const { return subject_.input_name(input(v)); }

  // How large a product of one element of each input can be, those below 1 left out.
  double largest_product() const {
    double product = 1;
    for (const Tensor& x : subject_.inputs()) {
      if (is_floating(x.dtype())) product *= std::max(1.0, largest(x));
    }
    return product;
  }

  void repeats() {
    if (!same_bits(evaluate(subject_, subject_.inputs()), y_)) {
      fault(Verdict::nondeterministic, -1, "two runs of the function differ in their bits");
      finite_ = false;
      return;
    }
    poison(subject_.inputs());
    poison(y_);
    if (!same_bits(recording_.gradient(c1_), g1_))
      fault(Verdict::nondeterministic, -1, "two sweeps of one tape differ in their bits");
    Recording again(subject_, subject_.inputs());
    if (!same_bits(again.gradient(c1_), g1_))
      fault(Verdict::nondeterministic, -1, "sweeps of two recordings differ in their bits");
  }

  void fits() {
    for (size_t v = 0; v < g1_.size(); ++v) {
      const Tensor& x = subject_.inputs()[static_cast<size_t>(input(v))];
      if (g1_[v].shape() == x.shape() && g1_[v].dtype() == x.dtype()) continue;
      fault(Verdict::structure, input(v),
            fmt::format("the gradient by {} is {}, and it is {}", name(v), describe(*g1_[v].handle()),
                        describe(*x.handle())));
    }
  }

  void leaves_alone() {
    Tensors held = subject_.inputs();
    held.insert(held.end(), y_.begin(), y_.end());
    held.insert(held.end(), c1_.begin(), c1_.end());
    Tensors before;
    for (const Tensor& x : held) before.push_back(copy_of(x));
    Recording again(subject_, subject_.inputs());
    again.gradient(c1_);
    for (size_t i = 0; i < held.size(); ++i) {
      if (same_bits(held[i], before[i])) continue;
      const size_t n = subject_.inputs().size();
      const std::string what = i < n               ? subject_.input_name(static_cast<int>(i))
                               : i < n + y_.size() ? "an output"
                                                   : "a cotangent";
      fault(Verdict::structure, i < n ? static_cast<int>(i) : -1, what + " is changed by a run or a sweep");
    }
  }

  void zero() {
    Tensors none;
    for (const Tensor& y : y_) none.push_back(zeros(y.shape(), y.dtype()));
    const Tensors g = recording_.gradient(none);
    for (size_t v = 0; v < g.size(); ++v) {
      for (int64_t i = 0; i < g[v].numel(); ++i) {
        if (at(g[v], i) == 0) continue;
        fault(
            Verdict::structure, input(v),
            fmt::format("a cotangent of 0 gives a gradient of {} by {}, entry {}", at(g[v], i), name(v), i));
        break;
      }
    }
  }

  void linear() {
    // So different from 1 that what cuts large cotangents shows, and negative for what loses their sign, also
    // where there is one number only.
    const double alpha = -29.7, beta = 0.6;
    const Tensors g2 = recording_.gradient(c2_);
    Tensors joint;
    for (size_t k = 0; k < y_.size(); ++k) joint.push_back(alpha * c1_[k] + beta * c2_[k]);
    const Tensors g = recording_.gradient(joint);
    for (size_t v = 0; v < g.size(); ++v) {
      // Rule: linear in the cotangent
      // Terms as large as the cotangent times an element of each input may cancel.
      const double terms = largest_of(joint) * largest_product();
      const double scale = std::max({largest(g1_[v]), largest(g2[v]), terms});
      const double bound = 256 * unit(g[v]) * scale;
      for (int64_t i = 0; i < g[v].numel(); ++i) {
        const double sum = alpha * at(g1_[v], i) + beta * at(g2[v], i);
        if (std::fabs(at(g[v], i) - sum) <= bound) continue;
        fault(Verdict::structure, input(v),
              fmt::format("the gradient by {} is not linear in the cotangent: entry {} is {:.10g} for "
                          "{}·c1 + {}·c2, and the sum of both is {:.10g}",
                          name(v), i, at(g[v], i), alpha, beta, sum));
        break;
      }
    }
  }

  // ⟨t, VJP(c1)⟩ for some direction t of the inputs, by a sweep and as ⟨c1, ∂/∂c⟨t, VJP(c)⟩⟩ at c = 0.
  void transposed() {
    try {
      compare_transposed();
    } catch (const GraphError& error) {
      fault(Verdict::structure, -1,
            std::string("the gradient cannot be differentiated again: ") + error.what());
    }
  }
  void compare_transposed() {
    Recording again(subject_, subject_.inputs());
    const Tensors t = normal_like(g1_, 77);
    double mass = 0;
    const double by_sweep = dot(t, g1_, mass);
    Tensors c;
    for (const Tensor& y : y_) c.push_back(again.tape().watch(zeros(y.shape(), y.dtype())));
    const Tensors g = again.gradient(c, /*differentiable=*/true);
    Tensors recorded, along;
    for (size_t v = 0; v < g.size(); ++v) {
      if (g[v].handle()->tape != again.tape().serial() || !g[v].handle()->tracked) continue;
      recorded.push_back(g[v]);
      along.push_back(t[v]);
    }
    double by_second = 0;
    if (!recorded.empty()) {
      const Gradients pushed = again.tape().gradient(recorded, along);
      Tensors p;
      for (const Tensor& w : c) p.push_back(pushed.get_or_zeros(w));
      by_second = dot(c1_, p, mass);
    }
    // Rule: derivative by the cotangent
    for (const Tensor& direction : t) {
      for (int64_t i = 0; i < direction.numel(); ++i) mass += largest_of(c1_) * std::fabs(at(direction, i));
    }
    double coarsest = kUnit;
    for (const Tensor& x : y_) coarsest = std::max(coarsest, unit(x));
    for (const Tensor& x : g1_) coarsest = std::max(coarsest, unit(x));
    if (!(std::fabs(by_sweep - by_second) <= 256 * coarsest * mass)) {
      fault(Verdict::structure, -1,
            fmt::format("the gradient's derivative by the cotangent at 0 is not the function's derivative: "
                        "{:.10g} along a direction, and {:.10g}",
                        by_second, by_sweep));
    }
    // The bits of a plain sweep.
    Recording plain(subject_, subject_.inputs());
    if (!same_bits(plain.gradient(c1_, true), g1_))
      fault(Verdict::structure, -1, "a differentiable sweep gives other bits than a plain one");
  }

  void alone() {
    if (g1_.size() < 2 || !subject_.cells().empty()) return;
    for (size_t v = 0; v < g1_.size(); ++v) {
      Recording only(subject_, subject_.inputs(), static_cast<int>(v));
      if (!same_bits(only.outputs(), y_))
        fault(Verdict::structure, input(v),
              fmt::format("the result has other bits when {} alone is tracked", name(v)));
      if (!same_bits(only.gradient(c1_)[v], g1_[v]))
        fault(Verdict::structure, input(v),
              fmt::format("the gradient by {} has other bits when it alone is tracked", name(v)));
    }
  }

  // Two inputs of one shape as one tensor: a run where both hold the values of the later one, separately and
  // as one.
  void shared() {
    if (!subject_.cells().empty()) return;
    for (size_t b = 1; b < g1_.size(); ++b) {
      for (size_t a = 0; a < b; ++a) {
        try {
          share(a, b);
        } catch (const Error&) {
          // The values of one are outside the domain of the other.
        }
      }
    }
  }
  void share(size_t a, size_t b) {
    Tensors inputs = subject_.inputs();
    Tensor& first = inputs[static_cast<size_t>(input(a))];
    const Tensor& second = inputs[static_cast<size_t>(input(b))];
    if (!(first.shape() == second.shape()) || first.dtype() != second.dtype()) return;
    first = second;
    Recording apart(subject_, inputs);
    const Tensors separate = apart.gradient(c1_);
    Tape tape;
    const Tensor x = tape.watch(second);
    inputs[static_cast<size_t>(input(a))] = inputs[static_cast<size_t>(input(b))] = x;
    const Tensors outputs = subject_.run(inputs, &tape);
    const Tensor joint = sweep(subject_, inputs, tape, outputs, c1_, false)[a];
    // Rule: shared operands
    const double bound =
        256 * unit(joint) * std::max({largest(separate[a]), largest(separate[b]), largest(joint)});
    for (int64_t i = 0; i < joint.numel(); ++i) {
      const double sum = at(separate[a], i) + at(separate[b], i);
      if (!std::isfinite(sum) || std::fabs(at(joint, i) - sum) <= bound) continue;
      fault(
          Verdict::structure, input(b),
          fmt::format("one tensor as {} and {} has the gradient {:.10g} at entry {}, and the sum of both is "
                      "{:.10g}",
                      name(a), name(b), at(joint, i), i, sum));
      return;
    }
  }

  Subject& subject_;
  ReportBuilder& report_;
  Recording recording_;
  const Tensors& y_;
  Tensors c1_, c2_, g1_;
  bool finite_ = true;
};

}  // namespace

void check_structure(Subject& subject, uint64_t seed, ReportBuilder& report) {
  Structure(subject, seed, report).run();
}

}  // namespace tapegrad::verify
