#pragma once

#include <limits>
#include <optional>
#include <string_view>

#include "autograd/formula.h"

namespace tapegrad {

// The formulas of activations; see formula.h. Options become numbers, which df reads after y.
namespace formula {

struct LeakyRelu {
  static constexpr std::string_view name = "leaky_relu", backward[] = {"leaky_relu_backward"};
  static constexpr Reads reads = Reads::x;
  static constexpr bool linear = true;
  struct Options {
    double negative_slope = 0.01;
    static void fields(auto& self, auto&& f) { f("negative_slope", self.negative_slope); }
  };
  static constexpr int numbers = 1;
  static bool number_options(const Options& options, double* to) {
    to[0] = options.negative_slope;
    return true;
  }
};

struct Elu {
  static constexpr std::string_view name = "elu", backward[] = {"elu_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto, auto alpha) { return where(x <= 0.0, alpha * exp(x), 1.0); }
  struct Options {
    double alpha = 1;
    static void fields(auto& self, auto&& f) { f("alpha", self.alpha); }
  };
  static constexpr int numbers = 1;
  static bool number_options(const Options& options, double* to) {
    to[0] = options.alpha;
    return true;
  }
};

// The fixed point of mean 0 and variance 1 (Klambauer et al., Self-Normalizing Neural Networks, 2017).
struct Selu {
  static constexpr double kScale = 1.0507009873554804934, kBelow = 1.7580993408473768599;  // kScale·alpha
  static constexpr std::string_view name = "selu", backward[] = {"selu_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return where(x <= 0.0, kBelow * exp(x), kScale); }
};

struct Softplus {
  static constexpr std::string_view name = "softplus", backward[] = {"softplus_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto, auto beta, auto threshold) {
    auto z = beta * x;
    return where(z > threshold, 1.0, sigmoid(z));
  }
  struct Options {
    double beta = 1;
    double threshold = 20;
    static void fields(auto& self, auto&& f) {
      f("beta", self.beta);
      f("threshold", self.threshold);
    }
  };
  static constexpr int numbers = 2;
  static bool number_options(const Options& options, double* to) {
    to[0] = options.beta;
    to[1] = options.threshold;
    return true;
  }
};

struct Silu {
  static constexpr std::string_view name = "silu", backward[] = {"silu_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) { return sigmoid(x) * (1.0 + x * sigmoid(-x)); }
};

// With s = σ(x) and q = σ(−x), tanh(softplus(x)) is s(1 + q)/(1 + q²) and its slope s·(2q/(1 + q²))².
struct Mish {
  static constexpr std::string_view name = "mish", backward[] = {"mish_backward"};
  static constexpr Reads reads = Reads::x;
  static auto df(auto x, auto) {
    auto q = sigmoid(-x);
    auto d = 1.0 + q * q;
    auto t = 2.0 * q / d;
    return sigmoid(x) * ((1.0 + q) / d + x * t * t);
  }
};

struct Hardtanh {
  static constexpr std::string_view name = "hardtanh", backward[] = {"hardtanh_backward"};
  static constexpr Reads reads = Reads::x;
  static constexpr bool linear = true;
  struct Options {
    double min_val = -1;
    double max_val = 1;
    static void fields(auto& self, auto&& f) {
      f("min_val", self.min_val);
      f("max_val", self.max_val);
    }
  };
  static constexpr int numbers = 2;
  // False unless min_val ≤ max_val.
  static bool number_options(const Options& options, double* to) {
    to[0] = options.min_val;
    to[1] = options.max_val;
    return options.min_val <= options.max_val;
  }
};

struct Clamp {
  static constexpr std::string_view name = "clamp", backward[] = {"clamp_backward"};
  static constexpr Reads reads = Reads::x;
  static constexpr bool linear = true;
  struct Options {
    std::optional<double> min, max;
    static void fields(auto& self, auto&& f) {
      f("min", self.min);
      f("max", self.max);
    }
  };
  static constexpr int numbers = 2;
  // An absent bound is an infinite one. False if both are absent.
  static bool number_options(const Options& options, double* to) {
    constexpr double kInf = std::numeric_limits<double>::infinity();
    to[0] = options.min.value_or(-kInf);
    to[1] = options.max.value_or(kInf);
    return options.min.has_value() || options.max.has_value();
  }
};

}  // namespace formula

// On Blocks and Duals; those on Tensors are in ops.h.
template <FormulaValue V>
V selu(const V& x) {
  return detail::evaluate<formula::Selu>(x);
}
template <FormulaValue V>
V silu(const V& x) {
  return detail::evaluate<formula::Silu>(x);
}
template <FormulaValue V>
V mish(const V& x) {
  return detail::evaluate<formula::Mish>(x);
}

namespace math {
using tapegrad::mish;
using tapegrad::selu;
using tapegrad::silu;
}  // namespace math

}  // namespace tapegrad
