#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "nn/data/dataset.h"

namespace tapegrad::nn {

struct CsvOptions {
  // The column to predict: its name, or its number from 0 (negative: from the end).
  std::string label = "-1";
  // Its values are numbers, and targets float32 [n]; else they are classes, and targets int64 [n].
  bool regression = false;
  // The classes in their order, as a training set had them; empty: those that occur, sorted (as numbers where
  // all are whole numbers).
  std::vector<std::string> classes = {};
  // Whether the first line has names; absent: it has, if a field of it besides the label is no number or the
  // label is given by name.
  std::optional<bool> header = {};
  // Absent: the most frequent of comma, semicolon and tabulator in the first line.
  std::optional<char> delimiter = {};
};

struct CsvData {
  Dataset data;                       // inputs float32 [n, features]
  std::vector<std::string> features;  // the names of the other columns, or their numbers
  std::string label;
  std::vector<std::string> classes;  // what each class is called; empty with regression
};

// Reads a table of numbers, plain or gzip, in the format of RFC 4180: fields may be quoted, blank lines are
// passed over. Throws IoError when the file cannot be read; FormatError naming the line and the column for a
// field that is no finite number or missing, a line with another number of fields, or a quote that does not
// end; ArgumentError for a label that there is not, suggesting the nearest.
TAPEGRAD_API CsvData read_csv(std::string_view path, const CsvOptions& options = {});

}  // namespace tapegrad::nn
