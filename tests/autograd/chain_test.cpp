// Ten million chained ops on a small stack: recording, sweeping and freeing are loops, not recursions.

#include <doctest/doctest.h>
#include <pthread.h>

#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include "autograd/autograd.h"
#include "tests/support/sanitizers.h"

using namespace tapegrad;

namespace {

// A field of /proc/self/status in bytes: VmRSS is the memory now, VmHWM its peak so far. 0 where there is
// none.
size_t memory(const char* field) {
  std::FILE* file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  char line[256];
  size_t kilobytes = 0;
  while (std::fgets(line, sizeof(line), file) != nullptr) {
    if (std::strncmp(line, field, std::strlen(field)) == 0)
      std::sscanf(line + std::strlen(field) + 1, "%zu", &kilobytes);
  }
  std::fclose(file);
  return kilobytes * 1024;
}

struct Run {
  int64_t ops;
  bool consume;
  size_t records = 0;
  double value = 0;
  double gradient = 0;
  std::string error{};
};

void* run_chain(void* argument) {
  Run& run = *static_cast<Run*>(argument);
  try {
    Tape tape;
    const Tensor x = tape.watch(full({}, 0.5, float64));
    Tensor y = x;
    for (int64_t i = 0; i < run.ops; ++i) y = neg(y);
    run.records = tape.size();
    run.value = y.item();
    run.gradient = (run.consume ? std::move(tape).gradient(y) : tape.gradient(y))[x].item();
  } catch (const std::exception& error) {
    run.error = error.what();
  }
  return nullptr;
}

void on_small_stack(Run& run) {
  pthread_attr_t attributes;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 256 * 1024) == 0);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, &attributes, run_chain, &run) == 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

}  // namespace

// FAULTS 67, silent class 25
TEST_CASE("autograd/chain: ten million ops on a 256 KiB stack within 3 GB") {
  if (tapegrad::testing::kSanitized) {
    MESSAGE("skipped: a sanitizer needs more stack and memory than this test allows");
    return;
  }
  const size_t before = memory("VmRSS");
  REQUIRE(before > 0);
  for (bool consume : {false, true}) {
    Run run{.ops = 10'000'001, .consume = consume};
    on_small_stack(run);
    const size_t peak = memory("VmHWM");
    CHECK(run.error == "");
    CHECK(run.records == 10'000'001);
    CHECK(run.value == -0.5);
    CHECK(run.gradient == -1);
    CHECK(peak - before <= size_t{3} << 30);
    MESSAGE("peak growth: " << (peak - before) / 1'000'000 << " MB");
  }
}

TEST_CASE("autograd/chain: a shorter chain, also under sanitizers") {
  Run run{.ops = tapegrad::testing::kSanitized ? 20'000 : 1'000'000, .consume = true};
  if (tapegrad::testing::kSanitized) {
    run_chain(&run);
  } else {
    on_small_stack(run);
  }
  CHECK(run.error == "");
  CHECK(run.gradient == 1);
}
