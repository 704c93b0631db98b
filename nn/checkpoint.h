#pragma once

#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "autograd/export.h"
#include "autograd/io/safetensors.h"
#include "autograd/parameter.h"
#include "nn/module.h"

namespace tapegrad::nn {

// A parameter or buffer under the way to it, "layers.0.weight", whatever name it was given.
struct NamedCell {
  std::string name;
  CellRef cell;
};

namespace detail {

class TAPEGRAD_API StateCollector final : public FieldVisitor {
 public:
  std::vector<NamedCell> take() { return std::move(cells_); }

 private:
  void parameter(const CellRef& cell) override { add(cell); }
  void buffer(const CellRef& cell) override { add(cell); }
  void add(const CellRef& cell);

  std::vector<NamedCell> cells_;
  std::unordered_set<uint64_t> seen_;
};

TAPEGRAD_API void save_state(const std::vector<NamedCell>& cells, std::string_view path, Metadata metadata);
TAPEGRAD_API Metadata load_state(const std::vector<NamedCell>& cells, std::string_view path);

}  // namespace detail

// All parameters and buffers of a module in the order of its fields, tied ones once, by the first way to
// them.
template <class M>
std::vector<NamedCell> state(const M& module) {
  detail::StateCollector collector;
  collector.visit(module);
  return collector.take();
}

// Writes the state of a module as a safetensors file, which PyTorch's safetensors.torch.load_file reads as
// well, with texts of one's own beside "format" and "version". Nothing half written is left behind by a
// failure. Throws IoError, and ArgumentError when the texts have one of those two names.
template <class M>
void save(const M& module, std::string_view path, const Metadata& metadata = {}) {
  detail::save_state(state(module), path, metadata);
}

// Reads it into a module of the same structure and returns the texts. Nothing has changed if it throws:
// IoError or FormatError as load_tensors, FormatError for a version that this library does not know,
// ArgumentError naming what is missing in the file or too much, DTypeError or ShapeError naming a parameter
// that differs.
template <class M>
Metadata load(const M& module, std::string_view path) {
  return detail::load_state(state(module), path);
}

}  // namespace tapegrad::nn
