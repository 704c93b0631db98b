#include "autograd/verify/replay.h"

#include <algorithm>
#include <cmath>

#include "autograd/body.h"
#include "autograd/pointwise.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad::verify {
namespace {

double largest_finite(const Tensor& x) {
  double top = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    if (std::isfinite(elements(x)[i])) top = std::max(top, std::fabs(elements(x)[i]));
  }
  return top;
}

class Promoter final : public PassingVisitor {
 public:
  using PassingVisitor::field;
  void field(std::string_view, DType& value) override {
    if (value == float32) value = float64;
  }
};

// y = x·(1 ± 2⁻²⁴), forward and backward with signs of their own: half a unit of float32, for values that are
// exact in float64. Leaves are off by a quarter of that, though
// they are given: a rule whose result is right for operands two half units away is as good as it gets.
struct Jitter {
  struct Options {
    int64_t seed = 0;
    bool leaf = false;
    double* cotangent = nullptr;  // raised to the largest |cotangent|, for the operands of the same record
    static void fields(auto& self, auto&& f) {
      f("seed", self.seed);
      f("leaf", self.leaf);
    }
  };
  static constexpr std::string_view name = "jitter", doc = "x off by half a unit of float32";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    call.require_floating(0);
    call.output(call.dtype(0), call.shape(0));
  }
  static void disturb(const double* x, double* y, int64_t n, uint64_t seed, double by) {
    Rng rng(seed);
    for (int64_t i = 0; i < n; ++i) y[i] = x[i] * (1 + (rng.bits() >> 63 != 0 ? by : -by));
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    const auto* x = call.data<double>(0);
    auto* y = call.out_data<double>();
    disturb(x, y, call.numel(0), static_cast<uint64_t>(o.seed), o.leaf ? 0x1p-26 : 0x1p-24);
  }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const Tensor& g = v.g();
    if (o.cotangent != nullptr) *o.cotangent = std::max(*o.cotangent, largest_finite(g));
    Tensor off = copy_of(g);
    disturb(elements(g), elements(off), g.numel(), static_cast<uint64_t>(o.seed) + 1, 0x1p-24);
    v.add(0, off);
  }
  static Cost cost(const Call&) { return {}; }
  static void samples(Samples&) {}
};

// y = x, and backward off by a quarter of half a unit of terms as large as the cotangent that reached the
// record times the product of its operands, or its result: an op's rule may add such terms, of which little
// is left.
struct Cancelling : Jitter {
  struct Options {
    int64_t seed = 0;
    const TapeSubject::Sizes* sizes = nullptr;
    static void fields(auto& self, auto&& f) { f("seed", self.seed); }
  };
  static constexpr std::string_view name = "cancelling", doc = "terms that cancel inside a rule";
  static void forward(Call& call) {
    std::copy_n(call.data<double>(0), call.numel(0), call.out_data<double>());
  }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>();
    const double by = 0x1p-26 * o.sizes->cotangent * o.sizes->value;
    Tensor off = copy_of(v.g());
    Rng rng(static_cast<uint64_t>(o.seed));
    for (int64_t i = 0; i < off.numel(); ++i) elements(off)[i] += rng.bits() >> 63 != 0 ? by : -by;
    v.add(0, off);
  }
};

}  // namespace

OptionsBox promoted(OptionsRef options) {
  OptionsBox box(options);
  Promoter promoter;
  if (options.type != nullptr) options.type->visit(const_cast<void*>(box.ref().data), promoter);
  return box;
}

// A tensor of the tape as the replay takes it.
Tensor TapeSubject::brought(const Tensor& x) const {
  return promote_ && x.dtype() == float32 ? cast(x.detach(), float64) : x.detach();
}

TapeSubject::TapeSubject(const Tape& tape, const Tensor& y, bool promote)
    : tape_(tape), ys_{y.handle()->value}, promote_(promote) {
  for (uint32_t value = 0; value < tape.values(); ++value) {
    const ValueKind kind = tape.kind(value);
    if (kind != ValueKind::parameter && kind != ValueKind::watched) continue;
    varied_.push_back(static_cast<int>(inputs_.size()));
    inputs_.push_back(brought(tape.value(value)));
    names_.push_back(kind == ValueKind::parameter ? fmt::format("\"{}\"", tape.parameter(value).name())
                                                  : fmt::format("watched %{}", value));
    leaves_.push_back(value);
  }
}

