#include "examples/trainer/data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace trainer {

using namespace tapegrad;

namespace {

constexpr const char* kFashionMnist = "/usr/share/datasets/fashion-mnist";
constexpr double kTestPart = 0.2;  // of the sets that have no test half of their own
constexpr int64_t kPoints = 2000;
constexpr int64_t kSpiralArms = 3;

nn::Dataset first(const nn::Dataset& data, int64_t limit) {
  if (limit == 0 || limit >= data.size()) return data;
  return {slice(data.inputs, 0, 0, limit), slice(data.targets, 0, 0, limit)};
}

std::vector<std::string> numbered(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::to_string(i));
  return names;
}

Data idx_folder(const std::string& folder) {
  Data data{.name = folder, .train = nn::load_mnist(folder, true), .test = nn::load_mnist(folder, false)};
  const int64_t pixels = data.inputs();
  if (data.test.inputs.size(1) != pixels) {
    throw FormatError(fmt::format("{}: {} pixels in training images but {} in test images", folder, pixels,
                                  data.test.inputs.size(1)),
                      8);
  }
  const auto side = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(pixels))));
  if (side * side == pixels) data.height = data.width = side;
  data.classes = numbered(10);
  return data;
}

// A set without a test half.
Data split(std::string name, const nn::Dataset& all, std::vector<std::string> classes, uint64_t seed) {
  Rng rng{seed};
  const nn::Split parts = nn::train_test_split(all, kTestPart, rng);
  return {.name = std::move(name), .train = parts.train, .test = parts.test, .classes = std::move(classes)};
}

struct Source {
  const char* name;
  Data (*load)(const Options& options);
};
constexpr Source kSources[] = {
    {"fashion_mnist",
     [](const Options&) {
       Data data = idx_folder(kFashionMnist);
       data.name = "fashion_mnist";
       data.classes = {"T-shirt", "trouser", "pullover", "dress", "coat",
                       "sandal",  "shirt",   "sneaker",  "bag",   "boot"};
       return data;
     }},
    {"moons",
     [](const Options& options) {
       Rng rng{options.seed};
       return split("moons", nn::moons(kPoints, rng), {"upper", "lower"}, options.seed);
     }},
    {"spiral",
     [](const Options& options) {
       Rng rng{options.seed};
       return split("spiral", nn::spiral(kPoints, rng, kSpiralArms), numbered(kSpiralArms), options.seed);
     }},
};

Data csv_file(const Options& options) {
  nn::CsvData table = nn::read_csv(options.data);
  if (table.classes.size() < 2) {
    throw FormatError(fmt::format("{}: expected at least two classes in column '{}', found {}", options.data,
                                  table.label, table.classes.size()),
                      0);
  }
  return split(options.data, table.data, table.classes, options.seed);
}

// Brings the inputs of tables and points to mean 0 and deviation 1 over the training samples. Pictures are
// from 0 to 1 already.
void normalize(Data& data) {
  const nn::Normalize normal(data.train.inputs);
  for (nn::Dataset* part : {&data.train, &data.validation, &data.test}) {
    if (part->inputs.defined()) part->inputs = normal(part->inputs);
  }
}

}  // namespace

std::vector<std::string> dataset_names() {
  std::vector<std::string> names;
  for (const Source& source : kSources) names.emplace_back(source.name);
  return names;
}

Data load_data(const Options& options) {
  Data data;
  if (options.data.empty()) {
    data = std::find_if(std::begin(kSources), std::end(kSources), [&](const Source& s) {
             return s.name == options.dataset;
           })->load(options);
  } else if (std::error_code error; std::filesystem::is_regular_file(options.data, error)) {
    data = csv_file(options);
  } else {
    data = idx_folder(options.data);
  }
  data.train = first(data.train, options.limit);
  data.test = first(data.test, options.limit);
  for (const nn::Dataset* part : {&data.train, &data.test}) {
    if (part->size() == 0) throw FormatError(fmt::format("{}: expected at least one sample", data.name), 4);
  }
  const double held_out = options.held_out();
  if (held_out > 0) {
    Rng rng{options.seed};
    const nn::Split parts = nn::train_test_split(data.train, held_out, rng);
    data.train = parts.train;
    data.validation = parts.test;
  }
  if (data.height == 0) normalize(data);
  for (nn::Dataset* part : {&data.train, &data.validation, &data.test}) {
    if (part->inputs.defined()) part->inputs = cast(part->inputs, options.dtype);
  }
  return data;
}

}  // namespace trainer
