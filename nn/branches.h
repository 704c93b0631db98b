#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "nn/any_layer.h"

namespace tapegrad::nn {

// x + f(x), or projection(x) + f(x) where f changes the shape (He et al., 2015). Parameters are called
// "f.weight", "projection.weight" and so on. Throws ShapeError unless the two have one shape: nothing is
// broadcast.
class TAPEGRAD_API Residual {
 public:
  template <SequentialLayer F>
  explicit Residual(F f) : f_(std::move(f)) {}
  template <SequentialLayer F, SequentialLayer P>
  Residual(F f, P projection) : f_(std::move(f)), projection_(std::move(projection)) {}

  Tensor operator()(const Arg& x) const;

  static void fields(auto& self, auto&& f) {
    f("f", self.f_);
    f("projection", self.projection_);
  }

 private:
  detail::LayerBox f_, projection_;
};

// How the branches of a Parallel come together.
enum class Join : uint8_t { concat, sum };

// The same x through several branches, whose results are put side by side along one dimension, the last
// unless told otherwise, or added up. Parameters are called "0.weight", "1.weight", ….
//   Parallel wide(Join::concat, Linear(8, 4, rng), Sequential(Linear(8, 2, rng), relu));  // [n, 8] → [n, 6]
// Throws ShapeError where the results do not fit; sums do not broadcast.
class TAPEGRAD_API Parallel {
 public:
  template <SequentialLayer... Branches>
    requires(sizeof...(Branches) > 0)
  explicit Parallel(Join join, Branches... branches) : join_(join) {
    branches_.reserve(sizeof...(Branches));
    (branches_.emplace_back(std::move(branches)), ...);
  }

  Parallel& along(int64_t dim) {
    dim_ = dim;
    return *this;
  }
  size_t size() const { return branches_.size(); }

  Tensor operator()(const Arg& x) const;

  static void fields(auto& self, auto&& f) { f.elements(self.branches_); }

 private:
  std::vector<detail::LayerBox> branches_;
  Join join_;
  int64_t dim_ = -1;
};

}  // namespace tapegrad::nn
