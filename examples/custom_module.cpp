// A layer and a network of one's own, with the same rights as the library's: a struct with a call operator
// that names its members once. Parameters, names, counting, freezing, the summary, saving and the train and
// eval switches follow from that.

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include <nn/nn.h>
#include <optim/optim.h>

using namespace tapegrad;

// Root-mean-square normalisation with a learned scale (Zhang and Sennrich, 2019), and running statistics.
struct RmsNorm {
  Parameter scale;
  mutable Buffer seen;  // state that gradients do not reach: the mean square of what came by
  bool training = true;

  explicit RmsNorm(int64_t size) : scale(ones({size})), seen(ones({})) {}

  Tensor operator()(const Tensor& x) const {
    nn::LayerCall call(this);  // a row of its own in the summary, wherever it is called
    const Tensor squares = mean(square(x), Dims{-1}, true);
    if (training) seen = seen * 0.9 + mean(squares.detach()) * 0.1;
    return call.result(x * rsqrt(squares + 1e-6) * scale);
  }
  static void fields(auto& self, auto&& f) {
    f("scale", self.scale);
    f("seen", self.seen);
    f("training", self.training);
  }
};

// A network is a module whose members are modules.
struct Classifier {
  nn::Linear first;
  RmsNorm norm;
  nn::Sequential head;

  Classifier(int64_t inputs, int64_t classes, Rng& rng)
      : first(inputs, 32, rng),
        norm(32),
        head(nn::relu, nn::Dropout(0.1, rng), nn::Linear(32, classes, rng, nn::lecun_normal)) {}

  Tensor operator()(const Tensor& x) const { return head(norm(first(x))); }
  static void fields(auto& self, auto&& f) {
    f("first", self.first);
    f("norm", self.norm);
    f("head", self.head);
  }
};

int main() {
  Rng rng{1};
  const nn::Split data = nn::train_test_split(nn::moons(1000, rng, 0.1), 0.2, rng);
  Classifier net(2, 2, rng);
  print(nn::summary(net, {32, 2}));

  nn::DataLoader loader(data.train, {.batch_size = 32, .shuffle = true, .seed = 1});
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1, .momentum = 0.9});
  for (int epoch = 0; epoch < 20; ++epoch) {
    for (const auto& [x, y] : loader) {
      Tape tape;
      const Tensor loss = cross_entropy(net(x), y);
      sgd.step(tape.gradient(loss));
    }
  }

  nn::eval(net);  // no dropout from here on
  nn::ConfusionMatrix matrix(2);
  matrix.update(net(data.test.inputs), data.test.targets);
  print(matrix);

  // Saved and read into another network of the same structure.
  std::string pattern = (std::filesystem::temp_directory_path() / "custom_module.XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(pattern.data());
  const std::string path = (folder / "net.safetensors").string();
  nn::save(net, path, {{"accuracy", fmt::format("{}", matrix.accuracy())}});
  Classifier other(2, 2, rng);
  nn::load(other, path);
  nn::eval(other);
  const bool same = equal(net(data.test.inputs), other(data.test.inputs));
  std::filesystem::remove_all(folder);

  // The scale alone learns on, the rest stays.
  nn::freeze(net);
  net.norm.scale.requires_grad_();
  Tape tape;
  const Gradients g = tape.gradient(cross_entropy(net(data.test.inputs), data.test.targets));
  return same && g.size() == 1 && matrix.accuracy() > 0.95 ? 0 : 1;
}
