#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>

namespace trainer {

// What one epoch brought.
struct Epoch {
  int64_t number;  // from 1
  double train_loss, test_loss;
  double test_accuracy;  // from 0 to 1
  double learning_rate;  // of its first step
  double seconds;        // since the training began
};

// history.csv in a folder: a header, then one line per epoch, each in the file as soon as it is known.
class History {
 public:
  // Makes the folder if it is missing and starts the file anew. Throws tapegrad::IoError.
  explicit History(const std::string& folder);
  // Throws tapegrad::IoError when the line cannot be written.
  void append(const Epoch& epoch);
  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void write(const std::string& line);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
};

}  // namespace trainer
