#pragma once

// The line search of L-BFGS. Internal, not installed.

#include "autograd/tensor.h"

namespace tapegrad::optim::detail {

// A point of the line: loss, gradient, and the gradient along the line.
struct Point {
  double step = 0;
  double loss = 0;
  Tensor gradient = {};
  double slope = 0;
};

struct LineResult {
  Point point;
  int evaluations;
};

// Evaluates the loss at a step along the line.
class Line {
 public:
  virtual ~Line() = default;
  virtual Point at(double step) = 0;
};

// A step that meets the strong Wolfe conditions (Nocedal and Wright, algorithms 3.5 and 3.6), as PyTorch
// finds it after Schmidt's minFunc: `first` is the step tried first, `start` the point at 0, `longest` the
// largest magnitude in the direction.
LineResult strong_wolfe(Line& line, double first, const Point& start, double longest,
                        double tolerance_change);

// The minimum between two points of the cubic that has their losses and slopes, within [low, high].
double cubic_interpolate(const Point& a, const Point& b, double low, double high);

}  // namespace tapegrad::optim::detail
