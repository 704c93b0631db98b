#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "autograd/apply.h"
#include "autograd/export.h"
#include "nn/activation.h"
#include "nn/layer_call.h"
#include "nn/module.h"

namespace tapegrad::nn {

// What may stand in a Sequential or another container: a callable that takes a tensor and gives one. One that
// carries state names its members in `fields`, for otherwise they would never be trained.
template <class M>
concept SequentialLayer = std::is_invocable_r_v<Tensor, const M&, const Tensor&> &&
    (HasFields<M> || std::is_empty_v<M> || std::is_pointer_v<M> || std::same_as<M, Activation>);

namespace detail {

// A layer of any type, owned.
class TAPEGRAD_API AnyLayer {
 public:
  virtual ~AnyLayer();
  virtual Tensor call(const Arg& x) const = 0;
  virtual void visit(FieldVisitor& f) = 0;
  virtual void visit(FieldVisitor& f) const = 0;
  virtual std::unique_ptr<AnyLayer> copy() const = 0;  // null if the type cannot be copied
  virtual std::string label() const = 0;

  static constexpr bool fields_of_another = true;
  static void fields(auto& self, auto&& f) { self.visit(f); }
};

template <class M>
class AnyLayerOf final : public AnyLayer {
 public:
  explicit AnyLayerOf(M layer) : layer_(std::move(layer)) {}

  Tensor call(const Arg& x) const override {
    LayerCall call(&layer_);
    if constexpr (std::is_invocable_r_v<Tensor, const M&, const Arg&>) {
      return call.result(layer_(x));
    } else {
      // A layer of the user's own reports the lines written there.
      CallSite own({}, true);
      return call.result(layer_(to_tensor(x)));
    }
  }
  void visit(FieldVisitor& f) override { visit_layer(layer_, f); }
  void visit(FieldVisitor& f) const override { visit_layer(layer_, f); }
  std::unique_ptr<AnyLayer> copy() const override {
    if constexpr (std::is_copy_constructible_v<M>) {
      return std::make_unique<AnyLayerOf>(layer_);
    } else {
      return nullptr;
    }
  }
  std::string label() const override { return ModuleRef::to(layer_).label(); }

 private:
  template <class L>
  static void visit_layer(L& layer, FieldVisitor& f) {
    if constexpr (HasFields<L>) {
      f.visit(layer);
    } else {
      f.layer(ModuleRef::to(layer));
    }
  }

  M layer_;
};

// Owns a layer, or none; copying copies the layer into new cells.
class TAPEGRAD_API LayerBox {
 public:
  LayerBox() = default;
  template <SequentialLayer M>
  explicit LayerBox(M layer) : layer_(std::make_unique<AnyLayerOf<M>>(std::move(layer))) {}
  // Throws ArgumentError if the layer cannot be copied.
  LayerBox(const LayerBox& other);
  LayerBox(LayerBox&&) noexcept = default;
  LayerBox& operator=(LayerBox other) noexcept {
    layer_.swap(other.layer_);
    return *this;
  }
  ~LayerBox() = default;

  explicit operator bool() const { return layer_ != nullptr; }
  AnyLayer& operator*() { return *layer_; }
  const AnyLayer& operator*() const { return *layer_; }

  // Calls the layer; an error thrown on the way carries "in WHERE: Linear 784→256".
  Tensor call(const Arg& x, std::string_view where) const;
  Tensor call(const Arg& x, size_t where) const;

 private:
  std::unique_ptr<AnyLayer> layer_;
};

}  // namespace detail
}  // namespace tapegrad::nn
