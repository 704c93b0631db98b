#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include "autograd/error.h"
#include "nn/data/data.h"
#include "tests/nn/data_files.h"

using namespace tapegrad;
using namespace tapegrad::test;

namespace {

template <class E>
struct Thrown {
  bool happened = false;
  std::string text;
  int64_t detail = -1;  // offset of a FormatError, errno of an IoError
};

template <class E>
Thrown<E> reading(const std::string& path) {
  try {
    nn::read_idx(path);
  } catch (const E& error) {
    if constexpr (std::is_same_v<E, FormatError>) return {true, error.what(), error.offset()};
    else return {true, error.what(), error.code()};
  }
  return {};
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

// The most memory that f holds at any moment beyond what was there before, in KiB.
template <class F>
int64_t peak_growth(const F& f) {
  const auto read = [](std::string_view key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with(key)) return std::stoll(line.substr(key.size()));
    }
    return -1LL;
  };
  std::ofstream("/proc/self/clear_refs") << "5" << std::flush;  // sets the peak to the present size
  const int64_t before = read("VmRSS:");
  f();
  return read("VmHWM:") - before;
}

}  // namespace

TEST_CASE("nn/data: plain and gzip IDX files of any rank give their bytes and shape") {
  const TemporaryFolder folder;
  const Bytes elements = counting(24);
  for (const Bytes& file : {idx({2, 3, 4}, elements), gzip(idx({2, 3, 4}, elements))}) {
    const nn::IdxData data = nn::read_idx(write_file(folder / "file", file));
    CHECK(data.shape == Shape{2, 3, 4});
    CHECK(data.bytes == elements);
  }
  const nn::IdxData single = nn::read_idx(write_file(folder / "file", idx({}, {7})));
  CHECK(single.shape == Shape{});
  CHECK(single.bytes == Bytes{7});
  const nn::IdxData none = nn::read_idx(write_file(folder / "file", idx({0, 5}, {})));
  CHECK(none.shape == Shape{0, 5});
  CHECK(none.bytes.empty());
}

TEST_CASE("nn/data: gzip larger than every buffer, and in two members, is read whole") {
  const TemporaryFolder folder;
  const Bytes elements = counting(5'000'003);
  const Bytes file = idx({5'000'003}, elements);
  CHECK(nn::read_idx(write_file(folder / "one", gzip(file))).bytes == elements);
  const Bytes head(file.begin(), file.begin() + 3);
  const Bytes tail(file.begin() + 3, file.end());
  CHECK(nn::read_idx(write_file(folder / "two", gzip(head) + gzip(tail))).bytes == elements);
}

TEST_CASE("nn/data: a file cut at any byte is truncated") {
  const TemporaryFolder folder;
  const Bytes plain = idx({2, 3, 4}, counting(24));
  for (const Bytes& file : {plain, gzip(plain)}) {
    for (size_t length = 0; length < file.size(); ++length) {
      const std::string path =
          write_file(folder / "cut", Bytes(file.begin(), file.begin() + static_cast<long>(length)));
      const auto error = reading<FormatError>(path);
      CAPTURE(length);
      CHECK(error.happened);
      CHECK(contains(error.text, "truncated at byte " + std::to_string(error.detail)));
      CHECK(contains(error.text, path));
      CHECK(error.detail == static_cast<int64_t>(length));
    }
  }
  // Whole as gzip, but short inside.
  const auto error =
      reading<FormatError>(write_file(folder / "short", gzip(Bytes(plain.begin(), plain.end() - 1))));
  CHECK(error.detail == static_cast<int64_t>(plain.size()) - 1);
  CHECK(contains(error.text, "truncated"));
}

TEST_CASE("nn/data: trailing bytes are found, before and after decompression") {
  const TemporaryFolder folder;
  const Bytes plain = idx({2, 3}, counting(6));
  const Bytes packed = gzip(plain);
  for (const Bytes& file :
       {plain + Bytes{0}, gzip(plain + Bytes{0}), packed + Bytes{0}, packed + Bytes{'x', 'y'}}) {
    const auto error = reading<FormatError>(write_file(folder / "file", file));
    CHECK(error.happened);
    CHECK(contains(error.text, "trailing bytes at byte " + std::to_string(error.detail)));
    CHECK((error.detail == static_cast<int64_t>(plain.size()) ||
           error.detail == static_cast<int64_t>(packed.size())));
  }
}

