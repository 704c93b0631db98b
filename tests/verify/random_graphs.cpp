// Random graphs with one broken VJP each: which record does a report name?

#include <cmath>
#include <deque>
#include <functional>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "autograd/samples.h"
#include "autograd/tape_impl.h"
#include "tests/support/planted.h"
#include "tests/verify/gradients.h"

namespace tapegrad::verify {
namespace {

using testing::Fault;
using Unary = std::function<Tensor(const Tensor&)>;
using Binary = std::function<Tensor(const Tensor&, const Tensor&)>;

// From [r, c] to [r, c], for values of up to 8.
const std::vector<Unary>& unary_steps() {
  static const std::vector<Unary> steps = {
      [](const Tensor& x) { return tanh(x); },
      [](const Tensor& x) { return sigmoid(x); },
      [](const Tensor& x) { return sin(x); },
      [](const Tensor& x) { return cos(x); },
      [](const Tensor& x) { return exp(x * 0.5); },
      [](const Tensor& x) { return log(square(x) + 0.5); },
      [](const Tensor& x) { return sqrt(square(x) + 0.25); },
      [](const Tensor& x) { return reciprocal(square(x) + 1.0); },
      [](const Tensor& x) { return relu(x); },
      [](const Tensor& x) { return leaky_relu(x, 0.2); },
      [](const Tensor& x) { return elu(x); },
      [](const Tensor& x) { return softplus(x); },
      [](const Tensor& x) { return silu(x); },
      [](const Tensor& x) { return mish(x); },
      [](const Tensor& x) { return gelu(x); },
      [](const Tensor& x) { return erf(x); },
      [](const Tensor& x) { return atan(x); },
      [](const Tensor& x) { return asinh(x); },
      [](const Tensor& x) { return abs(x); },
      [](const Tensor& x) { return clamp(x, -1.5, 1.5); },
      [](const Tensor& x) { return softmax(x, 1); },
      [](const Tensor& x) { return log_softmax(x, 0); },
      [](const Tensor& x) { return cumsum(x, 1); },
      [](const Tensor& x) { return cumprod(tanh(x), 0); },
      [](const Tensor& x) { return logcumsumexp(x, 1); },
      // Of what is equal sort passes the cotangent of one place, which need not lie between those of its
      // sides.
      [](const Tensor& x) { return sort(x + Rng(7).normal(x.shape(), float64), 0).values; },
      [](const Tensor& x) { return x - mean(x, Dims{1}, true); },
      [](const Tensor& x) { return x + sum(x, Dims{0}, true); },
      [](const Tensor& x) { return x - logsumexp(x, Dims{1}, true); },
      [](const Tensor& x) { return x / (norm(x, 2, Dims{1}, true) + 0.5); },
      [](const Tensor& x) { return x * var(x, Dims{0}, 0, true); },
      [](const Tensor& x) { return x - amax(x, Dims{1}, true); },
      [](const Tensor& x) { return flip(x, {0}); },
      [](const Tensor& x) { return roll(x, {1}, Dims{1}); },
      [](const Tensor& x) { return tril(x, 1); },
      [](const Tensor& x) { return reshape(transpose(x, 0, 1), x.shape()); },
      [](const Tensor& x) {
        return cat({slice(x, 1, 1), slice(x, 1, 0, 1)}, 1);
      },
      [](const Tensor& x) {
        return expand(select(x, 0, 0), {x.size(0), x.size(1)});
      },
      [](const Tensor& x) { return index_select(x, 0, Rng(5).integers({x.size(0)}, 0, x.size(0))); },
      [](const Tensor& x) { return gather(x, 1, Rng(6).integers(x.shape(), 0, x.size(1))); },
  };
  return steps;
}

const std::vector<Binary>& binary_steps() {
  static const std::vector<Binary> steps = {
      [](const Tensor& a, const Tensor& b) { return a + b; },
      [](const Tensor& a, const Tensor& b) { return a - b; },
      [](const Tensor& a, const Tensor& b) { return a * b; },
      [](const Tensor& a, const Tensor& b) { return a / (square(b) + 1.0); },
      [](const Tensor& a, const Tensor& b) { return maximum(a, b); },
      [](const Tensor& a, const Tensor& b) { return atan2(a, b); },
      [](const Tensor& a, const Tensor& b) { return hypot(a, b); },
      [](const Tensor& a, const Tensor& b) { return logaddexp(a, b); },
      [](const Tensor& a, const Tensor& b) { return where(a < b, a, b * 2.0); },
      [](const Tensor& a, const Tensor& b) { return mul_add(a, b, a); },
      [](const Tensor& a, const Tensor& b) { return a * select(b, 0, 1); },
      [](const Tensor& a, const Tensor& b) { return matmul(matmul(a, b, false, true), b); },
      [](const Tensor& a, const Tensor& b) {
        return einsum("ij,kj,kl->il", {a, b, a});
      },
      [](const Tensor& a, const Tensor& b) { return a * dot(reshape(a, {-1}), reshape(b, {-1})); },
      [](const Tensor& a, const Tensor& b) {
        return linear(linear(a, b), transpose(b, 0, 1), select(a, 0, 0));
      },
      [](const Tensor& a, const Tensor& b) { return b * mse_loss(a, b); },
      [](const Tensor& a, const Tensor& b) { return a * huber_loss(a, b); },
  };
  return steps;
}

template <class List>
const auto& any_of(Rng& rng, const List& list) {
  return list[static_cast<size_t>(rng.integer(0, static_cast<int64_t>(list.size())))];
}

double largest(const Tensor& x) {
  double top = 0;
  for (double v : x.to_vector<double>()) top = std::fmax(top, std::isfinite(v) ? std::fabs(v) : 1e300);
  return top;
}

// Records a graph of `records` records or a few less on the tape that is current; returns the loss.
Tensor build(Tape& tape, Rng& rng, int64_t records) {
  const Shape shape = {rng.integer(2, 5), rng.integer(2, 5)};
  std::deque<Tensor> open;  // what nothing reads yet
  std::vector<Tensor> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(tape.watch(rng.normal(shape, float64)));
    open.push_back(all.back());
  }
  // Each open one costs up to three records in the end, and a step up to four with its scaling.
  while (static_cast<int64_t>(tape.size()) + 3 * static_cast<int64_t>(open.size()) + 4 <= records) {
    const Tensor a = open.front();
    open.pop_front();
    Tensor y;
    if (open.size() > 2 || rng.integer(0, 3) == 0) {
      Tensor b;
      if (open.size() > 1) {
        b = open.front();
        open.pop_front();
      } else {
        b = any_of(rng, all);
      }
      y = any_of(rng, binary_steps())(a, b);
    } else {
      y = any_of(rng, unary_steps())(a);
      if (rng.integer(0, 6) == 0) open.push_back(a);  // a second reader
    }
    const double top = largest(y);
    if (top > 8) y = y * (4 / top);
    all.push_back(y);
    open.push_back(y);
  }
  Tensor loss;
  for (const Tensor& y : open) {
    const Tensor part = sum(y * rng.normal(shape, float64));
    loss = loss.defined() ? loss + part : part;
  }
  return loss;
}

// Records `of` again on the tape that is current, record `which` by another op. Returns all values.
std::vector<Tensor> again(Tape& tape, const Tape& of, size_t which, const Op& op) {
  std::vector<Tensor> values(of.values());
  for (uint32_t v = 0; v < of.values(); ++v) {
    if (of.kind(v) == ValueKind::watched) values[v] = tape.watch(of.value(v).detach());
    if (of.kind(v) == ValueKind::constant) values[v] = of.value(v).detach();
  }
  for (size_t r = 0; r < of.size(); ++r) {
    const Record& record = of[r];
    std::vector<Arg> args;
    for (uint32_t i = 0; i < record.input_count; ++i) {
      const detail::Value& value = of.impl()->values[record.inputs[i]];
      const SourceLine& at = record.where;
      if (value.kind == ValueKind::real_literal) args.emplace_back(value.real, at.file, at.line);
      else if (value.kind == ValueKind::integer_literal) args.emplace_back(value.integer, at.file, at.line);
      else args.emplace_back(values[record.inputs[i]], at.file, at.line);
    }
    const std::vector<Tensor> outputs =
        apply_all(r == which ? op : *record.op, std::span<const Arg>(args), record.option_ref());
    for (uint32_t k = 0; k < record.output_count; ++k) values[record.first_output + k] = outputs[k];
  }
  return values;
}

// Whether the fault would change what record `which` contributes in a sweep that gave `g`, in which every
// value is watched.
bool matters(const Tape& tape, const Gradients& g, size_t which, Fault fault) {
  const Record& record = tape[which];
  std::vector<Tensor> inputs, cotangents;
  for (uint32_t i = 0; i < record.input_count; ++i) inputs.push_back(tape.value(record.inputs[i]).detach());
  for (uint32_t k = 0; k < record.output_count; ++k) {
    const Tensor y = tape.value(record.first_output + k);
    if (is_floating(y.dtype())) cotangents.push_back(g.get_or_zeros(y));
  }
  return testing::shows_under(*record.op, inputs, record.option_ref(), fault, cotangents,
                              record.tracked & ~record.op->constant_operands);
}

}  // namespace

