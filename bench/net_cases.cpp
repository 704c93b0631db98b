// Training steps of networks.

#include <autograd/autograd.h>
#include <nn/nn.h>
#include <optim/optim.h>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "bench/cases.h"
#include "bench/limits/limits.h"

namespace tapegrad::bench {
namespace {

// So small that a million steps hardly move a weight: a net that has learned its one batch would compute with
// denormal gradients, which are slow.
constexpr float kRate = 1e-6f;

// What the hand-written step is; `none` has no such step.
enum class Kind { online, small, mlp, deep, none };

struct Net {
  std::string id;
  Kind kind;
  std::vector<int64_t> sizes;
  nn::Activation hidden, last;
  int64_t batch;
  Target eager, program;
  float momentum = 0;

  bool classes() const { return kind == Kind::mlp || kind == Kind::none; }  // else the squared error
};

const std::vector<Net>& nets() {
  static const std::vector<Net> list = [] {
    const std::vector<int64_t> mlp = {784, 512, 512, 10}, small = {2, 16, 16, 1};
    const auto mlp_of = [&](int64_t batch, double eager, double program) {
      return Net{"mlp-b" + std::to_string(batch),
                 Kind::mlp,
                 mlp,
                 nn::relu,
                 nn::identity,
                 batch,
                 {eager, Basis::limit},
                 {program, Basis::limit}};
    };
    return std::vector<Net>{
        {"online-3-5-1", Kind::online, {3, 5, 1}, nn::sigmoid, nn::sigmoid, 1, {15}, {4}},
        {"small-b1", Kind::small, small, nn::tanh, nn::identity, 1, {6}, {2}},
        {"small-b64", Kind::small, small, nn::tanh, nn::identity, 64, {2}, {1.4}},
        mlp_of(1, 1.8, 1.2),
        mlp_of(32, 1.35, 1.08),
        mlp_of(128, 1.18, 1.07),
        mlp_of(1024, 1.1, 1.05),
        {"deep-64x32",
         Kind::deep,
         std::vector<int64_t>(65, 32),
         nn::relu,
         nn::identity,
         32,
         {0.25, Basis::peer},
         {1.0 / 7, Basis::peer}},
        // Net, batch and optimiser of ./run train without options.
        {"train-default",
         Kind::none,
         {784, 256, 128, 10},
         nn::relu,
         nn::identity,
         128,
         {},
         {1 / 1.05, Basis::peer},
         0.9f},
    };
  }();
  return list;
}

// The hand-written steps behind one face.
class Limit {
 public:
  Limit(const Net& net, int threads) {
    switch (net.kind) {
      case Kind::online: online_ = std::make_unique<OnlineLimit>(kRate); break;
      case Kind::small: small_ = std::make_unique<SmallLimit>(net.batch, kRate); break;
      case Kind::mlp:
        mlp_ = std::make_unique<MlpLimit>(net.sizes, net.batch, kRate, net.batch == 1 ? 1 : threads);
        break;
      case Kind::deep: deep_ = std::make_unique<DeepLimit>(net.sizes.size() - 1, kRate); break;
      case Kind::none: throw std::invalid_argument(net.id + " has no hand-written step");
    }
  }
  template <class F>
  auto with(F f) const {
    return online_ ? f(*online_) : small_ ? f(*small_) : mlp_ ? f(*mlp_) : f(*deep_);
  }
  void set(size_t layer, std::span<const float> weight, std::span<const float> bias) {
    with([&](auto& limit) { limit.set(layer, weight, bias); });
  }
  std::vector<float> weight(size_t layer) const {
    return with([&](const auto& limit) { return limit.weight(layer); });
  }
  Candidate step(const float* x, const float* y, const int64_t* labels) {
    if (online_) return candidate("limit", [this, x, y] { online_->step(x, y); });
    if (small_) return candidate("limit", [this, x, y] { small_->step(x, y); });
    if (mlp_) return candidate("limit", [this, x, labels] { mlp_->step(x, labels); });
    return candidate("limit", [this, x, y] { deep_->step(x, y); });
  }

 private:
  std::unique_ptr<OnlineLimit> online_;
  std::unique_ptr<SmallLimit> small_;
  std::unique_ptr<MlpLimit> mlp_;
  std::unique_ptr<DeepLimit> deep_;
};

// One network with its batch, and everything that is done with it.
struct Work {
  explicit Work(const Net& n) : net(n), rng(1), model(n.sizes, activations(n), rng, nn::kaiming_uniform) {
    const bool single = net.batch == 1 && !net.classes();
    const int64_t in = net.sizes.front(), out = net.sizes.back();
    x = single ? rng.normal({in}) : rng.normal({net.batch, in});
    y = single ? rng.normal({out}) : rng.normal({net.batch, out});
    labels = rng.integers({net.batch}, 0, out);
  }
  static std::vector<nn::Activation> activations(const Net& net) {
    std::vector<nn::Activation> all(net.sizes.size() - 1, net.hidden);
    all.back() = net.last;
    return all;
  }
  const Tensor& target() const { return net.classes() ? labels : y; }
  Tensor loss(const Tensor& input, const Tensor& wanted) const {
    return net.classes() ? cross_entropy(model(input), wanted) : mse_loss(model(input), wanted);
  }
  Tensor step(const Tensor& input, const Tensor& wanted) {
    Tape tape;
    const Tensor value = loss(input, wanted);
    sgd.step(tape.gradient(value));
    return value;
  }
  std::span<const float> weight(size_t l) const { return model.layers[l].weight.value().data<float>(); }
  std::span<const float> bias(size_t l) const { return model.layers[l].bias.value().data<float>(); }

