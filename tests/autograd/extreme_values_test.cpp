// float32 pointwise ops and their gradients at 0, the smallest and largest numbers, infinities and NaN,
// against the float64 reference rounded to float32.

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>

#include "tests/support/op_function.h"
#include "tests/support/reference.h"

using namespace tapegrad;
using namespace tapegrad::testing;

namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kTiny = std::numeric_limits<float>::min();
constexpr float kDenormal = 1e-42f;

const std::vector<float> kPoints = {0.0f,   -0.0f,  kTiny,   -kTiny, 0.5f,   -0.5f, 1.0f,  -1.0f, 20.0f,
                                    -20.0f, 100.0f, -100.0f, 1e30f,  -1e30f, kInf,  -kInf, kNan};

// Within 4 units of the last place of the reference rounded to float32, the smallest denormal being a unit
// too.
bool close(float got, double reference) {
  const auto expected = static_cast<float>(reference);
  if (std::isnan(expected)) return std::isnan(got);
  if (got == expected) return true;
  if (std::isinf(expected) || std::isinf(got)) {
    // A result within 4 units of the largest number may round either way.
    const double limit = std::ldexp(1.0, 128);
    return std::fabs(std::fabs(reference) / limit - 1) <= 4 * 0x1p-23 &&
           std::signbit(got) == std::signbit(expected);
  }
  const double unit = std::ldexp(1.0, std::max(expected == 0 ? -126 : std::ilogb(expected), -126) - 23);
  return std::fabs(static_cast<double>(got) - reference) <= 4 * unit;
}

// All tuples of `arity` points.
std::vector<std::vector<float>> tuples(const std::vector<float>& points, int arity) {
  std::vector<std::vector<float>> columns(static_cast<size_t>(arity));
  size_t count = 1;
  for (int k = 0; k < arity; ++k) count *= points.size();
  for (size_t i = 0; i < count; ++i) {
    size_t rest = i;
    for (auto& column : columns) {
      column.push_back(points[rest % points.size()]);
      rest /= points.size();
    }
  }
  return columns;
}

// The operands of one op at every tuple, with the options of one of its samples.
struct Grid {
  Grid(const Op& op, const ScalarReference& scalar, OptionsBox options)
      : reference(scalar), options(std::move(options)), fields(fields_of(op, this->options.ref())) {
    std::vector<float> points = kPoints;
    if (scalar.arity == 1)
      points.insert(points.end(), {kDenormal, -kDenormal, 1e-20f, 7.5f, -7.5f, 50.0f, -50.0f});
    columns = tuples(points, scalar.arity);
    for (const std::vector<float>& column : columns) {
      inputs.push_back(from_vector(column, {static_cast<int64_t>(column.size())}));
    }
    if (op.first_value == 1) inputs[0] = gt(inputs[0], 0.0);
  }
  size_t size() const { return columns[0].size(); }
  std::vector<double> at(size_t i) const {
    std::vector<double> x;
    for (const std::vector<float>& column : columns) x.push_back(column[i]);
    if (inputs[0].dtype() == boolean) x[0] = x[0] > 0 ? 1 : 0;
    return x;
  }
  // The numbers that the reference reads.
  std::vector<double> numbers(size_t i) const { return reference.numbers(at(i), fields); }
  std::string text(size_t i) const {
    std::string text;
    for (double x : numbers(i)) text += " " + std::to_string(x);
    return text;
  }

  const ScalarReference& reference;
  OptionsBox options;
  Fields fields;
  std::vector<std::vector<float>> columns;
  std::vector<Tensor> inputs;
};

// The float64 reference, with the intermediate result that the op's contract rounds to float32 rounded.
double expected_value(const Grid& grid, size_t i) {
  const std::vector<double> x = grid.numbers(i);
  if (grid.reference.name == "mul_add") return static_cast<double>(static_cast<float>(x[0] * x[1])) + x[2];
  return grid.reference.value(x.data());
}