void GraphTally::merge(const GraphTally& other) {
  graphs += other.graphs;
  equivalent += other.equivalent;
  named += other.named;
  silent += other.silent;
  wrong += other.wrong;
  failures.insert(failures.end(), other.failures.begin(), other.failures.end());
}

void check_graph(uint64_t seed, int number, GraphTally& tally) {
  Rng rng(seed * 1'000'003 + static_cast<uint64_t>(number));
  Tape plain;
  const Tensor plain_loss = build(plain, rng, rng.integer(15, 61));
  for (size_t r = 0; r < plain.size(); ++r) {
    for (uint32_t k = 0; k < plain[r].output_count; ++k) {
      const Tensor y = plain.value(plain[r].first_output + k);
      if (is_floating(y.dtype())) plain.watch(y);
    }
  }
  const Gradients g = plain.gradient(plain_loss);
  // A fault that matters; in one graph of ten any, as a control.
  size_t which = 0;
  const Op* op = nullptr;
  Fault fault = Fault::none;
  bool equivalent = true;
  for (int draw = 0; draw < 50 && equivalent; ++draw) {
    do {
      which = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(plain.size())));
      op = plain[which].op;
    } while (op->vjp == nullptr || op->flags.zero_gradient);
    fault = any_of(rng, testing::all_faults());
    equivalent = !matters(plain, g, which, fault);
    if (number % 10 == 0) break;
  }
  const testing::PlantedOp broken(*op, fault);
  Tape tape;
  const Tensor loss = again(tape, plain, which, broken)[plain_loss.handle()->value];
  ++tally.graphs;
  const Report report = gradcheck(tape, loss, {}, {.seed = seed});
  bool named = false, wrong = equivalent && testing::found(report);
  for (const Culprit& culprit : report.culprits())
    (!equivalent && culprit.record == which ? named : wrong) = true;
  tally.equivalent += equivalent;
  tally.named += !equivalent && named && !wrong;
  tally.silent += !equivalent && !named && !wrong;
  tally.wrong += wrong;
  if (wrong || (!equivalent && !named)) {
    tally.failures.push_back("graph " + std::to_string(number) + ", record " + std::to_string(which) + " " +
                             std::string(op->name) + " with " + std::string(name(fault)) +
                             (equivalent ? " (equivalent): " : ": ") + report.text());
  }
}

}  // namespace tapegrad::verify
