#pragma once

#include <cstdint>
#include <string>

#include "examples/trainer/output.h"

namespace trainer {

// What one epoch brought. The held-out samples are those of --validation, else the test set.
struct Epoch {
  int64_t number;  // from 1
  double train_loss, held_out_loss;
  double accuracy;       // of the held-out samples, from 0 to 1
  double learning_rate;  // of its first step
  double seconds;        // since the training began
};

// history.csv in the output folder: a header, then one line per epoch, in the file as soon as it is known.
class History {
 public:
  // Starts the file anew. Throws tapegrad::IoError.
  explicit History(const OutputFolder& out);
  // Throws tapegrad::IoError when the line cannot be written; the file keeps the lines before.
  void append(const Epoch& epoch);

 private:
  const OutputFolder& out_;
  std::string text_;
};

}  // namespace trainer
