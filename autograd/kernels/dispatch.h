#pragma once

// The choice among the vector targets that are compiled. Internal, not installed.

#include <atomic>
#include <cstddef>

namespace tapegrad::kernels {

// The targets that are compiled and that this processor has, best first.
int target_count();
const char* target_name(int i);

// From now on target(table) gives functions of target i, and lane_table() its lanes. Only for tests, which
// run every target; not for use while kernels run on other threads.
void use_target(int i);

namespace detail {
// Where the target in use stands in Highway's tables; −1 until it has been looked up.
extern std::atomic<int> target_index;
int find_target_index();
}  // namespace detail

// The function of the target in use, of the table that HWY_EXPORT makes: HWY_DYNAMIC_DISPATCH without its
// call, which takes as long as a small kernel.
template <class F>
F target(const F* table) {
  const int i = detail::target_index.load(std::memory_order_relaxed);
  return table[static_cast<size_t>(i >= 0 ? i : detail::find_target_index())];
}

}  // namespace tapegrad::kernels
