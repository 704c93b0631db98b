#include "autograd/text.h"

#include <fmt/format.h>

namespace tapegrad {
namespace {

class Printer final : public OptionVisitor {
 public:
  void field(std::string_view name, bool& value) override { put(name, value ? "true" : "false"); }
  void field(std::string_view name, int64_t& value) override { put(name, fmt::format("{}", value)); }
  void field(std::string_view name, double& value) override { put(name, fmt::format("{}", value)); }
  void field(std::string_view name, Dims& value) override {
    put(name, fmt::format("[{}]", fmt::join(value, ", ")));
  }
  void field(std::string_view name, DType& value) override { put(name, tapegrad::name(value)); }
  void field(std::string_view name, std::optional<int64_t>& value) override { optional(name, value); }
  void field(std::string_view name, std::optional<double>& value) override { optional(name, value); }
  void field(std::string_view name, std::optional<Dims>& value) override {
    if (value) field(name, *value);
  }
  void field(std::string_view name, CellRef& value) override {
    put(name, fmt::format("\"{}\" #{}", value.name(), value.id()));
  }
  void field(std::string_view name, Text& value) override {
    put(name, fmt::format("\"{}\"", std::string_view(value)));
  }
  void field(std::string_view name, Pads& value) override {
    put(name, fmt::format("[{}]", fmt::join(value, ", ")));
  }
  void field(std::string_view name, std::vector<double>& value) override {
    put(name, fmt::format("[{}]", fmt::join(value, ", ")));
  }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view> names) override {
    put(name, names[static_cast<size_t>(value)]);
  }

  std::string text;

 private:
  template <class T>
  void optional(std::string_view name, std::optional<T>& value) {
    if (value) field(name, *value);
  }
  void put(std::string_view name, std::string_view value) {
    if (!text.empty()) text += ", ";
    text.append(name).append("=").append(value);
  }
};

}  // namespace

std::string describe(const detail::Body& body) {
  return fmt::format("{}[{}]", name(body.dtype), fmt::join(body.dims(), body.dims() + body.rank, ", "));
}

std::string describe(const Tensor& x) { return describe(*x.handle()); }

std::string location(const SourceLine& where) {
  if (where.file == nullptr) return {};
  std::string_view file = where.file;
  return fmt::format(" ({}:{})", file.substr(file.rfind('/') + 1), where.line);
}

std::string operand_name(const Op& op, int i) {
  if (op.max_inputs < 0) return fmt::format("{}[{}]", op.operands[0], i);
  if (static_cast<size_t>(i) < op.operands.size()) return std::string(op.operands[static_cast<size_t>(i)]);
  return fmt::format("operand {}", i);
}

std::string to_string(OptionsRef options) {
  if (options.type == nullptr) return {};
  // Visitors may write, so they see a copy.
  OptionsBox copy(options);
  Printer printer;
  options.type->visit(const_cast<void*>(copy.ref().data), printer);
  return printer.text;
}

std::string index_text(int64_t place, const Shape& shape) {
  int64_t index[kMaxRank];
  for (int d = shape.rank(); d-- > 0;) {
    const int64_t size = std::max<int64_t>(shape[d], 1);
    index[d] = place % size;
    place /= size;
  }
  return fmt::format("[{}]", fmt::join(index, index + shape.rank(), ", "));
}

}  // namespace tapegrad
