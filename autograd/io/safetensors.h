#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/export.h"
#include "autograd/tensor.h"

// Tensors by name in a file: the public format safetensors (github.com/huggingface/safetensors), which
// PyTorch, JAX and others read and write. Eight bytes of length, a header in JSON that says dtype, shape and
// place of each tensor, then the elements, little-endian.

namespace tapegrad {

struct NamedTensor {
  std::string name;
  Tensor value;
};

// Texts that go with the tensors.
using Metadata = std::vector<std::pair<std::string, std::string>>;

struct TensorFile {
  std::vector<NamedTensor> tensors;  // in the order of their elements
  Metadata metadata;                 // sorted by the names
};

// Writes the file under another name beside it and then renames it, so that a failure leaves what was there.
// Throws IoError, and ArgumentError for a name that comes twice or is "__metadata__", or an undefined tensor.
TAPEGRAD_API void save_tensors(std::string_view path, std::span<const NamedTensor> tensors,
                               const Metadata& metadata = {});

// Throws IoError when the file cannot be read, and FormatError when it is no such file, truncated, has more
// bytes than its header speaks of, or a dtype other than F32, F64, I64 and BOOL. The offset of a fault within
// the header counts from the header's first byte.
TAPEGRAD_API TensorFile load_tensors(std::string_view path);

}  // namespace tapegrad
