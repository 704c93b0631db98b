#include "autograd/kernels/copy.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "autograd/kernels/index.h"
#include "autograd/kernels/inside.h"
#include "autograd/kernels/mask.h"
#include "tests/kernels/kernel_data.h"

using namespace tapegrad;
using tapegrad::kernel_tests::on_each_target;

namespace {

using Bytes = std::vector<uint8_t>;

Bytes noise(size_t count) {
  std::mt19937_64 bits(11);
  Bytes bytes(count);
  for (uint8_t& b : bytes) b = static_cast<uint8_t>(bits());
  return bytes;
}

// A copy of rows × columns elements from `at`, read with these strides, against loops over elements.
void check_copy(size_t element, const Bytes& x, int64_t at, std::vector<int64_t> sizes,
                std::vector<int64_t> strides) {
  while (sizes.size() < 3) {
    sizes.insert(sizes.begin(), 1);
    strides.insert(strides.begin(), 0);
  }
  Bytes want;
  for (int64_t i = 0; i < sizes[0]; ++i) {
    for (int64_t j = 0; j < sizes[1]; ++j) {
      for (int64_t k = 0; k < sizes[2]; ++k) {
        const int64_t place = at + i * strides[0] + j * strides[1] + k * strides[2];
        const auto first = x.begin() + place * static_cast<int64_t>(element);
        want.insert(want.end(), first, first + static_cast<int64_t>(element));
      }
    }
  }
  Bytes got(want.size() + 64, 0x5a);
  kernels::copy_strided(element, x.data() + static_cast<size_t>(at) * element, strides, sizes, got.data());
  CHECK(std::memcmp(got.data(), want.data(), want.size()) == 0);
  CHECK(Bytes(got.begin() + static_cast<int64_t>(want.size()), got.end()) == Bytes(64, 0x5a));
}

}  // namespace

TEST_CASE("kernels/copy: transposed, also where lines crowd into one set of the cache") {
  const Bytes x = noise(8 * 600 * 130);
  on_each_target([&](const std::string& target) {
    CAPTURE(target);
    for (size_t element : {1, 4, 8}) {
      for (int64_t rows : {1, 3, 8, 16, 17, 40, 130}) {
        for (int64_t columns : {1, 5, 8, 16, 31, 256, 512, 600}) {
          CAPTURE(element);
          CAPTURE(rows);
          CAPTURE(columns);
          check_copy(element, x, 0, {rows, columns}, {1, rows});
        }
      }
      check_copy(element, x, 0, {5, 30, 40}, {1200, 1, 30});
      check_copy(element, x, 0, {30, 5, 40}, {1, 1200, 30});
    }
  });
}

TEST_CASE("kernels/copy: backwards, repeated, every other one") {
  const Bytes x = noise(8 * 70 * 100);
  for (size_t element : {1, 4, 8}) {
    for (int64_t n : {1, 2, 3, 4, 7, 16, 33, 100}) {
      CAPTURE(element);
      CAPTURE(n);
      check_copy(element, x, 70 * n - 1, {70, n}, {-n, -1});
      check_copy(element, x, n - 1, {70, n}, {n, -1});
      check_copy(element, x, 0, {70, n}, {0, 2});
      check_copy(element, x, 0, {70, n}, {n, 0});
      for (int64_t times : {1, 2, 3, 16, 17}) {
        check_copy(element, x, 0, {7, n, times}, {n, 1, 0});
        check_copy(element, x, 0, {7, n, times}, {2 * n, 2, 0});
      }
    }
  }
}

TEST_CASE("kernels/copy: fill") {
  for (size_t element : {1, 4, 8}) {
    for (int64_t n : {0, 1, 15, 16, 17, 1000}) {
      for (const uint64_t value : {uint64_t{0}, uint64_t{0x0102030405060708}, ~uint64_t{0}}) {
        Bytes got(static_cast<size_t>(n) * element + 8, 0x5a), want = got;
        for (size_t i = 0; i < static_cast<size_t>(n); ++i) std::memcpy(&want[i * element], &value, element);
        kernels::fill(element, got.data(), n, &value);
        CHECK(got == want);
      }
    }
  }
}

