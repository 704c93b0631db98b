#include "autograd/kernels/scan.h"

#include <algorithm>
#include <limits>

#include "autograd/kernels/parallel.h"
#include "autograd/kernels/scan_lanes.h"

namespace tapegrad::kernels {
namespace {

constexpr int64_t kGrainElements = 16384;

// Scans that run side by side: neighbours along inner, or whole rows where inner is 1.
struct Side {
  int64_t base;   // of the first scan, in elements
  int64_t width;  // how many
  int64_t apart;  // from one scan to the next
  int64_t step;   // along n
};

// Calls body(side) for all scans, kTileWidth at a time.
template <class Body>
void for_sides(const ScanShape& shape, Body body) {
  const bool rows = shape.inner == 1;
  const int64_t count = rows ? shape.outer : shape.inner;
  const int64_t blocks = (count + kTileWidth - 1) / kTileWidth;
  const int64_t tasks = rows ? blocks : blocks * shape.outer;
  const int64_t grain = std::max<int64_t>(1, kGrainElements / (shape.n * std::min(count, kTileWidth)));
  parallel_for(tasks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % blocks * kTileWidth;
      const int64_t width = std::min(kTileWidth, count - first);
      if (rows) body(Side{first * shape.n, width, shape.n, 1});
      else body(Side{task / blocks * shape.n * shape.inner + first, width, 1, shape.inner});
    }
  });
}

// Where row r of the walk lies.
int64_t row_at(const ScanShape& shape, int64_t r) { return shape.reverse ? shape.n - 1 - r : r; }

template <class T>
void load(const T* x, const Side& side, const ScanShape& shape, int64_t first, int64_t rows, Tile& tile) {
  if (side.apart == 1 && side.width == kTileWidth) {
    for (int64_t r = 0; r < rows; ++r) {
      const T* from = x + side.base + row_at(shape, first + r) * side.step;
      for (int64_t k = 0; k < kTileWidth; ++k) tile.v[r * kTileWidth + k] = static_cast<double>(from[k]);
    }
    return;
  }
  for (int64_t k = 0; k < side.width; ++k) {
    const T* from = x + side.base + k * side.apart;
    for (int64_t r = 0; r < rows; ++r) {
      tile.v[r * kTileWidth + k] = static_cast<double>(from[row_at(shape, first + r) * side.step]);
    }
  }
  // Scans that are not there still run.
  for (int64_t k = side.width; k < kTileWidth; ++k) {
    for (int64_t r = 0; r < rows; ++r) tile.v[r * kTileWidth + k] = 0;
  }
}

template <class T>
void store(const Tile& tile, const Side& side, const ScanShape& shape, int64_t first, int64_t rows, T* y) {
  if (side.apart == 1 && side.width == kTileWidth) {
    for (int64_t r = 0; r < rows; ++r) {
      T* to = y + side.base + row_at(shape, first + r) * side.step;
      for (int64_t k = 0; k < kTileWidth; ++k) to[k] = static_cast<T>(tile.v[r * kTileWidth + k]);
    }
    return;
  }
  for (int64_t k = 0; k < side.width; ++k) {
    T* to = y + side.base + k * side.apart;
    for (int64_t r = 0; r < rows; ++r) {
      to[row_at(shape, first + r) * side.step] = static_cast<T>(tile.v[r * kTileWidth + k]);
    }
  }
}

// One pass: tiles of the operands through the kernel, its first tile to y.
template <class T, int Operands>
void run(TileScan kind, const ScanShape& shape, const Side& side, const T* const (&in)[Operands], T* y,
         ScanState& state) {
  const TileKernel kernel = tile_kernels()[static_cast<int>(kind)];
  Tile tiles[Operands];
  for (int64_t first = 0; first < shape.n; first += kTileRows) {
    const int64_t rows = std::min(kTileRows, shape.n - first);
    for (int i = 0; i < Operands; ++i) load(in[i], side, shape, first, rows, tiles[i]);
    kernel(tiles, rows, side.width, state);
    store(tiles[0], side, shape, first, rows, y);
  }
}

