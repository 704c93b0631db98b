#pragma once

// One op with one set of options at many points.

#include <string>
#include <vector>

#include "autograd/samples.h"
#include "tests/verify/points.h"
#include "tests/verify/reference.h"
#include "tests/verify/ulp.h"
#include "tests/verify/workers.h"

namespace tapegrad::verify {

// The largest error so far and where it is.
template <class T>
struct Worst {
  double error = -1;
  T at[2] = {};
  T got = 0;
  int target = 0;
  int64_t index = 0;  // in the order of the points

  void take(const Worst& other) {
    if (other.error > error || (other.error == error && other.index < index)) *this = other;
  }
};

struct MeasuredOp {
  const Op* op;
  OptionsBox options;
  const Reference* reference;
  int operands;
  int threads;
  Progress* progress;
  std::string title;  // for progress
};

// The op over the points, on the vector target in use.
template <class T>
std::vector<T> evaluate(const MeasuredOp& subject, const Points<T>& points);

// Against MPFR, on every vector target.
template <class T>
Worst<T> against_mpfr(const MeasuredOp& subject, const Points<T>& points);

// float32 against float64, on the vector target in use.
Worst<float> against_float64(const MeasuredOp& subject, const Points<float>& points);
// The same over all 2³² operands.
Worst<float> all_against_float64(const MeasuredOp& subject);

// Numbers among the options rounded to float32.
OptionsBox in_float32(OptionsRef options);

}  // namespace tapegrad::verify
