#include "tests/support/reference.h"

#include <cmath>
#include <limits>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

double sign(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }

double larger(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : a > b ? a : b; }
double smaller(double a, double b) { return std::isnan(a) ? a : std::isnan(b) ? b : a < b ? a : b; }

// g for the one chosen, half at a tie.
double chosen(double g, bool other_wins, bool tie) { return other_wins ? 0 : tie ? g / 2 : g; }

// 1 − tanh², with all its digits: 4e^{-2|x|} / (1 + e^{-2|x|})².
double tanh_slope(double x) {
  const double e = std::exp(-2 * std::fabs(x));
  return 4 * e / ((1 + e) * (1 + e));
}

double pow_slope_p(double x, double p) {
  if (x == 0) return p >= 0 ? 0 : p < 0 ? -kInf : p;
  const double y = std::pow(x, p);
  return y == 0 && x >= 0 ? 0 : y * std::log(x);
}

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// clang-format off
const ScalarReference kScalars[] = {
    {"add", 2, [](const double* x) { return x[0] + x[1]; },
     {[](double g, const double*) { return g; }, [](double g, const double*) { return g; }}},
    {"sub", 2, [](const double* x) { return x[0] - x[1]; },
     {[](double g, const double*) { return g; }, [](double g, const double*) { return -g; }}},
    {"mul", 2, [](const double* x) { return x[0] * x[1]; },
     {[](double g, const double* x) { return g * x[1]; }, [](double g, const double* x) { return g * x[0]; }}},
    {"div", 2, [](const double* x) { return x[0] / x[1]; },
     {[](double g, const double* x) { return g == 0 && (x[1] == 0 || std::isnan(x[1])) ? 0 : g / x[1]; },
      [](double g, const double* x) { return pole(g, -(x[0] / x[1] / x[1])); }}},
    {"neg", 1, [](const double* x) { return -x[0]; }, {[](double g, const double*) { return -g; }}},
    {"mul_add", 3, [](const double* x) { return x[0] * x[1] + x[2]; },
     {[](double g, const double* x) { return g * x[1]; }, [](double g, const double* x) { return g * x[0]; },
      [](double g, const double*) { return g; }}},
    {"pole_mul", 2, [](const double* x) { return pole(x[0], x[1]); }, {}},
    {"pole_div", 2, [](const double* x) { return x[0] == 0 && (x[1] == 0 || std::isnan(x[1])) ? 0 : x[0] / x[1]; }, {}},
    {"maximum", 2, [](const double* x) { return larger(x[0], x[1]); },
     {[](double g, const double* x) { return chosen(g, x[0] < x[1], x[0] == x[1]); },
      [](double g, const double* x) { return chosen(g, x[0] > x[1], x[0] == x[1]); }}},
    {"minimum", 2, [](const double* x) { return smaller(x[0], x[1]); },
     {[](double g, const double* x) { return chosen(g, x[0] > x[1], x[0] == x[1]); },
      [](double g, const double* x) { return chosen(g, x[0] < x[1], x[0] == x[1]); }}},
    {"pow", 2, [](const double* x) { return std::pow(x[0], x[1]); },
     {[](double g, const double* x) { return pole(g, x[1] == 0 ? 0 : x[1] * std::pow(x[0], x[1] - 1)); },
      [](double g, const double* x) { return pole(g, pow_slope_p(x[0], x[1])); }}},
    {"abs", 1, [](const double* x) { return std::fabs(x[0]); },
     {[](double g, const double* x) { return pole(g, sign(x[0])); }}},
    {"sign", 1, [](const double* x) { return sign(x[0]); }, {[](double, const double*) { return 0.0; }}},
    {"square", 1, [](const double* x) { return x[0] * x[0]; },
     {[](double g, const double* x) { return pole(g, 2 * x[0]); }}},
    {"sqrt", 1, [](const double* x) { return std::sqrt(x[0]); },
     {[](double g, const double* x) { return pole(g, 0.5 / std::fabs(std::sqrt(x[0]))); }}},
    {"exp", 1, [](const double* x) { return std::exp(x[0]); },
     {[](double g, const double* x) { return pole(g, std::exp(x[0])); }}},
    {"log", 1, [](const double* x) { return std::log(x[0]); },
     {[](double g, const double* x) { return pole(g, x[0] >= 0 ? 1 / std::fabs(x[0]) : kNan); }}},
    {"tanh", 1, [](const double* x) { return std::tanh(x[0]); },
     {[](double g, const double* x) { return pole(g, tanh_slope(x[0])); }}},
    {"sigmoid", 1, [](const double* x) { return sigmoid(x[0]); },
     {[](double g, const double* x) { return pole(g, sigmoid(x[0]) * sigmoid(-x[0])); }}},
    {"relu", 1, [](const double* x) { return x[0] <= 0 ? 0 : x[0]; },
     {[](double g, const double* x) { return x[0] <= 0 ? 0 : g; }}},
    {"where", 3, [](const double* x) { return x[0] != 0 ? x[1] : x[2]; },
     {nullptr, [](double g, const double* x) { return x[0] != 0 ? g : 0; },
      [](double g, const double* x) { return x[0] != 0 ? 0 : g; }}},
    {"eq", 2, [](const double* x) { return double(x[0] == x[1]); }, {}},
    {"ne", 2, [](const double* x) { return double(x[0] != x[1]); }, {}},
    {"lt", 2, [](const double* x) { return double(x[0] < x[1]); }, {}},
    {"le", 2, [](const double* x) { return double(x[0] <= x[1]); }, {}},
    {"gt", 2, [](const double* x) { return double(x[0] > x[1]); }, {}},
    {"ge", 2, [](const double* x) { return double(x[0] >= x[1]); }, {}},
    // Derivatives that are functions of y alone.
    {"sqrt_backward", 2, [](const double* x) { return pole(x[0], 0.5 / std::fabs(x[1])); }, {}},
    {"exp_backward", 2, [](const double* x) { return pole(x[0], x[1]); }, {}},
    {"relu_backward", 2, [](const double* x) { return x[1] <= 0 ? 0 : x[0]; }, {}},
};
// clang-format on

