#include "autograd/shape.h"

#include <algorithm>

#include "autograd/raise.h"

namespace tapegrad {

Dims::Dims(std::span<const int64_t> values) {
  if (values.size() > kMaxRank)
    raise<ShapeError>("{} dimensions given, the limit is {}", values.size(), kMaxRank);
  std::copy(values.begin(), values.end(), values_);
  size_ = static_cast<int32_t>(values.size());
}

void Dims::push_back(int64_t value) { insert(size_, value); }

void Dims::insert(int at, int64_t value) {
  if (size_ == kMaxRank) raise<ShapeError>("more than {} dimensions, which is the limit", kMaxRank);
  std::copy_backward(values_ + at, values_ + size_, values_ + size_ + 1);
  values_[at] = value;
  ++size_;
}

void Dims::erase(int at) {
  std::copy(values_ + at + 1, values_ + size_, values_ + at);
  --size_;
}

bool Dims::contains(int64_t value) const { return std::find(begin(), end(), value) != end(); }

bool Dims::operator==(const Dims& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Shape::Shape(std::span<const int64_t> sizes) : Dims(sizes) {
  int64_t numel = 1;
  bool overflow = false;
  for (int64_t size : sizes) {
    if (size < 0) raise<ShapeError>("negative size in shape [{}]", fmt::join(sizes, ", "));
    overflow |= __builtin_mul_overflow(numel, std::max<int64_t>(size, 1), &numel);
  }
  // The largest element is 8 bytes, and allocation adds a header and padding.
  if (overflow || numel > (INT64_MAX >> 4))
    raise<ShapeError>("element count of shape [{}]: overflow", fmt::join(sizes, ", "));
}

int64_t Shape::numel() const {
  int64_t product = 1;
  for (int64_t size : *this) product *= size;
  return product;
}

bool broadcast(const Shape& a, const Shape& b, Shape& result, int& axis) {
  const Shape& wide = a.rank() >= b.rank() ? a : b;
  const Shape& narrow = a.rank() >= b.rank() ? b : a;
  Shape joined = wide;
  for (int i = 1; i <= narrow.rank(); ++i) {
    int64_t& size = joined[wide.rank() - i];
    const int64_t other = narrow[narrow.rank() - i];
    if (size != other && size != 1 && other != 1) {
      axis = i;
      return false;
    }
    if (size == 1) size = other;
  }
  result = joined;
  return true;
}

Dims broadcast_strides(const Shape& from, const Shape& to) {
  Dims strides = to;
  int64_t stride = 1;
  for (int i = 1; i <= to.rank(); ++i) {
    const int64_t size = i <= from.rank() ? from[from.rank() - i] : 1;
    strides[to.rank() - i] = size == 1 ? 0 : stride;
    stride *= size;
  }
  return strides;
}

}  // namespace tapegrad
