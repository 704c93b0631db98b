#include "autograd/io/safetensors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "autograd/error.h"
#include "autograd/random.h"
#include "tests/nn/data_files.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::test;
using tapegrad::testing::message_of;

namespace {

const TemporaryFolder& folder() {
  static const TemporaryFolder made;
  return made;
}

// A file with this header and so many bytes of data.
std::string file_of(std::string_view header, size_t data) {
  std::string text(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(text.data(), &length, 8);
  return text.append(header) + std::string(data, '\0');
}

std::string write(std::string_view text) {
  return write_file(folder() / "x.safetensors", Bytes(text.begin(), text.end()));
}

std::string fault(std::string_view text) {
  const std::string path = write(text);
  std::string message = message_of<FormatError>([&] { load_tensors(path); });
  return message.starts_with(path) ? message.substr(path.size() + 2) : message;
}

std::string contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("autograd/io/safetensors: what is saved comes back, of every dtype and rank") {
  const double inf = std::numeric_limits<double>::infinity();
  const std::vector<NamedTensor> tensors = {
      {"weight", tensor({{1.5, -0.0, 3e-42}, {-inf, 1e30, 7.0}})},
      {"empty", zeros({0, 3}, float64)},
      {"flag", tensor({true, false, true})},
      {"single", full({}, 0.1, float64)},
      {"größe \"1\"\n", tensor({{{-1}, {std::numeric_limits<int64_t>::max()}}})},
  };
  const std::string path = folder() / "some.safetensors";
  save_tensors(path, tensors, {{"epoch", "3"}, {"comment", "a \"b\"\n"}});
  const TensorFile file = load_tensors(path);
  REQUIRE(file.tensors.size() == tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    CHECK(file.tensors[i].name == tensors[i].name);
    CHECK(equal(file.tensors[i].value, tensors[i].value));
  }
  CHECK(file.metadata == Metadata{{"comment", "a \"b\"\n"}, {"epoch", "3"}});
  save_tensors(path, {});
  CHECK(load_tensors(path).tensors.empty());
}

TEST_CASE("autograd/io/safetensors: the bytes are those of the format") {
  const std::string path = folder() / "bytes.safetensors";
  const std::vector<NamedTensor> tensors = {{"b", tensor({1.0, 2.0}, float32)}, {"a", tensor({{3}})}};
  save_tensors(path, tensors, {{"format", "pt"}});
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
      R"("a":{"dtype":"I64","shape":[1,1],"data_offsets":[8,16]}})";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const float b[] = {1, 2};
  const int64_t a = 3;
  std::string expected = file_of(padded, 16);
  std::memcpy(expected.data() + 8 + padded.size(), b, 8);
  std::memcpy(expected.data() + 16 + padded.size(), &a, 8);
  CHECK(contents(path) == expected);
}

TEST_CASE("autograd/io/safetensors: a file cut anywhere, or with a byte more, is no file") {
  const std::string path = folder() / "cut.safetensors";
  const std::vector<NamedTensor> tensors = {{"w", tensor({{1.0, 2.0}, {3.0, 4.0}})}};
  save_tensors(path, tensors);
  const std::string whole = contents(path);
  for (size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK(fault(std::string_view(whole).substr(0, length)).starts_with("truncated: expected "));
  }
  CHECK(fault(whole + "x") == "trailing bytes: expected 16 bytes of elements, given 17");
  CHECK(fault(std::string_view(whole).substr(0, whole.size() - 3)) ==
        "truncated: expected 16 bytes of elements, given 13");
  CHECK(fault("abc") == "truncated: expected 8 bytes of length, given 3");
}

TEST_CASE("autograd/io/safetensors: faults say what is wrong") {
  const std::string no =
      "this is no safetensors file: expected the length of a header, and the header in JSON";
  CHECK(fault("a text that is something else") == no);
  CHECK(fault(file_of("[1, 2]  ", 0)) == no);
  CHECK(fault(std::string(100, '\xff')) == no);
  CHECK(fault(file_of("{\"w\": }", 0)).starts_with("header: not JSON: "));
  CHECK(fault(file_of("{\"w\": 1, \"w\": 2}", 0)) == "header: duplicate key 'w' (byte 12)");
  CHECK(fault(file_of("{\"w\": 1}", 0)) == "header: w: expected an object, given number (byte 6)");
  CHECK(fault(file_of(R"({"w":{"dtype":"F32","shape":[1]}})", 4)) ==
        "header: w: 'data_offsets' is missing (byte 5)");
  CHECK(fault(file_of(R"({"w":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}})", 2)) ==
        "header: w.dtype: expected the dtype F32, F64, I64 or BOOL, given 'BF16' (byte 14)");
  CHECK(fault(file_of(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4)) ==
        "header: w.data_offsets: expected 2 elements of 4 bytes, given bytes 0 to 4 (byte 47)");
  CHECK(fault(file_of(R"({"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", 4)) ==
        "header: w.shape[0]: expected a size of at least 0, given -1 (byte 29)");
  CHECK(fault(file_of(R"({"w":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", 8)) ==
        "expected the elements of 'w' to begin at byte 0 of the data, given 4");
  CHECK(fault(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                      R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                      4)) == "expected the elements of 'b' to begin at byte 4 of the data, given 0");
  CHECK(fault(file_of(R"({"__metadata__":{"epoch":3}})", 0)) ==
        "header: __metadata__.epoch: expected a text, given number (byte 25)");
  std::string flags = file_of(R"({"w":{"dtype":"BOOL","shape":[2],"data_offsets":[0,2]}})", 2);
  flags.back() = 2;
  CHECK(fault(flags) == "expected 0 or 1 in the BOOL 'w' at byte 64, given 2");
  // Sizes whose product overflows, or that the file does not bear out, allocate nothing.
  CHECK(fault(file_of(R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}})", 4)) !=
        "nothing was thrown");
  CHECK(fault(file_of(R"({"w":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}})",
                      4)) == "truncated: expected 4398046511104 bytes of elements, given 4");
}

TEST_CASE("autograd/io/safetensors: random damage is an error of the format or another tensor, and no more") {
  const std::string path = folder() / "damaged.safetensors";
  const std::vector<NamedTensor> tensors = {{"a.weight", ones({3, 2})}, {"flag", tensor({true, false})}};
  save_tensors(path, tensors, {{"format", "pt"}});
  const std::string whole = contents(path);
  Rng rng{1};
  int errors = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = whole;
    for (int64_t k = rng.integer(1, 4); k > 0; --k) {
      const auto at = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(text.size())));
      if (rng.integer(0, 3) == 0) text.erase(at, 1);
      else text[at] = static_cast<char>(rng.integer(0, 256));
    }
    try {
      for (const NamedTensor& tensor : load_tensors(write(text)).tensors) CHECK(tensor.value.numel() <= 8);
    } catch (const FormatError& error) {
      CHECK(error.offset() >= 0);
      ++errors;
    }
  }
  CHECK(errors > 1000);
}

