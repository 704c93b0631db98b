#include "examples/trainer/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "autograd/error.h"
#include "autograd/io/lines.h"

namespace trainer {
namespace {

[[noreturn]] void fail(const std::string& path, std::string_view what, int code) {
  throw tapegrad::IoError(fmt::format("{}: {} ({}, errno {})", path, what, std::strerror(code), code), code);
}

}  // namespace

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void check_destination(const std::string& file) {
  const std::filesystem::path path(file);
  const std::string folder = path.has_parent_path() ? path.parent_path().string() : ".";
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) fail(file, "cannot write the file", EISDIR);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) fail(file, "cannot write the file", errno);
  if (!std::filesystem::is_directory(folder, error)) fail(file, "cannot write the file", ENOTDIR);
}

OutputFolder::OutputFolder(std::string path) : path_(std::move(path)) {
  std::error_code error;
  std::filesystem::create_directories(path_, error);
  if (error) fail(path_, "cannot make the output folder", error.value());
  if (!std::filesystem::is_directory(path_, error)) fail(path_, "is not a folder", ENOTDIR);
  if (::access(path_.c_str(), W_OK | X_OK) != 0) fail(path_, "cannot write into the output folder", errno);
}

std::string OutputFolder::path(std::string_view name) const { return fmt::format("{}/{}", path_, name); }

void OutputFolder::write(std::string_view name, std::string_view text) const {
  tapegrad::io::write_file(path(name), text);
}

void OutputFolder::remove(std::string_view name) const { (void)::unlink(path(name).c_str()); }

}  // namespace trainer
