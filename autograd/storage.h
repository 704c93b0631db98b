#pragma once

// The pool that tensor memory comes from. Internal, not installed.

#include <cstddef>
#include <cstdint>

namespace tapegrad::detail {

inline constexpr size_t kPoolAlign = 64;
// Up to here, 4096 bytes of elements behind a header, there is one list of free blocks per multiple of 64
// bytes.
inline constexpr size_t kPoolSmall = 4096 + kPoolAlign;
// Memory of this much and more is asked for in pages of this size, where the system has them, and memory of
// just this much is aligned to it: a page costs a fault, and a long tape touches hundreds of bytes a record.
inline constexpr size_t kHugePage = size_t{2} << 20;

struct FreeBlock {
  FreeBlock* next;
};
// The free small blocks of this thread; null before its first allocation and after its last.
struct SmallBlocks {
  FreeBlock* lists[kPoolSmall / kPoolAlign + 1];
  int64_t surplus;  // blocks freed here beyond those allocated here, since the last gift to other threads
};
inline constexpr int64_t kPoolSurplus = 4096;
// This model of thread-local storage reads a variable without a call, which position-independent code makes
// otherwise; every function on the way of an op would save its registers for it. It draws on a small store
// when a program loads the library as it runs, so thread-local variables of the library are few and small.
[[gnu::tls_model("initial-exec")]] extern thread_local constinit SmallBlocks* t_small_blocks;

constexpr size_t pool_multiple(size_t bytes) { return (bytes + kPoolAlign - 1) & ~(kPoolAlign - 1); }
constexpr size_t pool_round_up(size_t bytes) { return bytes == 0 ? kPoolAlign : pool_multiple(bytes); }

void* pool_allocate_slow(size_t rounded);
void pool_free_slow(void* memory, size_t rounded) noexcept;
// Hands this thread's free blocks of one size to whichever thread runs out: a thread that only frees what
// others allocate would hoard them.
void pool_donate(size_t rounded) noexcept;

// Memory of at least `bytes`, 64-byte aligned and rounded up to a multiple of 64, so that vector kernels may
// run into the padding. Throws ResourceError when the machine has no more.
// pool_allocate_rounded: the size is a multiple of 64 already, and not 0.
inline void* pool_allocate_rounded(size_t rounded) {
  SmallBlocks* const mine = t_small_blocks;
  if (rounded <= kPoolSmall && mine != nullptr) {
    FreeBlock*& head = mine->lists[rounded / kPoolAlign];
    if (FreeBlock* block = head) {
      head = block->next;
      --mine->surplus;
      __builtin_prefetch(head, 1);
      return block;
    }
  }
  return pool_allocate_slow(rounded);
}
inline void* pool_allocate(size_t bytes) { return pool_allocate_rounded(pool_round_up(bytes)); }

// Gives memory back under the size it was asked for, on any thread. Small blocks and a bounded amount of
// large ones are kept for the next pool_allocate of this thread. pool_free_small: the size is rounded up to
// 64 already, and at most kPoolSmall.
inline void pool_free_small(void* memory, size_t rounded) noexcept {
  SmallBlocks* const mine = t_small_blocks;
  if (mine == nullptr) return pool_free_slow(memory, rounded);
  FreeBlock*& head = mine->lists[rounded / kPoolAlign];
  auto* block = static_cast<FreeBlock*>(memory);
  block->next = head;
  head = block;
  if (++mine->surplus > kPoolSurplus) pool_donate(rounded);
}
inline void pool_free(void* memory, size_t bytes) noexcept {
  bytes = pool_round_up(bytes);
  if (bytes > kPoolSmall) return pool_free_slow(memory, bytes);
  pool_free_small(memory, bytes);
}

// Bytes that this process holds in the pool, free or in use, for tests of memory growth.
size_t pool_bytes_reserved();

}  // namespace tapegrad::detail
