#include "autograd/parameter.h"

#include <atomic>
#include <string>
#include <utility>

#include "autograd/apply.h"
#include "autograd/body.h"
#include "autograd/program/trace.h"
#include "autograd/raise.h"
#include "autograd/tape_impl.h"
#include "autograd/text.h"

namespace tapegrad {
namespace {

std::atomic<uint64_t> g_next_cell{1};

CellRef new_cell(const Tensor& value, bool parameter, std::string_view name) {
  if (!value.defined())
    raise<ArgumentError>("[{}] an undefined tensor given", parameter ? "Parameter" : "Buffer");
  if (parameter && !is_floating(value.dtype())) {
    raise<DTypeError>("[Parameter] expected float32 or float64, given {}; use cast",
                      describe(*value.handle()));
  }
  if (detail::t_state.trace != nullptr) [[unlikely]]
    detail::t_state.trace->check_held(value.handle());
  auto* cell = new detail::Cell;
  cell->parameter = cell->trainable = parameter;
  cell->id = g_next_cell.fetch_add(1, std::memory_order_relaxed);
  cell->value = value.detach();
  CellRef ref = CellRef::adopt(cell);
  ref.set_name(!name.empty() ? std::string(name)
                             : fmt::format("{} {}", parameter ? "parameter" : "buffer", cell->id));
  cell->named = !name.empty();
  return ref;
}

CellRef clone(const CellRef& cell) {
  if (!cell.defined()) return {};
  CellRef copy = new_cell(cell.value(), cell.handle()->parameter, cell.handle()->named ? cell.name() : "");
  copy.handle()->trainable = cell.handle()->trainable;
  return copy;
}

}  // namespace

CellRef::CellRef(const CellRef& other) : CellRef(share(other.cell_)) {}

CellRef CellRef::share(detail::Cell* cell) {
  if (cell != nullptr) {
    if (detail::single_threaded()) {
      ++cell->references;
    } else {
      __atomic_fetch_add(&cell->references, 1, __ATOMIC_RELAXED);
    }
  }
  return adopt(cell);
}

CellRef& CellRef::operator=(CellRef other) noexcept {
  std::swap(cell_, other.cell_);
  return *this;
}

CellRef::~CellRef() {
  if (cell_ == nullptr) return;
  const bool last = detail::single_threaded()
                        ? --cell_->references == 0
                        : __atomic_sub_fetch(&cell_->references, 1, __ATOMIC_ACQ_REL) == 0;
  if (!last) return;
  delete cell_;
}

uint64_t CellRef::id() const { return cell_ != nullptr ? cell_->id : 0; }
uint64_t CellRef::version() const { return cell_ != nullptr ? cell_->version : 0; }
Tensor CellRef::value() const {
  if (cell_ == nullptr) raise<ArgumentError>("an undefined parameter or buffer was used");
  if (detail::t_state.trace != nullptr) [[unlikely]]
    return detail::t_state.trace->read(cell_);
  return cell_->value;
}

bool CellRef::fits(const Tensor& x) const {
  if (cell_ == nullptr || !x.defined()) return false;
  const detail::Body& held = *cell_->value.handle();
  return held.dtype == x.dtype() && detail::same_dims(held, *x.handle());
}

std::string_view CellRef::name() const {
  return cell_ != nullptr ? std::string_view(cell_->name) : std::string_view("undefined");
}
bool CellRef::named() const { return cell_ != nullptr && cell_->named; }

void CellRef::set_name(std::string_view name) const {
  cell_->name = name;
  cell_->named = true;
}

bool CellRef::requires_grad() const { return cell_ != nullptr && cell_->trainable; }

void CellRef::requires_grad_(bool on) const {
  if (cell_ == nullptr) raise<ArgumentError>("[requires_grad_] an undefined parameter given");
  if (!cell_->parameter)
    raise<ArgumentError>("[requires_grad_] \"{}\" is a buffer, which no gradient reaches", cell_->name);
  cell_->trainable = on;
}

Parameter::Parameter(const Tensor& value, std::string_view name) : cell_(new_cell(value, true, name)) {}
Parameter::Parameter(const Parameter& other) : cell_(clone(other.cell_)) {}

Parameter& Parameter::operator=(const Parameter& other) {
  if (!cell_.defined()) {
    cell_ = clone(other.cell_);
  } else if (cell_.handle() != other.cell_.handle()) {
    assign(cell_, other.cell_.value(), nullptr, 0);
  }
  return *this;
}

Parameter& Parameter::operator=(const Tensor& value) {
  if (!cell_.defined()) {
    cell_ = new_cell(value, true, {});
  } else {
    assign(cell_, value, nullptr, 0);  // an operator cannot know its caller's line
  }
  return *this;
}

Parameter& Parameter::tie(const Parameter& other) {
  if (!other.defined()) raise<ArgumentError>("[tie] an undefined parameter given");
  const Tensor theirs = other.value();
  if (defined() && !cell_.fits(theirs)) {
    const std::string text =
        fmt::format("[tie] \"{}\" is {}, but \"{}\" is {}", name(), describe(*value().handle()), other.name(),
                    describe(*theirs.handle()));
    if (dtype() != other.dtype()) throw DTypeError(text);
    throw ShapeError(text);
  }
  cell_ = other.cell_;
  return *this;
}

Parameter::operator Tensor() const {
  detail::TapeImpl* tape = detail::t_state.tape;
  Tensor value = cell_.value();
  if (tape == nullptr || !cell_.requires_grad()) return value;
  detail::Body* leaf = detail::new_alias(value.handle(), {value.handle()->dims(), value.handle()->rank});
  detail::put_on_tape(*leaf, tape->serial, tape->leaf(cell_.handle()), true);
  return Tensor::adopt(leaf);
}

Buffer::Buffer(const Tensor& value, std::string_view name) : cell_(new_cell(value, false, name)) {}
Buffer::Buffer(const Buffer& other) : cell_(clone(other.cell_)) {}

Buffer& Buffer::operator=(const Buffer& other) {
  if (!cell_.defined()) {
    cell_ = clone(other.cell_);
  } else if (cell_.handle() != other.cell_.handle()) {
    assign(cell_, other.cell_.value(), nullptr, 0);
  }
  return *this;
}

Buffer& Buffer::operator=(const Tensor& value) {
  if (!cell_.defined()) {
    cell_ = new_cell(value, false, {});
  } else {
    assign(cell_, value, nullptr, 0);  // an operator cannot know its caller's line
  }
  return *this;
}

}  // namespace tapegrad
