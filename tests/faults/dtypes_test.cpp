// Element types that do not fit.

#include <cmath>

#include "tests/support/faults.h"

using namespace tapegrad;
using namespace tapegrad::testing;

TEST_CASE("faults/dtypes: FAULTS 27: float32 beside float64") {
  const Tensor a = zeros({2}), b = zeros({2}, float64);
  op_refuses<DTypeError>("add", [&] { return a + b; }, {"float32 and float64", "use cast"});
  op_refuses<DTypeError>("maximum", [&] { return maximum(b, a); }, {"float64 and float32", "use cast"});
  op_refuses<DTypeError>("cat", [&] { return cat({a, b}); }, {"use cast"});
  // A number takes the tensor's dtype, and a fractional one none of integers'.
  CHECK((a + 0.1).dtype() == float32);
  CHECK((0.1 + b).dtype() == float64);
  CHECK((b + 0.1).data<double>()[0] == 0.1);
  CHECK((tensor({1, 2}) + 3).dtype() == int64);
  op_refuses<DTypeError>("mul", [] { return tensor({1, 2}) * 0.5; }, {"0.5", "int64", "use cast"});
}

TEST_CASE("faults/dtypes: FAULTS 28: float32 by float64 in a matrix product") {
  const Tensor a = zeros({2, 2}), b = zeros({2, 2}, float64);
  op_refuses<DTypeError>("matmul", [&] { return matmul(a, b); }, {"float32 and float64", "use cast"});
  op_refuses<DTypeError>("linear", [&] { return linear(a, b); }, {"float32 and float64", "use cast"});
  op_refuses<DTypeError>("dot", [] { return dot(zeros({2}), zeros({2}, float64)); }, {"use cast"});
}

TEST_CASE("faults/dtypes: FAULTS 29: integers and booleans have no gradient") {
  Tape tape;
  refuses<DTypeError>([&] { tape.watch(tensor({1, 2})); }, {"[watch]", "int64[2]", "use cast"});
  refuses<DTypeError>([&] { tape.watch(tensor({true})); }, {"[watch]", "bool[1]", "use cast"});
  refuses<DTypeError>([] { Parameter(tensor({1, 2})); }, {"int64[2]"});
}

TEST_CASE("faults/dtypes: FAULTS 30: an index that is not int64") {
  const Tensor x = zeros({3, 2}), index = zeros({2});
  op_refuses<DTypeError>("index_select", [&] { return index_select(x, 0, index); },
                         {"index", "int64", "float32", "use cast"});
  op_refuses<DTypeError>("gather", [&] { return gather(x, 0, zeros({1, 2})); }, {"int64", "use cast"});
  op_refuses<DTypeError>("scatter_add",
                         [&] {
                           return scatter_add(x, 0, zeros({1, 2}), zeros({1, 2}));
                         },
                         {"int64", "use cast"});
  op_refuses<DTypeError>("embedding", [&] { return embedding(index, x); }, {"int64", "use cast"});
  op_refuses<DTypeError>("gather", [&] { return gather(x, 0, tensor({{true, false}})); }, {"int64", "bool"});
}

TEST_CASE("faults/dtypes: FAULTS 31: a cotangent of another dtype") {
  Tape tape;
  const Tensor y = tape.watch(ones({2}, float64)) * 2.0;
  refuses<DTypeError>([&] { tape.gradient(y, ones({2})); },
                      {"cotangent", "float32[2]", "float64[2]", "use cast"});
}

TEST_CASE("faults/dtypes: FAULTS 32: a float64 beyond float32 becomes infinite, and a debug tape says so") {
  const Tensor wide = list({1e300, -1e300, 1});
  CHECK(equal(cast(wide, float32), tensor({kInf, -kInf, 1.0})));
  Tape tape({.debug = true});
  const Tensor x = tape.watch(wide);
  op_refuses<NumericError>("cast", [&] { return cast(x, float32); }, {"2 infinite", "[-1e+300, 1e+300]"});
}

TEST_CASE("faults/dtypes: FAULTS 33: a float that no integer is") {
  for (double value : {kNan, kInf, -kInf, 0x1p63, -1e30}) {
    CAPTURE(value);
    const Tensor x = list({1, value});
    op_refuses<ArgumentError>("cast", [&] { return cast(x, int64); }, {"NaN or outside the range of int64"});
    refuses<ArgumentError>([&] { return full({2}, value, int64); }, {"[full]", "int64"});
    refuses<ArgumentError>([&] { return tensor({1.0, value}, int64); }, {"[tensor]", "int64"});
  }
  op_refuses<ArgumentError>("cast", [] { return cast(tensor({3e38}), int64); }, {"int64"});
  // The edges that fit.
  CHECK(cast(list({-0x1p63}), int64).item<int64_t>() == INT64_MIN);
  CHECK(full({}, 0x1p62, int64).item<int64_t>() == int64_t{1} << 62);
}

TEST_CASE("faults/dtypes: FAULTS 34: elements asked for as another type") {
  const Tensor x = zeros({2});
  refuses<DTypeError>([&] { return x.data<double>().size(); }, {"float32", "float64", "use cast"});
  refuses<DTypeError>([&] { return zeros({}).item<int64_t>(); }, {"float32", "int64"});
  refuses<DTypeError>([&] { return tensor({true}).to_vector<float>().size(); }, {"bool", "float32"});
}
