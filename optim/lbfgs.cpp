#include "optim/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <string>
#include <utility>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "optim/core.h"
#include "optim/line_search.h"
#include "optim/state.h"

namespace tapegrad::optim {

using detail::Line;
using detail::LineResult;
using detail::Point;

struct LBFGS::State {
  ParameterList parameters;
  LBFGSOptions options;
  int64_t t = 0, n_iter = 0, func_evals = 0;
  // All parameters as one vector of float64. Undefined before the first iteration.
  Tensor direction, previous_gradient;
  double step = 0, scale = 1;             // of the last iteration; of the first guess of the inverse Hessian
  std::deque<Tensor> differences, moves;  // of gradients and of parameters
};

namespace {

double largest(const Tensor& x) { return x.numel() == 0 ? 0 : amax(abs(x)).item(); }
double product(const Tensor& a, const Tensor& b) { return dot(a, b).item(); }

// The loss as a function of all parameters as one vector, with their values when it was made.
class Landscape final : public Line {
 public:
  Landscape(const ParameterList& parameters, ProgramResult (*call)(void*), void* closure)
      : parameters_(parameters), call_(call), closure_(closure) {
    for (const CellRef& parameter : parameters_) origin_.push_back(parameter.value());
    start_ = origin_;
  }
  // If a step has not come to its end, the parameters are put back.
  ~Landscape() override {
    if (!done_) put_back();
  }
  Landscape(const Landscape&) = delete;
  Landscape& operator=(const Landscape&) = delete;

  void finish() { done_ = true; }
  int64_t evaluations() const { return evaluations_; }

  Point evaluate(bool allow_unused = true) {
    const ProgramResult now = call_(closure_);
    ++evaluations_;
    std::vector<Tensor> flat;
    std::string missing;
    for (const CellRef& parameter : parameters_) {
      const Tensor* g = now.gradients.find(parameter);
      if (g == nullptr && parameter.requires_grad())
        missing += fmt::format("{}\"{}\"", missing.empty() ? "" : ", ", parameter.name());
      const Tensor value =
          g != nullptr ? g->detach() : zeros(parameter.value().shape(), parameter.value().dtype());
      flat.push_back(reshape(cast(value, DType::float64), {-1}));
    }
    if (!missing.empty() && !allow_unused) {
      raise<GraphError>(
          "[LBFGS] took no part in the loss of the first step: {}; leave out what is not to be learned, or "
          "step with allow_unused",
          missing);
    }
    return {0, now.value.item(), cat(flat), 0};
  }

  // The line from here.
  void set_direction(const Tensor& direction) {
    direction_ = direction;
    for (size_t i = 0; i < parameters_.size(); ++i) origin_[i] = parameters_[i].value();
  }
  Point at(double step) override {
    move_to(step);
    Point point = evaluate();
    point.step = step;
    point.slope = product(point.gradient, direction_);
    return point;
  }
  void move_to(double step) {
    int64_t begin = 0;
    for (size_t i = 0; i < parameters_.size(); ++i) {
      const Tensor& from = origin_[i];
      const Tensor part = reshape(slice(direction_, 0, begin, begin + from.numel()), Dims(from.shape()));
      assign(parameters_[i], cast(mul_add(part, step, cast(from, DType::float64)), from.dtype()));
      begin += from.numel();
    }
  }

 private:
  void put_back() {
    for (size_t i = 0; i < parameters_.size(); ++i) assign(parameters_[i], start_[i]);
  }

