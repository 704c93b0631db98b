// What the machine can do, and what a pointwise kernel takes.

#include <algorithm>
#include <bit>
#include <chrono>
#include <map>
#include <mutex>
#include <tuple>
#include <utility>

#include "autograd/body.h"
#include "autograd/kernels/multiply_adds.h"
#include "autograd/kernels/parallel.h"
#include "autograd/profile.h"
#include "autograd/program/cost.h"
#include "autograd/tensor.h"

namespace tapegrad {
namespace detail {
namespace {

constexpr int64_t kBlock = 256;

// Seconds of one call of f, the least of several looks of about `seconds` each.
template <class F>
double least(double seconds, F f) {
  using Clock = std::chrono::steady_clock;
  f();
  double best = 1e9;
  int64_t calls = 1;
  for (int look = 0; look < 5; ++look) {
    for (;; calls *= 2) {
      const auto start = Clock::now();
      for (int64_t i = 0; i < calls; ++i) f();
      const double taken = std::chrono::duration<double>(Clock::now() - start).count();
      best = std::min(best, taken / static_cast<double>(calls));
      if (taken >= seconds) break;
    }
  }
  return best;
}

// Flops per second of multiply-adds between registers, all threads together.
double arithmetic_rate(DType dtype) {
  constexpr int64_t kRounds = 20000;
  const int64_t threads = kernels::num_threads();
  const double taken = least(2e-3, [&] {
    kernels::parallel_for(threads, 1, [&](int64_t begin, int64_t end) {
      for (; begin < end; ++begin) kernels::multiply_adds(dtype, kRounds);
    });
  });
  return static_cast<double>(threads) * kernels::multiply_adds(dtype, kRounds) / taken;
}

// Bytes per second of c = a + b over arrays that take `bytes` together.
double addition_rate(DType dtype, size_t bytes) {
  constexpr int64_t kPiece = 16384;
  const size_t element = element_size(dtype);
  const auto count = static_cast<int64_t>(std::max<size_t>(bytes / (3 * element) / 64 * 64, 64));
  const Tensor a = full({count}, 0.5, dtype), b = full({count}, 0.25, dtype), c = full({count}, 0, dtype);
  const PointwiseKernel kernel = find_op("add")->pointwise[static_cast<int>(dtype)];
  const double taken = least(1e-3, [&] {
    kernels::parallel_for(count, kPiece, [&](int64_t begin, int64_t end) {
      const auto at = [&](const Tensor& x) {
        return static_cast<char*>(x.handle()->data) + static_cast<size_t>(begin) * element;
      };
      const void* in[] = {at(a), at(b)};
      const int64_t step[] = {1, 1};
      kernel(in, step, at(c), end - begin);
    });
  });
  return 3.0 * static_cast<double>(count) * static_cast<double>(element) / taken;
}

std::mutex g_mutex;

// The value at `key`, measured at the first time.
template <class Key, class F>
double measured(std::map<Key, double>& known, const Key& key, F measure) {
  const std::lock_guard lock(g_mutex);
  const auto [at, fresh] = known.try_emplace(key, 0.0);
  if (fresh) at->second = measure();
  return at->second;
}

}  // namespace
}  // namespace detail

double peak_flops(DType dtype) {
  static std::map<std::pair<DType, int>, double> known;
  return detail::measured(known, std::pair{dtype, kernels::num_threads()},
                          [&] { return detail::arithmetic_rate(dtype); });
}

namespace detail {

double peak_seconds(const Cost& cost, DType dtype) {
  static std::map<std::tuple<DType, int, size_t>, double> additions;
  const int threads = kernels::num_threads();
  double seconds = 0;
  if (cost.flops > 0) seconds = cost.flops / peak_flops(dtype);
  if (cost.bytes > 0) {
    const size_t size =
        std::bit_ceil(std::clamp<size_t>(static_cast<size_t>(cost.bytes * 0.7), 4096, 1u << 28));
    const double rate =
        measured(additions, {dtype, threads, size}, [&] { return addition_rate(dtype, size); });
    seconds = std::max(seconds, cost.bytes / rate);
  }
  return seconds;
}

double block_seconds(const Plan& plan, const Step& step, const TraceCall& call) {
  static std::map<std::tuple<const Op*, DType, int64_t>, double> known;
  const Op& op = *call.op;
  const auto& values = plan.trace->values();
  if (step.head && &call == &plan.trace->calls()[step.calls[0]]) {
    const double blocks = std::max(1.0, static_cast<double>(step.count) / kBlock);
    return peak_seconds(cost_of(*plan.trace, call), rate_dtype(*plan.trace, call)) / blocks;
  }
  const DType dtype = values[call.inputs[static_cast<size_t>(op.first_value)]].dtype;
  const int64_t count = std::min(kBlock, step.count);
  return measured(known, {&op, dtype, count}, [&] {
    const void* in[kMaxOperands];
    int64_t steps[kMaxOperands];
    std::vector<Tensor> operands;
    size_t k = 0;
    for (const uint32_t v : call.inputs) {
      const TraceValue& value = values[plan.splats[v]];
      operands.push_back(full({kBlock}, value.dtype == DType::boolean ? 1 : 0.5,
                              value.dtype == DType::int64 ? DType::float64 : value.dtype));
      in[k] = operands.back().handle()->data;
      steps[k++] = value.kind != TraceValue::Kind::number && (count_of(value) != 1 || step.count == 1);
    }
    double given[kMaxOperands];
    if (op.numbers > 0) op.number_options(call.options.ref().data, given);
    for (int i = 0; i < op.numbers; ++i) {
      operands.push_back(full({1}, given[i], is_floating(dtype) ? dtype : DType::float64));
      in[k] = operands.back().handle()->data;
      steps[k++] = 0;
    }
    const Tensor out = full({kBlock}, 0, DType::float64);
    return least(5e-6, [&] { op.pointwise[static_cast<int>(dtype)](in, steps, out.handle()->data, count); });
  });
}

}  // namespace detail
}  // namespace tapegrad
