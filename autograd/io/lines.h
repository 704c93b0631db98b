#pragma once

// Files line by line and as a whole. Internal, not installed.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/export.h"

namespace tapegrad::io {

// Reads a regular file; its memory grows with the longest line.
class LineReader {
 public:
  // Throws IoError, also for a folder, FIFO or device.
  explicit LineReader(std::string_view path);
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its end; false after the last. Throws IoError.
  bool next(std::string& line);

  const std::string& path() const { return path_; }
  int number() const { return number_; }      // of the line last read, from 1
  int64_t offset() const { return offset_; }  // of its first byte in the file

 private:
  bool fill();

  std::string path_;
  int descriptor_ = -1;
  std::vector<char> buffer_;
  size_t begin_ = 0, end_ = 0;  // what is left of the buffer
  int64_t consumed_ = 0;
  int number_ = 0;
  int64_t offset_ = 0;
};

// The bytes of a regular file. Throws IoError, also for a folder, FIFO or device.
std::string read_file(std::string_view path);

// Writes the file under another name beside it and then renames it, so that a failure leaves what was there.
// It is on disk by then. Throws IoError.
TAPEGRAD_API void write_file(std::string_view path, std::string_view text);

}  // namespace tapegrad::io
