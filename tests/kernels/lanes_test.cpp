#include "autograd/kernels/lanes.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/kernels/lane_support.h"

using namespace tapegrad::kernels;
using namespace tapegrad::kernels::testing;

namespace {

constexpr Lane lane_at(size_t index) { return static_cast<Lane>(index); }

// Operands of a lane, so that y belongs to x in the derivatives that read both.
template <class T>
std::vector<std::vector<T>> operands_of(Lane lane, size_t count, uint64_t seed) {
  const LaneTable& table = lane_table();
  std::vector<std::vector<T>> operands;
  for (size_t k = 0; k < table.operands[static_cast<size_t>(lane)]; ++k) {
    operands.push_back(assorted<T>(count, seed + k));
  }
  if (lane == Lane::tanh_backward) operands[2] = run<T>(table, Lane::tanh, {operands[1]});
  if (lane == Lane::sigmoid_backward) operands[2] = run<T>(table, Lane::sigmoid, {operands[1]});
  if (lane == Lane::pow_backward_p) operands[3] = run<T>(table, Lane::pow, {operands[1], operands[2]});
  if (lane == Lane::silu_backward || lane == Lane::mish_backward) {
    // Their slopes cross 0 there, where a distance in units of the last place says nothing.
    for (T& x : operands[1]) x = x > T(-1.6) && x < T(-0.9) ? x - 1 : x;
  }
  return operands;
}

// Results of single IEEE 754 operations and choices, equal on all targets.
bool is_exact(Lane lane) {
  if (lane >= kFirstTrigonometric) return false;
  constexpr Lane kRounded[] = {Lane::exp,
                               Lane::expm1,
                               Lane::log,
                               Lane::log1p,
                               Lane::tanh,
                               Lane::sigmoid,
                               Lane::expm1_backward,
                               Lane::pow_backward_p,
                               Lane::tanh_backward,
                               Lane::sigmoid_backward,
                               Lane::elu,
                               Lane::selu,
                               Lane::softplus,
                               Lane::silu,
                               Lane::mish,
                               Lane::softplus_backward,
                               Lane::silu_backward,
                               Lane::mish_backward};
  return std::find(std::begin(kRounded), std::end(kRounded), lane) == std::end(kRounded);
}

// Sums of terms that may cancel, whose error is that of the larger terms.
bool cancels(Lane lane) {
  return lane == Lane::logaddexp || lane == Lane::gelu_backward || lane == Lane::gelu_tanh_backward;
}

// The last place of y as a part of that of the largest operand, at most 1.
template <class T>
double last_places(T y, const std::vector<std::vector<T>>& operands, size_t i) {
  T largest = std::fabs(y);
  for (const auto& operand : operands) largest = std::max(largest, std::fabs(operand[i]));
  if (!std::isfinite(largest) || y == 0 || largest == 0) return 1;
  return std::ldexp(1.0, std::ilogb(y) - std::ilogb(largest));
}

}  // namespace

TEST_CASE("kernels/lanes: the processor's best target is in use") {
  const auto tables = lane_tables();
  REQUIRE(!tables.empty());
  CHECK(tables.front() == &lane_table());
  for (const LaneTable* table : tables) CHECK(lane_table_for(table->target) == table);
  CHECK(lane_table_for("no such target") == nullptr);

  const std::string best = lane_table().target;
  MESSAGE("target: " << best);
#if defined(__x86_64__)
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
  if (avx2) CHECK((best == "AVX2" || best == "AVX3"));
  if (avx512) CHECK(best == "AVX3");
#elif defined(__aarch64__)
  CHECK(best == "NEON");
#endif
  const std::string baseline = tables.back()->target;
#if defined(__x86_64__) && !defined(__AVX2__)
  CHECK((baseline == "SCALAR" || baseline == "EMU128"));
#endif
}

TEST_CASE("kernels/lanes: every lane has a kernel and one to four operands") {
  for (const LaneTable* table : lane_tables()) {
    for (size_t l = 0; l < kLanes; ++l) {
      CHECK((table->f32[l] != nullptr));
      CHECK((table->f64[l] != nullptr));
      CHECK(table->operands[l] >= 1);
      CHECK(table->operands[l] <= 4);
    }
    CHECK(table->operands[static_cast<size_t>(Lane::exp)] == 1);
    CHECK(table->operands[static_cast<size_t>(Lane::add)] == 2);
    CHECK(table->operands[static_cast<size_t>(Lane::mul_add)] == 3);
    CHECK(table->operands[static_cast<size_t>(Lane::pow_backward_p)] == 4);
  }
}

TEST_CASE_TEMPLATE("kernels/lanes: arithmetic is what IEEE 754 rounds", T, float, double) {
  const size_t n = 1000;
  const auto a = assorted<T>(n, 1), b = assorted<T>(n, 2), c = assorted<T>(n, 3);
  for (const LaneTable* table : lane_tables()) {
    CAPTURE(table->target);
    const auto sum = run<T>(*table, Lane::add, {a, b}), difference = run<T>(*table, Lane::sub, {a, b});
    const auto product = run<T>(*table, Lane::mul, {a, b}), quotient = run<T>(*table, Lane::div, {a, b});
    const auto fused = run<T>(*table, Lane::mul_add, {a, b, c}), root = run<T>(*table, Lane::sqrt, {a});
    const auto inverse = run<T>(*table, Lane::reciprocal, {a}), square = run<T>(*table, Lane::square, {a});
    const auto inverse_root = run<T>(*table, Lane::rsqrt, {a});
    int wrong = 0, fusing_differs = 0;
    for (size_t i = 0; i < n; ++i) {
      const volatile T rounded = a[i] * b[i];  // volatile: no fusing here either
      wrong += !same_bits<T>(sum[i], a[i] + b[i]) + !same_bits<T>(difference[i], a[i] - b[i]);
      wrong += !same_bits<T>(product[i], rounded) + !same_bits<T>(quotient[i], a[i] / b[i]);
      wrong += !same_bits<T>(fused[i], rounded + c[i]) + !same_bits<T>(root[i], std::sqrt(a[i]));
      wrong += !same_bits<T>(inverse[i], 1 / a[i]) + !same_bits<T>(square[i], a[i] * a[i]);
      wrong += !same_bits<T>(inverse_root[i], 1 / std::sqrt(a[i]));
      fusing_differs += !same_bits<T>(std::fma(a[i], b[i], c[i]), rounded + c[i]);
    }
    CHECK(wrong == 0);
    CHECK(fusing_differs > 10);  // the values tell one rounding from two
  }
}

