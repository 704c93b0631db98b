#pragma once

// Copies along one axis. Vectors are those of 16 bytes, which every machine has. Internal, not installed.

#include <cstdint>
#include <cstring>

namespace tapegrad::kernels {

template <class E>
void fill_run(E* to, int64_t n, E value) {
  constexpr int64_t kLine = 64 / sizeof(E);
  int64_t i = 0;
  if (n >= kLine) {
    unsigned char bytes[sizeof(E)];
    std::memcpy(bytes, &value, sizeof(E));
    bool equal = true;
    for (unsigned char byte : bytes) equal &= byte == bytes[0];
    if (equal) {
      std::memset(static_cast<void*>(to), bytes[0], static_cast<size_t>(n) * sizeof(E));
      return;
    }
    E line[kLine];
    for (E& element : line) element = value;
    for (; i + kLine <= n; i += kLine) std::memcpy(to + i, line, 64);
  }
  for (; i < n; ++i) to[i] = value;
}

// The n elements up to `last`, backwards.
template <class E>
void reverse_run(const E* last, E* to, int64_t n) {
  constexpr int64_t kLanes = 16 / sizeof(E);
  int64_t i = 0;
  if constexpr (sizeof(E) == 4 || sizeof(E) == 8) {
    using Vector [[gnu::vector_size(16)]] = E;
    for (; i + kLanes <= n; i += kLanes) {
      Vector v;
      std::memcpy(&v, last - i - (kLanes - 1), 16);
      if constexpr (kLanes == 4) v = __builtin_shufflevector(v, v, 3, 2, 1, 0);
      else v = __builtin_shufflevector(v, v, 1, 0);
      std::memcpy(to + i, &v, 16);
    }
  }
  for (; i < n; ++i) to[i] = *(last - i);
}

// Each of n elements `times` times.
template <class E>
void repeat_run(const E* from, int64_t from_stride, E* to, int64_t n, int64_t times) {
  constexpr int64_t kLanes = 16 / sizeof(E);
  if (times == 2) {
    int64_t i = 0;
    if constexpr (sizeof(E) == 4 || sizeof(E) == 8) {
      using Vector [[gnu::vector_size(16)]] = E;
      for (; from_stride == 1 && i + kLanes <= n; i += kLanes) {
        Vector v, low, high;
        std::memcpy(&v, from + i, 16);
        if constexpr (kLanes == 4) {
          low = __builtin_shufflevector(v, v, 0, 0, 1, 1);
          high = __builtin_shufflevector(v, v, 2, 2, 3, 3);
        } else {
          low = __builtin_shufflevector(v, v, 0, 0);
          high = __builtin_shufflevector(v, v, 1, 1);
        }
        std::memcpy(to + 2 * i, &low, 16);
        std::memcpy(to + 2 * i + kLanes, &high, 16);
      }
    }
    for (; i < n; ++i) to[2 * i] = to[2 * i + 1] = from[i * from_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) {
      const E value = from[i * from_stride];
      for (int64_t r = 0; r < times; ++r) *to++ = value;
    }
  }
}

template <class E>
void copy_run(const E* from, int64_t from_stride, E* to, int64_t to_stride, int64_t n) {
  if (from_stride == 1 && to_stride == 1) {
    if (n > 16) {
      std::memcpy(static_cast<void*>(to), from, static_cast<size_t>(n) * sizeof(E));
    } else {
      for (int64_t i = 0; i < n; ++i) to[i] = from[i];
    }
  } else if (from_stride == 0 && to_stride == 1) {
    fill_run(to, n, *from);
  } else if (from_stride == -1 && to_stride == 1) {
    reverse_run(from, to, n);
  } else if (to_stride == 1) {
    for (int64_t i = 0; i < n; ++i) to[i] = from[i * from_stride];
  } else {
    for (int64_t i = 0; i < n; ++i) to[i * to_stride] = from[i * from_stride];
  }
}

}  // namespace tapegrad::kernels
