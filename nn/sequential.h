#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "autograd/apply.h"
#include "autograd/export.h"
#include "nn/activation.h"
#include "nn/module.h"

namespace tapegrad::nn {
namespace detail {

// The name of a type without its namespaces.
template <class M>
constexpr std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("M = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  const size_t scope = text.rfind("::", text.find('<'));
  return scope == std::string_view::npos ? text : text.substr(scope + 2);
}

// A layer that knows how many inputs and outputs it has.
template <class M>
concept HasSizes = requires(const M& layer) {
  { layer.inputs() } -> std::same_as<int64_t>;
  { layer.outputs() } -> std::same_as<int64_t>;
};

// A layer of any type, owned.
class TAPEGRAD_API AnyLayer {
 public:
  virtual ~AnyLayer();
  virtual Tensor call(const Arg& x) const = 0;
  virtual void visit(FieldVisitor& f) = 0;
  virtual void visit(FieldVisitor& f) const = 0;
  virtual std::unique_ptr<AnyLayer> copy() const = 0;  // null if the type cannot be copied
  virtual std::string_view type() const = 0;
  virtual bool sizes(int64_t& in, int64_t& out) const = 0;

  static void fields(auto& self, auto&& f) { self.visit(f); }
};

template <class M>
class AnyLayerOf final : public AnyLayer {
 public:
  explicit AnyLayerOf(M layer) : layer_(std::move(layer)) {}

  Tensor call(const Arg& x) const override {
    if constexpr (std::is_invocable_r_v<Tensor, const M&, const Arg&>) {
      return layer_(x);
    } else {
      // A layer of the user's own reports the lines written there.
      CallSite own({}, true);
      return layer_(to_tensor(x));
    }
  }
  void visit(FieldVisitor& f) override {
    if constexpr (HasFields<M>) f.visit(layer_);
  }
  void visit(FieldVisitor& f) const override {
    if constexpr (HasFields<const M>) f.visit(layer_);
  }
  std::unique_ptr<AnyLayer> copy() const override {
    if constexpr (std::is_copy_constructible_v<M>) {
      return std::make_unique<AnyLayerOf>(layer_);
    } else {
      return nullptr;
    }
  }
  std::string_view type() const override { return type_name<M>(); }
  bool sizes(int64_t& in, int64_t& out) const override {
    if constexpr (HasSizes<M>) {
      in = layer_.inputs();
      out = layer_.outputs();
      return true;
    } else {
      return false;
    }
  }

 private:
  M layer_;
};

}  // namespace detail

// What may stand in a Sequential: a callable that takes a tensor and gives one. One that carries state names
// its members in `fields`, for otherwise they would never be trained.
template <class M>
concept SequentialLayer = std::is_invocable_r_v<Tensor, const M&, const Tensor&> &&
    (HasFields<M> || std::is_empty_v<M> || std::is_pointer_v<M> || std::same_as<M, Activation>);

// Layers of any types, one after the other. Parameters are called "0.weight", "0.bias", "1.weight", ….
// Copying one copies every layer into new cells.
class TAPEGRAD_API Sequential {
 public:
  // Sequential net(Linear(784, 256, rng), relu, Linear(256, 10, rng));
  template <SequentialLayer... Layers>
  explicit Sequential(Layers... layers) {
    layers_.reserve(sizeof...(Layers));
    (add(std::move(layers)), ...);
  }
  // Throws ArgumentError if a layer cannot be copied.
  Sequential(const Sequential& other);
  Sequential(Sequential&&) noexcept = default;
  Sequential& operator=(Sequential other) noexcept;
  ~Sequential() = default;

  template <SequentialLayer M>
  Sequential& add(M layer) {
    layers_.push_back(std::make_unique<detail::AnyLayerOf<M>>(std::move(layer)));
    return *this;
  }
  size_t size() const { return layers_.size(); }

  // x through every layer. An error thrown on the way carries "in 1: Linear 784→256".
  Tensor operator()(const Arg& x) const;

  static void fields(auto& self, auto&& f) { f.elements(self.layers_); }

 private:
  std::vector<std::unique_ptr<detail::AnyLayer>> layers_;
};

}  // namespace tapegrad::nn