TEST_CASE("autograd/io/safetensors: a failure leaves what was there") {
  const std::string path = folder() / "kept.safetensors";
  const std::vector<NamedTensor> tensors = {{"w", tensor({1.0})}},
                                 twice = {{"w", tensor({1.0})}, {"w", tensor({2.0})}};
  save_tensors(path, tensors);
  CHECK(message_of<ArgumentError>([&] { save_tensors(path, twice); }) ==
        "[save_tensors] two tensors are called 'w'");
  const std::vector<NamedTensor> taken = {{"__metadata__", tensor({1.0})}}, none = {{"w", Tensor()}};
  CHECK(message_of<ArgumentError>([&] { save_tensors(path, taken); }) ==
        "[save_tensors] the name '__metadata__' belongs to the format");
  CHECK(message_of<ArgumentError>([&] { save_tensors(path, none); }) ==
        "[save_tensors] the tensor 'w' is undefined");
  CHECK(equal(load_tensors(path).tensors[0].value, tensor({1.0})));
  CHECK_THROWS_AS(save_tensors(folder() / "no/such/folder", tensors), IoError);
  CHECK_THROWS_AS(load_tensors(folder() / "missing"), IoError);
  CHECK_THROWS_AS(load_tensors(folder().path()), IoError);
  CHECK_THROWS_AS(load_tensors("/dev/zero"), IoError);
  for (const auto& entry : std::filesystem::directory_iterator(folder().path()))
    CHECK(entry.path().string().find(".tmp.") == std::string::npos);
}