constexpr BackwardName kBackward[] = {
    {"maximum_backward_a", "maximum", 0}, {"maximum_backward_b", "maximum", 1},
    {"minimum_backward_a", "minimum", 0}, {"minimum_backward_b", "minimum", 1},
    {"pow_backward_x", "pow", 0},         {"pow_backward_p", "pow", 1},
};

// Every table of pointwise ops; that of this file first.
const std::vector<ScalarTable>& scalar_tables() {
  static const std::vector<ScalarTable> tables = {
      {kScalars, kBackward},
      activation_scalars(),
      exponential_scalars(),
      trigonometric_scalars(),
  };
  return tables;
}

// f of the list of operands at each place.
template <class F>
Array map(const std::vector<Array>& in, const F& f) {
  Shape shape = in[0].shape;
  int axis = 0;
  for (const Array& x : in) broadcast(shape, x.shape, shape, axis);
  Array y = array_like(shape);
  std::vector<double> x(in.size());
  for (int64_t i = 0; i < shape.numel(); ++i) {
    const Index index = unravel(i, shape);
    for (size_t k = 0; k < in.size(); ++k) x[k] = broadcast_at(in[k], index);
    y[static_cast<size_t>(i)] = f(x);
  }
  return y;
}

// The forward op and operand that a backward op belongs to; the only operand where the name does not say.
BackwardName backward_of(std::string_view op) {
  for (const ScalarTable& table : scalar_tables()) {
    for (const BackwardName& backward : table.backward) {
      if (backward.name == op) return backward;
    }
  }
  constexpr std::string_view kSuffix = "_backward";
  if (!op.ends_with(kSuffix)) return {};
  return {op, op.substr(0, op.size() - kSuffix.size()), 0};
}

class Reader final : public OptionVisitor {
 public:
  void field(std::string_view name, bool& value) override { put(name, {value ? 1.0 : 0.0}); }
  void field(std::string_view name, int64_t& value) override { put(name, {static_cast<double>(value)}); }
  void field(std::string_view name, double& value) override { put(name, {value}); }
  void field(std::string_view name, Dims& value) override { put(name, {value.begin(), value.end()}); }
  void field(std::string_view name, DType& value) override { put(name, {static_cast<double>(value)}); }
  void field(std::string_view name, std::optional<int64_t>& value) override {
    if (value) field(name, *value);
  }
  void field(std::string_view name, std::optional<double>& value) override {
    if (value) field(name, *value);
  }
  void field(std::string_view name, std::optional<Dims>& value) override {
    if (value) field(name, *value);
  }
  void field(std::string_view, CellRef&) override {}
  void field(std::string_view name, Text& value) override {
    const std::string_view text = value;
    put(name, {text.begin(), text.end()});
  }
  void field(std::string_view name, Pads& value) override { put(name, {value.begin(), value.end()}); }
  void field(std::string_view name, std::vector<double>& value) override { put(name, value); }
  void choice(std::string_view name, int32_t& value, std::span<const std::string_view>) override {
    put(name, {static_cast<double>(value)});
  }

