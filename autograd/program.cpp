#include "autograd/program.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>

#include "autograd/body.h"
#include "autograd/plan.h"
#include "autograd/program/replay.h"
#include "autograd/raise.h"
#include "autograd/tape.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad {
namespace detail {
namespace {

// One run of the function itself, noted.
struct Recording {
  Trace trace;
  ProgramResult result;
  std::vector<uint32_t> values;        // of the result's tensors, in their order
  std::vector<Gradients::Entry> keys;  // of the gradients, without their tensors
};

}  // namespace

class ProgramState {
 public:
  ProgramState(CapturedFunction function, bool gradients, ProgramOptions options)
      : function_(std::move(function)), gradients_(gradients), options_(options) {}

  ProgramState* share() {
    programs_.fetch_add(1, std::memory_order_relaxed);
    return this;
  }
  void release() {
    if (programs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  // A recording that is replayed for inputs of one set of shapes and dtypes.
  struct Variant {
    std::vector<std::pair<DType, Shape>> inputs;
    Recording recording;
    std::unique_ptr<Replay> replay;
    int64_t runs = 0;
    int64_t next_check = 0;  // the run that is to be compared; 0: none
  };

  Variant& variant_for(std::span<Body* const> inputs) {
    if (inputs.size() != function_.inputs) {
      raise<ArgumentError>("[Program] expected {} inputs, given {}", function_.inputs, inputs.size());
    }
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] == nullptr) raise<ArgumentError>("[Program] input {} is an undefined tensor", i);
    }
    if (last_ != nullptr && fits(*last_, inputs)) return *last_;
    for (const auto& variant : variants_) {
      if (fits(*variant, inputs)) return *(last_ = variant.get());
    }
    auto fresh = std::make_unique<Variant>();
    for (const Body* x : inputs) fresh->inputs.emplace_back(x->dtype, x->shape());
    trace_run(inputs, fresh->recording);
    fresh->recording.trace.undo();
    fresh->replay = std::make_unique<Replay>(
        fresh->recording.trace,
        make_plan(fresh->recording.trace, fresh->recording.values, options_.fuse_updates));
    fresh->recording.trace.finish();
    fresh->recording.result = {};
    plan_check(*fresh);
    variants_.push_back(std::move(fresh));
    return *(last_ = variants_.back().get());
  }

  // A run on inputs without elements, and what its plan will hold.
  MemoryPlan plan_memory(std::span<const TensorSpec> specs) {
    std::vector<Tensor> headers;
    std::vector<Body*> inputs;
    for (const TensorSpec& spec : specs) {
      inputs.push_back(make_header(spec.dtype, {spec.shape.begin(), spec.shape.end()}, spec.shape.numel()));
      headers.push_back(Tensor::adopt(inputs.back()));
    }
    Recording recording;
    recording.trace.run_no_kernels();
    trace_run(inputs, recording);
    recording.trace.undo();
    return memory_of(make_plan(recording.trace, recording.values));
  }

  ProgramResult run(std::span<Body* const> inputs) {
    if (running_) raise<GraphError>("[Program] called while it runs; a Program serves one thread at a time");
    running_ = true;
    struct Done {
      bool& running;
      ~Done() { running = false; }
    } done{running_};
    Variant& variant = variant_for(inputs);
    if (is_checked(variant)) return check(variant, inputs);
    const size_t count = variant.recording.values.size();
    if (count == 1) {
      ProgramResult result;
      variant.replay->run(inputs, {&result.value, 1});
      return result;
    }
    Tensor few[kFew];
    std::vector<Tensor> many;
    if (count > kFew) many.resize(count);
    const std::span<Tensor> results = count > kFew ? std::span(many) : std::span(few, count);
    variant.replay->run(inputs, results);
    ProgramResult result{std::move(results[0]), {}};
    result.gradients.reserve(count - 1);
    for (size_t k = 1; k < count; ++k) {
      const Gradients::Entry& key = variant.recording.keys[k - 1];
      result.gradients.add({key.parameter, key.tape, key.value, std::move(results[k])});
    }
    return result;
  }

  const Variant* last() const { return last_; }
  int64_t check_every() const { return options_.check_every; }
  void set_check_every(int64_t n) {
    options_.check_every = n;
    for (const auto& variant : variants_) plan_check(*variant);
  }

 private:
  static constexpr size_t kFew = 16;

