#include "nn/data/idx.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <new>
#include <span>
#include <string>

#include "autograd/error.h"
#include "nn/data/byte_source.h"

namespace tapegrad::nn {
namespace {

constexpr size_t kFirstChunk = 1 << 20;

// What a file that is no IDX file seems to be, from its first four bytes.
std::string_view guess(const std::array<uint8_t, 4>& start) {
  struct Known {
    std::array<uint8_t, 4> start;
    size_t count;
    std::string_view name;
  };
  static constexpr Known kKnown[] = {
      {{0x1f, 0x8b}, 2, "gzip inside gzip"},     {{'P', 'K', 3, 4}, 4, "a zip archive"},
      {{0x93, 'N', 'U', 'M'}, 4, "an NPY file"}, {{0x89, 'P', 'N', 'G'}, 4, "a PNG image"},
      {{0xff, 0xd8}, 2, "a JPEG image"},         {{'B', 'Z', 'h'}, 3, "a bzip2 file"},
      {{0xfd, '7', 'z', 'X'}, 4, "an xz file"}};
  for (const Known& known : kKnown) {
    if (std::equal(known.start.begin(), known.start.begin() + known.count, start.begin())) return known.name;
  }
  const bool text = std::all_of(start.begin(), start.end(), [](uint8_t c) { return c >= 9 && c < 127; });
  return text ? "text" : "no IDX file";
}

std::string_view element_name(uint8_t code) {
  switch (code) {
    case 0x09: return "signed bytes";
    case 0x0b: return "16-bit integers";
    case 0x0c: return "32-bit integers";
    case 0x0d: return "32-bit floats";
    case 0x0e: return "64-bit floats";
    default: return "an unknown element type";
  }
}

struct Header {
  Dims sizes;
  int64_t bytes;     // of the header itself
  int64_t elements;  // of the data behind it
};

void read_part(ByteSource& source, std::span<uint8_t> part, int64_t offset, std::string_view what) {
  const size_t count = source.read(part.data(), part.size());
  if (count == part.size()) return;
  source.fail("truncated", offset + static_cast<int64_t>(count),
              fmt::format("expected {} bytes of {}, got {}", part.size(), what, count));
}

Header read_header(ByteSource& source) {
  std::array<uint8_t, 4> magic = {};
  read_part(source, magic, 0, "IDX magic number");
  if (magic[0] != 0 || magic[1] != 0) {
    source.fail("bad magic number", 0,
                fmt::format("expected 00 00 08 and the rank, got {:02x}; this seems to be {}",
                            fmt::join(magic, " "), guess(magic)));
  }
  if (magic[2] != 0x08) {
    source.fail(
        "bad element type", 2,
        fmt::format("expected 08 (unsigned bytes), got {:02x} ({})", magic[2], element_name(magic[2])));
  }
  const int rank = magic[3];
  if (rank > kMaxRank) source.fail("bad rank", 3, fmt::format("expected at most {}, got {}", kMaxRank, rank));

  std::array<uint8_t, 4 * kMaxRank> raw = {};
  read_part(source, std::span(raw).first(4 * static_cast<size_t>(rank)), 4, "dimension sizes");
  Header header{{}, 4 + 4 * rank, 1};
  bool zero = false;
  for (int i = 0; i < rank; ++i) {
    const uint8_t* b = raw.data() + 4 * i;
    const int64_t size = int64_t{b[0]} << 24 | int64_t{b[1]} << 16 | int64_t{b[2]} << 8 | int64_t{b[3]};
    header.sizes.push_back(size);
    zero = zero || size == 0;
    // Zero sizes are left out of the product, so that what the others claim cannot hide behind them.
    if (size != 0 && __builtin_mul_overflow(header.elements, size, &header.elements)) {
      source.fail("overflow of the element count", 4 + 4 * i,
                  fmt::format("expected sizes whose product fits in 63 bits, got [{}, …]",
                              fmt::join(header.sizes, ", ")));
    }
  }
  if (header.elements > INT64_MAX - header.bytes) {
    source.fail("overflow of the file size", 4, fmt::format("sizes [{}]", fmt::join(header.sizes, ", ")));
  }
  if (zero) header.elements = 0;
  return header;
}

// The header's sizes are only believed as far as the length of the file, or what came out of it so far, bears
// out.
std::vector<uint8_t> read_elements(ByteSource& source, const Header& header) {
  const int64_t total = header.bytes + header.elements;
  const std::string claim =
      fmt::format("expected {} bytes for uint8[{}]", total, fmt::join(header.sizes, ", "));
  if (static_cast<uint64_t>(total) > source.most_bytes()) {
    if (!source.compressed()) source.fail("truncated", source.file_bytes(), fmt::format("{}", claim));
    source.fail("truncated", header.bytes,
                fmt::format("{}, more than {} bytes of gzip can hold", claim, source.file_bytes()));
  }
  if (!source.compressed() && total < source.file_bytes()) {
    source.fail("trailing bytes", total, fmt::format("{}, got {}", claim, source.file_bytes()));
  }

  std::vector<uint8_t> bytes;
  const auto wanted = static_cast<size_t>(header.elements);
  size_t count = 0;
  while (count < wanted) {
    const size_t next = source.compressed() ? std::min(wanted, std::max(kFirstChunk, 2 * count)) : wanted;
    bytes.reserve(next);
    bytes.resize(next);
    count += source.read(bytes.data() + count, next - count);
    if (count < next) {
      source.fail("truncated", header.bytes + static_cast<int64_t>(count), claim);
    }
  }
  uint8_t beyond = 0;
  if (source.read(&beyond, 1) != 0)
    source.fail("trailing bytes", total, fmt::format("{} and no more", claim));
  return bytes;
}

}  // namespace

IdxData read_idx(std::string_view path) {
  ByteSource source(path);
  const Header header = read_header(source);
  try {
    return {read_elements(source, header), Shape(header.sizes)};
  } catch (const std::bad_alloc&) {
    throw ResourceError(fmt::format("{}: no memory for {} bytes", path, header.elements));
  }
}

}  // namespace tapegrad::nn
