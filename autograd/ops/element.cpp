#include "autograd/ops/element.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

namespace tapegrad::ops {
namespace {

template <class E>
uint64_t bytes_of(E element) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, &element, sizeof(E));
  return bytes;
}

}  // namespace

uint64_t element_of(const Call& call, DType dtype, double value) {
  const bool fits = dtype == DType::boolean ? value == 0 || value == 1
                                            : std::trunc(value) == value && std::fabs(value) < 0x1p63;
  if (!is_floating(dtype) && !fits) {
    call.dtype_error(fmt::format("the number {} beside {} elements; use cast", value, name(dtype)));
  }
  switch (dtype) {
    case DType::float32: return bytes_of(static_cast<float>(value));
    case DType::float64: return bytes_of(value);
    case DType::int64: return bytes_of(static_cast<int64_t>(value));
    default: return bytes_of(value != 0);
  }
}

}  // namespace tapegrad::ops
