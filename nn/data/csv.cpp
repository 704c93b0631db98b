#include "nn/data/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <set>

#include "nn/data/byte_source.h"
#include "nn/data/csv_records.h"
#include "nn/names.h"

namespace tapegrad::nn {
namespace {

using Fields = std::vector<std::string>;

std::string read_text(std::string_view path) {
  constexpr size_t kPart = 1 << 20;
  ByteSource source(path);
  std::string text;
  for (size_t got = kPart; got == kPart;) {
    const size_t before = text.size();
    text.resize(before + kPart);
    got = source.read(reinterpret_cast<uint8_t*>(text.data()) + before, kPart);
    text.resize(before + got);
  }
  return text;
}

template <class T>
bool parse(std::string_view text, T& value) {
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

std::string shown(std::string_view field) {
  constexpr size_t kMost = 40;
  return field.empty() ? "nothing"
                       : fmt::format("'{}{}'", field.substr(0, kMost), field.size() > kMost ? "…" : "");
}

// A table being read: its columns, and which of them is the label.
struct Columns {
  Fields names;
  size_t label = 0;
};

float number(const CsvRecords& records, const std::string& field, const std::string& column) {
  double value = 0;
  if (!parse(field, value) || !std::isfinite(value))
    records.fail(fmt::format("column '{}': expected a finite number, given {}", column, shown(field)));
  return static_cast<float>(value);
}

size_t find_label(const std::string& label, const Fields& names) {
  const auto found = std::find(names.begin(), names.end(), label);
  if (found != names.end()) return static_cast<size_t>(found - names.begin());
  const auto count = static_cast<int64_t>(names.size());
  int64_t number = 0;
  if (!parse(label, number))
    raise_unknown("read_csv", "column", label, names,
                  [](const std::string& name) -> std::string_view { return name; });
  if (number < -count || number >= count) {
    raise<ArgumentError>("[read_csv] expected a label column from {} to {}, given {}", -count, count - 1,
                         number);
  }
  return static_cast<size_t>(number < 0 ? number + count : number);
}

// Whether the first record holds names: asked only where the options do not say.
bool looks_like_names(const Fields& first, const CsvOptions& options) {
  int64_t place = 0;
  if (!parse(options.label, place)) return true;
  const auto count = static_cast<int64_t>(first.size());
  if (place < 0) place += count;
  for (int64_t i = 0; i < count; ++i) {
    double value = 0;
    if (i != place && !parse(first[static_cast<size_t>(i)], value)) return true;
  }
  return false;
}

Columns columns_of(const CsvRecords& records, const Fields& first, bool header, const std::string& label) {
  Columns columns;
  for (size_t i = 0; i < first.size(); ++i) {
    const std::string name = header ? first[i] : std::to_string(i);
    if (std::find(columns.names.begin(), columns.names.end(), name) != columns.names.end())
      records.fail(fmt::format("expected different names of columns, given '{}' twice", name));
    columns.names.push_back(name);
  }
  if (first.size() < 2) records.fail("expected at least two columns, a feature and the label, given one");
  columns.label = find_label(label, columns.names);
  return columns;
}

using Places = std::map<std::string_view, int64_t>;
Places places_of(const Fields& classes) {
  Places places;
  for (const std::string& name : classes) places.emplace(name, static_cast<int64_t>(places.size()));
  return places;
}

// The classes that occur, in order.
Fields sorted_classes(const Fields& labels) {
  const std::set<std::string> distinct(labels.begin(), labels.end());
  Fields classes(distinct.begin(), distinct.end());
  const auto whole = [](const std::string& text) {
    int64_t value = 0;
    return parse(text, value);
  };
  if (!std::all_of(classes.begin(), classes.end(), whole)) return classes;
  std::stable_sort(classes.begin(), classes.end(), [](const std::string& a, const std::string& b) {
    int64_t x = 0, y = 0;
    parse(a, x);
    parse(b, y);
    return x < y;
  });
  return classes;
}

}  // namespace

CsvData read_csv(std::string_view path, const CsvOptions& options) {
  const std::string text = read_text(path);
  CsvRecords records(path, text);
  if (options.delimiter) records.set_delimiter(*options.delimiter);
  Fields fields;
  if (!records.next(fields))
    throw FormatError(fmt::format("{}: expected a table, given an empty file", path), 0);
  const bool header = options.header ? *options.header : looks_like_names(fields, options);
  const Columns columns = columns_of(records, fields, header, options.label);
  CsvData result;
  result.label = columns.names[columns.label];
  for (size_t i = 0; i < columns.names.size(); ++i) {
    if (i != columns.label) result.features.push_back(columns.names[i]);
  }

  const Places known = places_of(options.classes);
  std::vector<float> inputs, numbers;
  Fields labels;
  bool any = !header || records.next(fields);
  for (; any; any = records.next(fields)) {
    if (fields.size() != columns.names.size())
      records.fail(fmt::format("expected {} fields, given {}", columns.names.size(), fields.size()));
    for (size_t i = 0; i < fields.size(); ++i) {
      if (i != columns.label) {
        inputs.push_back(number(records, fields[i], columns.names[i]));
      } else if (options.regression) {
        numbers.push_back(number(records, fields[i], columns.names[i]));
      } else {
        if (fields[i].empty())
          records.fail(fmt::format("column '{}': expected a class, given nothing", columns.names[i]));
        if (!known.empty() && !known.contains(fields[i])) {
          records.fail(fmt::format("column '{}': expected one of {} known classes, given {}",
                                   columns.names[i], known.size(), shown(fields[i])));
        }
        labels.push_back(fields[i]);
      }
    }
  }

  const auto rows = static_cast<int64_t>(options.regression ? numbers.size() : labels.size());
  if (rows == 0) records.fail("expected at least one line of numbers, given only names");
  result.data.inputs = from_vector(inputs, {rows, static_cast<int64_t>(result.features.size())});
  if (options.regression) {
    result.data.targets = from_vector(numbers, {rows});
    return result;
  }
  result.classes = options.classes.empty() ? sorted_classes(labels) : options.classes;
  const Places places = places_of(result.classes);
  std::vector<int64_t> targets;
  for (const std::string& label : labels) targets.push_back(places.at(label));
  result.data.targets = from_vector(targets, {rows});
  return result;
}

}  // namespace tapegrad::nn
