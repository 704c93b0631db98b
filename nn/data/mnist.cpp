#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>

#include "autograd/error.h"
#include "nn/data/idx.h"

namespace tapegrad::nn {
namespace {

constexpr int kClasses = 10;

std::string find_file(std::string_view folder, std::string_view name) {
  struct stat status = {};
  const std::string directory(folder);
  if (::stat(directory.c_str(), &status) != 0) {
    const int code = errno;
    throw IoError(fmt::format("{}: expected the folder with {} and others ({}, errno {})", folder, name,
                              std::strerror(code), code),
                  code);
  }
  if (!S_ISDIR(status.st_mode))
    throw IoError(fmt::format("{}: expected a folder, not a file (errno {})", folder, ENOTDIR), ENOTDIR);
  const std::string plain = fmt::format("{}/{}", folder, name);
  for (const std::string& path : {plain, plain + ".gz"}) {
    if (::stat(path.c_str(), &status) == 0 || errno != ENOENT) return path;
  }
  throw IoError(
      fmt::format("{}: expected this file, or the same with .gz; neither exists (errno {})", plain, ENOENT),
      ENOENT);
}

IdxData read_ranked(const std::string& path, int rank, std::string_view what) {
  IdxData data = read_idx(path);
  if (data.shape.rank() != rank) {
    throw FormatError(fmt::format("{}: bad rank at byte 3: expected {} for {}, got {}", path, rank, what,
                                  data.shape.rank()),
                      3);
  }
  return data;
}

Tensor to_images(const IdxData& data) {
  std::array<float, 256> scaled;
  for (size_t i = 0; i < scaled.size(); ++i) scaled[i] = static_cast<float>(i) / 255.0f;
  // Filled in place: a training set should not be held twice.
  const Shape shape{data.shape[0], data.shape[1] * data.shape[2]};
  detail::Body* body = detail::new_body(float32, {shape.begin(), shape.end()}, shape.numel());
  float* to = static_cast<float*>(body->data);
  for (size_t i = 0; i < data.bytes.size(); ++i) to[i] = scaled[data.bytes[i]];
  return Tensor::adopt(body);
}

Tensor to_labels(const IdxData& data, const std::string& path) {
  std::vector<int64_t> labels(data.bytes.begin(), data.bytes.end());
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < kClasses) continue;
    const auto offset = static_cast<int64_t>(8 + i);
    throw FormatError(fmt::format("{}: bad label at byte {}: expected 0 to {}, got {}", path, offset,
                                  kClasses - 1, labels[i]),
                      offset);
  }
  return from_vector(labels, data.shape);
}

}  // namespace

Dataset load_mnist(std::string_view folder, bool train) {
  const std::string_view half = train ? "train" : "t10k";
  const std::string image_path = find_file(folder, fmt::format("{}-images-idx3-ubyte", half));
  const std::string label_path = find_file(folder, fmt::format("{}-labels-idx1-ubyte", half));
  const IdxData labels = read_ranked(label_path, 1, "labels");
  const IdxData images = read_ranked(image_path, 3, "images");
  if (images.shape[0] != labels.shape[0]) {
    throw FormatError(
        fmt::format("{}: bad size at byte 4: expected {} labels, one for each image of {}, got {}",
                    label_path, images.shape[0], image_path, labels.shape[0]),
        4);
  }
  return {to_images(images), to_labels(labels, label_path)};
}

}  // namespace tapegrad::nn
