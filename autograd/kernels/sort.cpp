#include "autograd/kernels/sort.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>
#include <utility>

#include "autograd/kernels/parallel.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kMostSlots = 8;  // shares of the rows that may run at once, each with its scratch memory
constexpr int64_t kSlotElements = 8192;  // elements from which a share of its own pays
constexpr int64_t kRadixFrom = 128;      // below this comparing is faster

// A key that orders as the elements do, and where the element is.
template <class Key>
struct Entry {
  Key key;
  Key index;  // with 32 bits enough for rows of 16 GiB
  bool operator<(const Entry& other) const {
    return key != other.key ? key < other.key : index < other.index;
  }
};
template <class T>
using KeyOf = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

template <class T>
KeyOf<T> key_of(T x, bool descending) {
  using Key = KeyOf<T>;
  constexpr Key kTop = Key{1} << (8 * sizeof(T) - 1);
  Key key;
  if constexpr (std::is_integral_v<T>) {
    key = static_cast<Key>(x) ^ kTop;
  } else if (std::isnan(x)) {
    key = ~Key{0};
  } else {
    const Key bits = std::bit_cast<Key>(x + T{0});  // −0 + 0 is 0
    key = (bits & kTop) != 0 ? ~bits : bits | kTop;
  }
  return descending ? ~key : key;
}

// By the bytes of the key from the last to the first, each pass stable. Returns which array holds the result.
template <class Key>
Entry<Key>* radix_sort(Entry<Key>* from, Entry<Key>* to, int64_t n) {
  constexpr int kBytes = sizeof(Key);
  int64_t counts[kBytes][256] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (int b = 0; b < kBytes; ++b) ++counts[b][from[i].key >> (8 * b) & 255];
  }
  for (int b = 0; b < kBytes; ++b) {
    if (counts[b][from[0].key >> (8 * b) & 255] == n) continue;  // the same in all
    int64_t start = 0;
    for (int64_t& count : counts[b]) start += std::exchange(count, start);
    for (int64_t i = 0; i < n; ++i) to[counts[b][from[i].key >> (8 * b) & 255]++] = from[i];
    std::swap(from, to);
  }
  return from;
}

template <class T>
void sort_row(const T* x, T* values, int64_t* indices, int64_t n, int64_t step, bool descending,
              Entry<KeyOf<T>>* scratch) {
  using Key = KeyOf<T>;
  for (int64_t i = 0; i < n; ++i) scratch[i] = {key_of(x[i * step], descending), static_cast<Key>(i)};
  Entry<Key>* sorted = scratch;
  if (n < kRadixFrom) std::sort(scratch, scratch + n);
  else sorted = radix_sort(scratch, scratch + n, n);
  for (int64_t i = 0; i < n; ++i) {
    const auto from = static_cast<int64_t>(sorted[i].index);
    indices[i * step] = from;
    values[i * step] = x[from * step];
  }
}

int64_t slots_of(int64_t rows, int64_t n) {
  return std::clamp<int64_t>(rows * n / kSlotElements, 1, std::min(kMostSlots, rows));
}

template <class T>
void sort_rows(const T* x, T* values, int64_t* indices, int64_t outer, int64_t n, int64_t inner,
               bool descending, void* scratch) {
  const int64_t rows = outer * inner;
  const int64_t slots = slots_of(rows, n);
  parallel_for(slots, 1, [&](int64_t begin, int64_t end) {
    for (int64_t slot = begin; slot < end; ++slot) {
      auto* own = static_cast<Entry<KeyOf<T>>*>(scratch) + slot * 2 * n;
      for (int64_t r = rows * slot / slots; r < rows * (slot + 1) / slots; ++r) {
        const int64_t at = r / inner * n * inner + r % inner;
        sort_row(x + at, values + at, indices + at, n, inner, descending, own);
      }
    }
  });
}

}  // namespace

size_t sort_scratch(DType dtype, int64_t outer, int64_t n, int64_t inner) {
  const int64_t rows = outer * inner;
  if (rows == 0 || n == 0) return 0;
  const bool narrow = element_size(dtype) == 4;
  return static_cast<size_t>(slots_of(rows, n) * 2 * n) *
         (narrow ? sizeof(Entry<uint32_t>) : sizeof(Entry<uint64_t>));
}

void sort(DType dtype, const void* x, void* values, int64_t* indices, int64_t outer, int64_t n, int64_t inner,
          bool descending, void* scratch) {
  if (outer * n * inner == 0) return;
  auto run = [&](auto zero) {
    using T = decltype(zero);
    sort_rows(static_cast<const T*>(x), static_cast<T*>(values), indices, outer, n, inner, descending,
              scratch);
  };
  switch (dtype) {
    case DType::float32: return run(float{});
    case DType::float64: return run(double{});
    default: run(int64_t{});
  }
}

}  // namespace tapegrad::kernels
