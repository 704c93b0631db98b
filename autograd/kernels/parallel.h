#pragma once

// One pool of threads for all loops of the library. Internal, not installed.

#include <cstdint>
#include <memory>
#include <type_traits>

namespace tapegrad::kernels {

// How many threads take part in a parallel loop, the caller included. It starts as the environment variable
// TAPEGRAD_NUM_THREADS where that is a number >= 1, else as the number of processors this process may run on.
int num_threads();

// Sets the number of threads; below 1 counts as 1. It never changes a result, only time. Takes effect at the
// next parallel loop, may be called from any thread.
void set_num_threads(int n);

namespace detail {
using Piece = void (*)(void* body, int64_t begin, int64_t end);
void run_pieces(int64_t count, int64_t grain, Piece piece, void* body);
}  // namespace detail

// Calls body(begin, end) on the pieces [0, grain), [grain, 2·grain) … of [0, count); the last one is shorter.
// The pieces follow from count and grain alone; which thread runs which one, and in what order, is left open.
// They run in order on the caller where there is only one thread or one piece, inside another parallel loop,
// and while the pool serves another caller. Returns when all are done; the first exception of the body is
// rethrown then, and pieces not yet begun are dropped. Allocates nothing once the threads run. grain >= 1.
template <class F>
void parallel_for(int64_t count, int64_t grain, F&& body) {
  using Body = std::remove_reference_t<F>;
  if (count <= 0) return;
  if (count <= grain) {
    body(int64_t{0}, count);
    return;
  }
  detail::run_pieces(
      count, grain, [](void* f, int64_t begin, int64_t end) { (*static_cast<Body*>(f))(begin, end); },
      const_cast<void*>(static_cast<const void*>(std::addressof(body))));
}

}  // namespace tapegrad::kernels