TEST_CASE("nn/data: one changed byte behind the gzip header is an error") {
  const TemporaryFolder folder;
  const Bytes elements = counting(200);
  const Bytes packed = gzip(idx({200}, elements));
  REQUIRE(packed.size() > 50);
  for (size_t i = 10; i < packed.size(); ++i) {
    Bytes file = packed;
    file[i] ^= 0xff;
    const std::string path = write_file(folder / "file", file);
    CAPTURE(i);
    CHECK_THROWS_AS(nn::read_idx(path), FormatError);
  }
}

TEST_CASE("nn/data: a file that is something else is named") {
  const TemporaryFolder folder;
  const auto text_of = [&](const Bytes& file) {
    return reading<FormatError>(write_file(folder / "file", file)).text;
  };
  const Bytes good = idx({1}, {5});
  CHECK(contains(text_of(gzip(gzip(good))), "gzip inside gzip"));
  CHECK(contains(text_of({0x93, 'N', 'U', 'M', 'P', 'Y'}), "NPY"));
  CHECK(contains(text_of({'h', 'e', 'l', 'l', 'o'}), "text"));
  CHECK(contains(text_of({1, 0, 8, 1, 0, 0, 0, 0}), "bad magic number at byte 0"));
  CHECK(contains(text_of({0, 0, 0x0d, 1, 0, 0, 0, 0}), "32-bit floats"));
  CHECK(contains(text_of({0, 0, 0x42, 1, 0, 0, 0, 0}), "bad element type at byte 2"));
  CHECK(contains(text_of(Bytes{0, 0, 8, 9} + Bytes(36, 0)), "bad rank at byte 3"));
}

TEST_CASE("nn/data: sizes whose product wraps, also to exactly 0, are an overflow") {
  const TemporaryFolder folder;
  const uint32_t k2_31 = 1u << 31;
  const std::initializer_list<uint32_t> wraps[] = {{k2_31, k2_31, 4},
                                                   {k2_31, k2_31, 2},
                                                   {65536, 65536, 65536, 65536},
                                                   {UINT32_MAX, UINT32_MAX, UINT32_MAX},
                                                   {0, k2_31, k2_31, 4}};
  for (const auto& sizes : wraps) {
    for (const Bytes& file : {idx(sizes, {}), gzip(idx(sizes, {}))}) {
      const auto error = reading<FormatError>(write_file(folder / "file", file));
      CHECK(error.happened);
      CHECK(contains(error.text, "overflow"));
      CHECK(error.detail >= 4);
    }
  }
}

TEST_CASE("nn/data: a claimed size beyond the file is rejected without the memory for it") {
  const TemporaryFolder folder;
  const Bytes tera = idx({1u << 20, 1u << 20, 8}, counting(100));
  const Bytes giga = idx({1u << 10, 1u << 20}, counting(100));
  for (const Bytes& file : {tera, gzip(tera), giga, gzip(giga)}) {
    const std::string path = write_file(folder / "file", file);
    std::string text;
    CHECK(peak_growth([&] { text = reading<FormatError>(path).text; }) < 16 * 1024);
    CHECK(contains(text, "truncated"));
  }
  CHECK(peak_growth([] {
          const Bytes used(64 << 20, 1);
          asm volatile("" : : "r"(used.data()) : "memory");  // or the compiler leaves it out
        }) > 60 * 1024);                                     // the measure itself works
}

TEST_CASE("nn/data: a gzip file that inflates far is read only as far as its header says") {
  const TemporaryFolder folder;
  const std::string path = write_file(folder / "file", gzip(idx({100}, Bytes(16 << 20, 0))));
  std::string text;
  CHECK(peak_growth([&] { text = reading<FormatError>(path).text; }) < 4 * 1024);
  CHECK(contains(text, "trailing bytes at byte 108"));
}

TEST_CASE("nn/data: missing files, folders and FIFOs are input errors with their errno, without a wait") {
  const TemporaryFolder folder;
  const auto missing = reading<IoError>(folder / "missing");
  CHECK(missing.detail == ENOENT);
  CHECK(contains(missing.text, folder / "missing"));
  CHECK(reading<IoError>(folder.path()).detail == EISDIR);
  REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
  CHECK(reading<IoError>(folder / "fifo").detail == ESPIPE);
  CHECK(reading<IoError>("/dev/null").detail == ESPIPE);
  CHECK(reading<IoError>(std::string("a\0b", 3)).detail == EINVAL);
}

