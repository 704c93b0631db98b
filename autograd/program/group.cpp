#include <algorithm>

#include "autograd/kernels/parallel.h"
#include "autograd/program/replay.h"

namespace tapegrad::detail {
namespace {

constexpr int64_t kBlock = 256;
constexpr int64_t kGrain = 16384;  // elements of one piece of work; a multiple of kBlock

}  // namespace

// Every kernel's result depends on the operands of its own index alone, so cutting the walk changes no bit.
void Group::run() const {
  auto piece = [this](int64_t begin, int64_t end) {
    alignas(64) char scratch[kGroupScratch * kBlock * 8];
    const size_t slot = static_cast<size_t>(kBlock) * widest;
    for (int64_t at = begin; at < end; at += kBlock) {
      const int64_t n = std::min(kBlock, end - at);
      for (const GroupOp& op : ops) {
        const void* in[6];
        int64_t step[6];
        for (size_t k = 0; k < op.operands; ++k) {
          const GroupOp::Operand& from = op.in[k];
          in[k] = from.base != nullptr ? from.base + at * from.element : scratch + from.scratch * slot;
          step[k] = from.element != 0;
        }
        op.kernel(
            in, step,
            op.out.base != nullptr ? op.out.base + at * op.out.element : scratch + op.out.scratch * slot, n);
      }
    }
  };
  if (count <= kGrain) {
    piece(0, count);
  } else {
    kernels::parallel_for(count, kGrain, piece);
  }
}

}  // namespace tapegrad::detail
