#include "nn/data/batches.h"

#include <algorithm>
#include <utility>

#include "autograd/ops.h"
#include "autograd/raise.h"

namespace tapegrad::nn {

Batches::Batches(Tensor images, Tensor labels, Tensor order, int64_t batch_size)
    : images_(std::move(images)),
      labels_(std::move(labels)),
      order_(std::move(order)),
      batch_size_(batch_size) {
  if (batch_size < 1) raise<ArgumentError>("[batches] batch_size must be at least 1, got {}", batch_size);
  if (images_.rank() == 0 || labels_.rank() == 0) {
    raise<ShapeError>("[batches] expected samples along the first dimension, got ranks {} and {}",
                      images_.rank(), labels_.rank());
  }
  if (images_.size(0) != labels_.size(0)) {
    raise<ShapeError>("[batches] {} images but {} labels", images_.size(0), labels_.size(0));
  }
  if (order_.defined() && order_.rank() != 1) {
    raise<ShapeError>("[batches] expected an order of rank 1, got rank {}", order_.rank());
  }
}

int64_t Batches::count() const {
  const int64_t samples = order_.defined() ? order_.size(0) : labels_.size(0);
  return samples / batch_size_ + (samples % batch_size_ != 0 ? 1 : 0);
}

Batch Batches::operator[](int64_t i) const {
  if (i < 0 || i >= count()) raise<IndexError>("[batches] no batch {}: there are {}", i, count());
  const int64_t samples = order_.defined() ? order_.size(0) : labels_.size(0);
  const int64_t first = i * batch_size_;
  const int64_t last = first + std::min(batch_size_, samples - first);
  if (!order_.defined()) return {slice(images_, 0, first, last), slice(labels_, 0, first, last)};
  const Tensor chosen = slice(order_, 0, first, last);
  return {index_select(images_, 0, chosen), index_select(labels_, 0, chosen)};
}

Batches batches(const Tensor& images, const Tensor& labels, int64_t batch_size, Rng& rng) {
  const Batches checked(images, labels, {}, batch_size);
  return {images, labels, rng.permutation(labels.size(0)), batch_size};
}
Batches batches(const Dataset& data, int64_t batch_size, Rng& rng) {
  return batches(data.images, data.labels, batch_size, rng);
}
Batches batches(const Tensor& images, const Tensor& labels, int64_t batch_size) {
  return {images, labels, {}, batch_size};
}
Batches batches(const Dataset& data, int64_t batch_size) {
  return batches(data.images, data.labels, batch_size);
}

}  // namespace tapegrad::nn
