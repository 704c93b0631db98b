#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "autograd/export.h"
#include "autograd/random.h"
#include "autograd/tensor.h"
#include "nn/data/dataset.h"

namespace tapegrad::nn {

// The samples of a data set, cut into batches of `batch_size`; the last one is smaller when the count does
// not divide. Every sample comes exactly once. A range: for (const auto& [inputs, targets] : batches(data,
// 128, rng)).
class TAPEGRAD_API Batches {
 public:
  class Iterator {
   public:
    using value_type = Batch;
    using difference_type = ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    Iterator(const Batches* range, int64_t i) : range_(range), i_(i) {}
    Batch operator*() const { return (*range_)[i_]; }
    Iterator& operator++() {
      ++i_;
      return *this;
    }
    Iterator operator++(int) { return {range_, i_++}; }
    bool operator==(const Iterator& other) const { return i_ == other.i_; }

   private:
    const Batches* range_ = nullptr;
    int64_t i_ = 0;
  };

  // `order` holds the sample indices in the order wanted (int64 [n]); undefined means as they are stored.
  Batches(Tensor inputs, Tensor targets, Tensor order, int64_t batch_size);

  // How many batches there are.
  int64_t count() const;
  // The i-th batch, copied out. Throws IndexError outside 0 … count() − 1.
  Batch operator[](int64_t i) const;
  Iterator begin() const { return {this, 0}; }
  Iterator end() const { return {this, count()}; }

 private:
  Tensor inputs_, targets_, order_;
  int64_t batch_size_;
};

// Batches in a random order, drawn from rng when this is called. The first dimension of both tensors counts
// samples. Throws ShapeError when those differ or one is missing, and ArgumentError for batch_size < 1.
TAPEGRAD_API Batches batches(const Tensor& inputs, const Tensor& targets, int64_t batch_size, Rng& rng);
TAPEGRAD_API Batches batches(const Dataset& data, int64_t batch_size, Rng& rng);
// The same in stored order.
TAPEGRAD_API Batches batches(const Tensor& inputs, const Tensor& targets, int64_t batch_size);
TAPEGRAD_API Batches batches(const Dataset& data, int64_t batch_size);

}  // namespace tapegrad::nn
