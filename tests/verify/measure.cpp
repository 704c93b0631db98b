#include "tests/verify/measure.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/kernels/dispatch.h"
#include "autograd/ops.h"

namespace tapegrad::verify {
namespace {

constexpr int64_t kChunk = 16384;  // inputs of one call: what the library does on the calling thread

class Rounding final : public PassingVisitor {
 public:
  using PassingVisitor::field;
  void field(std::string_view, double& value) override { value = static_cast<float>(value); }
  void field(std::string_view, std::optional<double>& value) override {
    if (value) value = static_cast<float>(*value);
  }
};

template <class T>
Tensor chunk_of(const std::vector<T>& x, int64_t at, int64_t count) {
  return from_span(std::span(x).subspan(static_cast<size_t>(at), static_cast<size_t>(count)), {count});
}

template <class T>
std::vector<Tensor> operands_of(const MeasuredOp& subject, const Points<T>& points, int64_t at,
                                int64_t count) {
  std::vector<Tensor> x(static_cast<size_t>(subject.operands));
  for (size_t k = 0; k < x.size(); ++k) x[k] = chunk_of(points.x[k], at, count);
  return x;
}

int64_t chunks_of(int64_t count) { return (count + kChunk - 1) / kChunk; }

// 2^(23 − e) for size = m·2^e, 1 ≤ m < 2: one over the unit in the last place of float there. Written
// without branches, for vectors.
double per_unit(double size) {
  size = std::max(size, 0x1p-126);
  uint64_t bits;
  std::memcpy(&bits, &size, sizeof bits);
  bits = (uint64_t{2 * 1023 + 23} << 52) - (bits & 0x7ff0000000000000u);
  std::memcpy(&size, &bits, sizeof bits);
  return size;
}

bool same_sign(double a, double b) {
  uint64_t x, y;
  std::memcpy(&x, &a, sizeof x);
  std::memcpy(&y, &b, sizeof y);
  return ((x ^ y) >> 63) == 0;
}

// y's error against want in units in the last place of float, as ulps() in real.h has it; `largest` is that
// of the operands.
double error_of(float y, double want, const Reference& reference, double largest) {
  constexpr double kWrong = std::numeric_limits<double>::infinity();
  if (std::isnan(want) || std::isnan(y)) return std::isnan(want) && std::isnan(y) ? 0 : kWrong;
  if (std::isinf(y) && y == static_cast<float>(want)) return 0;
  if (std::isinf(want)) return kWrong;
  const double value = std::isinf(y) ? std::copysign(0x1p128, y) : static_cast<double>(y);
  const double size = std::fabs(want), distance = std::fabs(value - want);
  if (reference.cancels) return distance * per_unit(std::max(size, largest));
  if (!reference.zero_sign && y == 0 && want == 0) return 0;
  return same_sign(y, want) ? distance * per_unit(size) : kWrong;
}

// How many of the errors may be above `limit`. Vectorised; what it counts is looked at again.
int64_t suspects(const float* y, const double* want, int64_t count, double limit) {
  int64_t found = 0;
  for (int64_t i = 0; i < count; ++i) {
    const double error = std::fabs(static_cast<double>(y[i]) - want[i]) * per_unit(std::fabs(want[i]));
    const bool fine = (error <= limit) & same_sign(y[i], want[i]);
    const bool both_nan = (y[i] != y[i]) & (want[i] != want[i]);
    const bool both_infinite =
        (static_cast<float>(want[i]) == y[i]) & (std::fabs(y[i]) > std::numeric_limits<float>::max());
    found += !(fine | both_nan | both_infinite);
  }
  return found;
}

// One chunk of operands of the op with its float64 kernel as the reference.
void compare(const MeasuredOp& subject, const std::vector<Tensor>& x, int64_t first, Worst<float>& worst) {
  std::vector<Tensor> wide;
  wide.reserve(x.size());
  for (const Tensor& t : x) wide.push_back(cast(t, float64));
  const Tensor y = run(*subject.op, x, subject.options.ref())[0];
  const Tensor want = run(*subject.op, wide, subject.options.ref())[0];
  const float* got = y.data<float>().data();
  const double* reference = want.data<double>().data();
  const int64_t count = y.numel();
  const double limit = worst.error;
  if (limit == std::numeric_limits<double>::infinity() || suspects(got, reference, count, limit) == 0) return;
  for (int64_t i = 0; i < count; ++i) {
    float at[2] = {};
    double largest = 0;
    for (size_t k = 0; k < x.size(); ++k) {
      at[k] = x[k].data<float>()[static_cast<size_t>(i)];
      if (std::isfinite(at[k])) largest = std::max(largest, std::fabs(static_cast<double>(at[k])));
    }
    const double error = error_of(got[i], reference[i], *subject.reference, largest);
    if (error > worst.error) worst = {error, {at[0], at[1]}, got[i], 0, first + i};
  }
}

// MPFR's constants of this thread.
struct CacheGuard {
  CacheGuard() = default;
  ~CacheGuard() { mpfr_free_cache(); }
};

template <class T>
Worst<T> worst_of(const std::vector<Worst<T>>& found) {
  Worst<T> worst;
  for (const Worst<T>& w : found) worst.take(w);
  return worst;
}

}  // namespace

OptionsBox in_float32(OptionsRef options) {
  OptionsBox copy(options);
  Rounding rounding;
  if (options.type != nullptr) options.type->visit(const_cast<void*>(copy.ref().data), rounding);
  return copy;
}

template <class T>
std::vector<T> evaluate(const MeasuredOp& subject, const Points<T>& points) {
  const auto size = static_cast<int64_t>(points.size());
  std::vector<T> y(points.size());
  for (int64_t at = 0; at < size; at += kChunk) {
    const int64_t count = std::min(kChunk, size - at);
    const std::vector<Tensor> x = operands_of(subject, points, at, count);
    const Tensor part = run(*subject.op, x, subject.options.ref())[0];
    std::copy_n(part.data<T>().data(), count, y.data() + at);
  }
  return y;
}

template <class T>
Worst<T> against_mpfr(const MeasuredOp& subject, const Points<T>& points) {
  std::vector<std::vector<T>> got;
  for (int target = 0; target < kernels::target_count(); ++target) {
    kernels::use_target(target);
    got.push_back(evaluate(subject, points));
  }
  kernels::use_target(0);
  const Numbers numbers(subject.options.ref());
  const auto size = static_cast<int64_t>(points.size());
  constexpr int64_t kSome = 256;
  std::vector<Worst<T>> worst(static_cast<size_t>(subject.threads));
  auto body = [&](int thread, int64_t chunk) {
    thread_local const CacheGuard guard;
    Worst<T>& mine = worst[static_cast<size_t>(thread)];
    for (int64_t n = chunk * kSome; n < std::min(size, (chunk + 1) * kSome); ++n) {
      const auto i = static_cast<size_t>(n);
      Real x[2];
      double largest = 0;
      for (int k = 0; k < subject.operands; ++k) {
        x[k] = Real(static_cast<double>(points.x[k][i]));
        if (std::isfinite(points.x[k][i]))
          largest = std::max(largest, std::fabs(static_cast<double>(points.x[k][i])));
      }
      const Real want = subject.reference->f(x, numbers);
      for (size_t target = 0; target < got.size(); ++target) {
        const double error = subject.reference->cancels
                                 ? ulps(got[target][i], want, false, largest)
                                 : ulps(got[target][i], want, subject.reference->zero_sign);
        if (!(error > mine.error)) continue;
        mine = {error, {}, got[target][i], static_cast<int>(target), n};
        for (int k = 0; k < subject.operands; ++k) mine.at[k] = points.x[k][i];
      }
    }
  };
  parallel(subject.threads, (size + kSome - 1) / kSome, body,
           [&](double fraction) { subject.progress->show(subject.title + " (MPFR)", fraction); });
  return worst_of(worst);
}

Worst<float> against_float64(const MeasuredOp& subject, const Points<float>& points) {
  const auto size = static_cast<int64_t>(points.size());
  std::vector<Worst<float>> worst(static_cast<size_t>(subject.threads));
  auto body = [&](int thread, int64_t chunk) {
    const int64_t at = chunk * kChunk;
    const std::vector<Tensor> x = operands_of(subject, points, at, std::min(kChunk, size - at));
    compare(subject, x, at, worst[static_cast<size_t>(thread)]);
  };
  parallel(subject.threads, chunks_of(size), body,
           [&](double fraction) { subject.progress->show(subject.title, fraction); });
  return worst_of(worst);
}

Worst<float> all_against_float64(const MeasuredOp& subject) {
  std::vector<Worst<float>> worst(static_cast<size_t>(subject.threads));
  auto body = [&](int thread, int64_t chunk) {
    std::vector<float> x(kChunk);
    for (int64_t i = 0; i < kChunk; ++i) {
      const auto pattern = static_cast<uint32_t>(chunk * kChunk + i);
      std::memcpy(&x[static_cast<size_t>(i)], &pattern, sizeof pattern);
    }
    compare(subject, {chunk_of(x, 0, kChunk)}, chunk * kChunk, worst[static_cast<size_t>(thread)]);
  };
  parallel(subject.threads, (int64_t{1} << 32) / kChunk, body,
           [&](double fraction) { subject.progress->show(subject.title, fraction); });
  return worst_of(worst);
}

template std::vector<float> evaluate<float>(const MeasuredOp&, const Points<float>&);
template std::vector<double> evaluate<double>(const MeasuredOp&, const Points<double>&);
template Worst<float> against_mpfr<float>(const MeasuredOp&, const Points<float>&);
template Worst<double> against_mpfr<double>(const MeasuredOp&, const Points<double>&);

}  // namespace tapegrad::verify