  static bool fits(const Variant& variant, std::span<Body* const> inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto& [dtype, shape] = variant.inputs[i];
      const Body& body = *inputs[i];
      if (body.dtype != dtype || body.rank != shape.rank()) return false;
      for (int d = 0; d < body.rank; ++d) {  // few sizes: a loop is faster than a call of memcmp
        if (shape[d] != body.dims()[d]) return false;
      }
    }
    return true;
  }

  // Sets the next run to be compared: the second, or the next that is a multiple of check_every.
  void plan_check(Variant& variant) const {
    const int64_t every = options_.check_every, runs = variant.runs;
    variant.next_check = every <= 0 ? 0 : (runs / every + 1) * every;
    if (every > 0 && runs < 2) variant.next_check = std::min<int64_t>(variant.next_check, 2);
  }
  bool is_checked([[maybe_unused]] Variant& variant) const {
#ifndef NDEBUG
    return options_.check_every > 0;
#else
    if (++variant.runs != variant.next_check) return false;
    plan_check(variant);
    return true;
#endif
  }

  // Runs the function for real, under a trace; on an exception cells are put back.
  void trace_run(std::span<Body* const> inputs, Recording& recording) {
    TapeImpl* const outer = std::exchange(t_state.tape, nullptr);
    struct Restore {
      TapeImpl* tape;
      ~Restore() { t_state.tape = tape; }
    } restore{outer};
    const Tracing tracing(recording.trace);
    try {
      std::vector<Tensor> own;
      for (Body* x : inputs) own.push_back(recording.trace.input(Tensor::share(x)));
      own.emplace_back();
      if (gradients_) {
        Tape tape;
        recording.result.value = function_.call(function_.function, own.data());
        recording.result.gradients = tape.gradient(recording.result.value);
      } else {
        recording.result.value = function_.call(function_.function, own.data());
      }
      if (!recording.result.value.defined())
        raise<ArgumentError>("[capture] the function gave an undefined tensor");
      recording.values = {recording.trace.value_of(recording.result.value)};
      for (const Gradients::Entry& entry : recording.result.gradients.entries()) {
        recording.values.push_back(recording.trace.value_of(entry.gradient));
        recording.keys.push_back({entry.parameter, entry.tape, entry.value, Tensor()});
      }
    } catch (...) {
      recording.trace.undo();
      throw;
    }
  }

  ProgramResult check(Variant& variant, std::span<Body* const> inputs) {
    Recording now;
    trace_run(inputs, now);
    std::string changed = difference(variant.recording.trace, now.trace);
    if (changed.empty() && now.values != variant.recording.values) changed = "what the function returns";
    if (!changed.empty()) {
      now.trace.undo();
      raise<GraphError>("[Program] the function is not what was recorded: {}", changed);
    }
    for (const HostWork& work : now.trace.host_work()) work.commit(work.state.get());
    ProgramResult result = std::move(now.result);
    result.value = result.value.detach();
    return result;
  }

  CapturedFunction function_;
  std::atomic<int64_t> programs_ = 1;  // that share this state
  bool gradients_;
  ProgramOptions options_;
  std::vector<std::unique_ptr<Variant>> variants_;
  Variant* last_ = nullptr;
  bool running_ = false;
};

}  // namespace detail

MemoryPlan detail::plan_memory(CapturedFunction function, bool gradients,
                               std::span<const TensorSpec> inputs) {
  return ProgramState(std::move(function), gradients, {}).plan_memory(inputs);
}

Program::Program(detail::CapturedFunction function, bool gradients, ProgramOptions options)
    : state_(new detail::ProgramState(std::move(function), gradients, options)) {}
Program::Program(const Program& other) noexcept
    : state_(other.state_ != nullptr ? other.state_->share() : nullptr) {}
Program::~Program() {
  if (state_ != nullptr) state_->release();
}

namespace {

std::vector<detail::Body*> handles(std::span<const Tensor> tensors) {
  std::vector<detail::Body*> list;
  for (const Tensor& x : tensors) list.push_back(x.handle());
  return list;
}

}  // namespace

ProgramResult Program::run(std::span<const Tensor> inputs) { return run_on(handles(inputs)); }
ProgramResult Program::run_on(std::span<detail::Body* const> inputs) { return state_->run(inputs); }
void Program::record(std::span<const Tensor> examples) { state_->variant_for(handles(examples)); }
Program& Program::check_every(int64_t runs) {
  state_->set_check_every(runs);
  return *this;
}

int64_t Program::check_every() const { return state_->check_every(); }

detail::Replay* Program::last_replay() const {
  return state_->last() != nullptr ? state_->last()->replay.get() : nullptr;
}
size_t Program::arena_bytes() const {
  return state_->last() != nullptr ? state_->last()->replay->plan().arena_bytes : 0;
}
MemoryPlan Program::memory() const {
  return state_->last() != nullptr ? detail::memory_of(state_->last()->replay->plan()) : MemoryPlan();
}
std::string Program::text() const {
  return state_->last() != nullptr ? to_string(state_->last()->replay->plan()) : "nothing recorded yet\n";
}

}  // namespace tapegrad
