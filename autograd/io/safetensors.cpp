#include "autograd/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "autograd/io/json.h"
#include "autograd/io/lines.h"
#include "autograd/io/nearest.h"
#include "autograd/raise.h"

namespace tapegrad {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are written as they lie in memory");

using io::Document;
using io::Place;

constexpr size_t kLengthBytes = 8;
constexpr uint64_t kMostHeader = 100'000'000;  // of the format
constexpr std::string_view kMetadata = "__metadata__";

struct Known {
  std::string_view name;
  DType dtype;
};
constexpr Known kKnown[] = {
    {"F32", DType::float32}, {"F64", DType::float64}, {"I64", DType::int64}, {"BOOL", DType::boolean}};

std::string_view name_of(DType dtype) {
  for (const Known& known : kKnown) {
    if (known.dtype == dtype) return known.name;
  }
  return {};
}

void check(std::span<const NamedTensor> tensors) {
  std::set<std::string_view> names;
  for (const NamedTensor& tensor : tensors) {
    if (!tensor.value.defined())
      raise<ArgumentError>("[save_tensors] the tensor {} is undefined", io::in_quotes(tensor.name));
    if (tensor.name == kMetadata)
      raise<ArgumentError>("[save_tensors] the name '{}' belongs to the format", kMetadata);
    if (!names.insert(tensor.name).second)
      raise<ArgumentError>("[save_tensors] two tensors are called {}", io::in_quotes(tensor.name));
  }
}

std::string header_of(std::span<const NamedTensor> tensors, const Metadata& metadata) {
  std::string text = "{";
  const auto separate = [&] { text += text.size() > 1 ? "," : ""; };
  if (!metadata.empty()) {
    io::Json object = io::Json::object();
    for (const auto& [key, value] : metadata) object[key] = value;
    text +=
        fmt::format("\"{}\":{}", kMetadata, object.dump(-1, ' ', false, io::Json::error_handler_t::replace));
  }
  size_t at = 0;
  for (const NamedTensor& tensor : tensors) {
    const size_t end = at + tensor.value.handle()->bytes();
    separate();
    text += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                        io::json_text(std::string_view(tensor.name)), name_of(tensor.value.dtype()),
                        fmt::join(tensor.value.shape(), ","), at, end);
    at = end;
  }
  text += "}";
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the elements begin at a multiple of 8
  return text;
}

// One entry of the header.
struct Entry {
  std::string name;
  DType dtype;
  Shape shape;
  uint64_t begin, end;
};

DType read_dtype(const Place& place) {
  for (const Known& known : kKnown) {
    if (known.name == place.string()) return known.dtype;
  }
  place.fault(
      fmt::format("expected the dtype F32, F64, I64 or BOOL, given {}", io::in_quotes(place.string())));
}

uint64_t read_size(const Place& place) {
  const int64_t size = place.integer();
  if (size < 0) place.fault(fmt::format("expected a size of at least 0, given {}", size));
  return static_cast<uint64_t>(size);
}

Entry read_entry(const std::string& name, const Place& place) {
  place.expect_object({"dtype", "shape", "data_offsets"});
  Entry entry{name, read_dtype(place.at("dtype")), {}, 0, 0};
  const Place sizes = place.at("shape"), offsets = place.at("data_offsets");
  if (sizes.size() > kMaxRank)
    sizes.fault(fmt::format("expected at most {} dimensions, given {}", kMaxRank, sizes.size()));
  Dims dims;
  for (size_t d = 0; d < sizes.size(); ++d) dims.push_back(static_cast<int64_t>(read_size(sizes.item(d))));
  try {
    entry.shape = Shape(dims);
  } catch (const ShapeError& error) {
    sizes.fault(error.what());  // the product overflows
  }
  if (offsets.size() != 2)
    offsets.fault(fmt::format("expected begin and end, given {} numbers", offsets.size()));
  entry.begin = read_size(offsets.item(0));
  entry.end = read_size(offsets.item(1));
  const auto elements = static_cast<uint64_t>(entry.shape.numel());
  const uint64_t size = element_size(entry.dtype);
  if (entry.end < entry.begin || (entry.end - entry.begin) % size != 0 ||
      (entry.end - entry.begin) / size != elements) {
    offsets.fault(fmt::format("expected {} elements of {} bytes, given bytes {} to {}", elements, size,
                              entry.begin, entry.end));
  }
  return entry;
}

