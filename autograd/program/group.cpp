#include <algorithm>
#include <cstring>

#include "autograd/kernels/parallel.h"
#include "autograd/program/replay.h"

namespace tapegrad::detail {
namespace {

constexpr int64_t kGrain = 16384;  // elements of one piece of work; a multiple of every block
// Between slots, so that their elements do not lie a multiple of 4096 bytes apart: a load would seem to wait
// for the store there.
constexpr size_t kStagger = 192;

}  // namespace

// Every kernel's result depends on the operands of its own index alone, so cutting the walk changes no bit.
void Group::walk() const {
  if (head) return walk_behind_head();
  if (count <= kGrain) return blocks(0, count, nullptr, 0);
  kernels::parallel_for(count, kGrain,
                        [this](int64_t begin, int64_t end) { blocks(begin, end, nullptr, 0); });
}

void Group::accumulate() const {
  if (move.to != move.from) {
    std::memcpy(move.to, move.from, static_cast<size_t>(count) * element_size(head->dtype));
  }
  kernels::gemm_accumulate(head->dtype, head->product, head->a, head->b, move.factor, move.to);
}

void Group::walk_behind_head() const {
  const int64_t parts = (head->slices + head->at_once - 1) / head->at_once;
  const size_t element = element_size(head->dtype);
  kernels::parallel_for(parts, head->grain, [&](int64_t first, int64_t last) {
    alignas(64) char slice[kSliceBytes];
    for (int64_t part = first; part < last; ++part) {
      const int64_t begin = part * head->at_once, end = std::min(head->slices, begin + head->at_once);
      char* const to = head->out != nullptr
                           ? static_cast<char*>(head->out) + static_cast<size_t>(begin * head->each) * element
                           : slice;
      kernels::gemm_slice(head->dtype, head->product, begin, end, head->a, head->b, head->bias, to);
      blocks(begin * head->each, end * head->each, slice, begin * head->each);
    }
  });
}

// An op of the walk at its block, and how far each of its operands is from there to the next.
struct Group::Walker {
  PointwiseKernel kernel;
  size_t operands;
  char* in[kMaxOperands];
  int64_t step[kMaxOperands];
  size_t advance[kMaxOperands];
  char* out;
  size_t out_advance;

  void run(int64_t n) {
    kernel(reinterpret_cast<const void* const*>(in), step, out, n);
    for (size_t k = 0; k < operands; ++k) in[k] += advance[k];
    out += out_advance;
  }
};

void Group::blocks(int64_t begin, int64_t end, char* slice, int64_t slice_begin) const {
  alignas(64) char scratch[kGroupScratch * (kGroupBlock * 8 + kStagger)];
  const size_t slot = static_cast<size_t>(block) * widest + kStagger;
  auto find = [&](const GroupOp::Operand& operand, char*& at, size_t& advance) {
    advance = static_cast<size_t>(block) * operand.element;
    switch (operand.base) {
      case GroupOp::Base::memory: at = operand.at + begin * operand.element; break;
      case GroupOp::Base::slice: at = slice + (begin - slice_begin) * operand.element; break;
      case GroupOp::Base::scratch:
        at = scratch + operand.scratch * slot;
        advance = 0;
        break;
    }
  };
  Walker walkers[kGroupCalls];
  for (size_t i = 0; i < ops.size(); ++i) {
    const GroupOp& op = ops[i];
    Walker& walker = walkers[i];
    walker.kernel = op.kernel;
    walker.operands = op.operands;
    for (size_t k = 0; k < op.operands; ++k) {
      find(op.in[k], walker.in[k], walker.advance[k]);
      walker.step[k] = op.in[k].element != 0;
    }
    find(op.out, walker.out, walker.out_advance);
  }
  for (int64_t at = begin; at < end; at += block) {
    const int64_t n = std::min(block, end - at);
    for (size_t i = 0; i < ops.size(); ++i) walkers[i].run(n);
  }
}

}  // namespace tapegrad::detail
