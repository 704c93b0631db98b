#include "autograd/ops/class_rows.h"

#include <algorithm>
#include <cstring>

#include "autograd/kernels/rows.h"
#include "autograd/ops/loss.h"
#include "autograd/storage.h"

namespace tapegrad::ops {
namespace {

constexpr int64_t kGrain = 16384;  // logits of one piece of work
constexpr int64_t kTile = 16;      // rows handled together

int64_t grain_rows(const ClassRows& l) {
  return std::max(kTile, kGrain / std::max<int64_t>(1, l.classes) / kTile * kTile);
}

// Class indices alone: the kernels of dense rows do it.
bool plain(const ClassRows& l) {
  return l.target != nullptr && l.weight == nullptr && l.smoothing == 0 && l.inner == 1;
}

// The rows of one piece of work, dense: as they lie where inner = 1, else copied tile by tile.
template <class T>
class Tiles {
 public:
  explicit Tiles(const ClassRows& l) : l_(l), size_(static_cast<size_t>(kTile * l.classes)) {
    if (l.inner > 1) memory_ = static_cast<T*>(detail::pool_allocate(bytes()));
  }
  ~Tiles() {
    if (memory_ != nullptr) detail::pool_free(memory_, bytes());
  }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;

  // Rows [first, first + count), count ≤ kTile: logits, probabilities (null without) and room for a result.
  void load(int64_t first, int64_t count) {
    if (memory_ == nullptr) return;
    copy(first, count, static_cast<const T*>(l_.logits), memory_);
    if (l_.probabilities != nullptr)
      copy(first, count, static_cast<const T*>(l_.probabilities), memory_ + size_);
  }
  const T* logits(int64_t first, int64_t row) const { return at(l_.logits, 0, first, row); }
  const T* probabilities(int64_t first, int64_t row) const {
    return l_.probabilities != nullptr ? at(l_.probabilities, size_, first, row) : nullptr;
  }
  T* result(void* dx, int64_t first, int64_t row) {
    if (memory_ == nullptr) return static_cast<T*>(dx) + (first + row) * l_.classes;
    return memory_ + 2 * size_ + static_cast<size_t>(row * l_.classes);
  }
  // Puts the results where they belong.
  void store(void* dx, int64_t first, int64_t count) {
    if (memory_ == nullptr) return;
    for_entries(first, count, [&](int64_t place, int64_t i) {
      static_cast<T*>(dx)[place] = memory_[2 * size_ + static_cast<size_t>(i)];
    });
  }

 private:
  size_t bytes() const { return std::max<size_t>(1, 3 * size_) * sizeof(T); }
  const T* at(const void* dense, size_t copied, int64_t first, int64_t row) const {
    if (memory_ == nullptr) return static_cast<const T*>(dense) + (first + row) * l_.classes;
    return memory_ + copied + static_cast<size_t>(row * l_.classes);
  }
  void copy(int64_t first, int64_t count, const T* from, T* to) {
    for_entries(first, count, [&](int64_t place, int64_t i) { to[i] = from[place]; });
  }
  // Visits the place of each entry in [outer, classes, inner] and in the tile [row, classes].
  template <class Visit>
  void for_entries(int64_t first, int64_t count, const Visit& visit) const {
    int64_t start[kTile];
    for (int64_t r = 0; r < count; ++r) {
      start[r] = (first + r) / l_.inner * l_.classes * l_.inner + (first + r) % l_.inner;
    }
    for (int64_t c = 0; c < l_.classes; ++c) {
      for (int64_t r = 0; r < count; ++r) visit(start[r] + c * l_.inner, r * l_.classes + c);
    }
  }

  const ClassRows& l_;
  size_t size_;
  T* memory_ = nullptr;
};

// a_c of one row.
template <class T>
class Coefficients {
 public:
  Coefficients(const ClassRows& l, int64_t row, const T* probabilities)
      : weight_(static_cast<const T*>(l.weight)),
        probabilities_(probabilities),
        kept_(1 - l.smoothing),
        spread_(l.smoothing / static_cast<double>(l.classes)),
        target_(l.target != nullptr ? l.target[row] : -1) {}

  double operator[](int64_t c) const {
    const double w = weight_ != nullptr ? static_cast<double>(weight_[c]) : 1;
    if (probabilities_ != nullptr) return w * (kept_ * static_cast<double>(probabilities_[c]) + spread_);
    return w * (c == target_ ? kept_ + spread_ : spread_);
  }
  // The only class that counts, or −1.
  int64_t only() const { return spread_ == 0 ? target_ : -1; }

