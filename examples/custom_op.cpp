// Two ops of one's own, with the same rights as the library's: a pointwise one, which is its formula and
// nothing else, and one that is not pointwise, with the parts that every op has.

#include <fmt/format.h>

#include <autograd/autograd.h>
#include <autograd/samples.h>

using namespace tapegrad;

// Pointwise: the library derives the forward kernel, the gradient and the second derivative from f.
struct Gauss {
  static constexpr std::string_view name = "gauss", doc = "y = e^(−x²)";
  static auto f(auto x) {
    using namespace math;
    return exp(-x * x);
  }
};
Tensor gauss(const Arg& x) { return apply(op<Gauss>, {x}); }

// Not pointwise: running sums along the last dimension, from the front or from the back.
struct RunningSum {
  struct Options {
    bool backwards = false;
    static void fields(auto& self, auto&& f) { f("backwards", self.backwards); }
  };
  static constexpr std::string_view name = "running_sum",
                                    doc = "y[i] = x[0] + … + x[i] along the last dimension";
  static constexpr std::string_view operands[] = {"x"};

  // Checks the operands and declares the result; the library allocates it.
  static void shape(Call& call) {
    call.require_floating(0);
    if (call.rank(0) == 0) call.shape_error("expected at least one dimension");
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) { call.dtype(0) == float32 ? run<float>(call) : run<double>(call); }
  template <class E>
  static void run(Call& call) {
    const E* x = call.data<E>(0);
    E* y = call.out_data<E>();
    const int64_t length = call.shape(0)[call.rank(0) - 1];
    const bool backwards = call.options<Options>().backwards;
    for (int64_t row = 0; row + length <= call.numel(0) && length > 0; row += length) {
      E total = 0;
      for (int64_t i = 0; i < length; ++i) {
        const int64_t at = row + (backwards ? length - 1 - i : i);
        y[at] = total += x[at];
      }
    }
  }
  // x[i] takes part in y[i], y[i+1], …, so its gradient is the running sum of g from the other end. Written
  // with ops, so that it can be differentiated again.
  static void vjp(Vjp& v) { v.add(0, apply(v.op(), {v.g()}, Options{!v.options<Options>().backwards})); }
  static Cost cost(const Call& call) {
    return {static_cast<double>(call.numel(0)), 2.0 * static_cast<double>(call.in(0).bytes())};
  }
  // What every check of this op runs over, and a call that must throw.
  static void samples(Samples& s) {
    s.add({s.normal({5})}, Options{});
    s.add({s.normal({2, 3, 4})}, Options{true});
    s.add({s.normal({3, 0})}, Options{});
    s.add_error("at least one dimension", {s.normal({})}, Options{});
  }
};
Tensor running_sum(const Arg& x, bool backwards = false) {
  return apply(op<RunningSum>, {x}, RunningSum::Options{backwards});
}

namespace {

// Checks the gradient of an op on each of its own samples, and that the calls which must throw do.
bool check(const Op& op) {
  Samples samples(float64);
  op.samples(samples);
  bool ok = true;
  for (const Sample& sample : samples.samples()) {
    if (sample.inputs[0].numel() == 0) continue;  // nothing to differentiate
    const auto f = [&](std::span<const Tensor> inputs) { return run(op, inputs, sample.options.ref())[0]; };
    const Report report = gradcheck(f, sample.inputs);
    ok = ok && report.ok();
    fmt::print("{}: {}\n", op.name, report.text());
  }
  for (const ErrorSample& sample : samples.errors()) {
    try {
      run(op, sample.inputs, sample.options.ref());
      ok = false;
    } catch (const Error& error) {
      fmt::print("{}: throws as it should: {}\n", op.name, error.what());
    }
  }
  return ok;
}

}  // namespace

int main() {
  const Tensor x = tensor({{-2.0, 0.0, 1.0}, {3.0, 0.5, -1.0}}, float64);
  fmt::print("gauss(x) =\n{}\n\n", to_string(gauss(x)));
  fmt::print("running_sum(x) =\n{}\n\n", to_string(running_sum(x)));

  bool ok = check(op<Gauss>);
  ok = check(op<RunningSum>) && ok;

  // Both at once, and twice: the derivative of the squared length of the gradient.
  Tape tape;
  const Tensor watched = tape.watch(x);
  const Tensor y = sum(square(running_sum(gauss(watched))));
  const Tensor slope = tape.gradient(y, {.differentiable = true})[watched];
  fmt::print("\nd/dx |dy/dx|^2 =\n{}\n", to_string(tape.gradient(sum(square(slope)))[watched]));
  return ok ? 0 : 1;
}
