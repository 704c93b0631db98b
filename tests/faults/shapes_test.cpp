// Shapes that do not fit, that are empty, or that are not there at all.

#include <cmath>

#include "autograd/samples.h"
#include "tests/support/faults.h"
#include "tests/support/op_function.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

constexpr int64_t kHuge = int64_t{1} << 40;

}  // namespace

TEST_CASE("faults/shapes: FAULTS 1: sizes that do not broadcast") {
  op_refuses<ShapeError>("add", [] { return add(zeros({3}), zeros({4})); }, {"[3] and [4]", "dimension -1"});
  op_refuses<ShapeError>("where",
                         [] {
                           return where(tensor({true, false}), zeros({3}), 0.0);
                         },
                         {"broadcast"});
}

TEST_CASE("faults/shapes: FAULTS 2: inner dimensions of a matrix product") {
  op_refuses<ShapeError>("matmul",
                         [] {
                           return matmul(zeros({3, 4}), zeros({3, 4}));
                         },
                         {"inner dimensions differ: 4 and 3", "a: float32[3, 4]", "b: float32[3, 4]"});
  op_refuses<ShapeError>("linear",
                         [] {
                           return linear(zeros({2, 3}), zeros({5, 4}));
                         },
                         {"inner dimensions differ: 3 and 4"});
}

TEST_CASE("faults/shapes: FAULTS 3: batch dimensions of a matrix product") {
  op_refuses<ShapeError>("matmul",
                         [] {
                           return matmul(zeros({2, 3, 4}), zeros({3, 4, 5}));
                         },
                         {"batch dimensions do not broadcast: [2] and [3]"});
  op_refuses<ShapeError>("bmm",
                         [] {
                           return bmm(zeros({2, 3, 4}), zeros({3, 4, 5}));
                         },
                         {"batch sizes differ: 2 and 3"});
}

TEST_CASE("faults/shapes: FAULTS 4: a 0-d tensor in a matrix product") {
  op_refuses<ShapeError>("matmul", [] { return matmul(zeros({}), zeros({2})); }, {"at least one dimension"});
  op_refuses<ShapeError>("matmul", [] { return matmul(zeros({2}), zeros({})); }, {"at least one dimension"});
}

TEST_CASE("faults/shapes: FAULTS 5: reshaping to another number of elements") {
  op_refuses<ShapeError>("reshape", [] { return reshape(zeros({6}), {4}); }, {"6 elements", "[4]"});
  op_refuses<ShapeError>("reshape", [] { return reshape(zeros({6}), {4, -1}); }, {"6 elements", "[4, -1]"});
}

TEST_CASE("faults/shapes: FAULTS 6: a size that cannot be told") {
  op_refuses<ShapeError>("reshape", [] { return reshape(zeros({6}), {-1, -1}); }, {"ambiguous"});
  op_refuses<ShapeError>("reshape", [] { return reshape(zeros({0}), {0, -1}); }, {"ambiguous"});
}

TEST_CASE("faults/shapes: FAULTS 7: every tensor is dense, so any reshape that fits works") {
  // Views that stride exist nowhere: permuting and slicing copy.
  const Tensor x = Rng(7).normal({3, 4, 5}, float64);
  for (const Tensor& y : {transpose(x, 0, 2), slice(x, 1, 3, {}, -2), expand(x[0], {3, 4, 5})}) {
    const Tensor flat = reshape(y, {-1});
    CHECK(flat.to_vector<double>() == y.to_vector<double>());
  }
  const Tensor c = Rng(8).normal({60}, float64);
  const Tensor g = gradient([](const Tensor& t) { return reshape(transpose(t, 0, 2), {-1}); }, x, c);
  CHECK(equal(g, transpose(reshape(c, {5, 4, 3}), 0, 2)));
}

TEST_CASE("faults/shapes: FAULTS 8: a negative size") {
  refuses<ShapeError>([] { return zeros({2, -1}); }, {"negative size", "[2, -1]"});
  refuses<ShapeError>([] { return Rng(1).normal({-3}); }, {"negative size", "[-3]"});
  op_refuses<ShapeError>("reshape", [] { return reshape(zeros({6}), {-2, 3}); }, {"negative size -2"});
  op_refuses<ShapeError>("expand", [] { return expand(zeros({1}), {-2}); }, {"negative size"});
}

