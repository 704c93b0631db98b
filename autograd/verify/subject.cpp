#include "autograd/verify/subject.h"

#include <cmath>
#include <cstring>

#include "autograd/body.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad::verify {
namespace {

Tensors floating(std::span<const Tensor> outputs) {
  Tensors result;
  for (const Tensor& y : outputs) {
    if (is_floating(y.dtype())) result.push_back(y);
  }
  return result;
}

// A floating operand that a gradient reaches.
bool is_free(const Op& op, size_t operand, DType dtype) {
  return is_floating(dtype) && (operand >= 32 || (op.constant_operands >> operand & 1) == 0);
}

struct NoTape {
  NoTape() : saved(detail::t_state.tape) { detail::t_state.tape = nullptr; }
  ~NoTape() { detail::t_state.tape = saved; }
  detail::TapeImpl* saved;
};

}  // namespace

Placed::Placed(const ParameterList& cells, std::span<const Tensor> values) : cells_(cells) {
  for (size_t i = 0; i < cells.size(); ++i) {
    before_.push_back(cells[i].handle()->value);
    cells[i].handle()->value = values[i].detach();
  }
}

Placed::~Placed() {
  for (size_t i = 0; i < cells_.size(); ++i) cells_[i].handle()->value = std::move(before_[i]);
}

Tensors evaluate(Subject& subject, std::span<const Tensor> inputs) {
  const NoTape pause;
  const Placed placed(subject.cells(), inputs);
  return subject.run(inputs, nullptr);
}

Tensors sweep(Subject& subject, std::span<const Tensor> inputs, Tape& tape, const Tensors& outputs,
              const Tensors& cotangents, bool differentiable) {
  Tensors ys, cs;
  for (size_t k = 0; k < outputs.size(); ++k) {
    // An output that no varied input reaches has no place on the tape, and no gradient.
    const detail::Body& y = *outputs[k].handle();
    if (y.tape != tape.serial() || !y.tracked) continue;
    ys.push_back(outputs[k]);
    cs.push_back(cotangents[k]);
  }
  Gradients g;
  if (!ys.empty()) g = tape.gradient(ys, cs, {.differentiable = differentiable});
  Tensors result;
  for (int i : subject.varied()) {
    const auto at = static_cast<size_t>(i);
    result.push_back(subject.cells().empty() ? g.get_or_zeros(inputs[at])
                                             : g.get_or_zeros(subject.cells()[at]));
  }
  return result;
}

Recording::Recording(Subject& subject, std::span<const Tensor> inputs, int only)
    : subject_(subject), placed_(subject.cells(), inputs), inputs_(inputs.begin(), inputs.end()) {
  if (subject.cells().empty()) {
    for (size_t v = 0; v < subject.varied().size(); ++v) {
      if (only >= 0 && v != static_cast<size_t>(only)) continue;
      Tensor& x = inputs_[static_cast<size_t>(subject.varied()[v])];
      x = tape_.watch(x);
    }
  }
  outputs_ = subject.run(inputs_, &tape_);
}

FunctionSubject::FunctionSubject(detail::TensorFunction f, std::span<const Tensor> inputs) : f_(f) {
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!inputs[i].defined()) raise<ArgumentError>("[gradcheck] input {} is an undefined tensor", i);
    inputs_.push_back(inputs[i].detach());
    names_.push_back(fmt::format("input {}", i));
    if (is_floating(inputs[i].dtype())) varied_.push_back(static_cast<int>(i));
  }
}

FunctionSubject::FunctionSubject(detail::TensorFunction f, const ParameterList& parameters) : f_(f) {
  cells_ = parameters;
  for (size_t i = 0; i < parameters.size(); ++i) {
    inputs_.push_back(parameters[i].value());
    names_.push_back(fmt::format("\"{}\"", parameters[i].name()));
    if (parameters[i].requires_grad()) varied_.push_back(static_cast<int>(i));
  }
}

Tensors FunctionSubject::run(std::span<const Tensor> inputs, Tape*) {
  Tensor y = f_.call(f_.function, cells_.empty() ? inputs : std::span<const Tensor>());
  if (!y.defined()) raise<ArgumentError>("[gradcheck] the function gave an undefined tensor");
  if (!is_floating(y.dtype())) {
    raise<DTypeError>("[gradcheck] the function gave {}, which has no gradient", describe(*y.handle()));
  }
  return {std::move(y)};
}

