// The value type: building, reading, comparing, shapes.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "autograd/autograd.h"
#include "tests/support/sanitizers.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using tapegrad::testing::message_of;

template <class T>
concept HasEquality = requires(const T& a, const T& b) {
  a == b;
};
static_assert(!HasEquality<Tensor>);
static_assert(sizeof(Tensor) == sizeof(void*));

TEST_CASE("autograd/tensor: from nested lists") {
  const Tensor x = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  CHECK(x.shape() == Shape{2, 3});
  CHECK(x.dtype() == float32);
  CHECK(x.to_vector<float>() == std::vector<float>{1, 2, 3, 4, 5, 6});
  CHECK(tensor({1, 2}).dtype() == int64);
  CHECK(tensor({true, false}).dtype() == boolean);
  CHECK(tensor({1, 2.5}).dtype() == float32);
  CHECK(tensor({1, 2}, float64).to_vector<double>() == std::vector<double>{1, 2});
  CHECK(tensor({{{1}, {2}}}).shape() == Shape{1, 2, 1});
  CHECK(tensor(3.5, float64).shape() == Shape{});
  CHECK(tensor({int64_t{9007199254740993}}).item<int64_t>() == 9007199254740993);
  CHECK_THROWS_AS(tensor({{1, 2}, {3}}), ShapeError);
  CHECK_THROWS_AS(tensor({{1, 2}, 3}), ShapeError);
  CHECK_THROWS_AS(tensor({{{1}}, {2}}), ShapeError);
}

TEST_CASE("autograd/tensor: from vectors, spans and ranges of numbers") {
  const std::vector<double> values = {1, 2, 3, 4};
  CHECK(equal(from_vector(values, {2, 2}), tensor({{1, 2}, {3, 4}}, float64)));
  CHECK(equal(from_span(std::span<const double>(values), {4}), tensor({1, 2, 3, 4}, float64)));
  CHECK_THROWS_AS(from_vector(values, {3}), ShapeError);
  CHECK(equal(arange(0, 5), tensor({0, 1, 2, 3, 4})));
  CHECK(equal(arange(5, 0, -2), tensor({5, 3, 1})));
  CHECK(equal(arange(1, 4, 2, float32), tensor({1.0, 3.0})));
  CHECK(arange(3, 3).shape() == Shape{0});
  CHECK_THROWS_AS(arange(0, 5, 0), ArgumentError);
  CHECK(equal(full({2}, 7, int64), tensor({7, 7})));
  CHECK(equal(zeros({1, 2}), tensor({{0.0, 0.0}})));
  CHECK(equal(ones({2}, float64), tensor({1, 1}, float64)));
}

TEST_CASE("autograd/tensor: reading") {
  const Tensor x = tensor({1.5, 2.5}, float64);
  CHECK(x.numel() == 2);
  CHECK(x.rank() == 1);
  CHECK(x.size(0) == 2);
  CHECK(x.size(-1) == 2);
  CHECK_THROWS_AS(x.size(1), IndexError);
  CHECK_THROWS_AS(x.size(-2), IndexError);
  CHECK(x.data<double>()[1] == 2.5);
  CHECK(message_of<DTypeError>([&] { x.data<float>(); }).find("holds float64, asked for as float32") !=
        std::string::npos);
  CHECK_THROWS_AS(x.item(), ShapeError);
  CHECK_THROWS_AS(x.item<double>(), ShapeError);
  CHECK(x[1].item<double>() == 2.5);
  CHECK(x[-1].item() == 2.5);
  CHECK_THROWS_AS(x[2], IndexError);
  CHECK_THROWS_AS(x[-3], IndexError);
  CHECK_THROWS_AS(full({}, 1)[0], IndexError);
  CHECK(full({1, 1}, 3, int64).item() == 3);
  CHECK_THROWS_AS(full({}, 3, int64).item<float>(), DTypeError);
  CHECK(equal(tensor({{1, 2}, {3, 4}})[1], tensor({3, 4})));
}

