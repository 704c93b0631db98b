#include "nn/data/batches.h"

#include <algorithm>
#include <utility>

#include "autograd/ops.h"
#include "autograd/raise.h"

namespace tapegrad::nn {

Batches::Batches(Tensor inputs, Tensor targets, Tensor order, int64_t batch_size)
    : inputs_(std::move(inputs)),
      targets_(std::move(targets)),
      order_(std::move(order)),
      batch_size_(batch_size) {
  if (batch_size < 1) raise<ArgumentError>("[batches] batch_size must be at least 1, got {}", batch_size);
  if (inputs_.rank() == 0 || targets_.rank() == 0) {
    raise<ShapeError>("[batches] expected samples along the first dimension, got ranks {} and {}",
                      inputs_.rank(), targets_.rank());
  }
  if (inputs_.size(0) != targets_.size(0)) {
    raise<ShapeError>("[batches] {} inputs but {} targets", inputs_.size(0), targets_.size(0));
  }
  if (order_.defined() && order_.rank() != 1) {
    raise<ShapeError>("[batches] expected an order of rank 1, got rank {}", order_.rank());
  }
}

int64_t Batches::count() const {
  const int64_t samples = order_.defined() ? order_.size(0) : targets_.size(0);
  return samples / batch_size_ + (samples % batch_size_ != 0 ? 1 : 0);
}

Batch Batches::operator[](int64_t i) const {
  if (i < 0 || i >= count()) raise<IndexError>("[batches] no batch {}: there are {}", i, count());
  const int64_t samples = order_.defined() ? order_.size(0) : targets_.size(0);
  const int64_t first = i * batch_size_;
  const int64_t last = first + std::min(batch_size_, samples - first);
  if (!order_.defined()) return {slice(inputs_, 0, first, last), slice(targets_, 0, first, last)};
  const Tensor chosen = slice(order_, 0, first, last);
  return {index_select(inputs_, 0, chosen), index_select(targets_, 0, chosen)};
}

Batches batches(const Tensor& inputs, const Tensor& targets, int64_t batch_size, Rng& rng) {
  const Batches checked(inputs, targets, {}, batch_size);
  return {inputs, targets, rng.permutation(targets.size(0)), batch_size};
}
Batches batches(const Dataset& data, int64_t batch_size, Rng& rng) {
  return batches(data.inputs, data.targets, batch_size, rng);
}
Batches batches(const Tensor& inputs, const Tensor& targets, int64_t batch_size) {
  return {inputs, targets, {}, batch_size};
}
Batches batches(const Dataset& data, int64_t batch_size) {
  return batches(data.inputs, data.targets, batch_size);
}

}  // namespace tapegrad::nn
