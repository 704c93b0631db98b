#include "bench/allocations.h"

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>
#include <stdexcept>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TAPEGRAD_BENCH_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TAPEGRAD_BENCH_SANITIZED 1
#endif
#if defined(__linux__)
#include <malloc.h>
#endif

namespace tapegrad::bench {
namespace {

constinit std::atomic<bool> counting{false};
constinit std::atomic<int64_t> allocations{0}, frees{0}, bytes{0}, in_use{0}, peak{0};

size_t usable(void* memory) {
#if defined(__linux__)
  return malloc_usable_size(memory);
#else
  return memory == nullptr ? 0 : 1;
#endif
}

void* allocated(void* memory, size_t asked) {
  if (!counting.load(std::memory_order_relaxed) || memory == nullptr) return memory;
  allocations.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(static_cast<int64_t>(asked), std::memory_order_relaxed);
  const int64_t size = static_cast<int64_t>(usable(memory));
  const int64_t level = in_use.fetch_add(size, std::memory_order_relaxed) + size;
  int64_t highest = peak.load(std::memory_order_relaxed);
  while (level > highest && !peak.compare_exchange_weak(highest, level, std::memory_order_relaxed)) {
  }
  return memory;
}

// `size` is what usable() said before the block went.
void freed(void* memory, size_t size) {
  if (!counting.load(std::memory_order_relaxed) || memory == nullptr) return;
  frees.fetch_add(1, std::memory_order_relaxed);
  in_use.fetch_sub(static_cast<int64_t>(size), std::memory_order_relaxed);
}

// Counts a block as freed that is freed next.
void freeing(void* memory) {
  if (counting.load(std::memory_order_relaxed)) freed(memory, usable(memory));
}

}  // namespace

AllocationScope::AllocationScope() {
  if (counting.load()) throw std::logic_error("allocations are being counted already");
  for (std::atomic<int64_t>* counter : {&allocations, &frees, &bytes, &in_use, &peak}) counter->store(0);
  counting.store(true);
}

AllocationScope::~AllocationScope() { counting.store(false); }

AllocationCount AllocationScope::count() const {
  return {allocations.load(), frees.load(), bytes.load(), peak.load()};
}

#if defined(__GLIBC__) && !defined(TAPEGRAD_BENCH_SANITIZED)

bool AllocationScope::counts_malloc() { return true; }

}  // namespace tapegrad::bench

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);

void* malloc(size_t size) noexcept { return tapegrad::bench::allocated(__libc_malloc(size), size); }

void* calloc(size_t count, size_t size) noexcept {
  return tapegrad::bench::allocated(__libc_calloc(count, size), count * size);
}

// The old block counts as freed even where the new one lies in the same place.
void* realloc(void* memory, size_t size) noexcept {
  const size_t before = tapegrad::bench::usable(memory);
  void* block = __libc_realloc(memory, size);
  if (block != nullptr || size == 0) tapegrad::bench::freed(memory, before);
  return tapegrad::bench::allocated(block, size);
}

void* memalign(size_t alignment, size_t size) noexcept {
  return tapegrad::bench::allocated(__libc_memalign(alignment, size), size);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept { return memalign(alignment, size); }

int posix_memalign(void** memory, size_t alignment, size_t size) noexcept {
  if (alignment % sizeof(void*) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void* block = memalign(alignment, size);
  if (block == nullptr) return ENOMEM;
  *memory = block;
  return 0;
}

void free(void* memory) noexcept {
  tapegrad::bench::freeing(memory);
  __libc_free(memory);
}

}  // extern "C"

#else

bool AllocationScope::counts_malloc() { return false; }

}  // namespace tapegrad::bench

void* operator new(size_t size) {
  void* memory = tapegrad::bench::allocated(std::malloc(size == 0 ? 1 : size), size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void* operator new(size_t size, std::align_val_t alignment) {
  const size_t a = static_cast<size_t>(alignment);
  void* memory = tapegrad::bench::allocated(std::aligned_alloc(a, (size + a - 1) / a * a), size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept {
  tapegrad::bench::freeing(memory);
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }

#endif
