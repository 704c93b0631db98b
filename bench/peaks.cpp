#include "bench/peaks.h"

#include <cblas.h>
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <memory>
#include <new>
#include <vector>

#include "autograd/kernels/simd_targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/peaks.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace tapegrad::bench::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Ten independent chains of multiply-adds, `rounds` long; returns the flops done. The factors are such that
// the values stay near 1, and their sum goes to `sink` to keep the loop alive.
template <class T>
double multiply_adds(int64_t rounds, double* sink) {
  const hn::ScalableTag<T> d;
  constexpr size_t kChains = 10;
  hn::Vec<decltype(d)> x[kChains];
#pragma GCC unroll 16
  for (size_t c = 0; c < kChains; ++c) x[c] = hn::Set(d, T{1} + static_cast<T>(c));
  const auto a = hn::Set(d, static_cast<T>(0.5)), b = hn::Set(d, static_cast<T>(0.5));
  for (int64_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 16
    for (size_t c = 0; c < kChains; ++c) x[c] = hn::MulAdd(x[c], a, b);
  }
  auto sum = x[0];
#pragma GCC unroll 16
  for (size_t c = 1; c < kChains; ++c) sum = hn::Add(sum, x[c]);
  *sink += static_cast<double>(hn::GetLane(sum));
  return 2.0 * static_cast<double>(rounds) * static_cast<double>(kChains * hn::Lanes(d));
}

double multiply_adds_float32(int64_t rounds, double* sink) { return multiply_adds<float>(rounds, sink); }
double multiply_adds_float64(int64_t rounds, double* sink) { return multiply_adds<double>(rounds, sink); }

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

HWY_EXPORT(multiply_adds_float32);
HWY_EXPORT(multiply_adds_float64);
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

double processor_time() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// The shortest of several runs of f, which stop after `limit` seconds but are three at least.
template <class F>
double shortest(double limit, F f) {
  double best = 1e30, spent = 0.0;
  for (int i = 0; i < 3 || spent < limit; ++i) {
    const double start = processor_time();
    f();
    const double taken = processor_time() - start;
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

// GB/s of the triad over three arrays that take `bytes` together.
double triad_rate(size_t bytes, bool streaming, float* memory) {
  const size_t n = std::max<size_t>(64, bytes / (3 * sizeof(float)) / 64 * 64);
  const double size = 3.0 * sizeof(float) * static_cast<double>(n);
  const int64_t times = std::max<int64_t>(1, static_cast<int64_t>(4e6 / size));
  const size_t apart = n + 64;  // so that the arrays do not fall on the same cache sets
  const auto run = HWY_DYNAMIC_DISPATCH(triad);
  const double taken =
      shortest(0.04, [&] { run(memory, memory + apart, memory + 2 * apart, n, times, streaming); });
  return size * static_cast<double>(times) / taken * 1e-9;
}

}  // namespace

double triad_rate(size_t bytes) {
  const auto memory = ones<float>(bytes / sizeof(float) + 512);
  return triad_rate(bytes, false, memory.get());
}

Peaks measure_peaks() {
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
  openblas_set_num_threads(1);
  Peaks p;
  p.processor = processor_name();
  const int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  p.target = hwy::TargetName(usable & -usable);  // the lowest bit is the best target

  double sink = 0.0, flops = 0.0;
  double taken = shortest(0.03, [&] { flops = HWY_DYNAMIC_DISPATCH(multiply_adds_float32)(100000, &sink); });
  p.fma_float32 = flops / taken * 1e-9;
  taken = shortest(0.03, [&] { flops = HWY_DYNAMIC_DISPATCH(multiply_adds_float64)(100000, &sink); });
  p.fma_float64 = flops / taken * 1e-9;

  {
    constexpr int kN = 768;
    const auto a = ones<float>(kN * kN), b = ones<float>(kN * kN), c = ones<float>(kN * kN);
    taken = shortest(0.15, [&] {
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kN, kN, kN, 1.0f, a.get(), kN, b.get(), kN, 0.0f,
                  c.get(), kN);
    });
    p.gemm_float32 = 2.0 * kN * kN * kN / taken * 1e-9;
  }
  {
    constexpr int kN = 512;
    const auto a = ones<double>(kN * kN), b = ones<double>(kN * kN), c = ones<double>(kN * kN);
    taken = shortest(0.15, [&] {
      cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, kN, kN, kN, 1.0, a.get(), kN, b.get(), kN, 0.0,
                  c.get(), kN);
    });
    p.gemm_float64 = 2.0 * kN * kN * kN / taken * 1e-9;
  }

  const size_t l1 = cache_bytes(1, 32u << 10), l2 = cache_bytes(2, 512u << 10),
               l3 = cache_bytes(3, 16u << 20);
  const size_t large = std::clamp<size_t>(3 * l3, 48u << 20, 256u << 20);
  const auto memory = ones<float>(large / sizeof(float) + 256);
  p.triad_l1 = triad_rate(l1 * 3 / 4, false, memory.get());
  p.triad_l2 = triad_rate(l2 / 2, false, memory.get());
  p.triad_l3 = triad_rate(std::min<size_t>(l3 / 4, 16u << 20), false, memory.get());
  p.triad_dram = triad_rate(large, false, memory.get());
  p.triad_dram_streaming = triad_rate(large, true, memory.get());
  return p;
}

}  // namespace tapegrad::bench
#endif
