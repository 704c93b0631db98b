#pragma once

// Calls of small kernels whose operands stand ready, run one after the other without going through a door
// each. Internal, not installed.

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "autograd/dtype.h"
#include "autograd/kernels/lanes.h"

namespace tapegrad::kernels {

// One call. Its bits are those of the kernel that it names.
struct DirectOp {
  enum class Kind : uint8_t {
    call,  // kernel(in, step, out, count)
    lane,  // the same for `lane`
    dots,  // dot_rows of the matrix in[0] by in[1], with the bias in[2]: count rows of `columns`
    adds,  // add_rows of the same: `columns` rows of count elements
    move,  // move_along_outer: left in[0], right in[1], factor in[2], from in[3]; count rows of `columns`
    add_and_move,  // add_rows_and_move: from in[0], left in[1], factor in[2], right in[3], the matrix to
                   // `moved`; `columns` rows of count elements
  };
  Kind kind = Kind::call;
  DType dtype = DType::float32;
  Lane lane = Lane::count;
  bool flag = false;  // dots: padded; moves: from_zero
  uint8_t slot = 0;   // which function it is; see resolve
  LaneKernel kernel = nullptr;
  const void* in[6] = {};
  int64_t step[6] = {};  // of dots and adds, step[2] is the bias_step
  void* out = nullptr;
  void* moved = nullptr;
  int64_t count = 0, columns = 0, readable = 0;
};

// The ops whose lanes run as Kind::lane; all others are calls.
struct DirectLane {
  std::string_view op;
  Lane lane;
};
inline constexpr DirectLane kDirectLanes[] = {
    {"tanh", Lane::tanh},         {"tanh_backward", Lane::tanh_backward},
    {"sigmoid", Lane::sigmoid},   {"sigmoid_backward", Lane::sigmoid_backward},
    {"relu", Lane::relu},         {"relu_backward", Lane::relu_backward},
    {"pole_mul", Lane::pole_mul}, {"mul_add", Lane::mul_add}};

// Lengths of rows for which there are functions of their own, where every address is a number; 0: of any
// other length.
inline constexpr int64_t kDirectWidths[] = {0, 2, 16};
inline constexpr size_t kDirectSlots = 1 + std::size(kDirectLanes) + 4 * std::size(kDirectWidths);

// Notes which function runs it, by kind, lane and sizes; before it is run.
void resolve(DirectOp& op);

// Runs them in order, on the calling thread.
void run_direct(const DirectOp* ops, size_t count);

}  // namespace tapegrad::kernels