  const Net& net;
  Rng rng;
  nn::FeedForward model;
  optim::SGD sgd{parameters(model), {.learning_rate = kRate, .momentum = net.momentum}};
  Tensor x, y, labels;
};

PeerStep peer_of(const Work& work) {
  const auto dims = [](const Tensor& t) {
    const Shape shape = t.shape();
    return std::vector<int64_t>(shape.begin(), shape.end());
  };
  PeerNet peer{.sizes = work.net.sizes,
               .hidden = std::string(work.net.hidden.name),
               .last = std::string(work.net.last.name),
               .input_shape = dims(work.x),
               .target_shape = dims(work.target()),
               .classes = work.net.classes(),
               .rate = kRate,
               .momentum = work.net.momentum,
               .input = work.x.data<float>().data(),
               .target = work.y.data<float>().data(),
               .labels = work.labels.data<int64_t>().data(),
               .weights = {},
               .biases = {}};
  for (size_t l = 0; l < work.model.layers.size(); ++l) {
    peer.weights.push_back(work.weight(l).data());
    peer.biases.push_back(work.bias(l).data());
  }
  return peer_net(peer);
}

Candidate limit_of(const std::shared_ptr<Work>& work, int threads) {
  auto limit = std::make_shared<Limit>(work->net, threads);
  for (size_t l = 0; l < work->model.layers.size(); ++l) limit->set(l, work->weight(l), work->bias(l));
  Candidate step = limit->step(work->x.data<float>().data(), work->y.data<float>().data(),
                               work->labels.data<int64_t>().data());
  return {step.name, [limit, work, run = step.run](int64_t n) { run(n); }};
}

// The largest difference of a weight after one step of each from equal weights.
double weight_difference(Work& work) {
  Limit limit(work.net, 1);
  for (size_t l = 0; l < work.model.layers.size(); ++l) limit.set(l, work.weight(l), work.bias(l));
  limit.step(work.x.data<float>().data(), work.y.data<float>().data(), work.labels.data<int64_t>().data())
      .run(1);
  work.step(work.x, work.target());
  double most = 0;
  for (size_t l = 0; l < work.model.layers.size(); ++l) {
    const std::vector<float> theirs = limit.weight(l);
    const std::span<const float> mine = work.weight(l);
    for (size_t i = 0; i < theirs.size(); ++i) {
      const double difference = std::fabs(double{mine[i]} - theirs[i]);
      if (!(difference <= most)) most = difference;
    }
  }
  return most;
}

}  // namespace

std::vector<std::string> net_names() {
  std::vector<std::string> names;
  for (const Net& net : nets()) names.push_back(net.id);
  return names;
}

Case make_net_case(const std::string& id, Parts parts) {
  const auto net = std::find_if(nets().begin(), nets().end(), [&](const Net& n) { return n.id == id; });
  if (net == nets().end()) throw std::invalid_argument("no net named " + id);
  auto work = std::make_shared<Work>(*net);
  Case result;
  result.id = id;
  result.eager_target = net->eager;
  result.program_target = net->program;
  result.eager = candidate("eager", [work] { work->step(work->x, work->target()); });
  if (parts == Parts::eager) return result;
  result.peer = peer_of(*work);
  if (net->kind != Kind::none) {
    result.difference = weight_difference(*work);
    result.limit = [work](int threads) { return limit_of(work, threads); };
  }
  const auto step = [work](const Tensor& x, const Tensor& y) { return work->step(x, y); };
  const auto loss = [work](const Tensor& x, const Tensor& y) { return work->loss(x, y); };
  const Tensor x = work->x, y = work->target();
  const TensorSpec x_spec{x.shape()}, y_spec{y.shape(), y.dtype()};
  result.predicted_bytes = static_cast<long long>(plan_step(step, x_spec, y_spec).peak());
  const auto replay = [&](std::string name, Program program) {
    return candidate(std::move(name), [program, x, y]() mutable { program(x, y); });
  };
  result.forward = candidate("forward", [work] {
    Tape tape;
    work->loss(work->x, work->target());
  });
  result.gradient = candidate("gradient", [work] {
    Tape tape;
    tape.gradient(work->loss(work->x, work->target()));
  });
  Program program = capture_step(step, x, y);
  result.program = replay("program", program);
  result.program_forward = replay("program forward", capture_step(loss, x, y));
  result.program_gradient = replay("program gradient", capture(loss, x, y));
  add_cost(result, program, std::vector<Tensor>{x, y});
  return result;
}

}  // namespace tapegrad::bench
