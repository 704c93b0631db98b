#include "autograd/io/attributes.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "autograd/io/graph.h"
#include "autograd/io/nearest.h"
#include "autograd/raise.h"

namespace tapegrad::io {
namespace {

// True if the format has no default for this attribute.
bool is_required(const Op& op, std::string_view attribute) {
  const auto ops = graph_ops();
  const auto row = std::find_if(ops.begin(), ops.end(), [&](const GraphOp& g) { return g.name == op.name; });
  if (row == ops.end()) return false;
  const std::string words = fmt::format(" {} ", row->required);
  return words.find(fmt::format(" {} ", attribute)) != std::string::npos;
}

class Reader final : public OptionVisitor {
 public:
  explicit Reader(const Place* attributes) : attributes_(attributes) {}

  void field(std::string_view name, bool& value) override {
    read(name, [&](const Place& p) { value = p.boolean(); });
  }
  void field(std::string_view name, int64_t& value) override {
    read(name, [&](const Place& p) { value = p.integer(); });
  }
  void field(std::string_view name, double& value) override {
    read(name, [&](const Place& p) { value = p.number(); });
  }
  void field(std::string_view name, Dims& value) override {
    read(name, [&](const Place& p) { value = list<Dims>(p); });
  }
  void field(std::string_view name, Pads& value) override {
    read(name, [&](const Place& p) { value = list<Pads>(p); });
  }
  void field(std::string_view name, std::vector<double>& value) override {
    read(name, [&](const Place& p) {
      value.clear();
      for (size_t i = 0; i < p.size(); ++i) value.push_back(p.item(i).number());
    });
  }
  void field(std::string_view name, Text& value) override {
    read(name, [&](const Place& p) { value = Text(p.string()); });
  }
  void field(std::string_view name, DType& value) override {
    static constexpr std::string_view kNames[] = {
        tapegrad::name(DType::float32), tapegrad::name(DType::float64), tapegrad::name(DType::int64),
        tapegrad::name(DType::boolean)};
    auto index = static_cast<int32_t>(value);
    choice(name, index, kNames);
    value = static_cast<DType>(index);
  }
  void field(std::string_view name, std::optional<int64_t>& value) override {
    read(name, [&](const Place& p) { value = p.is_null() ? std::nullopt : std::optional(p.integer()); });
  }
  void field(std::string_view name, std::optional<double>& value) override {
    read(name, [&](const Place& p) { value = p.is_null() ? std::nullopt : std::optional(p.number()); });
  }
  void field(std::string_view name, std::optional<Dims>& value) override {
    read(name, [&](const Place& p) { value = p.is_null() ? std::nullopt : std::optional(list<Dims>(p)); });
  }
  void field(std::string_view name, CellRef&) override {
    read(name, [&](const Place& p) { p.fault("is a parameter of a program, which a file cannot give"); });
  }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view> names) override {
    read(name, [&](const Place& p) {
      const std::string& given = p.string();
      const auto found = std::find(names.begin(), names.end(), given);
      if (found == names.end()) {
        p.fault(fmt::format("unknown value {}, did you mean '{}'? (one of {})", in_quotes(given),
                            nearest(given, names, [](std::string_view n) { return n; }),
                            fmt::join(names, ", ")));
      }
      value = static_cast<int32_t>(found - names.begin());
    });
  }

  std::vector<std::string_view> known;

 private:
  template <class F>
  void read(std::string_view name, F f) {
    known.push_back(name);
    if (attributes_ == nullptr) return;
    const auto member = attributes_->json().find(std::string(name));
    if (member != attributes_->json().end()) f(attributes_->at(member));
  }
  // One number stands for a list of one.
  template <class List>
  static List list(const Place& place) {
    List values;
    if (!place.is_array()) {
      values.push_back(place.integer());
      return values;
    }
    for (size_t i = 0; i < place.size(); ++i) values.push_back(place.item(i).integer());
    return values;
  }

  const Place* attributes_;
};

class Writer final : public OptionVisitor {
 public:
  explicit Writer(const Op& op) : op_(op) {}

