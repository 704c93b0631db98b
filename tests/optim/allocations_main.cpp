// A step in the steady state allocates nothing, eagerly, and in a program beyond what it returns from the
// pool.

#include <fmt/format.h>

#include <cstdio>

#include "bench/allocations.h"
#include "tests/optim/every.h"

using namespace tapegrad;

int main() {
  int faults = 0;
  for (const testing::Optimised& one : testing::every_optimizer()) {
    Rng rng{81};
    const Parameter a(rng.normal({1000}), "a"), b(rng.normal({3, 5}), "b");
    optim::Optimizer optimizer = one.make({a.ref(), b.ref()});
    Gradients g;
    g.add({a.ref(), 0, 0, rng.normal({1000})});
    g.add({b.ref(), 0, 0, rng.normal({3, 5})});
    Program program = capture_step(
        [&](Tensor x) {
          Tape tape;
          const Tensor loss = sum(a * x) + sum(square(b));
          optimizer.step(tape.gradient(loss));
          return loss;
        },
        rng.normal({1000}));
    program.check_every(0);
    const Tensor x = rng.normal({1000});
    auto eager = [&] { optimizer.step(g); };
    auto replayed = [&] { program(x); };
    auto count = [](auto step) {
      for (int t = 0; t < 5; ++t) step();
      const bench::AllocationScope scope;
      for (int t = 0; t < 10; ++t) step();
      return scope.count().allocations;
    };
    const int64_t in_eager = count(eager), in_program = count(replayed);
    fmt::print("{}: {} allocations in 10 steps, {} in 10 runs\n", one.what, in_eager, in_program);
    faults += in_eager != 0 || in_program != 0;
  }
  return faults == 0 ? 0 : 1;
}
