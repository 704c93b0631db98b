#pragma once

// The source files that documentation is made from and written to, by their paths in the repository.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace tapegrad::docs {

// The pages with generated tables.
inline constexpr const char* kPages[] = {"autograd/README.md", "nn/README.md", "optim/README.md"};

inline std::filesystem::path source_path(const std::string& name) {
  return std::filesystem::path(TAPEGRAD_SOURCE_DIR) / name;
}

inline std::string read_file(const std::string& name) {
  std::ifstream file(source_path(name), std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + source_path(name).string());
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void write_file(const std::string& name, const std::string& text) {
  std::ofstream file(source_path(name), std::ios::binary);
  file << text;
  if (!file.flush()) throw std::runtime_error("cannot write " + source_path(name).string());
}

// The headers that declare functions of tensors, and schedules.
inline std::string public_headers() {
  return read_file("autograd/ops.h") + read_file("autograd/parameter.h") + read_file("optim/schedule.h") +
         read_file("optim/schedules.h");
}

}  // namespace tapegrad::docs
