#pragma once

// The steps of scans on tiles. Internal, not installed.

#include <cstdint>

namespace tapegrad::kernels {

// A tile holds rows of kTileWidth numbers, one for each of as many scans side by side; 64-byte aligned.
inline constexpr int64_t kTileWidth = 16;
inline constexpr int64_t kTileRows = 64;
struct Tile {
  alignas(64) double v[kTileRows * kTileWidth];
};
// What a scan remembers from one row to the next.
struct ScanState {
  alignas(64) double first[kTileWidth], second[kTileWidth];
};

enum class TileScan : uint8_t {
  sum,             // tile 0: y over a; state: sum and what it lost, from 0
  product,         // tile 0: y over a; state: product, from 1
  log_sum_exp,     // tile 0: y over a; state: largest and Σ e^(a − largest) − 1, from −inf and 0
  linear,          // tile 0: y over a, tile 1: b; state: y, from 0
  before,          // tile 0: product of all before over a; state: product
  product_times,   // tile 0: over x, tile 1·the product of all before; state: product
  running_product  // tile 0: over x, tile 1·s with s = tile 2 + the state; state: x·s, from 0
};
inline constexpr int kTileScans = 7;

// Runs `rows` ≤ kTileRows rows of the first `width` ≤ kTileWidth scans of the tiles.
using TileKernel = void (*)(Tile* tiles, int64_t rows, int64_t width, ScanState& state);

// Those for the processor in use.
const TileKernel* tile_kernels();

}  // namespace tapegrad::kernels
