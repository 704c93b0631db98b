#include "tests/support/planted.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/samples.h"

namespace tapegrad::testing {
namespace {

constexpr std::string_view kNames[] = {"none",
                                       "sign",
                                       "twice",
                                       "half",
                                       "slightly",
                                       "thousandth",
                                       "dropped_term",
                                       "swapped_operands",
                                       "missing_unbroadcast",
                                       "missing_accumulation",
                                       "transposed",
                                       "off_by_one",
                                       "float32_inside",
                                       "clamped_cotangent",
                                       "absolute_cotangent",
                                       "squared_cotangent",
                                       "one_entry",
                                       "last_lanes",
                                       "stale_value"};

using Tensors = std::vector<Tensor>;

Tensor from(const std::vector<double>& values, const Tensor& like) {
  return cast(from_vector(values, like.shape()), like.dtype()).detach();
}
std::vector<double> values(const Tensor& x) { return cast(x, float64).to_vector<double>(); }

template <class F>
Tensor map(const Tensor& x, const F& f) {
  std::vector<double> v = values(x);
  for (double& e : v) e = f(e);
  return from(v, x);
}
template <class F>
Tensors map_all(std::span<const Tensor> tensors, const F& f) {
  Tensors result;
  for (const Tensor& x : tensors) result.push_back(x.defined() && is_floating(x.dtype()) ? map(x, f) : x);
  return result;
}

// The part that one output element contributes, the last one's instead of the sum.
Tensors last_wins(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                  std::span<const Tensor> cotangents) {
  Tensors result;
  std::vector<std::vector<double>> sums;
  for (size_t k = 0; k < cotangents.size(); ++k) {
    const std::vector<double> c = values(cotangents[k]);
    for (size_t j = 0; j < c.size(); ++j) {
      Tensors one;
      for (const Tensor& w : cotangents) one.push_back(zeros(w.shape(), w.dtype()));
      std::vector<double> hot(c.size());
      hot[j] = c[j];
      one[k] = from(hot, cotangents[k]);
      const Tensors parts = true_vjp(op, inputs, options, one);
      sums.resize(parts.size());
      for (size_t i = 0; i < parts.size(); ++i) {
        if (!parts[i].defined()) continue;
        const std::vector<double> part = values(parts[i]);
        sums[i].resize(part.size());
        for (size_t e = 0; e < part.size(); ++e) {
          if (part[e] != 0) sums[i][e] = part[e];
        }
      }
    }
  }
  const Tensors like = true_vjp(op, inputs, options, cotangents);
  for (size_t i = 0; i < like.size(); ++i) {
    result.push_back(like[i].defined() && i < sums.size() && !sums[i].empty() ? from(sums[i], like[i])
                                                                              : like[i]);
  }
  return result;
}

// Where an operand was repeated to reach the shape of the result, one of the parts that should be summed: the
// cotangent outside the first slice is not looked at.
Tensors first_slice(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                    std::span<const Tensor> cotangents) {
  Tensors result = true_vjp(op, inputs, options, cotangents);
  if (cotangents.size() != 1) return result;
  const Shape out = cotangents[0].shape();
  for (size_t i = 0; i < result.size(); ++i) {
    if (!result[i].defined()) continue;
    const Shape in = result[i].shape();
    Shape joined;
    int axis = 0;
    if (in == out || !broadcast(in, out, joined, axis) || !(joined == out)) continue;
    std::vector<double> c = values(cotangents[0]);
    const Dims strides = broadcast_strides(in, out);
    for (size_t j = 0; j < c.size(); ++j) {
      auto rest = static_cast<int64_t>(j);
      for (int d = out.rank(); d-- > 0;) {
        if (strides[d] == 0 && out[d] > 1 && rest % out[d] != 0) c[j] = 0;
        rest /= out[d];
      }
    }
    const Tensor cut[] = {from(c, cotangents[0])};
    result[i] = true_vjp(op, inputs, options, cut)[i];
  }
  return result;
}

Tensor transposed(const Tensor& g) {
  if (g.rank() < 2) {
    std::vector<double> v = values(g);
    std::reverse(v.begin(), v.end());
    return from(v, g);
  }
  Dims order;
  for (int d = 0; d < g.rank(); ++d) order.push_back(d);
  std::swap(order[g.rank() - 1], order[g.rank() - 2]);
  return reshape(permute(g, order), g.shape());
}

Tensor shifted(const Tensor& g) {
  std::vector<double> v = values(g);
  const int64_t length = g.rank() > 0 ? g.size(-1) : 1;
  for (auto row = v.begin(); row != v.end() && length > 0; row += length)
    std::rotate(row, row + 1, row + length);
  return from(v, g);
}

}  // namespace

std::span<const Fault> all_faults() {
  static const std::vector<Fault> faults = [] {
    std::vector<Fault> list;
    for (size_t i = 1; i < std::size(kNames); ++i) list.push_back(static_cast<Fault>(i));
    return list;
  }();
  return faults;
}

std::string_view name(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

std::vector<Tensor> true_vjp(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                             std::span<const Tensor> cotangents) {
  Tape tape;
  Tensors x;
  for (const Tensor& t : inputs) {
    x.push_back(is_floating(t.dtype()) ? tape.watch(t.detach()) : t);
  }
  Tensors ys;
  for (const Tensor& y : run(op, x, options)) {
    if (is_floating(y.dtype())) ys.push_back(y);
  }
  Tensors cs;
  for (size_t k = 0; k < ys.size(); ++k) cs.push_back(cast(cotangents[k], ys[k].dtype()).detach());
  const Gradients g = tape.gradient(ys, cs);
  Tensors result;
  for (const Tensor& t : x) {
    result.push_back(is_floating(t.dtype()) ? g.get_or_zeros(t).detach() : Tensor());
  }
  return result;
}

std::vector<Tensor> faulty_vjp(const Op& op, std::span<const Tensor> inputs, OptionsRef options,
                               std::span<const Tensor> cotangents, Fault fault) {
  auto with_cotangents = [&](auto f) { return true_vjp(op, inputs, options, map_all(cotangents, f)); };
  auto scaled = [&](double factor) {
    return map_all(true_vjp(op, inputs, options, cotangents), [&](double g) { return factor * g; });
  };
  auto each = [&](auto f) {
    Tensors g = true_vjp(op, inputs, options, cotangents);
    for (Tensor& x : g) {
      if (x.defined() && x.numel() > 0) x = f(x);
    }
    return g;
  };
  switch (fault) {
    case Fault::none: return true_vjp(op, inputs, options, cotangents);
    case Fault::sign: return scaled(-1);
    case Fault::twice: return scaled(2);
    case Fault::half: return scaled(0.5);
    case Fault::slightly: return scaled(1 + 1e-6);
    case Fault::thousandth: return scaled(1 + 9e-4);
    case Fault::dropped_term: {
      Tensors g = true_vjp(op, inputs, options, cotangents);
      const auto last = std::find_if(g.rbegin(), g.rend(), [](const Tensor& x) { return x.defined(); });
      if (last != g.rend()) *last = zeros(last->shape(), last->dtype());
      return g;
    }
    case Fault::swapped_operands: {
      Tensors g = true_vjp(op, inputs, options, cotangents);
      for (size_t b = 1; b < g.size(); ++b) {
        for (size_t a = 0; a < b; ++a) {
          if (!g[a].defined() || !g[b].defined() || !(g[a].shape() == g[b].shape())) continue;
          std::swap(g[a], g[b]);
          return g;
        }
      }
      return g;
    }
    case Fault::missing_unbroadcast: return first_slice(op, inputs, options, cotangents);
    case Fault::missing_accumulation: return last_wins(op, inputs, options, cotangents);
    case Fault::transposed: return each(transposed);
    case Fault::off_by_one: return each(shifted);
    case Fault::float32_inside: {
      auto single = [](std::span<const Tensor> list) {
        Tensors result;
        for (const Tensor& x : list) result.push_back(is_floating(x.dtype()) ? cast(x, float32).detach() : x);
        return result;
      };
      Tensors g = true_vjp(op, single(inputs), options, single(cotangents));
      for (size_t i = 0; i < g.size(); ++i) {
        if (g[i].defined()) g[i] = cast(g[i], inputs[i].dtype()).detach();
      }
      return g;
    }
    case Fault::clamped_cotangent: return with_cotangents([](double c) { return std::clamp(c, -1.0, 1.0); });
    case Fault::absolute_cotangent: return with_cotangents([](double c) { return std::fabs(c); });
    case Fault::squared_cotangent: return with_cotangents([](double c) { return c * c; });
    case Fault::one_entry: {
      Tensors g = true_vjp(op, inputs, options, cotangents);
      for (Tensor& x : g) {
        if (!x.defined() || x.numel() == 0) continue;
        std::vector<double> v = values(x);
        const auto at = std::max_element(v.begin(), v.end(),
                                         [](double a, double b) { return std::fabs(a) < std::fabs(b); });
        *at *= 1.1;
        x = from(v, x);
        break;
      }
      return g;
    }
    case Fault::last_lanes:
      return each([](const Tensor& x) {
        std::vector<double> v = values(x);
        std::fill(v.begin() + static_cast<std::ptrdiff_t>(v.size() / 4 * 4), v.end(), 0.0);
        return from(v, x);
      });
    case Fault::stale_value:
      return true_vjp(op, map_all(inputs, [](double x) { return x * (1 + 0x1p-7); }), options, cotangents);
  }
  return {};
}

namespace {

// The VJP of every planted op.
void planted(Vjp& v) {
  const auto& op = static_cast<const PlantedOp&>(v.op());
  Tensors inputs, cotangents;
  for (int i = 0; i < v.inputs(); ++i) inputs.push_back(v.input_tensor(i).detach());
  const Tensors outputs = run(*op.original, inputs, v.option_ref());
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (is_floating(outputs[k].dtype())) cotangents.push_back(v.g(static_cast<int>(k)).detach());
  }
  const Tensors g = faulty_vjp(*op.original, inputs, v.option_ref(), cotangents, op.fault);
  for (int i = 0; i < v.inputs(); ++i) {
    bool again = false;  // the same tensor comes once more, and overwrites
    for (int j = i + 1; op.fault == Fault::missing_accumulation && j < v.inputs(); ++j) {
      again |= v.input_tensor(i).handle() == v.input_tensor(j).handle();
    }
    if (!again && g[static_cast<size_t>(i)].defined()) v.add(i, g[static_cast<size_t>(i)]);
  }
}

}  // namespace

PlantedOp::PlantedOp(const Op& of, Fault which) : Op(of), original(&of), fault(which) { vjp = &planted; }

bool found(const Report& report) {
  for (const CheckedEntry& e : report.entries()) {
    if (!e.passed && e.verdict != Verdict::noisy) return true;
  }
  return std::any_of(report.faults().begin(), report.faults().end(), [](const StructureFault& fault) {
    return !fault.what.starts_with("the gradient's derivative by the cotangent");
  });
}

bool shows_under(const Op& op, std::span<const Tensor> inputs, OptionsRef options, Fault fault,
                 std::span<const Tensor> cotangents, uint32_t operands) {
  const Tensors right = true_vjp(op, inputs, options, cotangents),
                wrong = faulty_vjp(op, inputs, options, cotangents, fault);
  for (size_t i = 0; i < right.size(); ++i) {
    if (!right[i].defined() || (operands >> std::min<size_t>(i, 31) & 1) == 0) continue;
    const std::vector<double> a = values(right[i]), b = values(wrong[i]);
    double largest = 0, apart = 0;
    for (size_t e = 0; e < a.size(); ++e) {
      if (!std::isfinite(a[e]) && !std::isfinite(b[e])) continue;  // at a pole both are
      largest = std::max(largest, std::fabs(a[e]));
      const double gap = std::fabs(a[e] - b[e]);
      if (!(gap <= apart)) apart = gap;
    }
    if (!(apart <= 1e-12 * largest)) return true;
  }
  return false;
}

bool shows(const Op& op, std::span<const Tensor> inputs, OptionsRef options, Fault fault, int draws,
           uint64_t seed) {
  Tensors ys;
  for (const Tensor& y : run(op, inputs, options)) {
    if (is_floating(y.dtype())) ys.push_back(y);
  }
  uint32_t operands = ~op.constant_operands;
  // The operand that the primal gives is not free, and nothing flows there.
  if (op.primal != nullptr) operands &= ~(uint32_t{1} << (inputs.size() - 1));
  for (int draw = 0; draw < draws; ++draw) {
    Rng rng(static_cast<uint64_t>(draw) + seed);
    Tensors c;
    for (const Tensor& y : ys) c.push_back(rng.normal(y.shape(), y.dtype()));
    if (shows_under(op, inputs, options, fault, c, operands)) return true;
  }
  return false;
}

}  // namespace tapegrad::testing
