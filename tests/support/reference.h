#pragma once

// What every op of the registry computes, written a second time as plain loops over float64 numbers.

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "autograd/autograd.h"

namespace tapegrad::testing {

// A tensor of any dtype as float64 numbers.
struct Array {
  Shape shape;
  std::vector<double> v;

  double& operator[](size_t i) { return v[i]; }
  double operator[](size_t i) const { return v[i]; }
};

Array array_of(const Tensor& x);
Array array_like(const Shape& shape, double value = 0);

// The options of a call by field name, a text as its characters; optional fields that are not set are absent.
using Fields = std::map<std::string, std::vector<double>, std::less<>>;
Fields fields_of(OptionsRef options);
// None given: the op's default ones.
Fields fields_of(const Op& op, OptionsRef options);

// A pointwise op of the library on single numbers: its operands, then the options named, NaN where absent.
struct ScalarReference {
  std::string_view name;
  int arity;
  double (*value)(const double* x);
  // g·∂/∂x_i by the library's conventions at kinks, ties and poles; null where there is no gradient.
  double (*gradient[3])(double g, const double* x);
  std::string_view options[2] = {};

  // The numbers that value and gradient read, of which the operands are given.
  std::vector<double> numbers(std::vector<double> operands, const Fields& fields) const;
};
// Null if the op is not a pointwise forward op of the table.
const ScalarReference* scalar_reference(std::string_view op);

// All outputs of the op; false if there is no reference of that name.
bool reference(std::string_view op, const std::vector<Array>& inputs, const Fields& options,
               std::vector<Array>& outputs);

// ---- used by the references ----

using Reference = std::vector<Array> (*)(const std::vector<Array>& in, const Fields& options);
// Those of ops that are not pointwise.
const std::map<std::string_view, Reference>& structured_references();

using Index = std::vector<int64_t>;
Index unravel(int64_t flat, const Shape& shape);
size_t ravel(const Index& index, const Shape& shape);
// The element of x that a broadcast to `shape` puts at `index`.
double broadcast_at(const Array& x, const Index& index);

}  // namespace tapegrad::testing
