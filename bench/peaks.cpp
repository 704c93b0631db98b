#include "bench/peaks.h"

#include <autograd/profile.h>
#include <autograd/threads.h>
#include <cblas.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <map>
#include <memory>
#include <new>
#include <vector>

#include "autograd/kernels/simd_targets.h"
#include "bench/limits/team.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peaks.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// a = b + 3 c, n a multiple of 64, aligned, `times` times over.
void triad(float* a, const float* b, const float* c, size_t n, int64_t times, bool streaming) {
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  const auto s = hn::Set(d, 3.0f);
  for (int64_t t = 0; t < times; ++t) {
    for (size_t i = 0; i < n; i += 4 * lanes) {
#pragma GCC unroll 4
      for (size_t k = 0; k < 4; ++k) {
        const size_t at = i + k * lanes;
        const auto y = hn::MulAdd(s, hn::Load(d, c + at), hn::Load(d, b + at));
        if (streaming) hn::Stream(y, d, a + at);
        else hn::Store(y, d, a + at);
      }
    }
  }
}

}  // namespace tapegrad::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tapegrad::bench {
namespace {

HWY_EXPORT(triad);

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete (memory, std::align_val_t{64}); }
};

template <class T>
std::unique_ptr<T[], AlignedDelete> ones(size_t count) {
  std::unique_ptr<T[], AlignedDelete> a(
      static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64})));
  std::fill_n(a.get(), count, T{1});
  return a;
}

double now(bool wall) {
  timespec t{};
  clock_gettime(wall ? CLOCK_MONOTONIC : CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The shortest of several runs of f, which stop after `limit` seconds but are three at least.
template <class F>
double shortest(double limit, bool wall, F f) {
  double best = 1e30, spent = 0.0;
  for (int i = 0; i < 3 || spent < limit; ++i) {
    const double start = now(wall);
    f();
    const double taken = now(wall) - start;
    best = std::min(best, taken);
    spent += taken;
  }
  return best;
}

// Bytes of the cache at that level of the first core, or `otherwise` where the system does not tell.
size_t cache_bytes(int level, size_t otherwise) {
  for (int index = 0; index < 8; ++index) {
    const std::string folder = "/sys/devices/system/cpu/cpu0/cache/index" + std::to_string(index) + "/";
    int found = 0;
    std::string kind, size;
    if (!(std::ifstream(folder + "level") >> found) || !(std::ifstream(folder + "type") >> kind)) continue;
    if (found != level || kind == "Instruction" || !(std::ifstream(folder + "size") >> size)) continue;
    const size_t unit = size.back() == 'M' ? size_t{1} << 20 : size.back() == 'K' ? size_t{1} << 10 : 1;
    return std::stoul(size) * unit;
  }
  return otherwise;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(": ") + 2));
  return "unknown";
}

// GB/s of the triad over three arrays of each thread that take `bytes` together.
double triad_rate(size_t bytes, bool streaming, float* memory, Team& team) {
  const int64_t threads = team.threads();
  const size_t n = std::max<size_t>(64, bytes / (3 * sizeof(float)) / 64 * 64);
  const double size = 3.0 * sizeof(float) * static_cast<double>(n);
  const int64_t times = std::max<int64_t>(1, static_cast<int64_t>(4e6 / size));
  const size_t apart = n + 64;  // so that the arrays do not fall on the same cache sets
  const auto run = HWY_DYNAMIC_DISPATCH(triad);
  const double taken = shortest(0.04, threads > 1, [&] {
    team.split(threads, [&](int64_t begin, int64_t end) {
      for (; begin < end; ++begin) {
        float* const own = memory + static_cast<size_t>(begin) * 3 * apart;
        run(own, own + apart, own + 2 * apart, n, times, streaming);
      }
    });
  });
  return static_cast<double>(threads) * size * static_cast<double>(times) / taken * 1e-9;
}

// GFLOP/s of a square product on each thread.
template <class T, class F>
double product_rate(int size, Team& team, F multiply) {
  const auto n = static_cast<size_t>(size);
  const auto a = ones<T>(n * n), b = ones<T>(n * n);
  std::vector<std::unique_ptr<T[], AlignedDelete>> c;
  for (int k = 0; k < team.threads(); ++k) c.push_back(ones<T>(n * n));
  const double taken = shortest(0.15, team.threads() > 1, [&] {
    team.split(team.threads(), [&](int64_t begin, int64_t end) {
      for (; begin < end; ++begin) multiply(a.get(), b.get(), c[static_cast<size_t>(begin)].get());
    });
  });
  return team.threads() * 2.0 * std::pow(size, 3) / taken * 1e-9;
}

}  // namespace

double triad_for(double bytes) {
  static std::map<size_t, double> rates;
  const size_t size = std::bit_ceil(static_cast<size_t>(std::max(bytes, 3072.0) * 0.7));
  auto [at, added] = rates.try_emplace(size, 0.0);
  if (added) {
    const auto memory = ones<float>(size / sizeof(float) + 512);
    Team alone;
    at->second = triad_rate(size, false, memory.get(), alone);
  }
  return at->second;
}

Peaks measure_peaks(int threads) {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  openblas_set_num_threads(1);
  Team team(threads);
  Peaks p;
  p.processor = processor_name();
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  p.target = hwy::TargetName(usable & -usable);  // the lowest bit is the best target
  p.threads = threads;

  const int before = num_threads();
  set_num_threads(threads);
  p.fma_float32 = peak_flops(float32) * 1e-9;
  p.fma_float64 = peak_flops(float64) * 1e-9;
  set_num_threads(before);

  constexpr int kSingle = 768, kDouble = 512;
  p.gemm_float32 = product_rate<float>(kSingle, team, [](const float* a, const float* b, float* c) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kSingle, kSingle, kSingle, 1.0f, a, kSingle, b,
                kSingle, 0.0f, c, kSingle);
  });
  p.gemm_float64 = product_rate<double>(kDouble, team, [](const double* a, const double* b, double* c) {
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kDouble, kDouble, kDouble, 1.0, a, kDouble, b,
                kDouble, 0.0, c, kDouble);
  });

  const size_t l1 = cache_bytes(1, 32u << 10), l2 = cache_bytes(2, 512u << 10),
               l3 = cache_bytes(3, 16u << 20);
  const size_t large = std::clamp<size_t>(3 * l3, 48u << 20, 256u << 20);
  const auto count = static_cast<size_t>(threads);
  const auto memory = ones<float>(count * (large / sizeof(float) + 256));
  p.triad_l1 = triad_rate(l1 * 3 / 4, false, memory.get(), team);
  p.triad_l2 = triad_rate(l2 / 2, false, memory.get(), team);
  p.triad_l3 = triad_rate(std::min<size_t>(l3 / 4, 16u << 20) / count, false, memory.get(), team);
  p.triad_dram = triad_rate(large / count, false, memory.get(), team);
  p.triad_dram_streaming = triad_rate(large / count, true, memory.get(), team);
  return p;
}

}  // namespace tapegrad::bench
#endif
