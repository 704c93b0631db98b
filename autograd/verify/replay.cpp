#include "autograd/verify/replay.h"

#include <algorithm>
#include <cmath>

#include "autograd/body.h"
#include "autograd/pointwise.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad::verify {
namespace {

class Promoter final : public PassingVisitor {
 public:
  using PassingVisitor::field;
  void field(std::string_view, DType& value) override {
    if (value == float32) value = float64;
  }
};

// x off by half a unit of float32, or of its smallest number: x·(1 ± 2⁻²⁴) ± 2⁻¹⁵⁰, for values that are exact
// in float64.
Tensor disturbed(const Tensor& x, Rng& rng) {
  if (x.dtype() != float64) return x;
  Tensor off = copy_of(x);
  for (int64_t i = 0; i < x.numel(); ++i) {
    double& y = elements(off)[i];
    y += rng.bits() >> 63 != 0 ? y * 0x1p-24 + 0x1p-150 : -(y * 0x1p-24 + 0x1p-150);
  }
  return off;
}

// Rule: terms inside a kernel
// What half a unit of float32 is of the terms that an op subtracts inside: as large as the result is at other
// values of its second operand, which are too large for terms to cancel.
double half_unit_of_terms(const Op& op, std::vector<Arg> args, const Tensor& operand, OptionsRef options,
                          Rng& rng) {
  const Tensor other = 3.0 * rng.normal(operand.shape(), float64);
  args[1] = Arg(other);
  double top = 0;
  const Tensor y = apply_all(op, std::span<const Arg>(args), options)[0];
  for (int64_t i = 0; i < y.numel(); ++i) top = std::max(top, std::fabs(elements(y)[i]));
  return 0x1p-24 * top;
}

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

TapeSubject::TapeSubject(const Tape& tape, const Tensors& ys, bool promote) : tape_(tape), promote_(promote) {
  for (const Tensor& y : ys) ys_.push_back(y.handle()->value);
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
  Rng rng(jitter_seed_);
  const auto taken = [&](const Tensor& x) { return jitter_seed_ != 0 ? disturbed(x, rng) : x; };
  for (size_t i = 0; i < leaves_.size(); ++i) {
    if (leaves_[i] != kNone) values[leaves_[i]] = taken(inputs[i]);
  }
  size_t end = 0;
  for (uint32_t y : ys_)
    end = std::max(end, tape_.kind(y) == ValueKind::produced ? tape_.producer(y) + 1 : 0);
  for (size_t r = 0; r < end; ++r) {
    const Record& record = tape_[r];
    const SourceLine& where = record.where;
    std::vector<Arg> args;
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
      }
    }
    const OptionsBox options = promote_ ? promoted(record.option_ref()) : OptionsBox(record.option_ref());
    const Tensors outputs = apply_all(*record.op, std::span<const Arg>(args), options.ref());
    for (uint32_t k = 0; k < record.output_count; ++k) values[record.first_output + k] = taken(outputs[k]);
    if (jitter_seed_ == 0 || !record.op->flags.cancels) continue;
    Tensor& y = values[record.first_output];
    const double by = half_unit_of_terms(*record.op, args, values[record.inputs[1]], options.ref(), rng);
    for (int64_t i = 0; i < y.numel(); ++i) elements(y)[i] += rng.bits() >> 63 != 0 ? by : -by;
  }
  Tensors results;
  for (uint32_t y : ys_) results.push_back(values[y]);
  return results;
}

}  // namespace tapegrad::verify
