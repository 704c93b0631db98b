#include "autograd/verify/precision.h"

#include <algorithm>
#include <cmath>

#include "autograd/raise.h"

namespace tapegrad::verify {
void check_precision(TapeSubject& exact, const Tensors& cotangents, const Tensors& single,
                     ReportBuilder& report) {
  constexpr int kReplays = 8;
  Tensors c;
  for (const Tensor& w : cotangents) c.push_back(w.dtype() == float32 ? cast(w, float64) : w);
  Recording recording(exact, exact.inputs());
  Tensors watched;
  for (const Tensor& w : c) watched.push_back(recording.tape().watch(w));
  const Tensors g = recording.gradient(watched, /*differentiable=*/true);
  std::vector<std::vector<double>> squares;
  for (const Tensor& x : g) squares.emplace_back(static_cast<size_t>(x.numel()));
  // Of those that a record or a cotangent gave; the others are 0.
  Tensors given;
  std::vector<size_t> which;
  for (size_t v = 0; v < g.size(); ++v) {
    if (g[v].handle()->tape != recording.tape().serial()) continue;
    given.push_back(g[v]);
    which.push_back(v);
  }
  TapeSubject rounded(recording.tape(), given, /*promote=*/false);
  for (int r = 0; r < kReplays; ++r) {
    rounded.jitter(static_cast<uint64_t>(r) + 1);
    const Tensors off = evaluate(rounded, rounded.inputs());
    for (size_t k = 0; k < given.size(); ++k) {
      std::vector<double>& of = squares[which[k]];
      for (size_t i = 0; i < of.size(); ++i) {
        const double d = elements(off[k])[i] - elements(given[k])[i];
        of[i] += d * d / kReplays;
      }
    }
  }
  double worst = 0;
  for (size_t v = 0; v < g.size(); ++v) {
    const Tensor g32 = single[v].dtype() == float32 ? cast(single[v], float64) : single[v];
    double sigma = 0, size = 0, apart = 0;
    int64_t at = 0;
    for (int64_t i = 0; i < g32.numel(); ++i) {
      sigma = std::max(sigma, std::sqrt(squares[v][static_cast<size_t>(i)]));
      size = std::max(size, std::fabs(elements(g[v])[i]));
      const double d = std::fabs(elements(g32)[i] - elements(g[v])[i]);
      if (d <= apart) continue;
      apart = d;
      at = i;
      if (std::isnan(d)) break;  // it must not get lost
    }
    const double bound = 8 * (sigma + 0.1 * 0x1p-24 * size);
    if (bound > 0) worst = std::max(worst, apart / bound);
    if (apart <= bound) continue;
    const int input = exact.varied()[v];
    report.fault(
        Verdict::disagree, input,
        fmt::format("the float32 gradient by {} is {:.9g} at entry {}, the float64 one {:.9g}; rounding "
                    "explains {:.2g}",
                    exact.input_name(input), elements(g32)[at], at, elements(g[v])[at], bound));
  }
  report.note(
      fmt::format("float32: its gradients lie within {:.2g} of what rounding explains from the float64 "
                  "ones of the same numbers",
                  worst));
}

}  // namespace tapegrad::verify