  const ParameterList& parameters_;
  ProgramResult (*call_)(void*);
  void* closure_;
  std::vector<Tensor> start_, origin_;
  Tensor direction_;
  int64_t evaluations_ = 0;
  bool done_ = false;
};

}  // namespace

LBFGS::LBFGS(ParameterList parameters, LBFGSOptions options) : state_(std::make_unique<State>()) {
  LBFGSOptions::fields(std::as_const(options), detail::OptionCheck(kName));
  detail::check_list(kName, parameters);
  state_->parameters = std::move(parameters);
  state_->options = std::move(options);
}
LBFGS::LBFGS(const LBFGS& other) : state_(std::make_unique<State>(*other.state_)) {}
LBFGS::LBFGS(LBFGS&&) noexcept = default;
LBFGS& LBFGS::operator=(LBFGS other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
LBFGS::~LBFGS() = default;

int64_t LBFGS::t() const { return state_->t; }
int64_t LBFGS::n_iter() const { return state_->n_iter; }
int64_t LBFGS::func_evals() const { return state_->func_evals; }
const ParameterList& LBFGS::parameters() const { return state_->parameters; }

namespace {

// −H g by the two loops over the history.
Tensor descent(const Tensor& gradient, const std::deque<Tensor>& differences, const std::deque<Tensor>& moves,
               double scale) {
  const size_t n = moves.size();
  std::vector<double> rho(n), alpha(n);
  Tensor q = neg(gradient);
  for (size_t i = n; i-- > 0;) {
    rho[i] = 1 / product(differences[i], moves[i]);
    alpha[i] = product(moves[i], q) * rho[i];
    q = mul_add(differences[i], -alpha[i], q);
  }
  q = q * scale;
  for (size_t i = 0; i < n; ++i) {
    const double beta = product(differences[i], q) * rho[i];
    q = mul_add(moves[i], alpha[i] - beta, q);
  }
  return q;
}

}  // namespace

double LBFGS::run(ProgramResult (*call)(void*), void* closure, StepOptions options) {
  const LBFGSOptions& o = state_->options;
  State s = *state_;  // replaces it when all has gone well
  const double rate =
      detail::Now{kName, s.t + 1, 0, 0, 1}("learning_rate", o.learning_rate, Range::not_negative);
  const int64_t max_eval = o.max_eval.value_or(o.max_iter * 5 / 4);
  Landscape landscape(s.parameters, call, closure);
  Point here = landscape.evaluate(s.t > 0 || options.allow_unused);
  const double first_loss = here.loss;
  bool optimal = largest(here.gradient) <= o.tolerance_grad;
  for (int64_t n = 1; n <= o.max_iter && !optimal; ++n) {
    if (s.n_iter++ == 0) {
      s.direction = neg(here.gradient);
    } else {
      const Tensor y = here.gradient - s.previous_gradient, move = s.direction * s.step;
      const double ys = product(y, move);
      if (ys > 1e-10) {
        if (static_cast<int64_t>(s.moves.size()) == o.history_size) {
          s.differences.pop_front();
          s.moves.pop_front();
        }
        s.differences.push_back(y);
        s.moves.push_back(move);
        s.scale = ys / product(y, y);
      }
      s.direction = descent(here.gradient, s.differences, s.moves, s.scale);
    }
    s.previous_gradient = here.gradient;
    const double previous_loss = here.loss;
    s.step = s.n_iter == 1 ? std::min(1.0, 1 / sum(abs(here.gradient)).item()) * rate : rate;
    here.step = 0;
    here.slope = product(here.gradient, s.direction);
    if (here.slope > -o.tolerance_change) break;
    landscape.set_direction(s.direction);
    if (o.line_search_fn == LineSearch::strong_wolfe) {
      LineResult result = strong_wolfe(landscape, s.step, here, largest(s.direction), o.tolerance_change);
      here = std::move(result.point);
      s.step = here.step;
      landscape.move_to(s.step);
    } else if (n < o.max_iter) {
      here = landscape.at(s.step);
    } else {
      landscape.move_to(s.step);
    }
    optimal = largest(here.gradient) <= o.tolerance_grad;
    if (landscape.evaluations() >= max_eval || largest(s.direction * s.step) <= o.tolerance_change ||
        std::abs(here.loss - previous_loss) < o.tolerance_change) {
      break;
    }
  }
  landscape.finish();
  s.func_evals += landscape.evaluations();
  ++s.t;
  *state_ = std::move(s);
  return first_loss;
}

std::vector<NamedTensor> LBFGS::state() const {
  const State& s = *state_;
  std::vector<NamedTensor> state = {
      {"t", tensor(s.t)}, {"n_iter", tensor(s.n_iter)}, {"func_evals", tensor(s.func_evals)}};
  if (s.n_iter == 0) return state;
  const Shape none{0, s.direction.numel()};
  auto rows = [&](const std::deque<Tensor>& list) {
    return list.empty() ? zeros(none, DType::float64) : stack(std::vector<Tensor>(list.begin(), list.end()));
  };
  state.push_back({"step_size", tensor(s.step, DType::float64)});
  state.push_back({"H_diag", tensor(s.scale, DType::float64)});
  state.push_back({"d", s.direction});
  state.push_back({"prev_flat_grad", s.previous_gradient});
  state.push_back({"old_dirs", rows(s.differences)});
  state.push_back({"old_stps", rows(s.moves)});
  return state;
}

void LBFGS::load_state(const std::vector<NamedTensor>& state) {
  detail::StateReader reader(kName, state);
  State s;
  s.parameters = state_->parameters;
  s.options = state_->options;
  s.t = reader.take_count("t");
  s.n_iter = reader.take_count("n_iter");
  s.func_evals = reader.take_count("func_evals");
  if (s.n_iter > 0) {
    int64_t numel = 0;
    for (const CellRef& parameter : s.parameters) numel += parameter.value().numel();
    const Tensor flat = zeros({numel}, DType::float64);
    s.step = reader.take_number("step_size");
    s.scale = reader.take_number("H_diag");
    s.direction = reader.take("d", flat);
    s.previous_gradient = reader.take("prev_flat_grad", flat);
    const Tensor differences = reader.take_any("old_dirs", DType::float64);
    const int64_t rows = differences.rank() == 2 ? differences.size(0) : 0;
    const Tensor like = zeros({rows, numel}, DType::float64);
    if (!(differences.shape() == like.shape()) || rows > s.options.history_size) {
      raise<ShapeError>("[LBFGS] state \"old_dirs\" must be float64[up to {}, {}]", s.options.history_size,
                        numel);
    }
    const Tensor moves = reader.take("old_stps", like);
    for (int64_t i = 0; i < rows; ++i) {
      s.differences.push_back(differences[i]);
      s.moves.push_back(moves[i]);
    }
  }
  reader.end();
  *state_ = std::move(s);
}

}  // namespace tapegrad::optim