// The different options that the op's samples have.
std::vector<OptionsBox> options_of(const Op& op) {
  std::vector<OptionsBox> result;
  const Samples samples = samples_of(op, float32);
  for (const Sample& sample : samples.samples()) {
    bool known = false;
    for (const OptionsBox& other : result) known |= equal(other.ref(), sample.options.ref());
    if (!known) result.push_back(sample.options);
  }
  return result;
}

// Calls visit for each forward pointwise op and its options; the gradients of these cover the backward ones.
template <class Visit>
void for_forward_ops(const Visit& visit) {
  int visited = 0;
  for (const Op* op : all_ops()) {
    if (op->pointwise[0] == nullptr || op->name.find("_backward") != std::string_view::npos) continue;
    const ScalarReference* scalar = scalar_reference(op->name);
    REQUIRE_MESSAGE(scalar != nullptr, std::string(op->name) << " has no reference");
    for (const OptionsBox& options : options_of(*op)) visit(*op, Grid(*op, *scalar, options));
    ++visited;
  }
  CHECK(visited >= 26);
}

}  // namespace

TEST_CASE("autograd/extreme_values: values") {
  for_forward_ops([](const Op& op, const Grid& grid) {
    const Tensor y = run(op, grid.inputs, grid.options.ref())[0];
    for (size_t i = 0; i < grid.size(); ++i) {
      const double expected = expected_value(grid, i);
      const float got = y.dtype() == boolean ? static_cast<float>(y.data<bool>()[i]) : y.data<float>()[i];
      INFO(std::string(op.name) << " at" << grid.text(i) << " is " << got << ", expected " << expected);
      CHECK(close(got, expected));
    }
  });
}

TEST_CASE("autograd/extreme_values: gradients") {
  for_forward_ops([](const Op& op, const Grid& grid) {
    if (op.vjp == nullptr) return;
    for (float g : {1.0f, -2.0f, 0.0f}) {
      Tape tape;
      const std::vector<Tensor> x = watch_all(tape, grid.inputs);
      const Tensor y = run(op, x, grid.options.ref())[0];
      const Gradients gradients = tape.gradient(y, full(y.shape(), g));
      for (size_t k = 0; k < x.size(); ++k) {
        if (!is_floating(x[k].dtype()) || grid.reference.gradient[k] == nullptr) continue;
        const Tensor dx = gradients[x[k]];
        for (size_t i = 0; i < grid.size(); ++i) {
          const double expected = grid.reference.gradient[k](g, grid.numbers(i).data());
          const float got = dx.data<float>()[i];
          INFO("g = " << g << ", operand " << k << " of " << std::string(op.name) << " at" << grid.text(i)
                      << " is " << got << ", expected " << expected);
          CHECK(close(got, expected));
        }
      }
    }
  });
}

TEST_CASE("autograd/extreme_values: a pole passes nothing where the cotangent is 0") {
  // Nothing finite is lost either: these ops give g·df for every other g, checked above.
  for (const char* name :
       {"sqrt", "log",  "pow",   "exp",        "square",     "tanh",     "sigmoid", "abs",       "relu",
        "sin",  "tan",  "asin",  "acos",       "atan2",      "hypot",    "elu",     "selu",      "silu",
        "mish", "log2", "log10", "log1p",      "acosh",      "atanh",    "xlogy",   "logaddexp", "sinh",
        "erf",  "gelu", "rsqrt", "leaky_relu", "reciprocal", "softplus", "hardtanh"}) {
    const Op& op = *find_op(name);
    const Grid grid(op, *scalar_reference(name), {});
    Tape tape;
    const std::vector<Tensor> x = watch_all(tape, grid.inputs);
    const Tensor y = run(op, x, {})[0];
    const Gradients gradients = tape.gradient(y, zeros(y.shape()));
    for (const Tensor& v : x) {
      const Tensor dx = gradients[v];
      for (size_t i = 0; i < grid.size(); ++i) {
        INFO(name << " at" << grid.text(i));
        CHECK(dx.data<float>()[i] == 0);
      }
    }
  }
}