TEST_CASE("autograd/tensor: memory is aligned, shared by copies and reshapes, and never changes") {
  // A single element shares the header's 64 bytes, several start on 64 of their own.
  const Tensor one = zeros({1});
  CHECK(static_cast<char*>(one.handle()->data) < reinterpret_cast<char*>(one.handle()) + 64);
  for (int64_t n : {2, 3, 17, 1000, 100'000}) {
    const Tensor x = zeros({n});
    CHECK(reinterpret_cast<uintptr_t>(x.handle()->data) % 64 == 0);
  }
  const Tensor x = tensor({{1, 2}, {3, 4}});
  const Tensor copy = x;
  CHECK(copy.handle() == x.handle());
  const Tensor flat = reshape(x, {4});
  CHECK(flat.handle()->data == x.handle()->data);
  CHECK(equal(flat, tensor({1, 2, 3, 4})));
  const Tensor again = reshape(reshape(flat, {1, 4}), {2, -1});
  CHECK(again.handle()->data == x.handle()->data);
  CHECK(equal(again, x));
  Tensor moved = x;
  Tensor target = std::move(moved);
  CHECK_FALSE(moved.defined());
  target = *&target;
  CHECK(equal(target, x));
}

TEST_CASE("autograd/tensor: equal and allclose") {
  const double nan = std::nan("");
  CHECK(equal(tensor({1.0, nan}), tensor({1.0, nan})));
  CHECK(equal(tensor({0.0}), tensor({-0.0})));
  CHECK_FALSE(equal(tensor({1.0}), tensor({1.0}, float64)));
  CHECK_FALSE(equal(tensor({1.0}), tensor({{1.0}})));
  CHECK_FALSE(equal(tensor({1.0}), tensor({2.0})));
  CHECK(allclose(tensor({1.0, nan, HUGE_VAL}), tensor({1.000001, nan, HUGE_VAL})));
  CHECK_FALSE(allclose(tensor({1.0}), tensor({1.001})));
  CHECK_FALSE(allclose(tensor({1.0}), tensor({nan})));
  CHECK_FALSE(allclose(tensor({HUGE_VAL}), tensor({-HUGE_VAL})));
  CHECK_FALSE(allclose(tensor({1.0}), tensor({HUGE_VAL})));
  CHECK(allclose(tensor({1.0}), tensor({1.05}), 0.1));
  CHECK_THROWS_AS(allclose(tensor({1.0}), tensor({1.0, 1.0})), ShapeError);
  CHECK_THROWS_AS(allclose(tensor({1.0}), tensor({1.0}, float64)), DTypeError);
}

TEST_CASE("autograd/tensor: limits of shapes") {
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{2, 0, 3}.numel() == 0);
  CHECK(message_of<ShapeError>([] { Shape{2, -1}; }).find("negative size") != std::string::npos);
  CHECK(message_of<ShapeError>([] {
          Shape{int64_t{1} << 40, int64_t{1} << 40};
        }).find("overflow") != std::string::npos);
  CHECK_THROWS_AS((Shape{int64_t{1} << 40, int64_t{1} << 40, 0}), ShapeError);
  CHECK(message_of<ShapeError>([] { Shape{1, 1, 1, 1, 1, 1, 1, 1, 1}; }).find("the limit is 8") !=
        std::string::npos);
  CHECK_THROWS_AS(zeros({int64_t{1} << 62}), ShapeError);
  // A sanitizer's allocator ends the process instead.
  if (!tapegrad::testing::kSanitized) CHECK_THROWS_AS(zeros({int64_t{1} << 55}), ResourceError);
  const Tensor deep = zeros({1, 1, 1, 1, 1, 1, 1, 1});
  CHECK(deep.rank() == 8);
  CHECK_THROWS_AS(reshape(deep, {1, 1, 1, 1, 1, 1, 1, 1, 1}), ShapeError);
  CHECK_THROWS_AS(matmul(zeros({1, 1, 1, 1, 1, 1, 1, 1}), zeros({2, 1})), ShapeError);
}

TEST_CASE("autograd/tensor: broadcasting of shapes") {
  Shape result;
  int axis = 0;
  CHECK(broadcast({2, 1, 3}, {4, 1}, result, axis));
  CHECK(result == Shape{2, 4, 3});
  CHECK(broadcast({}, {0, 2}, result, axis));
  CHECK(result == Shape{0, 2});
  CHECK(broadcast({1}, {0}, result, axis));
  CHECK(result == Shape{0});
  CHECK_FALSE(broadcast({2, 3}, {4, 3}, result, axis));
  CHECK(axis == 2);
  CHECK(result == Shape{0});
  CHECK(broadcast_strides({2, 1, 3}, {5, 2, 4, 3}) == Dims{0, 3, 0, 1});
}

TEST_CASE("autograd/tensor: slices and selections") {
  const Tensor x = arange(0, 12);
  CHECK(equal(slice(x, 0, 2, 8, 3), tensor({2, 5})));
  CHECK(equal(slice(x, 0, {}, {}, -5), tensor({11, 6, 1})));
  CHECK(equal(slice(x, 0, -3), tensor({9, 10, 11})));
  CHECK(equal(slice(x, 0, 0, -10), tensor({0, 1})));
  CHECK(slice(x, 0, 8, 2).shape() == Shape{0});
  const Tensor y = reshape(x, {3, 4});
  CHECK(equal(select(y, 1, -1), tensor({3, 7, 11})));
  CHECK(equal(transpose(y, 0, 1), tensor({{0, 4, 8}, {1, 5, 9}, {2, 6, 10}, {3, 7, 11}})));
  CHECK_THROWS_AS(select(y, 2, 0), IndexError);
  CHECK_THROWS_AS(select(y, 0, 3), IndexError);
  CHECK_THROWS_AS(cat(std::span<const Tensor>{}, 0), ShapeError);
}
