#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/nn.h"

namespace trainer {

// What the command line of the trainer asks for. Each is described where it is read, in options.cpp.
struct Options {
  // data
  std::string dataset = "fashion_mnist";
  std::string data;  // empty: where the data set's package puts it
  double validation = 0;
  int64_t limit = 0;  // 0: every sample

  // net
  std::vector<int64_t> layers = {256, 128};  // sizes of the hidden layers
  tapegrad::nn::Activation activation = tapegrad::nn::relu;
  tapegrad::nn::Initializer init = tapegrad::nn::kaiming_uniform;
  tapegrad::DType dtype = tapegrad::float32;
  std::string load;

  // training
  std::string optimizer = "sgd";
  double lr = 0;                                 // 0: the optimiser's own
  std::optional<double> momentum, weight_decay;  // absent: the optimiser's own
  std::string schedule = "one_cycle";
  double warmup = 0;
  double label_smoothing = 0.1;
  double clip = 0;  // 0: none
  int64_t batch = 128;
  int64_t epochs = 20;
  int64_t patience = 0;  // 0: never stop early
  uint64_t seed = 1;

  // running
  int64_t threads = 0;  // 0: what the library starts with
  bool program = true;
  bool fuse_updates = false;
  bool verify = true;

  // what comes out
  std::string out = "runs/train";
  std::string save;
  bool pictures = true;
  bool profile = false;
  bool quiet = false;
  bool json = false;

  // The part of the training samples to hold out: what the training goes by must not be the test.
  double held_out() const {
    return validation > 0 ? validation : patience > 0 || schedule == "plateau" ? 0.1 : 0;
  }
};

// Reads the command line. Prints the help, or one line to the error output that says which option is wrong
// and what was expected; `status` is then the exit status, 0 or 2, and nothing is returned.
std::optional<Options> parse_options(int argc, char** argv, int& status);

}  // namespace trainer
