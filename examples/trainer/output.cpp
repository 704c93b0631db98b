#include "examples/trainer/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "autograd/error.h"

namespace trainer {
namespace {

[[noreturn]] void fail(const std::string& path, std::string_view what, int code) {
  throw tapegrad::IoError(fmt::format("{}: {} ({}, errno {})", path, what, std::strerror(code), code), code);
}

// Returns 0 or an errno.
int write_new(const std::string& path, std::string_view text) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (file < 0) return errno;
  int code = 0;
  while (!text.empty() && code == 0) {
    const ssize_t count = ::write(file, text.data(), text.size());
    if (count >= 0) {
      text.remove_prefix(static_cast<size_t>(count));
    } else if (errno != EINTR) {
      code = errno;
    }
  }
  // What a full disk refuses may come to light only now.
  if (::fsync(file) != 0 && code == 0 && errno != EINVAL) code = errno;
  if (::close(file) != 0 && code == 0) code = errno;
  return code;
}

}  // namespace

void write_file(const std::string& path, std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, ::getpid());
  int code = write_new(temporary, text);
  if (code == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) code = errno;
  if (code == 0) return;
  (void)::unlink(temporary.c_str());
  fail(path, "cannot write the file", code);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

OutputFolder::OutputFolder(std::string path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) fail(path_, "cannot make the output folder", error.value());
  if (!std::filesystem::is_directory(path_, error)) fail(path_, "is not a folder", ENOTDIR);
  if (::access(path_.c_str(), W_OK | X_OK) != 0) fail(path_, "cannot write into the output folder", errno);
}

std::string OutputFolder::path(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

void OutputFolder::write(std::string_view name, std::string_view text) const { write_file(path(name), text); }

void OutputFolder::remove(std::string_view name) const { (void)::unlink(path(name).c_str()); }

}  // namespace trainer
