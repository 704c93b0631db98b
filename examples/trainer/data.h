#pragma once

#include <string>
#include <vector>

#include "examples/trainer/options.h"
#include "nn/nn.h"

namespace trainer {

// Samples to learn and to be tested with.
struct Data {
  std::string name = {};                  // for people: the data set, or the path
  tapegrad::nn::Dataset train = {};       // images [n, numbers per sample], labels [n]
  tapegrad::nn::Dataset validation = {};  // as many as the options ask for, else empty
  tapegrad::nn::Dataset test = {};
  std::vector<std::string> classes = {};  // their names
  int64_t height = 0, width = 0;          // of a sample that is a picture; 0 for others

  int64_t inputs() const { return train.inputs.size(1); }
  // What the training is watched by: the validation samples, or those of the test.
  const tapegrad::nn::Dataset& held_out() const { return validation.targets.defined() ? validation : test; }
  const char* held_out_name() const { return validation.targets.defined() ? "validation" : "test"; }
};

std::vector<std::string> dataset_names();

// Loads or makes the samples that the options name. Throws what reading files throws, and
// tapegrad::ArgumentError where too few samples are left.
Data load_data(const Options& options);

}  // namespace trainer
