#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "nn/nn.h"

namespace trainer {

// How the learning rate goes on: down to 0 in equal steps over the whole training, or not at all.
enum class Decay : uint8_t { linear, none };

// What the command line of the trainer asks for.
struct Options {
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string out = "runs/fashion_mnist";
  std::vector<int64_t> layers = {256, 128};  // sizes of the hidden layers
  tapegrad::nn::Activation activation = tapegrad::nn::relu;
  tapegrad::nn::Initializer init = tapegrad::nn::kaiming_uniform;
  double lr = 0.05;
  Decay decay = Decay::linear;
  double momentum = 0.9;
  int64_t batch = 128;
  int64_t epochs = 12;
  uint64_t seed = 1;
  int64_t threads = 0;  // 0: what the library starts with
  int64_t limit = 0;    // 0: every sample
};

// Reads the command line. Prints the help, or one line to the error output that says which option is wrong
// and what was expected; `status` is then the exit status, 0 or 2, and nothing is returned.
std::optional<Options> parse_options(int argc, char** argv, int& status);

}  // namespace trainer
