#include "nn/data/byte_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "autograd/error.h"

namespace tapegrad::nn {
namespace {

constexpr size_t kBufferBytes = 1 << 16;
constexpr uint64_t kMostInflation = 1032;

[[noreturn]] void raise_io(std::string_view path, std::string_view what, int code) {
  throw IoError(fmt::format("{}: {} ({}, errno {})", path, what, std::strerror(code), code), code);
}

}  // namespace

// A zlib stream in gzip mode.
struct ByteSource::Inflater {
  Inflater() {
    if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) throw ResourceError("no memory to inflate gzip data");
  }
  ~Inflater() { inflateEnd(&stream); }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  z_stream stream = {};
  bool in_member = true;  // false between the end of one gzip member and the start of the next
};

ByteSource::ByteSource(std::string_view path) : path_(path) {
  if (path_.find('\0') != std::string::npos) raise_io(path_.c_str(), "the path contains a zero byte", EINVAL);
  buffer_ = std::make_unique<uint8_t[]>(kBufferBytes);
  // Without O_NONBLOCK, opening a FIFO would wait for a writer.
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (descriptor_ < 0) raise_io(path_, "cannot open the file", errno);
  try {
    struct stat status = {};
    if (::fstat(descriptor_, &status) != 0) raise_io(path_, "cannot examine the file", errno);
    if (S_ISDIR(status.st_mode)) raise_io(path_, "expected a file", EISDIR);
    if (!S_ISREG(status.st_mode)) raise_io(path_, "expected a regular file, not a FIFO or device", ESPIPE);
    file_bytes_ = status.st_size;
    fill();
    compressed_ = end_ >= 2 && buffer_[0] == 0x1f && buffer_[1] == 0x8b;
    if (compressed_) inflater_ = std::make_unique<Inflater>();
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

ByteSource::~ByteSource() { ::close(descriptor_); }

// Refills the empty buffer and returns how many bytes came; 0 at the end of the file.
size_t ByteSource::fill() {
  begin_ = end_ = 0;
  while (end_ < kBufferBytes) {
    const ssize_t count = ::read(descriptor_, buffer_.get() + end_, kBufferBytes - end_);
    if (count == 0) break;
    if (count < 0) {
      if (errno == EINTR) continue;
      raise_io(path_, "cannot read the file", errno);
    }
    end_ += static_cast<size_t>(count);
    file_position_ += count;
  }
  return end_;
}

uint64_t ByteSource::most_bytes() const {
  const auto bytes = static_cast<uint64_t>(file_bytes_);
  return compressed_ ? bytes * kMostInflation : bytes;
}

size_t ByteSource::read(uint8_t* to, size_t count) {
  if (compressed_) return read_compressed(to, count);
  size_t done = 0;
  while (done < count) {
    if (begin_ == end_ && fill() == 0) break;
    const size_t part = std::min(count - done, end_ - begin_);
    std::memcpy(to + done, buffer_.get() + begin_, part);
    begin_ += part;
    done += part;
  }
  return done;
}

size_t ByteSource::read_compressed(uint8_t* to, size_t count) {
  z_stream& stream = inflater_->stream;
  size_t done = 0;
  while (done < count) {
    if (begin_ == end_ && fill() == 0) {
      if (inflater_->in_member) fail_gzip("truncated", "expected more gzip data");
      break;
    }
    if (!inflater_->in_member) {
      if (buffer_[begin_] != 0x1f)
        fail_gzip("trailing bytes", "expected the file to end after the gzip data");
      inflateReset(&stream);
      inflater_->in_member = true;
    }
    const size_t room = std::min<size_t>(count - done, 1u << 30);
    stream.next_in = buffer_.get() + begin_;
    stream.avail_in = static_cast<uInt>(end_ - begin_);
    stream.next_out = to + done;
    stream.avail_out = static_cast<uInt>(room);
    const int status = inflate(&stream, Z_NO_FLUSH);
    begin_ = end_ - stream.avail_in;
    done += room - stream.avail_out;
    if (status == Z_STREAM_END) {
      inflater_->in_member = false;
    } else if (status == Z_MEM_ERROR) {
      throw ResourceError("no memory to inflate gzip data");
    } else if (status != Z_OK && status != Z_BUF_ERROR) {
      fail_gzip("corrupt gzip data", fmt::format("expected valid data, zlib says {}",
                                                 stream.msg != nullptr ? stream.msg : "nothing more"));
    }
  }
  return done;
}

void ByteSource::fail(std::string_view what, int64_t offset, std::string_view expected) const {
  throw FormatError(fmt::format("{}: {} at byte {}{}: {}", path_, what, offset,
                                compressed_ ? " of the uncompressed data" : "", expected),
                    offset);
}

void ByteSource::fail_gzip(std::string_view what, std::string_view expected) const {
  const int64_t offset = file_position_ - static_cast<int64_t>(end_ - begin_);
  throw FormatError(fmt::format("{}: {} at byte {} of {}: {}", path_, what, offset, file_bytes_, expected),
                    offset);
}

}  // namespace tapegrad::nn