TEST_CASE_TEMPLATE("kernels/lanes: targets agree", T, float, double) {
  const LaneTable& reference = *lane_tables().back();
  for (size_t l = 0; l < kLanes; ++l) {
    CAPTURE(l);
    const auto operands = operands_of<T>(lane_at(l), 4000, 10 * l);
    const auto want = run<T>(reference, lane_at(l), operands);
    for (const LaneTable* table : lane_tables()) {
      CAPTURE(table->target);
      const auto got = run<T>(*table, lane_at(l), operands);
      if (is_exact(lane_at(l))) {
        CHECK(same_bits(got, want));
        continue;
      }
      double worst = 0;
      for (size_t i = 0; i < got.size(); ++i) {
        const double apart = ulps<T>(got[i], want[i]);
        worst = std::max(worst, cancels(lane_at(l)) ? apart * last_places(want[i], operands, i) : apart);
      }
      CHECK(worst <= 4);
    }
  }
}

TEST_CASE_TEMPLATE("kernels/lanes: whole vectors run into the padding and no further", T, float, double) {
  const size_t most = 3 * 64 / sizeof(T) + 1;
  for (const LaneTable* table : lane_tables()) {
    for (size_t l = 0; l < kLanes; ++l) {
      CAPTURE(table->target);
      CAPTURE(l);
      const auto operands = operands_of<T>(lane_at(l), most, l);
      const auto all = run<T>(*table, lane_at(l), operands);
      for (size_t n = 0; n <= most; ++n) {
        std::vector<Aligned<T>> own;
        for (const auto& operand : operands) own.emplace_back(operand);
        const void* in[4] = {};
        const int64_t step[4] = {1, 1, 1, 1};
        for (size_t k = 0; k < own.size(); ++k) in[k] = own[k].data();
        Aligned<T> out(most);
        std::memset(static_cast<void*>(out.data()), 0x5a, out.bytes());
        kernel_of<T>(*table, lane_at(l))(in, step, out.data(), static_cast<int64_t>(n));
        const std::vector<T> head(out.data(), out.data() + n);
        REQUIRE(same_bits(head, {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n)}));
        const char* bytes = reinterpret_cast<const char*>(out.data());
        const size_t padded = (n * sizeof(T) + 63) / 64 * 64;
        REQUIRE(std::all_of(bytes + padded, bytes + out.bytes(), [](char byte) { return byte == 0x5a; }));
      }
    }
  }
}

TEST_CASE_TEMPLATE("kernels/lanes: a result depends on its own operands alone", T, float, double) {
  const size_t n = 512;
  for (const LaneTable* table : lane_tables()) {
    for (size_t l = 0; l < kLanes; ++l) {
      CAPTURE(table->target);
      CAPTURE(l);
      const auto operands = operands_of<T>(lane_at(l), n, l);
      auto turned = operands;  // the same elements, each among other neighbours
      for (auto& operand : turned) std::rotate(operand.begin(), operand.begin() + 37, operand.end());
      auto back = run<T>(*table, lane_at(l), turned);
      std::rotate(back.begin(), back.end() - 37, back.end());
      CHECK(same_bits(back, run<T>(*table, lane_at(l), operands)));
    }
  }
}

TEST_CASE_TEMPLATE("kernels/lanes: repeated operands and results in place", T, float, double) {
  const size_t n = 100;
  for (const LaneTable* table : lane_tables()) {
    for (size_t l = 0; l < kLanes; ++l) {
      CAPTURE(table->target);
      CAPTURE(l);
      const size_t count = table->operands[l];
      for (unsigned set = 0; set < (1u << count); ++set) {  // which operands repeat their first value
        auto operands = operands_of<T>(lane_at(l), n, 3 * l);
        std::vector<Aligned<T>> own;
        const void* in[4] = {};
        int64_t step[4] = {};
        for (size_t k = 0; k < count; ++k) {
          step[k] = (set >> k & 1) == 0;
          if (step[k] == 0) operands[k].assign(n, operands[k][1]);
          own.push_back(step[k] == 0 ? repeated(operands[k][0]) : Aligned<T>(operands[k]));
        }
        for (size_t k = 0; k < count; ++k) in[k] = own[k].data();
        const auto want = run<T>(*table, lane_at(l), operands);
        Aligned<T> out(n);
        kernel_of<T>(*table, lane_at(l))(in, step, out.data(), static_cast<int64_t>(n));
        REQUIRE(same_bits(out.values(), want));
        for (size_t k = 0; k < count; ++k) {
          if (step[k] == 0) continue;
          in[k] = out.data();
          std::memcpy(out.data(), own[k].data(), n * sizeof(T));
          kernel_of<T>(*table, lane_at(l))(in, step, out.data(), static_cast<int64_t>(n));
          REQUIRE(same_bits(out.values(), want));
          in[k] = own[k].data();
        }
      }
    }
  }
}