OpSubject::OpSubject(const Op& op, std::span<const Tensor> inputs, OptionsRef options)
    : op_(op), options_(options), numbers_(inputs.size()) {
  const size_t free = inputs.size() - (op.primal != nullptr ? 1 : 0);
  for (size_t i = 0; i < inputs.size(); ++i) {
    inputs_.push_back(inputs[i].detach());
    names_.push_back(operand_name(op, static_cast<int>(i)));
    if (i < free && is_free(op, i, inputs[i].dtype())) varied_.push_back(static_cast<int>(i));
  }
}

OpSubject::OpSubject(const Tape& tape, const Record& record)
    : op_(*record.op), options_(record.option_ref()), where_(record.where), numbers_(record.input_count) {
  const size_t free = record.input_count - (op_.primal != nullptr ? size_t{1} : size_t{0});
  for (uint32_t i = 0; i < record.input_count; ++i) {
    const uint32_t value = record.inputs[i];
    names_.push_back(operand_name(op_, static_cast<int>(i)));
    inputs_.push_back(tape.value(value).detach());
    const detail::Value& held = tape.impl()->values[value];
    if (held.kind == ValueKind::real_literal) numbers_[i] = Arg(held.real, where_.file, where_.line);
    if (held.kind == ValueKind::integer_literal) numbers_[i] = Arg(held.integer, where_.file, where_.line);
    if (i < free && held.tracked && is_free(op_, i, inputs_.back().dtype()))
      varied_.push_back(static_cast<int>(i));
  }
}

Tensors OpSubject::run(std::span<const Tensor> inputs, Tape*) {
  std::vector<Arg> args = numbers_;
  for (size_t i = 0; i < args.size(); ++i) {
    if (!args[i].is_literal()) args[i] = Arg(inputs[i], where_.file, where_.line);
  }
  Tensor y;
  if (op_.primal != nullptr) {
    y = apply(*op_.primal, std::span<const Arg>(args).subspan(1, args.size() - 2));
    args.back() = Arg(y, where_.file, where_.line);
  }
  return floating(apply_all(op_, std::span<const Arg>(args), options_.ref()));
}

GradientSubject::GradientSubject(Subject& of, Tensors cotangents)
    : of_(of), cotangents_(std::move(cotangents)) {
  inputs_ = of.inputs();
  varied_ = of.varied();
  cells_ = of.cells();
  for (size_t i = 0; i < inputs_.size(); ++i) names_.push_back(of.input_name(static_cast<int>(i)));
}

Tensors GradientSubject::run(std::span<const Tensor> inputs, Tape* tape) {
  if (tape == nullptr) return Recording(of_, inputs).gradient(cotangents_);
  return sweep(of_, inputs, *tape, of_.run(inputs, tape), cotangents_, /*differentiable=*/true);
}

Tensors normal_like(const Tensors& like, uint64_t seed) {
  Rng rng(seed);
  Tensors result;
  for (const Tensor& x : like) result.push_back(rng.normal(x.shape(), x.dtype()));
  return result;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() &&
         (a.numel() == 0 || std::memcmp(a.handle()->data, b.handle()->data, a.handle()->bytes()) == 0);
}

bool same_bits(const Tensors& a, const Tensors& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!same_bits(a[i], b[i])) return false;
  }
  return true;
}

Tensor copy_of(const Tensor& x) {
  return from_bytes(x.handle()->data, static_cast<size_t>(x.numel()), x.dtype(), x.shape());
}

Tensor space_like(const Tensor& x) {
  const Shape shape = x.shape();
  return Tensor::adopt(detail::new_body(x.dtype(), {shape.begin(), shape.end()}, x.numel()));
}

bool all_finite(const Tensor& x) {
  auto finite = [](auto elements) {
    for (auto v : elements) {
      if (!std::isfinite(v)) return false;
    }
    return true;
  };
  if (x.dtype() == float64) return finite(x.data<double>());
  if (x.dtype() == float32) return finite(x.data<float>());
  return true;
}

}  // namespace tapegrad::verify
