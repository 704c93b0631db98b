#pragma once

#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "autograd/parameter.h"

namespace tapegrad {

class FieldVisitor;

// A module is any struct that names its members once:
//   static void fields(auto& self, auto&& f) { f("weight", self.weight); f("bias", self.bias); }
// Names, counts, state and train/eval follow from it; there is no base class and nothing to register.
template <class M>
concept HasFields = requires(M& module, FieldVisitor& f) {
  std::remove_const_t<M>::fields(module, f);
};

// Sees the members of a module one by one. A member may be a Parameter, a Buffer, another module, a number or
// bool (a setting), or a vector, array, optional or pointer of these. An empty optional or pointer and an
// undefined Parameter or Buffer are passed over.
class TAPEGRAD_API FieldVisitor {
 public:
  virtual ~FieldVisitor();

  // A member under its name.
  template <class T>
  void operator()(std::string_view name, T& member) {
    descend({path_, name, 0}, member);
  }

  // The entries of a list, named 0, 1, … directly below what is being visited.
  template <class Range>
  void elements(Range& range) {
    int64_t index = 0;
    for (auto& element : range) descend({path_, {}, index++}, element);
  }

  // A member, or the module that the visit starts with, without a name of its own.
  template <class T>
  void visit(T& member) {
    using M = std::remove_const_t<T>;
    if constexpr (std::is_same_v<M, Parameter>) {
      if (member.defined()) parameter(member.ref());
    } else if constexpr (std::is_same_v<M, Buffer>) {
      if (member.defined()) buffer(member.ref());
    } else if constexpr (std::is_same_v<T, bool>) {
      flag(path_ != nullptr ? path_->name : std::string_view(), member);
    } else if constexpr (std::is_arithmetic_v<M> || std::is_enum_v<M>) {
      // A setting: nothing to learn and nothing to switch.
    } else if constexpr (HasFields<T>) {
      M::fields(member, *this);
    } else if constexpr (requires { member.begin() != member.end(); }) {
      elements(member);
    } else {
      static_assert(
          requires { static_cast<bool>(member), *member; },
          "a field is a Parameter, a Buffer, a module (a struct with fields), a number, or a vector, array, "
          "optional or pointer of these; a constant tensor belongs into a Buffer");
      if (member) visit(*member);
    }
  }

 protected:
  // One step of the way from the outermost module: a name, or the place in a list where the name is empty.
  struct Path {
    const Path* parent;
    std::string_view name;
    int64_t index;
  };

  virtual void parameter(const CellRef& cell);
  virtual void buffer(const CellRef& cell);
  virtual void flag(std::string_view name, bool& value);

  const Path* path() const { return path_; }

 private:
  template <class T>
  void descend(const Path& step, T& member) {
    path_ = &step;
    visit(member);
    path_ = step.parent;
  }

  const Path* path_ = nullptr;
};

namespace detail {

// Gathers the cells of a module in the order of its fields, each once.
class TAPEGRAD_API CellCollector final : public FieldVisitor {
 public:
  enum class Kind : uint8_t { parameters, buffers };
  CellCollector(Kind kind, bool give_names) : kind_(kind), give_names_(give_names) {}
  ParameterList take();

 private:
  void parameter(const CellRef& cell) override;
  void buffer(const CellRef& cell) override;
  void add(const CellRef& cell);

  ParameterList cells_;
  Kind kind_;
  bool give_names_;
};

TAPEGRAD_API int64_t count_elements(const ParameterList& cells);

// Sets every bool called "training".
class TAPEGRAD_API TrainingSwitch final : public FieldVisitor {
 public:
  explicit TrainingSwitch(bool on) : on_(on) {}

 private:
  void flag(std::string_view name, bool& value) override;

  bool on_;
};

}  // namespace detail

// The parameters of a module in the order of its fields, tied ones once. A parameter without a name gets the
// way to it as its name: "weight", "layers.0.weight", "0.weight"; one that has a name keeps it.
template <class M>
ParameterList parameters(const M& module) {
  detail::CellCollector collector(detail::CellCollector::Kind::parameters, true);
  collector.visit(module);
  return collector.take();
}

// The buffers of a module, likewise.
template <class M>
ParameterList buffers(const M& module) {
  detail::CellCollector collector(detail::CellCollector::Kind::buffers, true);
  collector.visit(module);
  return collector.take();
}

// How many numbers the parameters of a module hold, tied ones counted once.
template <class M>
int64_t count_parameters(const M& module) {
  detail::CellCollector collector(detail::CellCollector::Kind::parameters, false);
  collector.visit(module);
  return detail::count_elements(collector.take());
}

// FNV-1a, 64 bits (Fowler, Noll, Vo), over each cell's dtype, rank, sizes and elements in order: equal for
// equal values, whatever the names.
TAPEGRAD_API uint64_t fingerprint(const ParameterList& cells);

namespace nn {

// Sets every bool member that a module's fields call "training", at any depth.
template <class M>
void train(M& module, bool on = true) {
  tapegrad::detail::TrainingSwitch visitor(on);
  visitor.visit(module);
}

// The same as train(module, false).
template <class M>
void eval(M& module) {
  train(module, false);
}

}  // namespace nn
}  // namespace tapegrad