ScanState state_of(double first) {
  ScanState state;
  std::fill(state.first, state.first + kTileWidth, first);
  std::fill(state.second, state.second + kTileWidth, 0.0);
  return state;
}

template <class T>
void scan_floating(Scan kind, const ScanShape& shape, const T* a, const T* b, T* y) {
  for_sides(shape, [&](const Side& side) {
    ScanState state = state_of(kind == Scan::product       ? 1
                               : kind == Scan::log_sum_exp ? -std::numeric_limits<double>::infinity()
                                                           : 0);
    switch (kind) {
      case Scan::sum: return run<T, 1>(TileScan::sum, shape, side, {a}, y, state);
      case Scan::product: return run<T, 1>(TileScan::product, shape, side, {a}, y, state);
      case Scan::log_sum_exp: return run<T, 1>(TileScan::log_sum_exp, shape, side, {a}, y, state);
      case Scan::linear: return run<T, 2>(TileScan::linear, shape, side, {a, b}, y, state);
    }
  });
}

void scan_integers(Scan kind, const ScanShape& shape, const int64_t* x, int64_t* y) {
  for_sides(shape, [&](const Side& side) {
    for (int64_t k = 0; k < side.width; ++k) {
      uint64_t running = kind == Scan::product ? 1 : 0;
      for (int64_t r = 0; r < shape.n; ++r) {
        const int64_t at = side.base + k * side.apart + row_at(shape, r) * side.step;
        const auto v = static_cast<uint64_t>(x[at]);
        running = kind == Scan::product ? running * v : running + v;
        y[at] = static_cast<int64_t>(running);
      }
    }
  });
}

template <class F>
void with_floating(DType dtype, F f) {
  dtype == DType::float32 ? f(float{}) : f(double{});
}

bool empty(const ScanShape& shape) { return shape.outer == 0 || shape.n == 0 || shape.inner == 0; }

ScanShape reversed(ScanShape shape) {
  shape.reverse = !shape.reverse;
  return shape;
}

}  // namespace

void scan(Scan kind, DType dtype, const ScanShape& shape, const void* a, const void* b, void* y) {
  if (empty(shape)) return;
  if (dtype == DType::int64) {
    return scan_integers(kind, shape, static_cast<const int64_t*>(a), static_cast<int64_t*>(y));
  }
  with_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    scan_floating(kind, shape, static_cast<const T*>(a), static_cast<const T*>(b), static_cast<T*>(y));
  });
}

void product_backward(DType dtype, const ScanShape& shape, const void* g, const void* x, void* dx) {
  if (empty(shape)) return;
  with_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* from = static_cast<const T*>(x);
    auto* to = static_cast<T*>(dx);
    for_sides(shape, [&](const Side& side) {
      ScanState state = state_of(1);
      run<T, 1>(TileScan::before, shape, side, {from}, to, state);
      // What stands before element i is there; g and what comes after it, from the other end.
      const int64_t scan = shape.inner == 1 ? side.base / shape.n
                                            : side.base / (shape.n * shape.inner) * shape.inner +
                                                  side.base % (shape.n * shape.inner);
      for (int64_t k = 0; k < side.width; ++k) {
        state.first[k] = static_cast<double>(static_cast<const T*>(g)[scan + k]);
      }
      run<T, 2>(TileScan::product_times, reversed(shape), side, {from, to}, to, state);
    });
  });
}

void running_product_backward(DType dtype, const ScanShape& shape, const void* g, const void* x, void* dx) {
  if (empty(shape)) return;
  with_floating(dtype, [&](auto zero) {
    using T = decltype(zero);
    const auto* from = static_cast<const T*>(x);
    auto* to = static_cast<T*>(dx);
    for_sides(shape, [&](const Side& side) {
      ScanState state = state_of(1);
      run<T, 1>(TileScan::before, shape, side, {from}, to, state);
      state = state_of(0);
      run<T, 3>(TileScan::running_product, reversed(shape), side, {from, to, static_cast<const T*>(g)}, to,
                state);
    });
  });
}

}  // namespace tapegrad::kernels