TEST_CASE("kernels/mask: masked_fill at every place, also with a mask that repeats") {
  const Bytes x = noise(8 * 9 * 80);
  const uint64_t value = 0x1112131415161718;
  on_each_target([&](const std::string& target) {
    CAPTURE(target);
    for (size_t element : {1, 4, 8}) {
      for (int64_t n : {1, 5, 16, 37, 80}) {
        for (const bool column : {false, true}) {
          const int64_t sizes[] = {9, n}, strides[] = {n, 1}, mask_strides[] = {n, column ? 0 : 1};
          const auto mask = std::make_unique<bool[]>(static_cast<size_t>(9 * n));
          for (int64_t i = 0; i < 9 * n; ++i)
            mask[static_cast<size_t>(i)] = x[static_cast<size_t>(i)] % 2 != 0;
          Bytes got(static_cast<size_t>(9 * n) * element), want = got;
          for (int64_t i = 0; i < 9 * n; ++i) {
            const bool chosen = mask[static_cast<size_t>(i / n * n + (column ? 0 : i % n))];
            const size_t at = static_cast<size_t>(i) * element;
            if (chosen) std::memcpy(&want[at], &value, element);
            else std::memcpy(&want[at], &x[at], element);
          }
          kernels::masked_fill(element, sizes, x.data(), strides, mask.get(), mask_strides, &value,
                               got.data());
          CHECK(got == want);
        }
      }
    }
  });
}

TEST_CASE("kernels/inside: the first entry outside") {
  on_each_target([](const std::string& target) {
    CAPTURE(target);
    for (const int64_t count : {0, 1, 7, 8, 15, 16, 17, 40}) {
      std::vector<int64_t> index(static_cast<size_t>(count));
      for (size_t i = 0; i < index.size(); ++i) index[i] = static_cast<int64_t>(i % 5);
      CHECK(kernels::first_outside(index.data(), count, 5) == -1);
      CHECK(kernels::first_outside(index.data(), count, 0) == (count > 0 ? 0 : -1));
      for (const int64_t bad : {int64_t{-1}, int64_t{5}, INT64_MIN, INT64_MAX}) {
        for (size_t i = 0; i < index.size(); ++i) {
          auto other = index;
          other[i] = bad;
          other.back() = bad;
          CHECK(kernels::first_outside(other.data(), count, 5) == static_cast<int64_t>(i));
        }
      }
    }
  });
}

TEST_CASE("kernels/index: single elements taken and gathered") {
  constexpr int64_t kOuter = 19, kN = 23;
  const Bytes x = noise(8 * kOuter * kN * 600);
  std::mt19937_64 bits(12);
  on_each_target([&](const std::string& target) {
    CAPTURE(target);
    for (size_t element : {1, 4, 8}) {
      for (const int64_t count : {1, 4, 7, 12, 37, 600}) {
        CAPTURE(element);
        CAPTURE(count);
        std::vector<int64_t> index(static_cast<size_t>(kOuter * count));
        for (int64_t& entry : index) entry = static_cast<int64_t>(bits() % kN);
        // want[i] = x[place(i)]
        auto expect = [&](const Bytes& got, auto&& place) {
          for (size_t i = 0; i < got.size() / element; ++i) {
            const size_t at = static_cast<size_t>(place(static_cast<int64_t>(i))) * element;
            REQUIRE(std::memcmp(&got[i * element], &x[at], element) == 0);
          }
        };
        Bytes got(static_cast<size_t>(kOuter * count) * element);
        CHECK(kernels::take(element, {kOuter, kN, 1, count}, x.data(), index.data(), got.data()) == -1);
        expect(got, [&](int64_t i) { return i / count * kN + index[static_cast<size_t>(i % count)]; });
        const kernels::Elements last{2, 1, kN, {kOuter, count}, {kN, 1}, {count, 1}};
        CHECK(kernels::gather(element, last, x.data(), index.data(), got.data()) == -1);
        expect(got, [&](int64_t i) { return i / count * kN + index[static_cast<size_t>(i)]; });
        const kernels::Elements first{2, 0, kN, {kOuter, count}, {count, 1}, {count, 1}};
        CHECK(kernels::gather(element, first, x.data(), index.data(), got.data()) == -1);
        expect(got, [&](int64_t i) { return index[static_cast<size_t>(i)] * count + i % count; });
        index[index.size() / 2] = kN;
        const auto bad = static_cast<int64_t>(index.size() / 2);
        CHECK(kernels::gather(element, last, x.data(), index.data(), got.data()) == bad);
        CHECK(kernels::gather(element, first, x.data(), index.data(), got.data()) == bad);
        index[static_cast<size_t>(count / 2)] = kN;
        CHECK(kernels::take(element, {kOuter, kN, 1, count}, x.data(), index.data(), got.data()) ==
              count / 2);
      }
    }
  });
}
