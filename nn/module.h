#pragma once

#include <concepts>
#include <cstdint>
#include <string>
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

namespace detail {

// The name of a type without its namespaces and template arguments; "lambda" and "function" for such.
template <class M>
consteval std::string_view type_name() {
  if (std::is_pointer_v<M>) return "function";
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("M = ") + 4);
  if (text.find("<lambda") != text.npos || text.find("(lambda") != text.npos) return "lambda";
  text = text.substr(0, text.find_first_of(";]<"));
  const size_t scope = text.rfind("::");
  return scope == text.npos ? text : text.substr(scope + 2);
}

// A layer that knows how many inputs and outputs it has.
template <class M>
concept HasSizes = requires(const M& layer) {
  { layer.inputs() } -> std::same_as<int64_t>;
  { layer.outputs() } -> std::same_as<int64_t>;
};

TAPEGRAD_API std::string sized_label(std::string_view type, int64_t in, int64_t out);

// What errors and summaries call a module: "Linear 784→256", "Dropout".
template <class M>
std::string label_of(const M& module) {
  if constexpr (HasSizes<M>) {
    return sized_label(type_name<M>(), module.inputs(), module.outputs());
  } else if constexpr (requires { std::string_view(module.name); }) {
    return std::string(module.name);
  } else {
    return std::string(type_name<M>());
  }
}

}  // namespace detail

// A module that a visitor comes to, its type forgotten.
struct ModuleRef {
  const void* object;
  std::string_view type;  // without namespaces: a module and its first member have one address
  std::string (*label_of)(const void* object);

  std::string label() const { return label_of(object); }
  template <class M>
  static ModuleRef to(const M& module) {
    return {&module, detail::type_name<M>(),
            [](const void* m) { return detail::label_of(*static_cast<const M*>(m)); }};
  }
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
    } else if constexpr (std::is_arithmetic_v<M>) {
      setting(path_ != nullptr ? path_->name : std::string_view(), static_cast<double>(member));
    } else if constexpr (std::is_enum_v<M>) {
      // Nothing to learn and nothing to switch.
    } else if constexpr (requires { M::fields_of_another; }) {
      M::fields(member, *this);
    } else if constexpr (HasFields<T>) {
      enter(ModuleRef::to(member));
      M::fields(member, *this);
      leave();
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

  // A layer without fields, which has nothing but its name to show.
  void layer(const ModuleRef& module) {
    enter(module);
    leave();
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
  virtual void setting(std::string_view name, double value);  // of a number or a bool that is const
  virtual void enter(const ModuleRef& module);
  virtual void leave();

  const Path* path() const { return path_; }
  // "layers.0.weight"; empty for the outermost module.
  std::string path_name() const;

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

// Freezes every parameter, or lets it learn again.
class TAPEGRAD_API FreezeSwitch final : public FieldVisitor {
 public:
  explicit FreezeSwitch(bool learns) : learns_(learns) {}

 private:
  void parameter(const CellRef& cell) override;

  bool learns_;
};

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

// Freezes every parameter of a module, at any depth: it gets no gradient and no step until unfreeze(module).
// A Program keeps what it recorded, so it is captured after this.
template <class M>
void freeze(const M& module) {
  tapegrad::detail::FreezeSwitch visitor(false);
  visitor.visit(module);
}
template <class M>
void unfreeze(const M& module) {
  tapegrad::detail::FreezeSwitch visitor(true);
  visitor.visit(module);
}

}  // namespace nn
}  // namespace tapegrad
