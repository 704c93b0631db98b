#pragma once

// Counts heap allocations of the whole process, on every thread. Linking allocations.cpp into a program puts
// the counter in place: with glibc under malloc and its relatives, and so under operator new too; elsewhere,
// and under a sanitizer, under operator new alone. Memory taken from the system directly is not seen.

#include <cstdint>

namespace tapegrad::bench {

struct AllocationCount {
  int64_t allocations = 0;  // calls that returned memory; a realloc is one
  int64_t frees = 0;        // calls that gave some back
  int64_t bytes = 0;        // asked for, all allocations together
  int64_t peak_bytes = 0;   // the most in use at once above the start; blocks freed in between count down
};

// Counts while it lives. One at a time: a second throws std::logic_error.
class AllocationScope {
 public:
  AllocationScope();
  ~AllocationScope();
  AllocationScope(const AllocationScope&) = delete;
  AllocationScope& operator=(const AllocationScope&) = delete;
  // Since the scope began.
  AllocationCount count() const;
  // Whether malloc is counted, or operator new alone.
  static bool counts_malloc();
};

}  // namespace tapegrad::bench
