#pragma once

// How tensors are made and freed. Internal, not installed.

#include <algorithm>
#include <new>
#include <span>

#include "autograd/storage.h"
#include "autograd/tensor.h"

namespace tapegrad::detail {

constexpr size_t header_bytes(size_t rank) {
  return (sizeof(Body) + rank * sizeof(int64_t) + 63) & ~size_t{63};
}

inline Body* start_body(void* memory, DType dtype, std::span<const int64_t> dims, int64_t numel) {
  const auto rank = static_cast<uint8_t>(dims.size());
  Body* body = new (memory)
      Body{1, dtype, rank, 0, 0, 0, static_cast<uint32_t>(header_bytes(rank)), nullptr, nullptr, numel};
  for (size_t d = 0; d < rank; ++d) body->dims()[d] = dims[d];
  return body;
}

// A tensor with memory of its own, not yet filled.
inline Body* make_body(DType dtype, std::span<const int64_t> dims, int64_t numel) {
  const size_t header = header_bytes(dims.size());
  void* memory = pool_allocate(header + static_cast<size_t>(numel) * element_size(dtype));
  Body* body = start_body(memory, dtype, dims, numel);
  body->data = static_cast<char*>(memory) + header;
  return body;
}

}  // namespace tapegrad::detail
