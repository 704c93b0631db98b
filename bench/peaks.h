#pragma once

// What this machine can do at best, measured at the start of a run, so that every figure stands
// beside it.

#include <cstddef>
#include <string>

namespace tapegrad::bench {

struct Peaks {
  std::string processor;              // as the system names it, "unknown" where it does not
  std::string target;                 // the SIMD target that the loops here ran on
  int threads;                        // of all rates
  double fma_float32, fma_float64;    // GFLOP/s of multiply-adds between registers
  double gemm_float32, gemm_float64;  // GFLOP/s of a large square BLAS product, each thread its own
  // GB/s of a[i] = b[i] + s c[i] in float32, counting the three arrays once each, with all three in the
  // first, second, third cache and in memory; the last with stores that go past the caches.
  double triad_l1, triad_l2, triad_l3, triad_dram, triad_dram_streaming;
};

// Best of several short runs each: of one thread in its processor time, which other processes disturb less,
// of several in time as it passes; under two seconds in all. Sets OpenBLAS to one thread for the process.
Peaks measure_peaks(int threads = 1);

// GB/s of that triad on one thread over a working set of about so many bytes, to a power of two, after
// measure_peaks. Each is measured once.
double triad_for(double bytes);

}  // namespace tapegrad::bench