TEST_CASE("faults/shapes: FAULTS 9: element counts beyond int64, before anything is allocated") {
  refuses<ShapeError>([] { return zeros({kHuge, kHuge}); }, {"overflow"});
  refuses<ShapeError>([] { return full({kHuge, 1 << 21}, 1.0, float64); }, {"overflow"});
  refuses<ShapeError>([] { return zeros({0, kHuge, kHuge}); }, {"overflow"});
  refuses<ShapeError>([] { return arange(INT64_MIN, INT64_MAX); }, {"overflow"});
  const Tensor one = zeros({1});
  op_refuses<ShapeError>("expand", [&] { return expand(one, {kHuge, kHuge}); }, {"overflow"});
  op_refuses<ShapeError>("repeat_interleave", [&] { return repeat_interleave(zeros({4}), INT64_MAX); },
                         {"overflow"});
  op_refuses<ShapeError>("pad", [&] { return pad(one, {INT64_MAX, INT64_MAX}); }, {"overflow"});
  // Two empty tensors whose product is not.
  const Tensor tall = zeros({kHuge, 0}), wide = zeros({0, kHuge});
  op_refuses<ShapeError>("matmul", [&] { return matmul(tall, wide); }, {"overflow"});
  op_refuses<ShapeError>("add", [] { return zeros({kHuge, 1, 0}) + zeros({1, kHuge, 0}); }, {"overflow"});
}

TEST_CASE("faults/shapes: FAULTS 10: more dimensions than there may be") {
  refuses<ShapeError>([] { return zeros({1, 1, 1, 1, 1, 1, 1, 1, 1}); }, {"9 dimensions", "limit is 8"});
  const Tensor full_rank = zeros({1, 1, 1, 1, 1, 1, 1, 1});
  op_refuses<ShapeError>("unsqueeze", [&] { return unsqueeze(full_rank, 0); }, {"limit is 8 dimensions"});
  op_refuses<ShapeError>("stack", [&] { return stack({full_rank, full_rank}); }, {"limit is 8 dimensions"});
  op_refuses<ShapeError>("embedding",
                         [] {
                           return embedding(zeros({1, 1, 1, 1, 1, 1, 1, 1}, int64), zeros({2, 2}));
                         },
                         {"limit is 8 dimensions"});
}

TEST_CASE("faults/shapes: FAULTS 11: joining what does not fit, and nothing") {
  op_refuses<ShapeError>("cat", [] { return cat({zeros({2, 3}), zeros({3})}); }, {"ranks differ: 2 and 1"});
  op_refuses<ShapeError>("cat",
                         [] {
                           return cat({zeros({2, 3}), zeros({2, 4})});
                         },
                         {"sizes differ along dimension 1: 3 and 4"});
  op_refuses<ShapeError>("stack", [] { return stack({zeros({2}), zeros({3})}); }, {"[2]", "[3]"});
  op_refuses<ShapeError>("cat", [] { return cat(std::span<const Tensor>()); }, {"at least one tensor"});
  op_refuses<ShapeError>("stack", [] { return stack(std::span<const Tensor>()); }, {"at least one tensor"});
}

TEST_CASE("faults/shapes: FAULTS 12: dimensions out of range or named twice") {
  const Tensor x = zeros({2, 3});
  op_refuses<IndexError>("sum", [&] { return sum(x, Dims{2}); }, {"dimension 2 is out of range for rank 2"});
  op_refuses<IndexError>("softmax", [&] { return softmax(x, -3); },
                         {"dimension -3 is out of range for rank 2"});
  op_refuses<IndexError>("cat", [&] { return cat({x, x}, 2); }, {"dimension 2 is out of range"});
  op_refuses<IndexError>("transpose", [&] { return transpose(x, 0, 2); },
                         {"dimension 2 is out of range for rank 2"});
  op_refuses<IndexError>("flip", [&] { return flip(x, {5}); }, {"dimension 5 is out of range"});
  op_refuses<ArgumentError>("mean", [&] { return mean(x, Dims{0, -2}); }, {"listed twice"});
  op_refuses<ArgumentError>("permute", [&] { return permute(x, {1, 1}); }, {"listed twice"});
  op_refuses<ArgumentError>("flip", [&] { return flip(x, {0, 0}); }, {"listed twice"});
  refuses<IndexError>([&] { return x.size(2); }, {"dimension 2", "rank 2"});
}

TEST_CASE("faults/shapes: FAULTS 13: expanding a size that is not 1") {
  op_refuses<ShapeError>("expand", [] { return expand(zeros({3}), {2}); },
                         {"does not broadcast to [2]", "float32[3]"});
}

TEST_CASE("faults/shapes: FAULTS 14: a size of 0 beside one that broadcasts") {
  Tape tape;
  const Tensor a = tape.watch(zeros({4, 0}, float64)), b = tape.watch(ones({4, 1}, float64));
  const Tensor y = a + b;
  CHECK(y.shape() == Shape{4, 0});
  const Gradients g = tape.gradient(y, zeros({4, 0}, float64));
  CHECK(equal(g[b], zeros({4, 1}, float64)));
  CHECK(g[a].shape() == Shape{4, 0});
}

