#include "autograd/io/lines.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "autograd/raise.h"

namespace tapegrad::io {
namespace {

constexpr size_t kBufferBytes = 1 << 16;

[[noreturn]] void fail(std::string_view path, std::string_view what, int code) {
  throw IoError(fmt::format("{}: {} ({}, errno {})", path, what, std::strerror(code), code), code);
}

std::string checked(std::string_view path) {
  if (path.find('\0') != path.npos)
    fail(path.substr(0, path.find('\0')), "the path contains a zero byte", EINVAL);
  return std::string(path);
}

// A regular file to read.
int open_file(const std::string& path) {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) fail(path, "cannot open the file", errno);
  struct stat status = {};
  const char* what = nullptr;
  int code = 0;
  if (::fstat(descriptor, &status) != 0) {
    what = "cannot examine the file";
    code = errno;
  } else if (S_ISDIR(status.st_mode)) {
    what = "expected a file";
    code = EISDIR;
  } else if (!S_ISREG(status.st_mode)) {
    what = "expected a regular file, not a FIFO or device";
    code = ESPIPE;
  }
  if (what == nullptr) return descriptor;
  ::close(descriptor);
  fail(path, what, code);
}

// Bytes that came, 0 at the end of the file.
size_t read_some(int descriptor, const std::string& path, char* to, size_t most) {
  ssize_t count;
  do {
    count = ::read(descriptor, to, most);
  } while (count < 0 && errno == EINTR);
  if (count < 0) fail(path, "cannot read the file", errno);
  return static_cast<size_t>(count);
}

}  // namespace

LineReader::LineReader(std::string_view path)
    : path_(checked(path)), descriptor_(open_file(path_)), buffer_(kBufferBytes) {}

LineReader::~LineReader() { ::close(descriptor_); }

bool LineReader::fill() {
  begin_ = end_ = 0;
  end_ = read_some(descriptor_, path_, buffer_.data(), buffer_.size());
  return end_ > 0;
}

bool LineReader::next(std::string& line) {
  line.clear();
  offset_ = consumed_;
  bool any = false;
  while (begin_ < end_ || fill()) {
    if (!any) ++number_;
    any = true;
    const char* from = buffer_.data() + begin_;
    const char* to = std::find(from, static_cast<const char*>(buffer_.data() + end_), '\n');
    line.append(from, to);
    const bool ended = to != buffer_.data() + end_;
    const auto taken = static_cast<size_t>(to - from) + (ended ? 1 : 0);
    begin_ += taken;
    consumed_ += static_cast<int64_t>(taken);
    if (ended) break;
  }
  return any;
}

std::string read_file(std::string_view path) {
  struct Descriptor {
    int number;
    ~Descriptor() { ::close(number); }
  };
  const std::string from = checked(path);
  const Descriptor file{open_file(from)};
  struct stat status = {};
  if (::fstat(file.number, &status) != 0) fail(from, "cannot examine the file", errno);
  std::string text(static_cast<size_t>(status.st_size) + 1, '\0');  // one more, to see the end at once
  size_t size = 0;
  while (const size_t count = read_some(file.number, from, text.data() + size, text.size() - size)) {
    size += count;
    if (size == text.size()) text.resize(2 * size);
  }
  text.resize(size);
  return text;
}

void write_file(std::string_view path, std::string_view text) {
  const std::string to = checked(path);
  const std::string beside = fmt::format("{}.tmp.{}", to, ::getpid());
  const int file = ::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0) fail(beside, "cannot create the file", errno);
  int code = 0;
  while (!text.empty() && code == 0) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count >= 0) text.remove_prefix(static_cast<size_t>(count));
    else if (errno != EINTR) code = errno;
  }
  // What a full disk refuses may come to light only now.
  if (::fsync(file) != 0 && code == 0 && errno != EINVAL) code = errno;
  if (::close(file) != 0 && code == 0) code = errno;
  if (code == 0 && std::rename(beside.c_str(), to.c_str()) != 0) code = errno;
  if (code == 0) return;
  ::unlink(beside.c_str());
  fail(to, "cannot write the file", code);
}

}  // namespace tapegrad::io
