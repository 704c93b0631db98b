#pragma once

// Internal: reads a file from front to back, inflating it when it is gzip. Not installed.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tapegrad::nn {

// The bytes of one regular file in order, decompressed when the file begins like gzip. Holds one small
// buffer, whatever the size of the file.
class ByteSource {
 public:
  // Throws IoError when the file cannot be opened or is no regular file; never waits on a FIFO or a device.
  explicit ByteSource(std::string_view path);
  ~ByteSource();

  // Up to `count` of the next bytes; fewer only at the end. Throws IoError when reading fails, and
  // FormatError when gzip data is truncated, corrupt, or followed by bytes that are no gzip.
  size_t read(uint8_t* to, size_t count);

  bool compressed() const { return compressed_; }
  // The size of the file.
  int64_t file_bytes() const { return file_bytes_; }
  // No more than this many bytes can come out: the size of a plain file, and 1032 times that of a gzip file,
  // the most that deflate can pack (258 bytes in 2 bits).
  uint64_t most_bytes() const;

  // Throws a FormatError "PATH: WHAT at byte OFFSET: EXPECTED"; the offset counts the bytes that read()
  // returns.
  [[noreturn]] void fail(std::string_view what, int64_t offset, std::string_view expected) const;

 private:
  struct Inflater;

  size_t fill();
  size_t read_compressed(uint8_t* to, size_t count);
  [[noreturn]] void fail_gzip(std::string_view what, std::string_view expected) const;

  std::string path_;
  int descriptor_ = -1;
  int64_t file_bytes_ = 0;
  int64_t file_position_ = 0;  // of the next byte behind the buffer
  bool compressed_ = false;
  std::unique_ptr<uint8_t[]> buffer_;
  size_t begin_ = 0, end_ = 0;  // what the buffer holds
  std::unique_ptr<Inflater> inflater_;
};

}  // namespace tapegrad::nn
