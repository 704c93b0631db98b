#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "autograd/export.h"
#include "autograd/shape.h"
#include "nn/data/dataset.h"

namespace tapegrad::nn {

// The content of an IDX file of unsigned bytes: its elements, row-major, and their shape.
struct IdxData {
  std::vector<uint8_t> bytes;
  Shape shape;
};

// Reads an IDX file (the format of MNIST: two zero bytes, 0x08 for unsigned bytes, the rank, each size as a
// big-endian 32-bit number, then the elements), plain or gzip, told apart by content. Memory beyond a small
// buffer is only taken as far as the file's own length bears it out. Throws IoError (path and errno) when the
// file is missing, unreadable, or no regular file, and FormatError (path, byte offset, what was expected)
// when it is truncated, corrupt, followed by more bytes, or no IDX file of bytes.
TAPEGRAD_API IdxData read_idx(std::string_view path);

// Reads the training or the test half of a data set laid out like MNIST: {train,t10k}-images-idx3-ubyte and
// …-labels-idx1-ubyte in one folder, each plain or with .gz (plain wins). Inputs are float32 [n,
// rows·columns] from 0 to 1, targets int64 [n] from 0 to 9. Throws the errors of read_idx, and FormatError
// when ranks or counts do not fit or a label is above 9.
TAPEGRAD_API Dataset load_mnist(std::string_view folder, bool train);

}  // namespace tapegrad::nn
