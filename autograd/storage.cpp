#include "autograd/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "autograd/raise.h"

#if defined(__SANITIZE_ADDRESS__)
#define TAPEGRAD_PLAIN_POOL 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TAPEGRAD_PLAIN_POOL 1
#endif
#endif

namespace tapegrad::detail {
namespace {

constexpr size_t kAlign = kPoolAlign;
constexpr size_t kSmallLimit = kPoolSmall;
constexpr size_t kFirstSlab = size_t{256} << 10;        // small blocks are cut from slabs, a thread's
constexpr size_t kLargestSlab = kHugePage;              // first ones doubling in size
constexpr size_t kLargeCacheBytes = size_t{512} << 20;  // what one thread keeps of large blocks
constexpr int kSmallClasses = static_cast<int>(kSmallLimit / kAlign);
constexpr int kLargeClasses = 8 * 48;  // eight sizes per doubling

std::atomic<size_t> g_reserved{0};

void* system_allocate(size_t bytes) {
  void* memory = std::aligned_alloc(bytes == kHugePage ? kHugePage : kAlign, bytes);
  if (memory == nullptr) raise<ResourceError>("out of memory: {} bytes asked for", bytes);
#ifdef MADV_HUGEPAGE
  // Advice, which a system may refuse. What lies outside of whole pages stays small; aligning all large
  // tensors would put their rows on the same lines of the cache.
  const uintptr_t begin = reinterpret_cast<uintptr_t>(memory), first = (begin + kHugePage - 1) / kHugePage,
                  last = (begin + bytes) / kHugePage;
  if (first < last)
    madvise(reinterpret_cast<void*>(first * kHugePage), (last - first) * kHugePage, MADV_HUGEPAGE);
#endif
  g_reserved.fetch_add(bytes, std::memory_order_relaxed);
  return memory;
}

void system_free(void* memory, size_t bytes) {
  g_reserved.fetch_sub(bytes, std::memory_order_relaxed);
  std::free(memory);
}

// A class of large blocks: sizes 2^k·(8+j)/8. Rounds `bytes` up to the class's size.
int large_class(size_t& bytes) {
  const int exponent = std::bit_width(bytes - 1) - 1;  // bytes in (2^exponent, 2^(exponent+1)]
  const size_t step = std::max(kAlign, (size_t{1} << exponent) / 8);
  bytes = (bytes + step - 1) / step * step;
  const size_t eighths = (bytes - (size_t{1} << exponent)) / step;  // 1 … 8
  return (exponent - 12) * 8 + static_cast<int>(eighths) - 1;
}

// What threads that have ended leave behind for the ones that start.
struct Shared {
  std::mutex mutex;
  FreeBlock* small[kSmallClasses + 1] = {};
  std::vector<void*> slabs;  // never returned: blocks of one slab live in many free lists
};

Shared& shared() {
  static Shared* instance = new Shared;  // lives as long as any thread may free a tensor
  return *instance;
}

struct ThreadPool;
[[gnu::tls_model("initial-exec")]] thread_local constinit ThreadPool* t_pool = nullptr;
thread_local constinit bool t_ended = false;

struct ThreadPool {
  SmallBlocks small = {};
  FreeBlock* large[kLargeClasses] = {};
  size_t large_bytes = 0;
  char* slab = nullptr;
  char* slab_end = nullptr;
  size_t next_slab = kFirstSlab;

  ThreadPool() {
    t_pool = this;
    // Under AddressSanitizer every block is its own allocation, so that a use after free shows.
#ifndef TAPEGRAD_PLAIN_POOL
    t_small_blocks = &small;
#endif
  }

  ~ThreadPool() {
    t_pool = nullptr;
    t_small_blocks = nullptr;
    t_ended = true;
    std::lock_guard lock(shared().mutex);
    for (int i = 1; i <= kSmallClasses; ++i) {
      while (FreeBlock* block = small.lists[i]) {
        small.lists[i] = block->next;
        block->next = shared().small[i];
        shared().small[i] = block;
      }
    }
    for (int i = 0; i < kLargeClasses; ++i) {
      while (FreeBlock* block = large[i]) {
        large[i] = block->next;
        system_free(block, large_size(i));
      }
    }
  }

  static size_t large_size(int i) {
    const int exponent = i / 8 + 12;
    return (size_t{1} << exponent) / 8 * static_cast<size_t>(i % 8 + 9);
  }

  void* refill_small(size_t bytes) {
    const size_t index = bytes / kAlign;
    --small.surplus;
    {
      std::lock_guard lock(shared().mutex);
      if (FreeBlock* block = shared().small[index]) {
        small.lists[index] = block->next;
        shared().small[index] = nullptr;
        return block;
      }
    }
    if (slab == nullptr || static_cast<size_t>(slab_end - slab) < bytes) {
      const size_t size = next_slab;
      void* memory = system_allocate(size);
      next_slab = std::min(2 * size, kLargestSlab);
      std::lock_guard lock(shared().mutex);
      shared().slabs.push_back(memory);
      slab = static_cast<char*>(memory);
      slab_end = slab + size;
    }
    char* block = slab;
    slab += bytes;
    return block;
  }
};

// Null in a thread's last moments, and without memory for it.
ThreadPool* thread_pool() {
  if (t_pool == nullptr && !t_ended) {
    thread_local std::unique_ptr<ThreadPool> pool;
    pool.reset(new (std::nothrow) ThreadPool);
  }
  return t_pool;
}

}  // namespace

thread_local constinit SmallBlocks* t_small_blocks = nullptr;

#ifdef TAPEGRAD_PLAIN_POOL
void* pool_allocate_slow(size_t bytes) { return system_allocate(bytes); }
void pool_free_slow(void* memory, size_t bytes) noexcept { system_free(memory, bytes); }
#else
void* pool_allocate_slow(size_t bytes) {
  ThreadPool* pool = thread_pool();
  if (pool == nullptr && bytes <= kSmallLimit) return system_allocate(bytes);  // a thread in its last moments
  if (bytes <= kSmallLimit) return pool->refill_small(bytes);
  const int index = large_class(bytes);
  if (pool != nullptr && pool->large[index] != nullptr) {
    FreeBlock* block = pool->large[index];
    pool->large[index] = block->next;
    pool->large_bytes -= bytes;
    return block;
  }
  return system_allocate(bytes);
}

void pool_free_slow(void* memory, size_t bytes) noexcept {
  auto* block = static_cast<FreeBlock*>(memory);
  if (bytes <= kSmallLimit) {
    std::lock_guard lock(shared().mutex);
    block->next = shared().small[bytes / kAlign];
    shared().small[bytes / kAlign] = block;
    return;
  }
  ThreadPool* pool = thread_pool();
  const int index = large_class(bytes);
  if (pool == nullptr || pool->large_bytes + bytes > kLargeCacheBytes) return system_free(memory, bytes);
  block->next = pool->large[index];
  pool->large[index] = block;
  pool->large_bytes += bytes;
}
#endif

void pool_donate(size_t bytes) noexcept {
  SmallBlocks& mine = *t_small_blocks;
  mine.surplus = 0;
  FreeBlock* first = mine.lists[bytes / kAlign];
  if (first == nullptr) return;
  FreeBlock* last = first;
  while (last->next != nullptr) last = last->next;
  mine.lists[bytes / kAlign] = nullptr;
  std::lock_guard lock(shared().mutex);
  last->next = shared().small[bytes / kAlign];
  shared().small[bytes / kAlign] = first;
}

size_t pool_bytes_reserved() { return g_reserved.load(std::memory_order_relaxed); }

}  // namespace tapegrad::detail
