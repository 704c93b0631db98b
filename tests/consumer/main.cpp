// A user's program: an op of its own, checked against finite differences.
#include <autograd/autograd.h>

using namespace tapegrad;

struct Gauss {
  static constexpr auto name = "gauss", doc = "y = e^(-x^2)";
  static auto f(auto x) {
    using namespace math;
    return exp(-x * x);
  }
};

Tensor gauss(const Arg& x) { return apply(op<Gauss>, {x}); }

int main() {
  Rng rng{1};
  const Tensor x = rng.normal({3, 4}, float64);
  const Report report = gradcheck([](const Tensor& x) { return sum(gauss(x)); }, {x});
  print(report);
  return report.ok() ? 0 : 1;
}
