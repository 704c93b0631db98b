#pragma once

#include <string>
#include <string_view>

namespace trainer {

// The folder that --out names. A file in it is written whole or not at all: under another name first, which
// takes the file's place when everything is on disk.
class OutputFolder {
 public:
  // Makes the folder if it is missing. Throws tapegrad::IoError, also where nothing can be written into it.
  explicit OutputFolder(std::string path);

  // Throws tapegrad::IoError and leaves the file as it was.
  void write(std::string_view name, std::string_view text) const;
  // Takes the file away if it is there.
  void remove(std::string_view name) const;

  const std::string& path() const { return path_; }
  std::string path(std::string_view name) const;

 private:
  std::string path_;
};

// Throws tapegrad::IoError unless a file of that name can be written, as far as its folder tells: a training
// should not be found to have nowhere to go when it is over.
void check_destination(const std::string& file);

// The file's bytes, or nothing when it cannot be read.
std::string read_file(const std::string& path);

}  // namespace trainer
