// The code of nn/README.md, compiled and run; readme_test.cpp checks that it is the same code. And its
// tables.

#include <doctest/doctest.h>

#include <string>

#include <nn/nn.h>
#include <optim/optim.h>

#include "tests/docs/cells.h"
#include "tests/docs/files.h"
#include "tests/docs/nn_tables.h"
#include "tests/nn/data_files.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::docs;

namespace {

struct Scale {
  Parameter factor{ones({3})};
  bool training = true;
  Tensor operator()(const Tensor& x) const { return x * factor; }
  static void fields(auto& self, auto&& f) {
    f("factor", self.factor);
    f("training", self.training);
  }
};

}  // namespace

TEST_CASE("docs/nn_readme: a layer of one's own") {
  Rng rng(1);
  nn::Sequential net(nn::Linear(4, 3, rng), nn::relu, Scale(),
                     [](const Tensor& x) { return softmax(x, -1); });
  CHECK(net(ones({2, 4})).shape() == Shape{2, 3});
  CHECK(parameters(net)[2].name() == "2.factor");
}

TEST_CASE("docs/nn_readme: data, training, metrics, saving") {
  const test::TemporaryFolder folder;
  const std::string path = folder / "net.safetensors";
  Rng rng(1);
  const nn::Split data = nn::train_test_split(nn::moons(1000, rng), 0.2, rng);
  nn::FeedForward net({2, 16, 2}, {nn::tanh, nn::identity}, rng);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1, .momentum = 0.9});
  print(nn::summary(net, {32, 2}));

  nn::DataLoader loader(data.train, {.batch_size = 32, .shuffle = true, .seed = 1});
  for (int epoch = 0; epoch < 20; ++epoch) {
    for (const auto& [x, y] : loader) {
      Tape tape;
      const Tensor loss = cross_entropy(net(x), y);
      sgd.step(tape.gradient(loss));
    }
  }

  nn::ConfusionMatrix matrix(2);
  matrix.update(net(data.test.inputs), data.test.targets);
  print(matrix);  // counts, precision, recall, F1
  nn::save(net, path);
  CHECK(matrix.accuracy() > 0.95);
  nn::load(net, path);
}

TEST_CASE("docs/nn_readme: freezing and tying") {
  Rng rng(1);
  nn::Embedding embedding(100, 16, rng);
  nn::Linear decoder(16, 100, rng);
  decoder.weight.tie(embedding.weight);  // one parameter from here on
  nn::Sequential net(std::move(embedding), nn::Residual(nn::Linear(16, 16, rng)), std::move(decoder));
  nn::freeze(net);
  parameters(net).back().requires_grad_();  // the last bias alone learns
  Tape tape;
  CHECK(tape.gradient(sum(net(tensor({1, 2})))).size() == 1);
}

TEST_CASE("docs/nn_readme: nn/README.md is as ./run docs writes it") {
  const std::string page = read_file(kNnPage), made = with_nn_tables(page);
  if (page == made) return;
  size_t at = 0;
  while (at < page.size() && at < made.size() && page[at] == made[at]) ++at;
  const size_t line = made.rfind('\n', at) + 1;
  FAIL("write the tables of nn/README.md anew by ./run docs; the first line that differs:\n"
       << made.substr(line, made.find('\n', line) - line));
}

TEST_CASE("docs/nn_readme: rows come from types with the member and their comments") {
  const std::string header =
      "// Not this.\n\n// Doubles x (Who et al. 1999). More.\n//   code\nstruct TAPEGRAD_API Twice {\n"
      "  Tensor operator()(const Arg& x) const;\n};\n// Options.\nstruct TAPEGRAD_API Other {\n  int "
      "a;\n};\n";
  CHECK(layer_table(header) ==
        markdown({{"layer", "what it gives"}, {"`Twice`", "Doubles x (Who et al. 1999)"}}));
  CHECK(metric_table(header) == markdown({{"metric", "what it is"}}));
  CHECK(tapegrad::testing::message_of<ArgumentError>([] { with_nn_tables("text"); }) ==
        "no lines <!-- generated: layers … --> and <!-- end -->");
}
