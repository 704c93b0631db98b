#include "nn/data/csv_records.h"

#include <fmt/format.h>

#include <algorithm>

#include "autograd/error.h"

namespace tapegrad::nn {

CsvRecords::CsvRecords(std::string_view path, std::string_view text) : path_(path), text_(text) {
  if (text_.starts_with("\xEF\xBB\xBF")) text_.remove_prefix(3);
  const std::string_view first = text_.substr(0, text_.find('\n'));
  int64_t most = 0;
  for (char c : {',', ';', '\t'}) {
    const int64_t count = std::count(first.begin(), first.end(), c);
    if (count > most) {
      most = count;
      delimiter_ = c;
    }
  }
}

void CsvRecords::fail(std::string_view what) const {
  throw FormatError(fmt::format("{}:{}: {}", path_, line_, what), static_cast<int64_t>(start_));
}

void CsvRecords::skip_line_end() {
  if (at_ < text_.size() && text_[at_] == '\r') ++at_;
  if (at_ < text_.size() && text_[at_] == '\n') ++at_;
  ++next_line_;
}

// From behind the opening quote to behind the closing one.
std::string CsvRecords::quoted() {
  std::string field;
  for (++at_;; ++at_) {
    if (at_ == text_.size()) fail("expected a quote that ends the field, given the end of the file");
    if (text_[at_] == '"') {
      ++at_;
      if (at_ == text_.size() || text_[at_] != '"') break;
    } else if (text_[at_] == '\n') {
      ++next_line_;
    }
    field += text_[at_];
  }
  if (!at_line_end() && text_[at_] != delimiter_)
    fail(fmt::format("expected '{}' or the end of the line after a quoted field, given '{}'", delimiter_,
                     text_[at_]));
  return field;
}

bool CsvRecords::next(std::vector<std::string>& fields) {
  fields.clear();
  while (at_ < text_.size() && at_line_end()) skip_line_end();
  if (at_ == text_.size()) return false;
  start_ = at_;
  line_ = next_line_;
  for (;;) {
    if (!at_line_end() && text_[at_] == '"') {
      fields.push_back(quoted());
    } else {
      const size_t begin = at_;
      while (!at_line_end() && text_[at_] != delimiter_) ++at_;
      std::string_view field = text_.substr(begin, at_ - begin);
      while (!field.empty() && field.front() == ' ') field.remove_prefix(1);
      while (!field.empty() && field.back() == ' ') field.remove_suffix(1);
      fields.emplace_back(field);
    }
    if (at_line_end()) break;
    ++at_;  // the delimiter
  }
  skip_line_end();
  return true;
}

}  // namespace tapegrad::nn