TEST_CASE("nn/data: load_mnist scales images, and checks that the files fit each other") {
  const TemporaryFolder folder;
  const std::string images = folder / "train-images-idx3-ubyte",
                    labels = folder / "train-labels-idx1-ubyte.gz";
  CHECK_THROWS_AS(nn::load_mnist(folder / "nowhere", true), IoError);
  CHECK_THROWS_AS(nn::load_mnist(folder.path(), true), IoError);
  write_file(images, idx({2, 2, 2}, {0, 51, 102, 153, 204, 255, 1, 2}));
  write_file(labels, gzip(idx({2}, {9, 3})));
  const nn::Dataset data = nn::load_mnist(folder.path(), true);
  CHECK(data.inputs.shape() == Shape{2, 4});
  CHECK(data.inputs.to_vector<float>() ==
        std::vector<float>{0, 51 / 255.f, 102 / 255.f, 153 / 255.f, 204 / 255.f, 1, 1 / 255.f, 2 / 255.f});
  CHECK(data.targets.to_vector<int64_t>() == std::vector<int64_t>{9, 3});
  CHECK_THROWS_AS(nn::load_mnist(folder.path(), false), IoError);

  write_file(labels, gzip(idx({2}, {9, 10})));
  CHECK_THROWS_WITH_AS(nn::load_mnist(folder.path(), true), doctest::Contains("bad label at byte 9"),
                       FormatError);
  write_file(labels, gzip(idx({3}, {1, 2, 3})));
  CHECK_THROWS_WITH_AS(nn::load_mnist(folder.path(), true), doctest::Contains("expected 2 labels"),
                       FormatError);
  write_file(labels, gzip(idx({2, 1}, {1, 2})));
  CHECK_THROWS_WITH_AS(nn::load_mnist(folder.path(), true), doctest::Contains("bad rank"), FormatError);
}

TEST_CASE("nn/data: batches cover every sample exactly once, the last one smaller") {
  for (const int64_t size : {1, 3, 4, 10, 11}) {
    const Tensor labels = arange(0, 10);
    const Tensor images = from_vector(
        std::vector<float>{0, 0, 1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60, 7, 70, 8, 80, 9, 90}, {10, 2});
    Rng rng{5};
    std::vector<int64_t> seen, sizes;
    for (const auto& [x, y] : nn::batches(images, labels, size, rng)) {
      sizes.push_back(y.size(0));
      REQUIRE(x.shape() == Shape{y.size(0), 2});
      for (int64_t i = 0; i < y.size(0); ++i) {
        const int64_t label = y.data<int64_t>()[static_cast<size_t>(i)];
        CHECK(x.data<float>()[static_cast<size_t>(2 * i)] == static_cast<float>(label));
        CHECK(x.data<float>()[static_cast<size_t>(2 * i + 1)] == static_cast<float>(10 * label));
        seen.push_back(label);
      }
    }
    CHECK(static_cast<int64_t>(sizes.size()) == (10 + size - 1) / size);
    for (size_t i = 0; i + 1 < sizes.size(); ++i) CHECK(sizes[i] == size);
    CHECK(sizes.back() == (10 % size == 0 ? size : 10 % size));
    std::sort(seen.begin(), seen.end());
    CHECK(seen == labels.to_vector<int64_t>());
  }
}

TEST_CASE("nn/data: the order of batches follows the seed and differs from epoch to epoch") {
  const nn::Dataset data{zeros({100, 1}), arange(0, 100)};
  const auto order = [&](Rng& rng) {
    std::vector<int64_t> labels;
    for (const auto& [x, y] : nn::batches(data, 7, rng)) {
      for (const int64_t label : y.data<int64_t>()) labels.push_back(label);
    }
    return labels;
  };
  Rng a{1}, b{1}, c{2};
  const std::vector<int64_t> first = order(a);
  CHECK(first == order(b));
  CHECK(first != order(c));
  const std::vector<int64_t> second = order(a);
  CHECK(second != first);
  CHECK(second == order(b));
}

TEST_CASE("nn/data: without an rng, batches come in stored order and bad arguments are named") {
  const nn::Dataset data{zeros({5, 1}), arange(0, 5)};
  std::vector<std::vector<int64_t>> labels;
  const nn::Batches range = nn::batches(data, 2);
  for (const auto& [x, y] : range) labels.push_back(y.to_vector<int64_t>());
  CHECK(labels == std::vector<std::vector<int64_t>>{{0, 1}, {2, 3}, {4}});
  CHECK(range.count() == 3);
  CHECK_THROWS_AS(range[3], IndexError);
  CHECK_THROWS_AS(range[-1], IndexError);
  CHECK_THROWS_AS(nn::batches(data, 0), ArgumentError);
  CHECK_THROWS_AS(nn::batches(zeros({4, 1}), arange(0, 5), 2), ShapeError);
  CHECK_THROWS_AS(nn::batches(zeros({}), arange(0, 5), 2), ShapeError);
  const nn::Batches empty = nn::batches(zeros({0, 3}), arange(0, 0), 2);
  CHECK(empty.begin() == empty.end());
}
