#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "autograd/gradients.h"
#include "autograd/tensor.h"

namespace tapegrad {

class Profiler;

namespace detail {
class ProgramState;
class Replay;

// A function of tensors, its type forgotten.
struct CapturedFunction {
  void* function;
  Tensor (*call)(const void* function, const Tensor* inputs);
  void (*destroy)(void* function);
  size_t inputs;

  CapturedFunction(void* f, Tensor (*c)(const void*, const Tensor*), void (*d)(void*), size_t n)
      : function(f), call(c), destroy(d), inputs(n) {}
  CapturedFunction(CapturedFunction&& other) noexcept
      : CapturedFunction(std::exchange(other.function, nullptr), other.call, other.destroy, other.inputs) {}
  CapturedFunction& operator=(CapturedFunction&&) = delete;
  ~CapturedFunction() {
    if (function != nullptr) destroy(function);
  }
};

template <class F, size_t... K>
Tensor call_captured(const F& f, const Tensor* inputs, std::index_sequence<K...>) {
  return f(inputs[K]...);
}
template <size_t N, class F>
CapturedFunction captured_function(F f) {
  return {new F(std::move(f)),
          [](const void* function, const Tensor* inputs) -> Tensor {
            return call_captured(*static_cast<const F*>(function), inputs, std::make_index_sequence<N>{});
          },
          [](void* function) { delete static_cast<F*>(function); }, N};
}
}  // namespace detail

// Bytes of tensors that a run of a program holds at once.
struct MemoryPlan {
  size_t inputs = 0;     // the caller's
  size_t cells = 0;      // parameters, buffers and an optimiser's state that it reads or writes
  size_t constants = 0;  // folded, or given by the function
  size_t arena = 0;      // everything in between, shared by lifetime
  size_t results = 0;    // handed to the caller, and new values of cells that are not written in place

  size_t peak() const { return inputs + cells + constants + arena + results; }
};
TAPEGRAD_API std::string to_string(const MemoryPlan& memory);

struct ProgramOptions {
  // The function itself runs instead of the recording on the second run and on every check_every-th from then
  // on, and the two are compared. 0: never. A build without NDEBUG does it on every run.
  int64_t check_every = 4096;
  // Lets a large weight gradient that is used for nothing but w ← w − rate·g be added to w by the matrix
  // product itself, without a buffer of its own. That rounds differently: by at most (rows + 5)·u·rate·Σ|g·x|
  // + (rows / 128 + 2)·u·|w| for an element. Gradients that are clipped, shared, returned or put into a
  // momentum stay as they are.
  bool fuse_updates = false;
};

// What a run gives: the function's value and, from capture, its gradients by the parameters that took part.
struct ProgramResult {
  Tensor value;
  Gradients gradients;
};

// A function recorded once and replayed without the graph: dead records dropped, constants folded, buffers
// shared by lifetime in one arena, runs of pointwise ops walked block by block. A run has the same bits as
// the function called eagerly, for any number of threads, and allocates nothing but what it returns, from the
// library's pool. Inputs of other shapes or dtypes are recorded anew, once each.
//
// What is computed outside of tensors is frozen: a random tensor drawn inside the function, an `if` on a
// member. The comparison of ProgramOptions finds it and throws a GraphError naming the line. Changing numbers
// belong into inputs, cells, or an optimiser's schedule. Writes into cells happen at the end of a run, so an
// exception leaves everything as it was. A Program serves one thread at a time; copies share the recording.
class TAPEGRAD_API Program {
 public:
  Program(detail::CapturedFunction function, bool gradients, ProgramOptions options);
  Program(const Program& other) noexcept;
  Program(Program&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Program& operator=(Program other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Program();

  template <class... X>
  ProgramResult operator()(const X&... inputs) {
    if constexpr ((std::is_same_v<X, Tensor> && ...)) {
      detail::Body* const list[] = {inputs.handle()..., nullptr};
      return run_on({list, sizeof...(X)});
    } else {
      const Tensor list[] = {Tensor(inputs)..., Tensor()};
      return run(std::span<const Tensor>(list, sizeof...(X)));
    }
  }
  // Throws ArgumentError for another number of inputs than was captured, GraphError where the function has
  // changed, and what its ops throw.
  ProgramResult run(std::span<const Tensor> inputs);
  // Records for inputs like these without running: cells and optimisers are left as they were.
  void record(std::span<const Tensor> examples);

  // See ProgramOptions.
  Program& check_every(int64_t runs);
  int64_t check_every() const;

  // The bytes of the arena of the last recording: what is live at once, between ops.
  size_t arena_bytes() const;
  // What a run of the last recording holds.
  MemoryPlan memory() const;
  // What the last recording does, step by step.
  std::string text() const;

 private:
  friend class Profiler;
  detail::Replay* last_replay() const;
  ProgramResult run_on(std::span<detail::Body* const> inputs);

  detail::ProgramState* state_;  // null when moved from; <memory> would double what this header includes
};

// Records f(examples…), a loss of one element, with its gradient by every parameter that takes part.
//   Program step = capture([&](Tensor x, Tensor y) { return cross_entropy(net(x), y); }, images, labels);
//   auto [loss, gradients] = step(images, labels);
// Throws GraphError when f reads elements of what it computes, or gives several elements or no gradient.
template <class F, class... X>
  requires std::is_invocable_r_v<Tensor, const F&, const X&...> Program capture(F f, const X&... examples) {
    Program program(detail::captured_function<sizeof...(X)>(std::move(f)), true, {});
    const Tensor list[] = {Tensor(examples)..., Tensor()};
    program.record(std::span<const Tensor>(list, sizeof...(X)));
    return program;
  }

// Records whatever f does: its tapes, sweeps, optimiser steps and writes into buffers. The examples only tell
// shapes; nothing is stepped yet.
//   Program train = capture_step([&](Tensor x, Tensor y) {
//     Tape tape;
//     const Tensor loss = cross_entropy(net(x), y);
//     sgd.step(tape.gradient(loss));
//     return loss;
//   }, images, labels);
template <class F, class... X>
  requires std::is_invocable_r_v<Tensor, const F&, const X&...> Program capture_step(F f,
                                                                                     const X&... examples) {
    Program program(detail::captured_function<sizeof...(X)>(std::move(f)), false, {});
    const Tensor list[] = {Tensor(examples)..., Tensor()};
    program.record(std::span<const Tensor>(list, sizeof...(X)));
    return program;
  }

// The same with options.
//   Program train = capture_step({.fuse_updates = true}, step, images, labels);
template <class F, class... X>
  requires std::is_invocable_r_v<Tensor, const F&, const X&...> Program capture_step(ProgramOptions options,
                                                                                     F f,
                                                                                     const X&... examples) {
    Program program(detail::captured_function<sizeof...(X)>(std::move(f)), false, options);
    const Tensor list[] = {Tensor(examples)..., Tensor()};
    program.record(std::span<const Tensor>(list, sizeof...(X)));
    return program;
  }

inline std::string to_string(const Program& program) { return program.text(); }

}  // namespace tapegrad
