#pragma once

// A plan with its memory, ready to run again and again. Internal, not installed.

#include <memory>
#include <span>
#include <vector>

#include "autograd/gradients.h"
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
  struct Operand {
    char* base = nullptr;  // null: in the scratch slot
    uint16_t scratch = 0;
    uint8_t element = 0;  // bytes; 0: one value for all
  };
  PointwiseKernel kernel;
  uint8_t operands;
  Operand in[6];
  Operand out;
};

struct Group {
  int64_t count = 0;
  size_t widest = 1;  // bytes of the largest element in scratch
  std::vector<GroupOp> ops;
  void run() const;
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
  void run(std::span<const Tensor> inputs, std::span<Tensor> results);
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
  struct Part {  // a step: one of the two
    PlannedCall* call;
    Group* group;
  };

  void* fixed_pointer(uint32_t root);
  void point(uint32_t root, void** at);
  Body* header(uint32_t v);
  void add_call(const TraceCall& call);
  void add_group(const Step& step);
  void place_operand(Group& group, uint32_t v, GroupOp::Operand& operand);
  void* number(uint32_t v);
  void put_numbers() const;
  void poison(size_t step) const;
  void run_steps_timed();
  void write_cells(std::span<const Tensor> inputs, std::span<Body* const> results);
  Tensor result(uint32_t v, std::span<const Tensor> inputs, std::span<Body* const> results,
                std::span<const Tensor> cells) const;

  const Trace& trace_;
  Plan plan_;
  char* arena_ = nullptr;
  std::vector<Tensor> constants_;  // of each root that is one, as far as it is needed
  std::vector<Body*> headers_;     // of each value that a call sees, else null
  std::vector<std::unique_ptr<double>> numbers_;
  std::vector<void*> number_at_;  // of each value
  std::vector<Number> live_;
  std::vector<std::unique_ptr<PlannedCall>> calls_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::vector<Part> parts_;
  StepClock* clock_ = nullptr;
  std::vector<Source> inputs_, cells_, results_, updates_;  // by Place::index
  // Of the run under way.
  std::vector<Body*> result_bodies_;
  std::vector<Body*> fresh_bodies_;  // of each update, where somebody else holds what the cell held
};

}  // namespace tapegrad::detail
