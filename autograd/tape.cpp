#include "autograd/tape.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>

#include "autograd/body.h"
#include "autograd/raise.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad {
namespace detail {

thread_local constinit ThreadState t_state;

namespace {

std::atomic<uint64_t> g_next_serial{1};

// The serials of all tapes alive in the process; few, so a plain list.
struct LiveTapes {
  std::mutex mutex;
  std::vector<uint64_t> serials;
};
LiveTapes& live_tapes() {
  static LiveTapes* tapes = new LiveTapes;
  return *tapes;
}

// The insides of the last tape that died on this thread, with their memory, for the next one.
thread_local std::unique_ptr<TapeImpl> t_spare;

}  // namespace

bool is_live(uint64_t serial) {
  LiveTapes& live = live_tapes();
  std::lock_guard lock(live.mutex);
  return std::find(live.serials.begin(), live.serials.end(), serial) != live.serials.end();
}

void* Arena::allocate_block(size_t bytes) {
  const size_t wanted = std::max(bytes, used_blocks_ < kSmallBlocks ? kBlockBytes : kHugePage);
  if (used_blocks_ == blocks_.size()) {
    blocks_.push_back({static_cast<char*>(pool_allocate(wanted)), wanted});
  } else if (Block& next = blocks_[used_blocks_]; next.bytes < bytes) {
    auto* const larger = static_cast<char*>(pool_allocate(wanted));
    pool_free(next.memory, next.bytes);
    next = {larger, wanted};
  }
  enter_block();
  next_ += bytes;
  return blocks_[used_blocks_ - 1].memory;
}

uint32_t& LeafMap::slot(const Cell* cell) {
  if (2 * (used_ + 1) > slots_.size()) {
    std::vector<Slot> old(std::max<size_t>(32, slots_.size() * 2), Slot{nullptr, kNone});
    old.swap(slots_);
    used_ = 0;
    for (const Slot& s : old) {
      if (s.cell != nullptr) slot(s.cell) = s.value;
    }
  }
  size_t at = (reinterpret_cast<uintptr_t>(cell) >> 4) * 0x9E3779B97F4A7C15u >> 32;
  for (;; ++at) {
    Slot& s = slots_[at & (slots_.size() - 1)];
    if (s.cell == cell) return s.value;
    if (s.cell != nullptr) continue;
    ++used_;
    s.cell = cell;
    return s.value;
  }
}

void LeafMap::clear() {
  if (used_ == 0) return;
  std::fill(slots_.begin(), slots_.end(), Slot{nullptr, kNone});
  used_ = 0;
}

void throw_full() {
  raise<ResourceError>("a tape holds at most {} records and values", ChunkedList<Value>::kMost);
}

uint32_t TapeImpl::leaf(Cell* cell) {
  constexpr size_t kFew = 8;
  if (leaves.size() <= kFew) {
    for (const Leaf& known : leaves) {
      if (known.cell.handle() == cell) return known.value;
    }
  }
  uint32_t* slot = nullptr;
  if (leaves.size() >= kFew) {
    if (leaves.size() == kFew) {
      for (const Leaf& known : leaves) leaf_of.slot(known.cell.handle()) = known.value;
    }
    slot = &leaf_of.slot(cell);
    if (*slot != LeafMap::kNone) return *slot;
  }
  if (leaves.size() == leaves.capacity()) leaves.reserve(std::max(kFew, 2 * leaves.size()));
  const uint32_t index = next_value();
  add(ValueKind::parameter, true).leaf = static_cast<uint32_t>(leaves.size());
  leaves.push_back({CellRef::share(cell), cell->version, index});  // throws no more
  if (slot != nullptr) *slot = index;
  return index;
}

size_t TapeImpl::producer(uint32_t value) const {
  // Outputs are numbered in record order, so the record is the last one that starts at or before the value.
  size_t low = 0;
  size_t high = records.size();
  while (high - low > 1) {
    const size_t middle = (low + high) / 2;
    (records[middle].first_output <= value ? low : high) = middle;
  }
  return low;
}

void TapeImpl::clear() {
  values.for_each(&TapeImpl::release_value);
  for (auto& [options, type] : owned_options) type->destroy(options);
  owned_options.clear();
  values.clear();
  records.clear();
  arena.clear();
  leaf_of.clear();
  leaves.clear();
  watched.clear();
  freed = false;
}

}  // namespace detail

using detail::t_state;

Tape::Tape(TapeOptions options) {
  impl_ = detail::t_spare ? detail::t_spare.release() : new detail::TapeImpl;
  impl_->serial = detail::g_next_serial.fetch_add(1, std::memory_order_relaxed);
  detail::LiveTapes& live = detail::live_tapes();
  {
    std::lock_guard lock(live.mutex);
    live.serials.push_back(impl_->serial);
  }
  impl_->debug = options.debug;
  impl_->outer = t_state.tape;
  t_state.tape = impl_;
}

Tape::~Tape() {
  // Tapes end in the reverse order of their construction; a heap-held one may not, so look for it in the
  // chain.
  for (detail::TapeImpl** at = &t_state.tape; *at != nullptr; at = &(*at)->outer) {
    if (*at == impl_) {
      *at = impl_->outer;
      break;
    }
  }
  detail::LiveTapes& live = detail::live_tapes();
  {
    std::lock_guard lock(live.mutex);
    std::erase(live.serials, impl_->serial);
  }
  impl_->clear();
  if (detail::t_spare) {
    delete impl_;
  } else {
    detail::t_spare.reset(impl_);
  }
}

Tensor Tape::watch(const Tensor& x, const char* file, int line) {
  if (!is_floating(x.dtype())) {
    raise<DTypeError>("[watch] expected float32 or float64, given {}; use cast{}", describe(*x.handle()),
                      location({file, line}));
  }
  detail::Body* body = x.handle();
  if (body->tape == impl_->serial) {
    detail::Value& value = impl_->values[body->value];
    if (!value.kept && value.kind == ValueKind::produced) impl_->watched.push_back(body->value);
    value.kept = true;
    return x;
  }
  Tensor leaf = Tensor::adopt(detail::new_alias(body, {body->dims(), body->rank}));
  const uint32_t index = impl_->next_value();
  detail::Value& value = impl_->add(ValueKind::watched, true);
  value.body = detail::retain(leaf.handle());
  value.kept = true;
  detail::put_on_tape(*leaf.handle(), impl_->serial, index, true);
  impl_->watched.push_back(index);
  return leaf;
}

uint64_t Tape::serial() const { return impl_->serial; }
size_t Tape::size() const { return impl_->records.size(); }
const Record& Tape::operator[](size_t i) const { return impl_->records[i]; }
size_t Tape::values() const { return impl_->values.size(); }
ValueKind Tape::kind(uint32_t value) const { return impl_->values[value].kind; }

Tensor Tape::value(uint32_t index) const {
  const detail::Value& value = impl_->values[index];
  switch (value.kind) {
    case ValueKind::parameter: return impl_->leaves[value.leaf].cell.value();
    case ValueKind::real_literal: return full({}, value.real, float64);
    case ValueKind::integer_literal: return from_span(std::span(&value.integer, 1), {});
    default: return Tensor::share(value.body);
  }
}

CellRef Tape::parameter(uint32_t index) const {
  const detail::Value& value = impl_->values[index];
  return value.kind == ValueKind::parameter ? impl_->leaves[value.leaf].cell : CellRef();
}

size_t Tape::producer(uint32_t value) const {
  return kind(value) == ValueKind::produced ? impl_->producer(value) : size();
}

}  // namespace tapegrad