  Fields fields;

 private:
  void put(std::string_view name, std::vector<double> values) {
    fields[std::string(name)] = std::move(values);
  }
};

}  // namespace

Array array_like(const Shape& shape, double value) {
  return {shape, std::vector<double>(static_cast<size_t>(shape.numel()), value)};
}

Array array_of(const Tensor& x) {
  Array result = array_like(x.shape());
  for (size_t i = 0; i < result.v.size(); ++i) {
    switch (x.dtype()) {
      case DType::float32: result[i] = x.data<float>()[i]; break;
      case DType::float64: result[i] = x.data<double>()[i]; break;
      case DType::int64: result[i] = static_cast<double>(x.data<int64_t>()[i]); break;
      case DType::boolean: result[i] = x.data<bool>()[i] ? 1 : 0; break;
    }
  }
  return result;
}

Fields fields_of(OptionsRef options) {
  Reader reader;
  if (options.type != nullptr) {
    OptionsBox copy(options);
    options.type->visit(const_cast<void*>(copy.ref().data), reader);
  }
  return reader.fields;
}

Fields fields_of(const Op& op, OptionsRef options) {
  if (options.type != nullptr || op.options == nullptr) return fields_of(options);
  return fields_of(OptionsBox(op.options).ref());
}

Index unravel(int64_t flat, const Shape& shape) {
  Index index(static_cast<size_t>(shape.rank()));
  for (int d = shape.rank() - 1; d >= 0; --d) {
    index[static_cast<size_t>(d)] = flat % shape[d];
    flat /= shape[d];
  }
  return index;
}

size_t ravel(const Index& index, const Shape& shape) {
  int64_t flat = 0;
  for (int d = 0; d < shape.rank(); ++d) flat = flat * shape[d] + index[static_cast<size_t>(d)];
  return static_cast<size_t>(flat);
}

double broadcast_at(const Array& x, const Index& index) {
  Index own(index.end() - x.shape.rank(), index.end());
  for (int d = 0; d < x.shape.rank(); ++d) {
    if (x.shape[d] == 1) own[static_cast<size_t>(d)] = 0;
  }
  return x[ravel(own, x.shape)];
}

std::vector<double> ScalarReference::numbers(std::vector<double> operands, const Fields& fields) const {
  for (std::string_view option : options) {
    if (option.empty()) continue;
    const auto found = fields.find(option);
    operands.push_back(found != fields.end() ? found->second[0] : kNan);
  }
  return operands;
}

const ScalarReference* scalar_reference(std::string_view op) {
  for (const ScalarTable& table : scalar_tables()) {
    for (const ScalarReference& scalar : table.ops) {
      if (scalar.name == op) return &scalar;
    }
  }
  return nullptr;
}

bool reference(std::string_view op, const std::vector<Array>& inputs, const Fields& options,
               std::vector<Array>& outputs) {
  if (const auto found = structured_references().find(op); found != structured_references().end()) {
    outputs = found->second(inputs, options);
    return true;
  }
  if (const ScalarReference* scalar = scalar_reference(op)) {
    outputs = {map(inputs, [&](const std::vector<double>& x) {
      return scalar->value(scalar->numbers(x, options).data());
    })};
    return true;
  }
  const BackwardName backward = backward_of(op);
  const ScalarReference* forward = scalar_reference(backward.forward);
  if (forward != nullptr && forward->gradient[backward.operand] != nullptr) {
    outputs = {map(inputs, [&](const std::vector<double>& x) {
      const std::vector<double> operands(x.begin() + 1, x.begin() + 1 + forward->arity);
      return forward->gradient[backward.operand](x[0], forward->numbers(operands, options).data());
    })};
    return true;
  }
  return false;
}

}  // namespace tapegrad::testing
