#pragma once

// Internal: the records of a CSV text (RFC 4180). Not installed.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tapegrad::nn {

class CsvRecords {
 public:
  // `path` is what errors name. Both are borrowed.
  CsvRecords(std::string_view path, std::string_view text);

  // What separates fields: given, or the most frequent of , ; and tabulator in the first line.
  void set_delimiter(char delimiter) { delimiter_ = delimiter; }

  // The fields of the next record that is not blank; false at the end. Throws FormatError.
  bool next(std::vector<std::string>& fields);

  // The line that the last record begins in, from 1.
  int64_t line() const { return line_; }
  // Throws the FormatError "PATH:LINE: WHAT" of the last record.
  [[noreturn]] void fail(std::string_view what) const;

 private:
  bool at_line_end() const { return at_ == text_.size() || text_[at_] == '\n' || text_[at_] == '\r'; }
  void skip_line_end();
  std::string quoted();

  std::string_view path_, text_;
  char delimiter_ = ',';
  size_t at_ = 0;
  size_t start_ = 0;  // of the last record
  int64_t line_ = 0, next_line_ = 1;
};

}  // namespace tapegrad::nn
