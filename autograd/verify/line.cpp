#include "autograd/verify/line.h"

#include <algorithm>
#include <utility>

#include "autograd/kernels/parallel.h"

namespace tapegrad::verify {
namespace {

constexpr int64_t kPiece = 16384;  // entries that one thread moves at a time

double finite_size(double y) { return std::isfinite(y) ? std::fabs(y) : 0; }

}  // namespace

double Ground::mass(int q) const {
  double total = 0;
  const Tensors& c = cotangents[static_cast<size_t>(q)];
  for (size_t k = 0; k < outputs.size(); ++k) {
    const double *y = elements(outputs[k]), *w = elements(c[k]);
    for (int64_t j = 0; j < outputs[k].numel(); ++j) {
      if (std::isfinite(y[j])) total += std::fabs(w[j] * y[j]);
    }
  }
  return total;
}

double Ground::weight(int q) const {
  double total = 0;
  for (const Tensor& c : cotangents[static_cast<size_t>(q)]) {
    for (int64_t j = 0; j < c.numel(); ++j) total += std::fabs(elements(c)[j]);
  }
  return total;
}

SubjectLine::SubjectLine(const Ground& ground, std::span<const int> which, size_t v, int64_t entry)
    : Line(static_cast<int>(which.size())), ground_(ground), v_(v), entry_(entry) {
  std::copy(which.begin(), which.end(), which_);
}

SubjectLine::SubjectLine(const Ground& ground, std::span<const int> which, Tensors direction)
    : Line(static_cast<int>(which.size())), ground_(ground), direction_(std::move(direction)) {
  std::copy(which.begin(), which.end(), which_);
  for (const Tensor& v : direction_) {
    for (int64_t i = 0; v.defined() && i < v.numel(); ++i) squares_ += elements(v)[i] * elements(v)[i];
  }
}

double SubjectLine::move_entry(Tensors& inputs, double t) const {
  Tensor& x = inputs[static_cast<size_t>(ground_.subject.varied()[v_])];
  const double before = elements(x)[entry_];
  x = copy_of(x);
  elements(x)[entry_] = before + t;
  return elements(x)[entry_] - before;
}

double SubjectLine::move_all(Tensors& inputs, double t) const {
  // Of each coordinate's achieved step, the one in direction v: Σ v·(x' − x) / Σ v². Four sums run at a time
  // in each piece.
  struct Sums {
    double achieved[4] = {};
  };
  double achieved = 0;
  for (size_t v = 0; v < direction_.size(); ++v) {
    if (!direction_[v].defined()) continue;
    Tensor& x = inputs[static_cast<size_t>(ground_.subject.varied()[v])];
    const Tensor before = x;
    x = space_like(x);
    const double *from = elements(before), *along = elements(direction_[v]);
    double* to = elements(x);
    std::vector<Sums> sums(static_cast<size_t>((x.numel() + kPiece - 1) / kPiece));
    kernels::parallel_for(x.numel(), kPiece, [&](int64_t begin, int64_t end) {
      Sums mine;
      auto move = [&](int64_t i, int k) {
        to[i] = from[i] + t * along[i];
        mine.achieved[k] += (to[i] - from[i]) * along[i];
      };
      int64_t i = begin;
      for (; i + 4 <= end; i += 4) {
        for (int k = 0; k < 4; ++k) move(i + k, k);
      }
      for (; i < end; ++i) move(i, 0);
      sums[static_cast<size_t>(begin / kPiece)] = mine;
    });
    for (const Sums& s : sums) achieved += (s.achieved[0] + s.achieved[1]) + (s.achieved[2] + s.achieved[3]);
  }
  return squares_ > 0 ? achieved / squares_ : t;
}

Line::Point SubjectLine::evaluate(double t) {
  Tensors inputs = ground_.subject.inputs();
  Point point{};
  point.t = entry_ >= 0 ? move_entry(inputs, t) : move_all(inputs, t);
  Tensors outputs;
  try {
    outputs = verify::evaluate(ground_.subject, inputs);
  } catch (const Error&) {
    // Rule: step outside the domain
    // A step out of the function's domain: a smaller one may stay inside.
    std::fill_n(point.phi, count_, NAN);
    return point;
  }
  if (size_.empty()) {
    for (const Tensor& y : outputs) size_.emplace_back(static_cast<size_t>(y.numel()), -1.0);
  }
  CompensatedSum sum[kMost];
  for (size_t k = 0; k < outputs.size(); ++k) {
    const double *y = elements(outputs[k]), *y0 = elements(ground_.outputs[k]);
    const double* c[kMost] = {};
    for (int q = 0; q < count_; ++q) {
      c[q] = elements(ground_.cotangents[static_cast<size_t>(which_[q])][k]);
    }
    for (int64_t j = 0; j < outputs[k].numel(); ++j) {
      if (y[j] == y0[j]) continue;
      const double difference = y[j] - y0[j];
      double& size = size_[k][static_cast<size_t>(j)];
      const bool first = size < 0;
      if (first) size = 0;
      const double here = std::max(far_ ? 0 : finite_size(y[j]), finite_size(y0[j]));
      const double grown = std::max(here, size) - size;
      for (int q = 0; q < count_; ++q) {
        sum[q].add(c[q][j] * difference);
        point.mass[q] += std::fabs(c[q][j]) * here;
        mass_[q] += std::fabs(c[q][j]) * grown;
        if (first) weight_[q] += std::fabs(c[q][j]);
      }
      size += grown;
    }
  }
  for (int q = 0; q < count_; ++q) point.phi[q] = sum[q].value();
  return point;
}

}  // namespace tapegrad::verify
