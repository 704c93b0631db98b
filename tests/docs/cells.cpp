#include "tests/docs/cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "autograd/ops.h"

namespace tapegrad::docs {
namespace {

// Characters of UTF-8 text; all of ours are one column wide.
size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

constexpr size_t kWidest = 56;  // longer cells stand out of their column

// A bar within a cell would end it.
std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text) result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

// The fields as (name, text), also those that are absent.
class Fields final : public OptionVisitor {
 public:
  void field(std::string_view name, bool& value) override { put(name, value ? "true" : "false"); }
  void field(std::string_view name, int64_t& value) override {
    put(name, number(static_cast<double>(value)));
  }
  void field(std::string_view name, double& value) override { put(name, number(value)); }
  void field(std::string_view name, Dims& value) override { put(name, list(value)); }
  void field(std::string_view name, DType& value) override { put(name, std::string(tapegrad::name(value))); }
  void field(std::string_view name, std::optional<int64_t>& value) override { optional(name, value); }
  void field(std::string_view name, std::optional<double>& value) override { optional(name, value); }
  void field(std::string_view name, std::optional<Dims>& value) override { optional(name, value); }
  void field(std::string_view name, CellRef&) override { put(name, "…"); }
  void field(std::string_view name, Text& value) override {
    put(name, fmt::format("\"{}\"", std::string_view(value)));
  }
  void field(std::string_view name, Pads& value) override { put(name, list(value)); }
  void field(std::string_view name, std::vector<double>& value) override { put(name, list(value)); }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view> names) override {
    put(name, std::string(names[static_cast<size_t>(value)]));
  }

  std::vector<std::pair<std::string, std::string>> list_of;

 private:
  template <class List>
  static std::string list(const List& values) {
    std::string text;
    for (const auto v : values) text += (text.empty() ? "" : ", ") + number(static_cast<double>(v));
    return "[" + text + "]";
  }
  template <class T>
  void optional(std::string_view name, std::optional<T>& value) {
    if (value) field(name, *value);
    else put(name, "none");
  }
  void put(std::string_view name, std::string value) { list_of.emplace_back(name, std::move(value)); }
};

std::vector<std::pair<std::string, std::string>> fields_of(OptionsRef options) {
  if (options.type == nullptr) return {};
  const OptionsBox copy(options);  // visitors may write
  Fields fields;
  options.type->visit(const_cast<void*>(copy.ref().data), fields);
  return fields.list_of;
}

std::string element(const Tensor& x, size_t i) {
  switch (x.dtype()) {
    case DType::float32: return number(x.data<float>()[i]);
    case DType::float64: return number(x.data<double>()[i]);
    case DType::int64: return number(static_cast<double>(x.data<int64_t>()[i]));
    case DType::boolean: return x.data<bool>()[i] ? "true" : "false";
  }
  return {};
}

std::string nested(const Tensor& x, int dim, size_t& at) {
  if (dim == x.rank()) return element(x, at++);
  std::string text;
  for (int64_t i = 0; i < x.shape()[dim]; ++i) text += (i > 0 ? ", " : "") + nested(x, dim + 1, at);
  return "[" + text + "]";
}

}  // namespace

std::string wrapped(const std::vector<std::string>& words) {
  std::string text;
  size_t room = 0;
  for (const std::string& word : words) {
    const bool fits = width(word) < room;
    if (!text.empty()) text += fits ? " " : "\n";
    text += word;
    room = (fits ? room - 1 : 100) - width(word);
  }
  return text;
}

std::string markdown(const std::vector<Row>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const Row& row : rows) {
    for (size_t k = 0; k < row.size(); ++k) {
      const size_t w = width(escaped(row[k]));
      if (w <= kWidest || k == 0) widths[k] = std::max(widths[k], w);
    }
  }
  std::string text;
  for (size_t r = 0; r < rows.size(); ++r) {
    std::string line = "|";
    for (size_t k = 0; k < widths.size(); ++k) {
      const std::string cell = escaped(rows[r][k]);
      const bool last = k + 1 == widths.size();
      line +=
          " " + cell + std::string(last || width(cell) > widths[k] ? 0 : widths[k] - width(cell), ' ') + " |";
    }
    text += line + "\n";
    if (r > 0) continue;
    text += "|";
    for (size_t k = 0; k < widths.size(); ++k) {
      text += std::string((k + 1 == widths.size() ? width(rows[0][k]) : widths[k]) + 2, '-') + "|";
    }
    text += "\n";
  }
  return text;
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  const std::string text = std::isinf(value) ? "inf" : fmt::format("{:.4g}", std::fabs(value));
  return (std::signbit(value) ? "−" : "") + text;
}

std::string numbers(const Tensor& x) {
  if (!x.defined()) return "–";
  if (x.numel() == 0) {
    std::string sizes;
    for (const int64_t size : x.shape()) sizes += fmt::format("{}{}", sizes.empty() ? "" : ", ", size);
    return fmt::format("empty [{}]", sizes);
  }
  size_t at = 0;
  return nested(x, 0, at);
}

std::string defaults(const OptionsType* type) {
  if (type == nullptr) return "";
  const OptionsBox box(type);
  std::string text;
  for (const auto& [name, value] : fields_of(box.ref())) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", name, value);
  }
  return text;
}

std::string chosen(OptionsRef options) {
  if (options.type == nullptr) return "";
  const OptionsBox box(options.type);
  const auto standard = fields_of(box.ref()), own = fields_of(options);
  std::string text;
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i] == standard[i]) continue;
    text += fmt::format("{}{}={}", text.empty() ? "" : ", ", own[i].first, own[i].second);
  }
  return text;
}

}  // namespace tapegrad::docs
