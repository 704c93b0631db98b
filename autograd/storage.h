#pragma once

// The pool that tensor memory comes from. Internal, not installed.

#include <cstddef>

namespace tapegrad::detail {

// Memory of at least `bytes`, 64-byte aligned and rounded up to a multiple of 64, so that vector kernels may run
// into the padding. Throws ResourceError when the machine has no more.
void* pool_allocate(size_t bytes);

// Gives memory back under the size it was asked for, on any thread. Small blocks and a bounded amount of large ones
// are kept for the next pool_allocate of this thread.
void pool_free(void* memory, size_t bytes) noexcept;

// Bytes that this process holds in the pool, free or in use, for tests of memory growth.
size_t pool_bytes_reserved();

}  // namespace tapegrad::detail
