#include "autograd/tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "autograd/body.h"
#include "autograd/kernels/scalar.h"
#include "autograd/program/trace.h"
#include "autograd/raise.h"
#include "autograd/tape_impl.h"

namespace tapegrad {
namespace detail {

void* allocate(size_t bytes) { return pool_allocate(bytes); }
void deallocate(void* memory, size_t bytes) noexcept { pool_free(memory, bytes); }

Body* new_body(DType dtype, std::span<const int64_t> dims, int64_t numel) {
  return make_body(dtype, dims, numel);
}

Body* new_alias(Body* of, std::span<const int64_t> dims) {
  Body* body = start_body(of->dtype, dims, of->numel, 0);
  body->data = of->data;
  body->owner = retain(of->owner != nullptr ? of->owner : of);
  if (t_state.trace != nullptr) [[unlikely]]
    t_state.trace->alias(of, body);
  return body;
}

Body* make_header(DType dtype, std::span<const int64_t> dims, int64_t numel) {
  static const Tensor owner = full({}, 0);
  Body* body = start_body(dtype, dims, numel, 0);
  body->data = body;
  body->owner = retain(owner.handle());
  return body;
}

namespace {

// Of an alias or a large tensor.
[[gnu::noinline]] void delete_other_body(Body* body) noexcept {
  Body* owner = body->owner;  // an owner has no owner itself, so this goes one step deep
  if (body->small_bytes != 0) {
    pool_free_small(body, body->small_bytes);
  } else {
    pool_free(body, header_bytes(body->rank) + (owner == nullptr ? body->bytes() : 0));
  }
  release(owner);
}

}  // namespace

void delete_body(Body* body) noexcept {
  if (body->small_bytes == 0 || body->owner != nullptr) return delete_other_body(body);
  pool_free_small(body, body->small_bytes);
}

}  // namespace detail

namespace {

using detail::Body;

Tensor new_tensor(DType dtype, const Shape& shape) {
  return Tensor::adopt(detail::new_body(dtype, {shape.begin(), shape.end()}, shape.numel()));
}

// Follows the first entry of every level for the shape, then checks and copies all of them.
Shape nested_shape(const detail::Nested& values) {
  Shape shape;
  for (const detail::Nested* level = &values; level->count >= 0; level = level->list) {
    shape.push_back(level->count);
    if (level->count == 0) break;
  }
  return shape;
}

DType nested_dtype(const detail::Nested& values) {
  if (values.count < 0) return values.dtype;
  if (values.count == 0) return DType::float32;
  DType found = nested_dtype(values.list[0]);
  for (int64_t i = 1; i < values.count; ++i) {
    const DType other = nested_dtype(values.list[i]);
    if (other == found) continue;
    found = is_floating(other) || is_floating(found) ? DType::float32 : DType::int64;
  }
  return found;
}

// A fractional number as an int64, cut off; throws ArgumentError where that has no such value.
int64_t whole(std::string_view caller, double value) {
  if (!(std::fabs(value) < 0x1p63)) {
    raise<ArgumentError>("[{}] {} is NaN or outside the range of int64", caller, value);
  }
  return static_cast<int64_t>(value);
}

void fill_nested(const detail::Nested& values, const Shape& shape, int depth, Body& body, int64_t& at) {
  if (values.count < 0 ? depth != shape.rank() : depth == shape.rank() || values.count != shape[depth]) {
    raise<ShapeError>(
        "[tensor] rows of different lengths: expected every list at depth {} to be like the first", depth);
  }
  for (int64_t i = 0; i < values.count; ++i) fill_nested(values.list[i], shape, depth + 1, body, at);
  if (values.count >= 0) return;
  switch (body.dtype) {
    case DType::float32: static_cast<float*>(body.data)[at++] = static_cast<float>(values.value); break;
    case DType::float64: static_cast<double*>(body.data)[at++] = values.value; break;
    case DType::int64:
      static_cast<int64_t*>(body.data)[at++] =
          is_floating(values.dtype) ? whole("tensor", values.value) : values.integer;
      break;
    case DType::boolean: static_cast<bool*>(body.data)[at++] = values.value != 0; break;
  }
}

template <class T>
bool same_values(std::span<const T> a, std::span<const T> b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (!(a[i] == b[i] || (a[i] != a[i] && b[i] != b[i]))) return false;
  }
  return true;
}

double element(const Body& body, int64_t i) {
  switch (body.dtype) {
    case DType::float32: return static_cast<const float*>(body.data)[i];
    case DType::float64: return static_cast<const double*>(body.data)[i];
    case DType::int64: return static_cast<double>(static_cast<const int64_t*>(body.data)[i]);
    case DType::boolean: return static_cast<const bool*>(body.data)[i] ? 1.0 : 0.0;
  }
  return 0;
}

}  // namespace

int64_t Tensor::size(int64_t dim) const {
  const Body& b = body();
  const int64_t at = dim < 0 ? dim + b.rank : dim;
  if (at < 0 || at >= b.rank) raise<IndexError>("[size] dimension {} of a tensor of rank {}", dim, b.rank);
  return b.dims()[at];
}

