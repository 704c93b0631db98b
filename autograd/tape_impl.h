#pragma once

// The tape's insides and the state of the recording thread. Internal, not installed.

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "autograd/storage.h"
#include "autograd/tape.h"

namespace tapegrad::detail {

[[noreturn]] void throw_full();

// A list that grows by chunks, so that entries keep their addresses and growth copies nothing.
template <class T>
class ChunkedList {
 public:
  static constexpr size_t kPerChunk = 1024;
  static constexpr size_t kMost = (size_t{1} << 32) - kPerChunk;  // so that a uint32_t is left for "none"

  ~ChunkedList() { shrink(0); }
  size_t size() const { return size_; }
  template <class F>
  void for_each(F f) {
    size_t left = size_;
    for (T* chunk : chunks_) {
      T* const end = chunk + (left < kPerChunk ? left : kPerChunk);
      left -= static_cast<size_t>(end - chunk);
      for (T* entry = chunk; entry != end; ++entry) f(*entry);
    }
  }
  T& operator[](size_t i) { return chunks_[i / kPerChunk][i % kPerChunk]; }
  const T& operator[](size_t i) const { return chunks_[i / kPerChunk][i % kPerChunk]; }
  T& push() {
    if (next_ == end_) add_chunk();
    ++size_;
    return *next_++;
  }
  void clear() {
    size_ = 0;
    next_ = end_ = nullptr;
    shrink(4);
  }

 private:
  static constexpr size_t kChunkBytes = sizeof(T) * kPerChunk;
  static constexpr size_t kSingle = 32;  // chunks that are allocated one by one; those that follow by groups
  static constexpr size_t kGroup = kHugePage / kChunkBytes;  // so that they lie in huge pages

  void add_chunk() {
    if (size_ >= kMost) throw_full();
    const size_t chunk = size_ / kPerChunk;
    if (chunk == chunks_.size()) allocate(chunk < kSingle ? 1 : kGroup);
    next_ = chunks_[chunk];
    end_ = next_ + kPerChunk;
  }
  void allocate(size_t count) {
    if (chunks_.capacity() < chunks_.size() + count) chunks_.reserve(2 * chunks_.size() + count);
    T* memory = static_cast<T*>(pool_allocate(bytes_of(count)));
    for (size_t i = 0; i < count; ++i) chunks_.push_back(memory + i * kPerChunk);
  }
  static size_t bytes_of(size_t count) { return count == 1 ? kChunkBytes : kHugePage; }
  void shrink(size_t chunks) {
    while (chunks_.size() > chunks) {
      const size_t count = chunks_.size() > kSingle ? kGroup : 1;
      pool_free(chunks_[chunks_.size() - count], bytes_of(count));
      chunks_.resize(chunks_.size() - count);
    }
  }

  std::vector<T*> chunks_;
  T* next_ = nullptr;
  T* end_ = nullptr;
  size_t size_ = 0;
};

// Memory for input lists and options, given back all at once.
class Arena {
 public:
  ~Arena() { shrink(0); }
  void* allocate(size_t bytes, size_t align) {
    const uintptr_t at = (next_ + align - 1) & ~(align - 1);
    if (at + bytes > end_) return allocate_block(bytes);
    next_ = at + bytes;
    return reinterpret_cast<void*>(at);
  }
  void clear() {
    shrink(4);
    used_blocks_ = 0;
    next_ = end_ = 0;
    if (!blocks_.empty()) enter_block();
  }

 private:
  static constexpr size_t kBlockBytes = 32768, kSmallBlocks = 64;  // blocks that follow are huge pages
  struct Block {
    char* memory;
    size_t bytes;
  };
  void* allocate_block(size_t bytes);
  // Goes on in the next block.
  void enter_block() {
    const Block& block = blocks_[used_blocks_++];
    next_ = reinterpret_cast<uintptr_t>(block.memory);
    end_ = next_ + block.bytes;
  }
  void shrink(size_t blocks) {
    while (blocks_.size() > blocks) {
      pool_free(blocks_.back().memory, blocks_.back().bytes);
      blocks_.pop_back();
    }
  }

  std::vector<Block> blocks_;
  size_t used_blocks_ = 0;  // the last of them is where next_ and end_ point
  uintptr_t next_ = 0;
  uintptr_t end_ = 0;
};

struct Value {
  union {
    Body* body;  // held; null for a parameter, whose cell is in `leaves`
    double real;
    int64_t integer;
  };
  ValueKind kind;
  bool tracked;   // a gradient may flow here
  bool kept;      // the sweep keeps its gradient
  uint32_t leaf;  // for a parameter: its place in `leaves`
};

// A parameter on the tape. The tape holds the cell and not the memory, so that a step can write in place.
struct Leaf {
  CellRef cell;
  uint64_t version;
  uint32_t value;
};

// Cells by address → place on the tape. Open addressing; small and flat, because every use of a parameter
// asks it. Empty as long as the tape has few leaves, which are faster looked through.
class LeafMap {
 public:
  // The slot of `cell`: its value index, or kNone in a fresh slot.
  uint32_t& slot(const Cell* cell);
  void clear();
  static constexpr uint32_t kNone = UINT32_MAX;

 private:
  struct Slot {
    const Cell* cell;
    uint32_t value;
  };
  std::vector<Slot> slots_;
  size_t used_ = 0;
};

struct TapeImpl {
  uint64_t serial = 0;
  TapeImpl* outer = nullptr;
  bool freed = false;  // the records were given up by gradient() &&
  bool debug = false;  // what is recorded is looked at first; see debug.h
  int sweeps = 0;      // under way: a rule may start another
  ChunkedList<Record> records;
  ChunkedList<Value> values;
  Arena arena;
  LeafMap leaf_of;
  std::vector<Leaf> leaves;
  std::vector<uint32_t> watched;  // values whose gradient is kept, in order, besides parameters
  std::vector<std::pair<void*, const OptionsType*>> owned_options;  // those with a destructor

  // The place of the next value.
  uint32_t next_value() const { return static_cast<uint32_t>(values.size()); }
  // Adds a value; the caller sets what it holds. Field by field: a struct put together on the stack and
  // copied from there as a whole stalls on the stores.
  Value& add(ValueKind kind, bool tracked) {
    Value& value = values.push();
    value.body = nullptr;
    value.kind = kind;
    value.tracked = tracked;
    value.kept = false;
    value.leaf = 0;
    return value;
  }
  // The place of a parameter, which gets one at its first use.
  uint32_t leaf(Cell* cell);
  // The record that made a value that is `produced`.
  size_t producer(uint32_t value) const;
  static void release_value(Value& value) {
    if (value.kind == ValueKind::real_literal || value.kind == ValueKind::integer_literal) return;
    release(value.body);
    value.body = nullptr;
  }
  void clear();
};

class Trace;

// What this thread is doing.
struct ThreadState {
  TapeImpl* tape = nullptr;  // the one that records, null: none does
  Trace* trace = nullptr;    // where a program is being recorded
  SourceLine site;           // set: everything below reports this line (an nn layer's caller, a swept record)
};
[[gnu::tls_model("initial-exec")]] extern thread_local constinit ThreadState t_state;  // see t_small_blocks

// True for the serial of a tape that is alive on any thread.
bool is_live(uint64_t serial);

struct Cell {
  uint32_t references = 1;
  bool parameter = false;  // else a buffer
  bool trainable = false;  // a parameter that is not frozen: what ops of it are tracked by
  bool named = false;      // by the user or a module, not by default
  uint64_t id = 0;
  uint64_t version = 0;
  Tensor value;
  std::string name;
};

}  // namespace tapegrad::detail
