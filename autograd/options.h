#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "autograd/dtype.h"
#include "autograd/export.h"
#include "autograd/parameter.h"
#include "autograd/shape.h"

namespace tapegrad {

// How a loss joins its elements.
enum class Reduction : int32_t { none, mean, sum };

// Which form of gelu.
enum class Approximate : int32_t { none, tanh };

// A short text kept in place, such as the equation of einsum.
class TAPEGRAD_API Text {
 public:
  static constexpr size_t kCapacity = 255;

  Text() = default;
  // Throws ArgumentError beyond kCapacity bytes.
  Text(std::string_view text);
  Text(const char* text) : Text(std::string_view(text)) {}
  operator std::string_view() const { return {text_, size_}; }

 private:
  char text_[kCapacity] = {};
  uint8_t size_ = 0;
};

// How many elements to add before and after each dim, the last dim first: {before last, after last, before
// the one before it, …}. Kept in place.
class TAPEGRAD_API Pads {
 public:
  static constexpr int kCapacity = 2 * kMaxRank;

  Pads() = default;
  Pads(std::initializer_list<int64_t> values)
      : Pads(std::span<const int64_t>(values.begin(), values.size())) {}
  // Throws ArgumentError beyond kCapacity entries.
  explicit Pads(std::span<const int64_t> values);

  int size() const { return size_; }
  int64_t operator[](int i) const { return values_[i]; }
  const int64_t* begin() const { return values_; }
  const int64_t* end() const { return values_ + size_; }
  // Throws ArgumentError when kCapacity entries are there already.
  void push_back(int64_t value);

 private:
  int64_t values_[kCapacity] = {};
  int32_t size_ = 0;
};

// Sees the fields of an options struct one by one. Printing, JSON, parsing and equality are each one visitor,
// so an options struct names its fields once:
//   struct Options { int64_t dim = -1; static void fields(auto& self, auto&& f) { f("dim", self.dim); } };
class TAPEGRAD_API OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void field(std::string_view name, bool& value) = 0;
  virtual void field(std::string_view name, int64_t& value) = 0;
  virtual void field(std::string_view name, double& value) = 0;
  virtual void field(std::string_view name, Dims& value) = 0;
  virtual void field(std::string_view name, DType& value) = 0;
  virtual void field(std::string_view name, std::optional<int64_t>& value) = 0;
  virtual void field(std::string_view name, std::optional<double>& value) = 0;
  virtual void field(std::string_view name, std::optional<Dims>& value) = 0;
  virtual void field(std::string_view name, CellRef& value) = 0;
  virtual void field(std::string_view name, Text& value) = 0;
  virtual void field(std::string_view name, Pads& value) = 0;
  // A list of any length, owned.
  virtual void field(std::string_view name, std::vector<double>& value) = 0;
  // An enumeration, as the index into its names.
  virtual void choice(std::string_view name, int32_t& value, std::span<const std::string_view> names) = 0;

  void field(std::string_view name, Reduction& value) {
    static constexpr std::string_view kNames[] = {"none", "mean", "sum"};
    auto index = static_cast<int32_t>(value);
    choice(name, index, kNames);
    value = static_cast<Reduction>(index);
  }
  void field(std::string_view name, Approximate& value) {
    static constexpr std::string_view kNames[] = {"none", "tanh"};
    auto index = static_cast<int32_t>(value);
    choice(name, index, kNames);
    value = static_cast<Approximate>(index);
  }
  void field(std::string_view name, Shape& value) {
    Dims dims = value;
    field(name, dims);
    value = Shape(dims);
  }
};

// Passes over every field: a base for visitors that look for one.
class TAPEGRAD_API PassingVisitor : public OptionVisitor {
 public:
  using OptionVisitor::field;
  void field(std::string_view, bool&) override {}
  void field(std::string_view, int64_t&) override {}
  void field(std::string_view, double&) override {}
  void field(std::string_view, Dims&) override {}
  void field(std::string_view, DType&) override {}
  void field(std::string_view, std::optional<int64_t>&) override {}
  void field(std::string_view, std::optional<double>&) override {}
  void field(std::string_view, std::optional<Dims>&) override {}
  void field(std::string_view, CellRef&) override {}
  void field(std::string_view, Text&) override {}
  void field(std::string_view, Pads&) override {}
  void field(std::string_view, std::vector<double>&) override {}
  void choice(std::string_view, int32_t&, std::span<const std::string_view>) override {}
};

// What can be done with an options struct without knowing its type.
struct OptionsType {
  size_t size;
  size_t align;
  bool trivial;  // copied by memory, needs no destructor
  void (*construct)(void* at);
  void (*copy)(void* at, const void* from);
  void (*destroy)(void* at);
  void (*visit)(void* options, OptionVisitor& visitor);
};

template <class O>
inline constexpr OptionsType options_type = {
    sizeof(O),
    alignof(O),
    std::is_trivially_copyable_v<O>,
    [](void* at) { new (at) O(); },
    [](void* at, const void* from) { new (at) O(*static_cast<const O*>(from)); },
    [](void* at) { static_cast<O*>(at)->~O(); },
    [](void* options, OptionVisitor& visitor) {
      O::fields(*static_cast<O*>(options),
                [&](const char* name, auto& value) { visitor.field(name, value); });
    },
};

// A struct whose `fields` names each member for a visitor.
template <class O>
concept OptionsRecord = requires(O& options) {
  O::fields(options, [](const char*, auto&) {});
};

// Borrowed options of some op, or none.
struct OptionsRef {
  OptionsRef() = default;
  OptionsRef(const void* data, const OptionsType* type) : data(data), type(type) {}
  template <OptionsRecord O>
  OptionsRef(const O& options) : data(&options), type(&options_type<O>) {}

  const void* data = nullptr;
  const OptionsType* type = nullptr;
};

// Options of some op, owned.
class TAPEGRAD_API OptionsBox {
 public:
  OptionsBox() = default;
  OptionsBox(OptionsRef from);
  template <OptionsRecord O>
  OptionsBox(const O& options) : OptionsBox(OptionsRef(options)) {}
  // The default ones of a type.
  explicit OptionsBox(const OptionsType* type);
  OptionsBox(const OptionsBox& other) : OptionsBox(other.ref()) {}
  OptionsBox(OptionsBox&& other) noexcept : data_(other.data_), type_(other.type_) { other.data_ = nullptr; }
  OptionsBox& operator=(OptionsBox other) noexcept;
  ~OptionsBox();

  OptionsRef ref() const { return {data_, data_ != nullptr ? type_ : nullptr}; }

 private:
  void* data_ = nullptr;
  const OptionsType* type_ = nullptr;
};

// True when both are of one type and every field is equal.
TAPEGRAD_API bool equal(OptionsRef a, OptionsRef b);

}  // namespace tapegrad