 private:
  const T* weight_;
  const T* probabilities_;
  double kept_, spread_;
  int64_t target_;
};

bool ignored(const ClassRows& l, int64_t row) {
  return l.target != nullptr && l.target[row] == l.ignore_index;
}

template <class T>
double row_loss(const ClassRows& l, int64_t row, const T* x, const T* probabilities) {
  if (ignored(l, row) || l.classes == 0) return 0;
  const kernels::LogSum sum = kernels::row_log_sum_exp(l.dtype, x, l.classes);
  const Coefficients<T> a(l, row, probabilities);
  auto term = [&](int64_t c) {
    const double by = a[c];
    return by == 0 ? 0 : by * (sum.log_sum - (static_cast<double>(x[c]) - sum.largest));
  };
  if (a.only() >= 0) return term(a.only());
  double loss = 0;
  for (int64_t c = 0; c < l.classes; ++c) loss += term(c);
  return loss;
}

template <class T>
void row_gradient(const ClassRows& l, int64_t row, const T* x, const T* probabilities, T g, T* dx) {
  if (ignored(l, row)) return std::fill(dx, dx + l.classes, T{0});
  const Coefficients<T> a(l, row, probabilities);
  kernels::softmax(l.dtype, x, dx, 1, l.classes, 1);
  double total = 0;
  if (a.only() >= 0) {
    total = a[a.only()];
  } else {
    for (int64_t c = 0; c < l.classes; ++c) total += a[c];
  }
  const auto scale = static_cast<double>(g);
  for (int64_t c = 0; c < l.classes; ++c) {
    dx[c] = static_cast<T>(scale * (total * static_cast<double>(dx[c]) - a[c]));
  }
}

// Calls body(first, count) for the tiles of rows [begin, end).
template <class Body>
void for_tiles(int64_t begin, int64_t end, const Body& body) {
  for (int64_t first = begin; first < end; first += kTile) body(first, std::min(kTile, end - first));
}

// The losses of rows [first, first + count), count ≤ kTile.
template <class T>
void tile_losses(const ClassRows& l, Tiles<T>& tiles, int64_t first, int64_t count, T* each) {
  if (plain(l)) {
    kernels::cross_entropy_rows(l.dtype, static_cast<const T*>(l.logits) + first * l.classes,
                                l.target + first, l.ignore_index, each, count, l.classes);
    return;
  }
  tiles.load(first, count);
  for (int64_t r = 0; r < count; ++r) {
    each[r] = static_cast<T>(row_loss(l, first + r, tiles.logits(first, r), tiles.probabilities(first, r)));
  }
}

template <class T>
void losses(const ClassRows& l, T* each) {
  kernels::parallel_for(l.rows(), grain_rows(l), [&](int64_t begin, int64_t end) {
    Tiles<T> tiles(l);
    for_tiles(begin, end,
              [&](int64_t first, int64_t count) { tile_losses(l, tiles, first, count, each + first); });
  });
}

template <class T>
double loss_sum(const ClassRows& l) {
  return sum_of_pieces(l.rows(), grain_rows(l), [&](int64_t begin, int64_t end) {
    Tiles<T> tiles(l);
    kernels::PairwiseSum<double> tree;
    for_tiles(begin, end, [&](int64_t first, int64_t count) {
      T each[kTile];
      tile_losses(l, tiles, first, count, each);
      double sum = 0;
      for (int64_t r = 0; r < count; ++r) sum += static_cast<double>(each[r]);
      tree.add(sum);
    });
    return tree.total();
  });
}

template <class T>
void backward(const ClassRows& l, const T* g, bool by_row, T* dx) {
  if (plain(l)) {
    kernels::cross_entropy_rows_backward(l.dtype, l.logits, l.target, l.ignore_index, g, by_row ? 1 : 0, dx,
                                         l.rows(), l.classes);
    return;
  }
  kernels::parallel_for(l.rows(), grain_rows(l), [&](int64_t begin, int64_t end) {
    Tiles<T> tiles(l);
    for_tiles(begin, end, [&](int64_t first, int64_t count) {
      tiles.load(first, count);
      for (int64_t r = 0; r < count; ++r) {
        row_gradient(l, first + r, tiles.logits(first, r), tiles.probabilities(first, r),
                     by_row ? g[first + r] : *g, tiles.result(dx, first, r));
      }
      tiles.store(dx, first, count);
    });
  });
}

}  // namespace

void class_losses(const ClassRows& l, void* each) {
  l.dtype == DType::float32 ? losses(l, static_cast<float*>(each)) : losses(l, static_cast<double*>(each));
}

double class_loss_sum(const ClassRows& l) {
  return l.dtype == DType::float32 ? loss_sum<float>(l) : loss_sum<double>(l);
}

void class_loss_backward(const ClassRows& l, const void* g, bool by_row, void* dx) {
  if (l.dtype == DType::float32) backward(l, static_cast<const float*>(g), by_row, static_cast<float*>(dx));
  else backward(l, static_cast<const double*>(g), by_row, static_cast<double*>(dx));
}

}  // namespace tapegrad::ops
