#pragma once

#include <cstdint>

#include "autograd/export.h"
#include "autograd/random.h"
#include "autograd/tensor.h"

namespace tapegrad::nn {

// Some samples: inputs [b, …] and targets [b, …].
struct Batch {
  Tensor inputs;
  Tensor targets;
};

// Samples in memory: the first dimension of both counts them. Targets are classes, int64 [n], or numbers.
struct TAPEGRAD_API Dataset {
  Tensor inputs;
  Tensor targets;

  int64_t size() const { return targets.size(0); }
  // The samples with these indices, int64 [b], in their order. Throws IndexError outside [0, size()), and
  // ShapeError unless inputs and targets count the same samples.
  Batch batch(const Tensor& indices) const;
};

struct Split {
  Dataset train, test;
};
// Samples in random order, a part of ⌈n·test_size⌉ of them for tests or validation and the rest for training.
// With `stratify`, which needs classes as targets, the share of each class in a part is off by less than a
// sample. Throws ArgumentError unless test_size is between 0 and 1 and leaves a sample for each part, and
// DTypeError where classes are needed and targets are not int64 [n].
TAPEGRAD_API Split train_test_split(const Dataset& data, double test_size, Rng& rng, bool stratify = false);

// Points [n, 2] of classes 0, 1, …, 0, 1, …, to try things out on; float32. Both throw ArgumentError for
// fewer than one sample of each class, and for a noise that is negative or not finite.
//
// Arms of a spiral from the origin to radius 1, `turns` times around, the angle off by noise·Gaussian(0, 1).
TAPEGRAD_API Dataset spiral(int64_t samples, Rng& rng, int64_t classes = 2, double noise = 0.1,
                            double turns = 1);
// Two half circles that reach into one another, like scikit-learn's make_moons: (cos t, sin t) and
// (1 − cos t, ½ − sin t), 0 ≤ t ≤ π, each coordinate off by noise·Gaussian(0, 1).
TAPEGRAD_API Dataset moons(int64_t samples, Rng& rng, double noise = 0.1);

}  // namespace tapegrad::nn