double Tensor::item() const {
  check_single();
  return element(body(), 0);
}

Tensor Tensor::detach() const {
  if (body().tape == 0) return *this;
  return adopt(detail::new_alias(body_, {body_->dims(), body_->rank}));
}

const void* Tensor::checked_data(DType wanted) const {
  if (detail::t_state.trace != nullptr) [[unlikely]]
    detail::t_state.trace->check_readable(body_);
  if (body().dtype != wanted) {
    raise<DTypeError>("[data] the tensor holds {}, asked for as {}; use cast", name(body().dtype),
                      name(wanted));
  }
  return body().data;
}

void Tensor::check_single() const {
  if (numel() != 1) raise<ShapeError>("[item] expected one element, given {}", numel());
  if (detail::t_state.trace != nullptr) [[unlikely]]
    detail::t_state.trace->check_readable(body_);
}

void Tensor::throw_undefined() { raise<ArgumentError>("an undefined tensor was used"); }

Tensor tensor(const detail::Nested& values) { return tensor(values, nested_dtype(values)); }

Tensor tensor(const detail::Nested& values, DType dtype) {
  const Shape shape(static_cast<const Dims&>(nested_shape(values)));
  Tensor result = new_tensor(dtype, shape);
  int64_t at = 0;
  fill_nested(values, shape, 0, *result.handle(), at);
  return result;
}

Tensor from_bytes(const void* elements, size_t count, DType dtype, const Shape& shape) {
  if (static_cast<int64_t>(count) != shape.numel()) {
    raise<ShapeError>("[from_span] {} elements given for shape [{}]", count, fmt::join(shape, ", "));
  }
  Tensor result = new_tensor(dtype, shape);
  if (count > 0) std::memcpy(result.handle()->data, elements, count * element_size(dtype));
  return result;
}

Tensor full(const Shape& shape, double value, DType dtype) {
  if (dtype == DType::int64) whole("full", value);
  Tensor result = new_tensor(dtype, shape);
  kernels::fill(dtype, value, result.handle()->data, shape.numel());
  return result;
}

Tensor zeros(const Shape& shape, DType dtype) {
  Tensor result = new_tensor(dtype, shape);
  std::memset(result.handle()->data, 0, result.handle()->bytes());
  return result;
}

Tensor ones(const Shape& shape, DType dtype) { return full(shape, 1, dtype); }

Tensor arange(int64_t start, int64_t end, int64_t step, DType dtype) {
  if (step == 0) raise<ArgumentError>("[arange] step must not be 0");
  // Unsigned, as the distance of two int64 may be larger than the largest.
  const bool empty = step > 0 ? start >= end : start <= end;
  const auto a = static_cast<uint64_t>(start), b = static_cast<uint64_t>(end),
             by = static_cast<uint64_t>(step);
  const uint64_t span = step > 0 ? b - a : a - b, magnitude = step > 0 ? by : 0 - by;
  const uint64_t steps = empty ? 0 : (span - 1) / magnitude + 1;
  if (steps > INT64_MAX) raise<ShapeError>("[arange] {} elements: overflow", steps);
  const auto count = static_cast<int64_t>(steps);
  Tensor result = new_tensor(dtype, {count});
  void* data = result.handle()->data;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t value = start + i * step;
    switch (dtype) {
      case DType::float32: static_cast<float*>(data)[i] = static_cast<float>(value); break;
      case DType::float64: static_cast<double*>(data)[i] = static_cast<double>(value); break;
      case DType::int64: static_cast<int64_t*>(data)[i] = value; break;
      case DType::boolean: static_cast<bool*>(data)[i] = value != 0; break;
    }
  }
  return result;
}

bool equal(const Tensor& a, const Tensor& b) {
  if (a.dtype() != b.dtype() || !(a.shape() == b.shape())) return false;
  switch (a.dtype()) {
    case DType::float32: return same_values(a.data<float>(), b.data<float>());
    case DType::float64: return same_values(a.data<double>(), b.data<double>());
    case DType::int64: return same_values(a.data<int64_t>(), b.data<int64_t>());
    case DType::boolean: return same_values(a.data<bool>(), b.data<bool>());
  }
  return false;
}

bool allclose(const Tensor& a, const Tensor& b, double rtol, double atol) {
  if (a.dtype() != b.dtype())
    raise<DTypeError>("[allclose] dtypes differ: {} and {}", name(a.dtype()), name(b.dtype()));
  if (!(a.shape() == b.shape())) {
    raise<ShapeError>("[allclose] shapes differ: [{}] and [{}]", fmt::join(a.shape(), ", "),
                      fmt::join(b.shape(), ", "));
  }
  for (int64_t i = 0; i < a.numel(); ++i) {
    const double x = element(*a.handle(), i);
    const double y = element(*b.handle(), i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!(std::isfinite(x) && std::isfinite(y) && std::fabs(x - y) <= atol + rtol * std::fabs(y)))
      return false;
  }
  return true;
}

}  // namespace tapegrad
