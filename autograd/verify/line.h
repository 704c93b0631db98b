#pragma once

// A function along a line: what differences are taken of. Internal, not installed.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "autograd/verify/subject.h"

namespace tapegrad::verify {

inline constexpr double kUnit = 0x1p-53;

// Sum with the rounding errors carried along (Neumaier).
class CompensatedSum {
 public:
  void add(double x) {
    const double t = sum_ + x;
    error_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - t) + x : (x - t) + sum_;
    sum_ = t;
  }
  double value() const { return sum_ + error_; }

 private:
  double sum_ = 0;
  double error_ = 0;
};

// One or two functions of a number t that share their evaluations: φ_q(t) = ⟨c_q, f(x + t·v) − f(x)⟩ for the
// cotangents c_q.
class Line {
 public:
  static constexpr int kMost = 2;

  struct Point {
    double t;  // the step that rounding left of the one asked for
    double phi[kMost];
    double mass[kMost];  // Σ|c·f| over the outputs that have moved here
  };

  virtual ~Line() = default;
  Point at(double t) {
    ++evaluations_;
    widest_ = std::max(widest_, std::fabs(t));
    return evaluate(t);
  }
  // Looks which outputs move at ±t, far away, at no more than their size at the point: values from there say
  // nothing about the errors of those here.
  void look_far(double t) {
    far_ = true;
    evaluate(t);
    evaluate(-t);
    far_ = false;
    evaluations_ += 2;
  }
  int count() const { return count_; }
  // Σ|c·f| over the outputs that have moved so far: rounding errors of φ are proportional to it. One that
  // never moved carries none, or hides less than u·|c·f| in the widest step.
  double mass(int q) const { return mass_[q]; }
  // Σ|c| over the same.
  double weight(int q) const { return weight_[q]; }
  double widest() const { return widest_; }
  int evaluations() const { return evaluations_; }

 protected:
  explicit Line(int count) : count_(count) {}
  virtual Point evaluate(double t) = 0;

  int count_;
  double mass_[kMost] = {};
  double weight_[kMost] = {};
  double widest_ = 0;
  int evaluations_ = 0;
  bool far_ = false;
};

// A subject at its inputs, its outputs there, and what they are multiplied with. Everything is float64.
struct Ground {
  Subject& subject;
  Tensors outputs;
  std::vector<Tensors> cotangents;  // by q, one for each output

  // Σ|c·f| over all outputs that are finite.
  double mass(int q) const;
  // Σ|c|.
  double weight(int q) const;
};

// A subject along one entry of an input, or along a direction through several.
class SubjectLine final : public Line {
 public:
  // Along entry `entry` of the v-th varied input, for the cotangents `which`.
  SubjectLine(const Ground& ground, std::span<const int> which, size_t v, int64_t entry);
  // Along a direction: a tensor for each varied input, undefined where it is 0.
  SubjectLine(const Ground& ground, std::span<const int> which, Tensors direction);

 private:
  Point evaluate(double t) override;
  double move_entry(Tensors& inputs, double t) const;
  double move_all(Tensors& inputs, double t) const;

  const Ground& ground_;
  int which_[kMost];
  size_t v_ = 0;
  int64_t entry_ = -1;
  Tensors direction_;
  double squares_ = 0;                     // of its entries
  std::vector<std::vector<double>> size_;  // of each output that has moved: the largest |f| seen; else −1
};

}  // namespace tapegrad::verify