TapeSubject::TapeSubject(Recording& recording, const Subject& of, bool promote)
    : tape_(recording.tape()), promote_(promote) {
  for (const Tensor& y : recording.outputs()) ys_.push_back(y.handle()->value);
  varied_ = of.varied();
  for (size_t i = 0; i < of.inputs().size(); ++i) {
    inputs_.push_back(brought(of.inputs()[i]));
    names_.push_back(of.input_name(static_cast<int>(i)));
    leaves_.push_back(kNone);
    const Tensor& x = recording.inputs()[i];
    if (of.cells().empty() && x.handle()->tape == tape_.serial()) leaves_[i] = x.handle()->value;
    for (const detail::Leaf& leaf : tape_.impl()->leaves) {
      if (!of.cells().empty() && leaf.cell.handle() == of.cells()[i].handle()) leaves_[i] = leaf.value;
    }
  }
}

Tensors TapeSubject::run(std::span<const Tensor> inputs, Tape*) {
  const detail::TapeImpl& impl = *tape_.impl();
  Tensors values(tape_.values());
  uint64_t seed = jitter_seed_;
  if (jitter_) sizes_.assign(tape_.size(), {});
  auto disturbed = [&](const Tensor& x, bool leaf, double* cotangent) {
    seed += 2;
    if (!jitter_ || x.dtype() != float64) return x;
    return apply(op<Jitter>, {x}, Jitter::Options{static_cast<int64_t>(seed), leaf, cotangent});
  };
  for (size_t i = 0; i < leaves_.size(); ++i) {
    if (leaves_[i] != kNone) values[leaves_[i]] = disturbed(inputs[i], true, nullptr);
  }
  size_t end = 0;
  for (uint32_t y : ys_)
    end = std::max(end, tape_.kind(y) == ValueKind::produced ? tape_.producer(y) + 1 : 0);
  for (size_t r = 0; r < end; ++r) {
    const Record& record = tape_[r];
    const SourceLine& where = record.where;
    std::vector<Arg> args;
    Tensors held;  // what args point to
    auto note = [&](const Tensor& x, bool operand) {
      if (!jitter_ || x.dtype() != float64) return;
      double& value = sizes_[r].value;
      if (operand && record.input_count <= 4) value *= std::max(1.0, largest_finite(x));
      else value = std::max(value, largest_finite(x));
    };
    for (uint32_t i = 0; i < record.input_count; ++i) {
      const uint32_t at = record.inputs[i];
      const detail::Value& held = impl.values[at];
      if (held.kind == ValueKind::real_literal) {
        args.emplace_back(held.real, where.file, where.line);
      } else if (held.kind == ValueKind::integer_literal) {
        args.emplace_back(held.integer, where.file, where.line);
      } else {
        if (!values[at].defined()) values[at] = brought(tape_.value(at));
        args.emplace_back(values[at], where.file, where.line);
        note(values[at], true);
      }
    }
    for (uint32_t i = 0; jitter_ && i < record.input_count; ++i) {
      const Tensor& x = values[record.inputs[i]];
      if (args[i].is_literal() || x.dtype() != float64) continue;
      seed += 2;
      const Cancelling::Options options{static_cast<int64_t>(seed), &sizes_[r]};
      held.push_back(apply(op<Cancelling>, {x}, options));
      args[i] = Arg(held.back(), where.file, where.line);
    }
    const OptionsBox options = promote_ ? promoted(record.option_ref()) : OptionsBox(record.option_ref());
    const Tensors outputs = apply_all(*record.op, std::span<const Arg>(args), options.ref());
    for (uint32_t k = 0; k < record.output_count; ++k) {
      note(outputs[k], false);
      values[record.first_output + k] =
          disturbed(outputs[k], false, jitter_ ? &sizes_[r].cotangent : nullptr);
    }
  }
  Tensors results;
  for (uint32_t y : ys_) results.push_back(values[y]);
  return results;
}

}  // namespace tapegrad::verify