[[noreturn]] void fail(std::string_view path, std::string_view what, uint64_t offset) {
  throw FormatError(fmt::format("{}: {}", path, what), static_cast<int64_t>(offset));
}

Tensor read_elements(std::string_view path, const Entry& entry, std::string_view bytes, uint64_t data_at) {
  if (entry.dtype == DType::boolean) {
    for (size_t i = 0; i < bytes.size(); ++i) {
      const auto byte = static_cast<unsigned char>(bytes[i]);
      if (byte <= 1) continue;
      const uint64_t offset = data_at + entry.begin + i;
      fail(path,
           fmt::format("expected 0 or 1 in the BOOL {} at byte {}, given {}", io::in_quotes(entry.name),
                       offset, byte),
           offset);
    }
  }
  return from_bytes(bytes.data(), static_cast<size_t>(entry.shape.numel()), entry.dtype, entry.shape);
}

// The header, whose place in the file has been checked.
std::vector<Entry> read_header(std::string_view path, std::string_view text, Metadata& metadata) {
  const auto parsed = [&] {
    try {
      return Document(text);
    } catch (const FormatError& error) {
      throw FormatError(fmt::format("{}: header: {}", path, error.what()), error.offset());
    }
  };
  Document document = parsed();
  document.name = fmt::format("{}: header", path);
  const Place root(document);
  root.expect_object({});
  std::vector<Entry> entries;
  for (auto member = root.json().begin(); member != root.json().end(); ++member) {
    const Place place = root.at(member);
    if (member.key() != kMetadata) {
      entries.push_back(read_entry(member.key(), place));
      continue;
    }
    place.expect_object({});
    for (auto text_member = member->begin(); text_member != member->end(); ++text_member)
      metadata.emplace_back(text_member.key(), place.at(text_member).string());
  }
  std::stable_sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  return entries;
}

}  // namespace

void save_tensors(std::string_view path, std::span<const NamedTensor> tensors, const Metadata& metadata) {
  check(tensors);
  const std::string header = header_of(tensors, metadata);
  std::string text(kLengthBytes, '\0');
  const uint64_t length = header.size();
  std::memcpy(text.data(), &length, kLengthBytes);
  text += header;
  for (const NamedTensor& tensor : tensors) {
    const detail::Body& body = *tensor.value.handle();
    text.append(static_cast<const char*>(body.data), body.bytes());
  }
  io::write_file(path, text);
}

TensorFile load_tensors(std::string_view path) {
  const std::string file = io::read_file(path);
  if (file.size() < kLengthBytes) {
    fail(path, fmt::format("truncated: expected {} bytes of length, given {}", kLengthBytes, file.size()),
         file.size());
  }
  uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  if (length > kMostHeader || (file.size() > kLengthBytes && file[kLengthBytes] != '{')) {
    fail(path, "this is no safetensors file: expected the length of a header, and the header in JSON", 0);
  }
  if (length > file.size() - kLengthBytes) {
    fail(path,
         fmt::format("truncated: expected {} bytes of header, given {}", length, file.size() - kLengthBytes),
         file.size());
  }
  TensorFile result;
  const std::string_view header(file.data() + kLengthBytes, length);
  const std::vector<Entry> entries = read_header(path, header, result.metadata);
  const uint64_t data_at = kLengthBytes + length, given = file.size() - data_at;
  uint64_t at = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != at) {
      fail(path,
           fmt::format("expected the elements of {} to begin at byte {} of the data, given {}",
                       io::in_quotes(entry.name), at, entry.begin),
           data_at + at);
    }
    at = entry.end;
  }
  if (at != given) {
    fail(path,
         fmt::format("{}: expected {} bytes of elements, given {}",
                     given < at ? "truncated" : "trailing bytes", at, given),
         data_at + std::min(at, given));
  }
  const std::string_view data = std::string_view(file).substr(data_at);
  for (const Entry& entry : entries) {
    const std::string_view bytes = data.substr(entry.begin, entry.end - entry.begin);
    result.tensors.push_back({entry.name, read_elements(path, entry, bytes, data_at)});
  }
  return result;
}

}  // namespace tapegrad
