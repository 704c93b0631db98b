#include "nn/checkpoint.h"

#include <algorithm>
#include <map>

#include "autograd/raise.h"
#include "nn/text.h"

namespace tapegrad::nn {
namespace {

constexpr std::string_view kFormat = "tapegrad", kVersion = "1";

// "'a', 'b', 'c' and 4 more".
std::string listed(const std::vector<std::string_view>& names) {
  constexpr size_t kMost = 3;
  std::string text;
  for (size_t i = 0; i < std::min(kMost, names.size()); ++i)
    text += fmt::format("{}'{}'", i > 0 ? ", " : "", names[i]);
  if (names.size() > kMost) text += fmt::format(" and {} more", names.size() - kMost);
  return text;
}

// Takes "format" and "version" out of the texts of a file.
void check_version(Metadata& metadata, std::string_view path) {
  std::string_view format, version;
  for (const auto& [key, value] : metadata) {
    if (key == "format") format = value;
    if (key == "version") version = value;
  }
  if (format != kFormat) return;  // of another program
  if (version != kVersion) {
    throw FormatError(
        fmt::format("{}: expected version {} of the format, given '{}'", path, kVersion, version), 0);
  }
  std::erase_if(metadata,
                [](const auto& entry) { return entry.first == "format" || entry.first == "version"; });
}

using Values = std::map<std::string_view, Tensor>;

void check_names(const std::vector<NamedCell>& cells, const Values& values, std::string_view path) {
  std::vector<std::string_view> missing, unexpected;
  Values left = values;
  for (const NamedCell& named : cells) {
    if (left.erase(named.name) == 0) missing.push_back(named.name);
  }
  for (const auto& [name, value] : left) unexpected.push_back(name);
  if (missing.empty() && unexpected.empty()) return;
  std::string text;
  if (!missing.empty()) text = "it lacks " + listed(missing);
  if (!unexpected.empty())
    text += fmt::format("{}it has {}, which the module lacks", text.empty() ? "" : "; ", listed(unexpected));
  raise<ArgumentError>("[load] {} does not fit the module: {}", path, text);
}

}  // namespace

void detail::StateCollector::add(const CellRef& cell) {
  if (!seen_.insert(cell.id()).second) return;
  const std::string name = path_name();
  cells_.push_back({name.empty() ? "value" : name, cell});
}

void detail::save_state(const std::vector<NamedCell>& cells, std::string_view path, Metadata metadata) {
  for (const auto& [key, value] : metadata) {
    if (key == "format" || key == "version")
      raise<ArgumentError>("[save] the name '{}' of a text belongs to the format", key);
  }
  metadata.emplace_back("format", kFormat);
  metadata.emplace_back("version", kVersion);
  std::vector<NamedTensor> tensors;
  tensors.reserve(cells.size());
  for (const NamedCell& named : cells) tensors.push_back({named.name, named.cell.value()});
  save_tensors(path, tensors, metadata);
}

Metadata detail::load_state(const std::vector<NamedCell>& cells, std::string_view path) {
  TensorFile file = load_tensors(path);
  check_version(file.metadata, path);
  Values values;
  for (const NamedTensor& tensor : file.tensors) values.emplace(tensor.name, tensor.value);
  check_names(cells, values, path);
  for (const NamedCell& named : cells) {
    const Tensor& value = values.at(named.name);
    if (named.cell.fits(value)) continue;
    const Tensor held = named.cell.value();
    const std::string text = fmt::format("[load] '{}' of {} is {}, but {} in the module", named.name, path,
                                         describe(value), describe(held));
    if (value.dtype() != held.dtype()) throw DTypeError(text);
    throw ShapeError(text);
  }
  for (const NamedCell& named : cells) assign(named.cell, values.at(named.name));
  return std::move(file.metadata);
}

}  // namespace tapegrad::nn
