#include "autograd/verify/precision.h"

#include <algorithm>
#include <cmath>

#include "autograd/raise.h"

namespace tapegrad::verify {
namespace {

Tensors gradients_at(TapeSubject& subject, const Tensors& cotangents) {
  return Recording(subject, subject.inputs()).gradient(cotangents);
}

}  // namespace

void check_precision(TapeSubject& exact, const Tensors& cotangents, const Tensors& single,
                     ReportBuilder& report) {
  constexpr int kReplays = 8;
  Tensors c;
  for (const Tensor& w : cotangents) c.push_back(w.dtype() == float32 ? cast(w, float64) : w);
  const Tensors g = gradients_at(exact, c);
  std::vector<std::vector<double>> squares;
  for (const Tensor& x : g) squares.emplace_back(static_cast<size_t>(x.numel()));
  for (int r = 0; r < kReplays; ++r) {
    exact.jitter(true, static_cast<uint64_t>(r + 1) << 32);
    const Tensors off = gradients_at(exact, c);
    for (size_t v = 0; v < g.size(); ++v) {
      for (size_t i = 0; i < squares[v].size(); ++i) {
        const double d = elements(off[v])[i] - elements(g[v])[i];
        squares[v][i] += d * d / kReplays;
      }
    }
  }
  exact.jitter(false, 0);
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
