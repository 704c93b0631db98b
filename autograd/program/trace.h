#pragma once

// What a run of a function did, op by op: the raw material of a Program. Internal, not installed.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "autograd/apply.h"
#include "autograd/options.h"
#include "autograd/parameter.h"
#include "autograd/tensor.h"

namespace tapegrad::detail {

// One value that the run used or made.
struct TraceValue {
  enum class Kind : uint8_t { input, constant, cell, number, produced };

  Kind kind = Kind::produced;
  DType dtype = DType::float32;
  bool varies = true;    // may differ from run to run
  bool integer = false;  // a number that was written as one
  uint32_t root = 0;     // the value whose memory this one shares; itself where it has its own
  uint32_t index = 0;    // which input, or the call that produced it
  Shape shape = {};
  Tensor held = {};              // as it was in this run; of a constant, for good
  CellRef cell = {};             // of a cell: what it held when the run began
  double number = 0;             // of a number, by the time it was used
  const double* live = nullptr;  // where a number that changes from run to run is read
};

struct TraceCall {
  const Op* op;
  OptionsBox options;
  SourceLine where;
  std::vector<uint32_t> inputs;
  std::vector<uint32_t> outputs;
};

// The last value written into a cell.
struct TraceWrite {
  CellRef cell;
  uint32_t value;
  Tensor before;  // to put back if the run fails
  uint64_t version;
};

// Work outside of tensors that belongs to every run, such as an optimiser's step count. `prepare` computes
// what ops read and may throw; `commit` comes when all has gone well and does not.
struct HostWork {
  std::shared_ptr<void> state;
  void (*prepare)(void* state);
  void (*commit)(void* state);
  const void* owner = nullptr;  // whose work it is, of which a run holds one at most; null: any number
};

// While one is installed on the thread, every op that runs is noted here besides running as ever.
class Trace {
 public:
  // Values are headers without elements from now on: no kernel runs, and nothing computed can be read.
  void run_no_kernels() { kernels_ = false; }
  bool runs_kernels() const { return kernels_; }
  // x as input k of the run: a tensor of its own, told from one that the function holds itself.
  Tensor input(const Tensor& x);

  void record(const Op& op, OptionsRef options, const SourceLine& where, std::span<const Arg> args,
              const Body* const* in, std::span<Body* const> out);
  // `alias` is a new header on the memory of `of`.
  void alias(const Body* of, Body* alias);
  // What the cell holds, as a tensor known to come from it.
  Tensor read(Cell* cell);
  // The cell is about to be written / has been written.
  void before_write(Cell* cell);
  void wrote(Cell* cell);
  void host(HostWork work);
  // Throws GraphError for a value that another run may compute differently.
  void check_readable(const Body* body) const;
  // Throws GraphError for a value without elements, which would live on in a cell.
  void check_held(const Body* body) const;
  // The value of a tensor that the function returned: a constant where the run did not make it.
  uint32_t value_of(const Tensor& x);
  // Puts all cells back to what they were.
  void undo() noexcept;
  // Lets go of all tensors but the constants. Nothing can be recorded any more.
  void finish();

  const std::vector<TraceValue>& values() const { return values_; }
  const std::vector<TraceCall>& calls() const { return calls_; }
  const std::vector<TraceWrite>& writes() const { return writes_; }
  const std::vector<HostWork>& host_work() const { return host_; }

 private:
  uint32_t add(TraceValue value);
  uint32_t tensor(const Body* body);
  uint32_t cell(Cell* cell);
  uint32_t operand(const Arg& arg, const Body* body);
  TraceWrite* write_of(const Cell* cell);

  std::vector<TraceValue> values_;
  std::vector<TraceCall> calls_;
  std::vector<TraceWrite> writes_;
  std::vector<HostWork> host_;
  uint32_t inputs_ = 0;
  bool kernels_ = true;
  std::unordered_map<const Body*, uint32_t> of_body_;
  std::unordered_map<const Cell*, uint32_t> of_cell_;  // what each cell holds at this point of the run
  std::vector<Tensor> kept_;                           // so that no address in of_body_ is used again
};

// Installs a trace on this thread; ops record into it until the end of the scope.
class Tracing {
 public:
  explicit Tracing(Trace& trace);
  ~Tracing();
  Tracing(const Tracing&) = delete;
  Tracing& operator=(const Tracing&) = delete;
};

// Whether ops of this thread are being recorded into a program.
TAPEGRAD_API bool is_tracing();

// The cell that an op with an effect writes.
Cell* written_cell(const Op& op, OptionsRef options);

// In words, how the second run differs from the first; empty where it does not.
std::string difference(const Trace& first, const Trace& second);

// Prepares the work now. Where a run is being traced, the work belongs to the program, which commits it at
// the end of each run; else it is committed when the scope ends without an exception.
class TAPEGRAD_API HostScope {
 public:
  explicit HostScope(HostWork work);
  ~HostScope();
  HostScope(const HostScope&) = delete;
  HostScope& operator=(const HostScope&) = delete;

 private:
  HostWork work_;
  int exceptions_;
};

}  // namespace tapegrad::detail
