#pragma once

// A plan with its memory, ready to run again and again. Internal, not installed.

#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "autograd/body.h"
#include "autograd/gradients.h"
#include "autograd/kernels/direct.h"
#include "autograd/kernels/gemm.h"
#include "autograd/program/clock.h"
#include "autograd/program/plan.h"

namespace tapegrad::detail {

// An op whose shapes have been checked and whose operands and results stand ready.
class PlannedCall {
 public:
  PlannedCall(const TraceCall& traced, std::vector<const Body*> in, std::vector<Arg> args,
              std::vector<Body*> out);
  PlannedCall(const PlannedCall&) = delete;
  PlannedCall& operator=(const PlannedCall&) = delete;

  void run() { call_.op_->forward(call_); }
  Cost cost() const { return call_.op_->cost(call_); }

 private:
  std::vector<const Body*> in_;
  std::vector<Arg> args_;
  std::vector<Body*> out_;
  Call call_;
};

// One pointwise op of a group: its kernel, and where the operands of the whole walk begin.
struct GroupOp {
  enum class Base : uint8_t { memory, scratch, slice };
  struct Operand {
    char* at = nullptr;    // in memory
    uint32_t scratch = 0;  // which slot
    Base base = Base::memory;
    uint8_t element = 0;  // bytes; 0: one value for all
  };
  PointwiseKernel kernel;
  uint8_t operands = 0;
  Operand in[kMaxOperands] = {};
  Operand out = {};
};

// The memory that direct groups share, one of which runs at a time: scratch slots, and behind them the slice.
inline constexpr size_t kDirectSlot = kDirectCount * 8;
inline constexpr size_t kDirectBytes = (kGroupScratch + 1) * kDirectSlot;

// The matrix product that a group begins with.
struct GroupHead {
  kernels::Gemm product;
  DType dtype;
  int64_t slices, at_once, grain;
  int64_t each;  // elements of a slice
  void *a = nullptr, *b = nullptr, *bias = nullptr;
  void* out = nullptr;  // null: in the slice of the walk
};

// The step of a matrix along a product: to = product·factor + from.
struct GroupMove {
  void *factor, *from, *to;
};

struct Group {
  int64_t count = 0;
  enum class Kind : uint8_t { walk, direct, move, accumulate } kind = Kind::walk;
  size_t widest = 1;  // bytes of the largest element in scratch
  size_t slots = 1;   // of scratch
  int64_t block = kGroupBlock;
  std::optional<GroupHead> head;
  GroupMove move = {};
  std::vector<GroupOp> ops;
  kernels::DirectOp* direct = nullptr;  // instead, where it is small
  size_t directs = 0;

  void run() const {
    switch (kind) {
      case Kind::walk: return walk();
      case Kind::move:
        return kernels::gemm_move(head->dtype, head->product, head->a, head->b, move.factor, move.from,
                                  move.to);
      case Kind::accumulate: return accumulate();
      case Kind::direct: break;
    }
    if (head) {
      kernels::gemm_slice(head->dtype, head->product, 0, head->slices, head->a, head->b, head->bias,
                          head->out);
    }
    kernels::run_direct(direct, directs);
  }

 private:
  struct Walker;
  void accumulate() const;
  void walk() const;
  void walk_behind_head() const;
  void blocks(int64_t begin, int64_t end, char* slice, int64_t slice_begin) const;
};

class Replay {
 public:
  // Keeps what it needs of the trace, which must stay where it is.
  Replay(const Trace& trace, Plan plan);
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  const Plan& plan() const { return plan_; }
  // The results, in the order of the plan, into `results`.
  void run(std::span<Body* const> inputs, std::span<Tensor> results);
  // Runs from now on tell it how long their steps take; null: none.
  void time(StepClock* clock) { clock_ = clock; }
  bool is_timed() const { return clock_ != nullptr; }

 private:
  // A value that may lie elsewhere in the next run, and the pointers that follow it.
  struct Source {
    void* data = nullptr;
    std::vector<void**> pointers;

    void move_to(void* to) {
      if (to == data) return;
      data = to;
      for (void** pointer : pointers) *pointer = to;
    }
  };
  struct Number {
    const double* live;
    DType dtype;
    void* to;
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Watched {  // a cell, and where its elements were in the last run
    Cell* cell;
    void* data = nullptr;
    uint32_t read = kNone, update = kNone;  // by Place::index
  };
  struct Part {  // a step: one of the two, or none where another does its work
    PlannedCall* call;
    Group* group;
  };
  struct Stretch {  // steps that follow each other: a part, or direct calls alone
    Part part;
    const kernels::DirectOp* direct;
    size_t directs;
  };

  void* fixed_pointer(uint32_t root);
  void point(uint32_t root, void** at);
  Body* header(uint32_t v);
  void add_call(const TraceCall& call);
  void add_group(const Step& step);
  void add_head(Group& group, const TraceCall& call);
  bool add_direct_head(Group& group, const Step& step);
  bool add_move(Group& group, const Step& step);
  kernels::DirectOp& add_lane(Group& group, const Op& op, DType dtype);
  void add_slope(Group& group, const TraceCall& call);
  void add_scaling(Group& group, const TraceCall& call, DType dtype);
  void place_operand(Group& group, uint32_t v, GroupOp::Operand& operand);
  void place_direct(const Group& group, uint32_t v, void** at, int64_t* step = nullptr);
  void* option_number(DType dtype, double given);
  void* number(uint32_t v);
  void put_numbers() const;
  void join_parts();
  void poison(size_t step) const;
  void run_steps();
  void run_steps_timed();
  void hand_out(uint32_t v);
  void prepare(std::span<Body* const> inputs);
  void follow(Watched& watched);
  void let_go() noexcept;
  void write_copies(std::span<Body* const> inputs);
  void count_updates() noexcept;
  Tensor result(uint32_t v, std::span<Body* const> inputs);

  const Trace& trace_;
  Plan plan_;
  char* arena_ = nullptr;
  char* direct_memory_ = nullptr;  // scratch and slices of direct groups, of which one runs at a time
  std::vector<Tensor> constants_;  // of each root that is one, as far as it is needed
  std::vector<Body*> headers_;     // of each value that a call sees, else null
  std::vector<std::unique_ptr<double>> numbers_;
  std::vector<void*> number_at_;  // of each value
  std::vector<Number> live_;
  std::vector<std::unique_ptr<PlannedCall>> calls_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Part> parts_;
  std::vector<kernels::DirectOp> direct_;  // of all groups, one behind the other; never moved
  std::vector<Stretch> stretches_;
  StepClock* clock_ = nullptr;
  std::vector<Source> inputs_, cells_, results_, updates_;  // by Place::index
  std::vector<Watched> watched_;
  std::vector<Cell*> written_cells_;   // those of the plan's updates
  std::vector<uint32_t> kept_cells_;   // whose old values are results
  std::vector<uint32_t> result_uses_;  // of each result with memory of its own
  // Of the run under way.
  std::vector<Tensor> held_;  // what the kept cells held, by Place::index
  std::vector<Body*> result_bodies_;
  std::vector<Body*> fresh_bodies_;  // of each update, where somebody else holds what the cell held
  bool any_fresh_ = false;
};

}  // namespace tapegrad::detail