  void field(std::string_view name, bool& value) override { put(name, value ? "true" : "false"); }
  void field(std::string_view name, int64_t& value) override { put(name, fmt::format("{}", value)); }
  void field(std::string_view name, double& value) override { put(name, json_text(value)); }
  void field(std::string_view name, Dims& value) override { list(name, value); }
  void field(std::string_view name, Pads& value) override { list(name, value); }
  void field(std::string_view name, std::vector<double>& value) override {
    std::vector<std::string> numbers;
    numbers.reserve(value.size());
    for (const double v : value) numbers.push_back(json_text(v));
    list(name, numbers);
  }
  void field(std::string_view name, Text& value) override { put(name, json_text(std::string_view(value))); }
  void field(std::string_view name, DType& value) override { put(name, json_text(tapegrad::name(value))); }
  void field(std::string_view name, std::optional<int64_t>& value) override { optional(name, value); }
  void field(std::string_view name, std::optional<double>& value) override { optional(name, value); }
  void field(std::string_view name, std::optional<Dims>& value) override { optional(name, value); }
  void field(std::string_view name, CellRef& value) override {
    if (value.defined()) {
      raise<ArgumentError>("[{}] its option {} holds the parameter \"{}\", which a graph file cannot keep",
                           op_.name, name, value.name());
    }
    put(name, {});
  }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view> names) override {
    put(name, json_text(names[static_cast<size_t>(value)]));
  }

  // Name and value of each, the value empty where it is absent.
  std::vector<std::pair<std::string_view, std::string>> fields;

 private:
  template <class List>
  void list(std::string_view name, const List& value) {
    put(name, fmt::format("[{}]", fmt::join(value, ", ")));
  }
  template <class T>
  void optional(std::string_view name, std::optional<T>& value) {
    if (value) field(name, *value);
    else put(name, {});
  }
  void put(std::string_view name, std::string value) { fields.emplace_back(name, std::move(value)); }

  const Op& op_;
};

// Visitors may write, so they see a copy.
auto fields_of(const Op& op, OptionsRef options) {
  const OptionsBox copy(options);
  Writer writer(op);
  op.options->visit(const_cast<void*>(copy.ref().data), writer);
  return writer.fields;
}

}  // namespace

OptionsBox read_attributes(const Place& node, const Op& op) {
  const bool given = node.has("attrs");
  const Place attributes = given ? node.at("attrs") : node;
  if (given) attributes.expect_object({});
  Reader reader(given ? &attributes : nullptr);
  OptionsBox options;
  if (op.options != nullptr) {
    options = OptionsBox(op.options);
    try {
      op.options->visit(const_cast<void*>(options.ref().data), reader);
    } catch (const FormatError&) {
      throw;
    } catch (const Error& error) {
      // The limits of what an option holds: thrown from the field that was visited last.
      attributes.at(attributes.json().find(std::string(reader.known.back()))).fault(error.what());
    }
  }
  for (std::string_view name : reader.known) {
    if (!is_required(op, name)) continue;
    if (!given || !attributes.has(std::string(name).c_str())) {
      attributes.fault(fmt::format("attribute '{}' of {} is missing", name, op.name));
    }
  }
  if (!given) return options;
  for (auto member = attributes.json().begin(); member != attributes.json().end(); ++member) {
    if (std::find(reader.known.begin(), reader.known.end(), member.key()) != reader.known.end()) continue;
    const std::string_view meant = nearest(member.key(), reader.known, [](std::string_view n) { return n; });
    attributes.at(member).fault(fmt::format(
        "unknown attribute {} of {}, {}", in_quotes(member.key()), op.name,
        meant.empty() ? std::string("which takes none") : fmt::format("did you mean '{}'?", meant)));
  }
  return options;
}

std::string write_attributes(const Op& op, OptionsRef options) {
  if (op.options == nullptr) return {};
  const OptionsBox plain(op.options);
  const auto fields = fields_of(op, options.type != nullptr ? options : plain.ref());
  const auto defaults = fields_of(op, plain.ref());
  std::string text;
  for (size_t i = 0; i < fields.size(); ++i) {
    const auto& [name, value] = fields[i];
    if (value == defaults[i].second && !is_required(op, name)) continue;
    text +=
        fmt::format("{}{}: {}", text.empty() ? "{" : ", ", json_text(name), value.empty() ? "null" : value);
  }
  return text.empty() ? text : text + "}";
}

}  // namespace tapegrad::io
