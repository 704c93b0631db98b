#include <fmt/format.h>

#include <algorithm>

#include "autograd/ops.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/raise.h"
#include "autograd/samples.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad {
namespace ops {
namespace {

// The mask is not saved: the same state draws it again, here and in the backward pass, which is this op on g.
struct Dropout {
  struct Options {
    double p = 0.5;
    static void fields(auto& self, auto&& f) { f("p", self.p); }
  };
  static constexpr std::string_view
      name = "dropout",
      doc = "x/(1−p) with probability 1−p, else 0; drawn from state [seed, counter]";
  static constexpr std::string_view operands[] = {"x", "state"};
  static constexpr Flags flags = {.random = true};
  static void shape(Call& call) {
    call.require_floating(0);
    const double p = call.options<Options>().p;
    if (!(p >= 0 && p <= 1)) call.argument_error(fmt::format("p must be in [0, 1], given {}", p));
    if (call.dtype(1) != DType::int64 || call.numel(1) != 2)
      call.shape_error("expected state to be int64[2]: seed, counter");
    call.output(call.dtype(0), call.shape(0));
  }
  template <class E>
  static void run(Call& call) {
    const auto* state = call.data<int64_t>(1);
    const double p = call.options<Options>().p;
    const E scale = p < 1 ? static_cast<E>(1 / (1 - p)) : E{0};
    const E* x = call.data<E>(0);
    E* y = call.out_data<E>();
    // 32 bits decide an element; four elements to a draw.
    const double threshold = p * 4294967296.0;
    for (int64_t i = 0; i < call.numel(0); i += 4) {
      const detail::Philox draw = detail::philox(
          static_cast<uint64_t>(state[0]), static_cast<uint64_t>(i / 4), static_cast<uint64_t>(state[1]));
      for (int64_t j = i; j < std::min(i + 4, call.numel(0)); ++j) {
        const uint64_t word = draw.word[(j - i) / 2] >> (32 * ((j - i) % 2)) & 0xFFFFFFFFu;
        y[j] = static_cast<double>(word) >= threshold ? x[j] * scale : E{0};
      }
    }
  }
  static void forward(Call& call) { call.dtype(0) == DType::float32 ? run<float>(call) : run<double>(call); }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)), 2.0 * static_cast<double>(call.in(0).bytes())};
  }
  static void vjp(Vjp& v) { v.add(0, apply(v.op(), {v.g(), v.input(1)}, v.options<Options>())); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1 << 20}), tensor({5, 9})}, Options{0.4});
    for (const Shape& shape : {Shape{}, Shape{7}, Shape{3, 5}, Shape{0, 2}}) {
      s.add({s.normal(shape), tensor({5, 9})}, Options{0.4});
    }
    s.add({s.normal({4}), tensor({5, 9})}, Options{0.0});
    s.add({s.normal({4}), tensor({5, 9})}, Options{1.0});
    s.add_error("p must be in [0, 1]", {s.normal({4}), tensor({5, 9})}, Options{1.5});
    s.add_error("expected state", {s.normal({4}), tensor({5})}, Options{0.5});
  }
};

// The one op with an effect: every write to a cell goes through it.
struct Assign {
  struct Options {
    CellRef cell;
    static void fields(auto& self, auto&& f) { f("cell", self.cell); }
  };
  static constexpr std::string_view name = "assign", doc = "writes value into a parameter or buffer";
  static constexpr std::string_view operands[] = {"value"};
  static constexpr Flags flags = {.writes_state = true, .non_differentiable = "a cell holds constants"};
  static void shape(Call& call) {
    const Tensor held = call.options<Options>().cell.value();
    if (call.dtype(0) != held.dtype()) {
      call.dtype_error(fmt::format("the cell holds {}; use cast", describe(*held.handle())));
    }
    if (!(call.shape(0) == held.shape()))
      call.shape_error(fmt::format("the cell holds {}", describe(*held.handle())));
    call.alias(0, call.shape(0));
  }
  static void forward(Call& call) {
    detail::Cell& cell = *call.options<Options>().cell.handle();
    cell.value = Tensor::share(const_cast<detail::Body*>(&call.out()));
    ++cell.version;
  }
  static Cost cost(const Call&) { return {}; }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1 << 20})}, Options{Buffer(s.normal({1 << 20})).ref()});
    s.add({s.normal({3})}, Options{Buffer(s.normal({3})).ref()});
    s.add_error("the cell holds", {s.normal({4})}, Options{Buffer(s.normal({3})).ref()});
  }
};

}  // namespace

std::span<const Op* const> state() {
  static constexpr const Op* kOps[] = {&op<Dropout>, &op<Assign>};
  return kOps;
}

}  // namespace ops

Tensor dropout(const Arg& x, double p, const Tensor& state) {
  return apply(op<ops::Dropout>, {x, state}, ops::Dropout::Options{p});
}

Tensor dropout(const Arg& x, double p, Buffer& state) {
  const Tensor now = state.value();
  Tensor y = dropout(x, p, now);
  assign(state.ref(), add(now, tensor({0, 1})));
  return y;
}

void assign(const CellRef& cell, const Tensor& value, const char* file, int line) {
  const CallSite site(SourceLine{file, line});
  if (!value.defined()) {
    raise<ArgumentError>("[assign] an undefined tensor given for \"{}\"{}", cell.name(),
                         location(site.where()));
  }
  apply(op<ops::Assign>, {Arg(value, site.where().file, site.where().line)}, ops::Assign::Options{cell});
}

}  // namespace tapegrad