TEST_CASE("faults/shapes: FAULTS 15: sum, product and mean of nothing") {
  const Tensor none = zeros({0}, float64);
  CHECK(sum(none).item() == 0);
  CHECK(prod(none).item() == 1);
  CHECK(std::isnan(mean(none).item()));
  CHECK(gradient([](const Tensor& t) { return sum(t); }, none).shape() == Shape{0});
  CHECK(gradient([](const Tensor& t) { return prod(t); }, none).shape() == Shape{0});
  CHECK(gradient([](const Tensor& t) { return mean(t); }, none).shape() == Shape{0});
  // Along a dim of size 0, where the others are not.
  CHECK(equal(prod(zeros({2, 0}, float64), Dims{1}), ones({2}, float64)));
}

TEST_CASE("faults/shapes: FAULTS 16: the largest and smallest of nothing") {
  const Tensor none = zeros({2, 0});
  op_refuses<ShapeError>("amax", [&] { return amax(none); }, {"no identity"});
  op_refuses<ShapeError>("amin", [&] { return amin(none, Dims{1}); }, {"no identity"});
  op_refuses<ShapeError>("max", [&] { return max(none, 1).values; }, {"no identity"});
  op_refuses<ShapeError>("min", [&] { return min(none, 1).values; }, {"no identity"});
  op_refuses<ShapeError>("argmax", [&] { return argmax(none); }, {"no identity"});
  op_refuses<ShapeError>("argmin", [&] { return argmin(none, 1); }, {"no identity"});
  // Along the other dim there is nothing to find, and nothing wrong.
  CHECK(amax(none, Dims{0}).shape() == Shape{0});
}

TEST_CASE("faults/shapes: FAULTS 17: softmax and logsumexp along a dim of size 0") {
  const Tensor none = zeros({2, 0}, float64);
  CHECK(softmax(none, 1).shape() == Shape{2, 0});
  CHECK(log_softmax(none, 1).shape() == Shape{2, 0});
  CHECK(equal(logsumexp(none, Dims{1}), full({2}, -kInf, float64)));
  CHECK(gradient([](const Tensor& t) { return softmax(t, 1); }, none).shape() == Shape{2, 0});
  CHECK(gradient([](const Tensor& t) { return logsumexp(t, Dims{1}); }, none).shape() == Shape{2, 0});
}

TEST_CASE("faults/shapes: FAULTS 18: a 0-d tensor goes through every pointwise op and full reduction") {
  size_t ops = 0;
  for (const Op* op : all_ops()) {
    const bool reduction = op->name == "sum" || op->name == "mean" || op->name == "prod" ||
                           op->name == "amax" || op->name == "amin" || op->name == "logsumexp" ||
                           op->name == "var" || op->name == "std" || op->name == "norm";
    if (op->pointwise[static_cast<int>(float64)] == nullptr && !reduction) continue;
    INFO(std::string(op->name));
    ++ops;
    // The op's own sample of rank 0, and its elements as vectors of one.
    const Samples samples = samples_of(*op);
    for (const Sample& sample : samples.samples()) {
      bool single = true;
      for (const Tensor& x : sample.inputs) single = single && x.rank() == 0;
      if (!single) continue;
      std::vector<Tensor> vectors;
      for (const Tensor& x : sample.inputs) vectors.push_back(reshape(x, {1}));
      const auto both = [&](const std::vector<Tensor>& inputs, const Shape& shape) {
        Tape tape;
        const std::vector<Tensor> x = watch_all(tape, inputs);
        const Tensor y = run(*op, x, sample.options.ref())[0];
        CHECK(y.shape() == (reduction ? Shape{} : shape));
        std::vector<Tensor> results = {reshape(y, {})};
        if (!recorded(tape, y)) return results;
        const Gradients g = tape.gradient(y, full(y.shape(), -1.75, float64));
        for (const Tensor& v : x) {
          if (!is_floating(v.dtype())) continue;
          const Tensor dv = g.get_or_zeros(v);
          CHECK(dv.shape() == shape);
          results.push_back(reshape(dv, {}));
        }
        return results;
      };
      const std::vector<Tensor> a = both(sample.inputs, {}), b = both(vectors, {1});
      REQUIRE(a.size() == b.size());
      for (size_t i = 0; i < a.size(); ++i) CHECK(equal(a[i], b[i]));
    }
  }
  CHECK(ops > 40);
}

TEST_CASE("faults/shapes: FAULTS 26: a cotangent of another shape") {
  Tape tape;
  const Tensor x = tape.watch(ones({2}, float64));
  const Tensor y = x * 2.0;
  refuses<ShapeError>(
      [&] {
        tape.gradient(y, zeros({2, 1}, float64));
      },
      {"cotangent", "float64[2, 1]", "float64[2]"});
  refuses<ShapeError>([&] { tape.gradient(y, zeros({}, float64)); }, {"cotangent", "float64[]"});
}
