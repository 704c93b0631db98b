#pragma once

// How tensors are made and freed. Internal, not installed.

#include <algorithm>
#include <cstring>
#include <new>
#include <span>

#include "autograd/arg.h"
#include "autograd/storage.h"
#include "autograd/tensor.h"

namespace tapegrad::detail {

constexpr size_t header_bytes(size_t rank) { return pool_multiple(sizeof(Body) + rank * sizeof(int64_t)); }

// A header with `bytes` of elements behind it; the caller sets data, and owner where that is another.
inline Body* start_body(DType dtype, std::span<const int64_t> dims, int64_t numel, size_t bytes) {
  const size_t rank = dims.size();
  const size_t rounded = pool_multiple(header_bytes(rank) + bytes);
  void* memory = pool_allocate_rounded(rounded);
  Body* body = new (memory) Body{1,
                                 dtype,
                                 static_cast<uint8_t>(rank),
                                 false,
                                 0,
                                 0,
                                 rounded <= kPoolSmall ? static_cast<uint32_t>(rounded) : 0,
                                 nullptr,
                                 nullptr,
                                 numel};
  for (size_t d = 0; d < rank; ++d) body->dims()[d] = dims[d];
  return body;
}

// A 0-d tensor, not yet filled. A single element stands in the header's own 64 bytes.
inline Body* make_single(DType dtype) {
  Body* body = static_cast<Body*>(pool_allocate_rounded(kPoolAlign));
  new (body) Body{1, dtype, 0, false, 0, 0, kPoolAlign, body + 1, nullptr, 1};
  return body;
}

// A tensor with memory of its own, not yet filled.
inline Body* make_body(DType dtype, std::span<const int64_t> dims, int64_t numel) {
  const size_t rank = dims.size();
  if (numel == 1 && rank == 0) return make_single(dtype);
  if (numel == 1 && rank == 1) {
    Body* body = start_body(dtype, dims, 1, 0);
    body->data = body->dims() + 1;
    return body;
  }
  Body* body = start_body(dtype, dims, numel, static_cast<size_t>(numel) * element_size(dtype));
  body->data = reinterpret_cast<char*>(body) + header_bytes(rank);
  return body;
}

// A tensor without elements, for looking at shapes: its address tells it from others, and must not be read.
Body* make_header(DType dtype, std::span<const int64_t> dims, int64_t numel);

// Says where on which tape the value of a fresh body stands.
inline void put_on_tape(Body& body, uint64_t serial, uint32_t value, bool tracked) {
  body.tape = serial;
  body.value = value;
  body.tracked = tracked;
}

inline bool same_dims(const Body& a, const Body& b) {
  // Few sizes: a loop of its own is faster than a call of memcmp.
  if (a.rank != b.rank) return false;
  for (int d = 0; d < a.rank; ++d) {
    if (a.dims()[d] != b.dims()[d]) return false;
  }
  return true;
}

inline constexpr size_t kMaxOperands = 6;  // of a pointwise kernel, numbers among the options included
// Elements of a pointwise op that one thread computes at a time; a multiple of 256.
inline constexpr int64_t kPointwisePiece = 16384;

// The integer nearest to x, as far as int64 reaches.
inline int64_t saturated(double x) {
  if (x >= 0x1p63) return INT64_MAX;
  return x < -0x1p63 ? INT64_MIN : static_cast<int64_t>(x);
}

// Writes a number as an element; beside integers, a real one is whole or infinite.
inline void put_number(DType dtype, const Arg& number, void* to) {
  switch (dtype) {
    case DType::float32: *static_cast<float*>(to) = static_cast<float>(number.real()); break;
    case DType::float64: *static_cast<double*>(to) = number.real(); break;
    default:
      *static_cast<int64_t*>(to) =
          number.kind() == Arg::Kind::integer ? number.integer() : saturated(number.real());
      break;
  }
}

}  // namespace tapegrad::detail
