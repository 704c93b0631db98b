// The code of README.md, compiled and run, and a check that it is the same code.

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <autograd/autograd.h>
#include <nn/nn.h>
#include <optim/optim.h>

using namespace tapegrad;

namespace {

struct Scale {
  Parameter factor, shift;
  explicit Scale(int64_t size) : factor(ones({size})), shift(zeros({size})) {}
  Tensor operator()(const Tensor& x) const { return x * factor + shift; }
  static void fields(auto& self, auto&& f) {
    f("factor", self.factor);
    f("shift", self.shift);
  }
};

struct Gauss {
  static constexpr std::string_view name = "gauss", doc = "y = e^(−x²)";
  static auto f(auto x) {
    using namespace math;
    return exp(-x * x);
  }
};
Tensor gauss(const Arg& x) { return apply(op<Gauss>, {x}); }

}  // namespace

TEST_CASE("docs/readme: a second derivative") {
  Tape tape;
  const Tensor x = tape.watch(tensor({1.0, 2.0, 3.0}, float64));
  const Tensor y = sum(x * x * x);
  const Tensor slope = tape.gradient(y, {.differentiable = true})[x];  // 3x²
  const Tensor bend = tape.gradient(sum(slope))[x];                    // 6x
  CHECK(allclose(slope, tensor({3.0, 12.0, 27.0}, float64), 1e-14));
  CHECK(allclose(bend, tensor({6.0, 12.0, 18.0}, float64), 1e-14));
}

TEST_CASE("docs/readme: a network learns") {
  Rng rng(42);
  nn::FeedForward net({2, 8, 1}, {nn::tanh, nn::identity}, rng);  // a = sigma(W a + w0), layer by layer
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1, .momentum = 0.9});

  const Tensor x = rng.uniform({64, 2}, -1, 1);  // 64 samples of two numbers
  const Tensor y = sum(x * x, Dims{1}, true);    // to learn: x1² + x2²

  const double before = mse_loss(net(x), y).item();
  for (int step = 0; step < 1000; ++step) {
    Tape tape;
    const Tensor loss = mse_loss(net(x), y);
    sgd.step(tape.gradient(loss));
  }
  const double after = mse_loss(net(x), y).item();
  CAPTURE(before);
  CAPTURE(after);
  CHECK(after < 0.01);
  CHECK(after < 0.1 * before);
}

TEST_CASE("docs/readme: a step recorded once") {
  Rng rng(42);
  nn::FeedForward net({2, 8, 1}, {nn::tanh, nn::identity}, rng);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.1, .momentum = 0.9});
  const Tensor x = rng.uniform({64, 2}, -1, 1);
  const Tensor y = sum(x * x, Dims{1}, true);
  Program train = capture_step(
      [&](const Tensor& x, const Tensor& y) {
        Tape tape;
        const Tensor loss = mse_loss(net(x), y);
        sgd.step(tape.gradient(loss));
        return loss;
      },
      x, y);
  for (int step = 0; step < 1000; ++step) train(x, y);
  CHECK(sgd.t() == 1000);
  const std::filesystem::path file = std::filesystem::temp_directory_path() / "tapegrad_readme_trace.json";
  const std::string path = file.string();
  const auto loss_of = [&](const Tensor& x, const Tensor& y) { return mse_loss(net(x), y); };
  const MemoryPlan memory = plan(loss_of, TensorSpec{{64, 2}}, TensorSpec{{64, 1}});  // bytes: memory.peak()

  const Profile where = profile(train, {x, y});  // runs it for half a second
  print(where);                                  // ops and records, the longest first
  save_chrome_trace(path, where);                // for chrome://tracing or Perfetto
  CHECK(memory.peak() == capture(loss_of, x, y).memory().peak());
  CHECK(std::filesystem::file_size(file) > 100);
  std::filesystem::remove(file);
  CHECK(mse_loss(net(x), y).item() < 0.01);
}

TEST_CASE("docs/readme: a layer of one's own") {
  const Scale scale(3);
  const ParameterList list = parameters(scale);
  REQUIRE(list.size() == 2);
  CHECK(list[0].name() == "factor");
  CHECK(list[1].name() == "shift");
  CHECK(count_parameters(scale) == 6);
  Tape tape;
  const Tensor x = tensor({1.0, 2.0, 3.0});
  const Gradients g = tape.gradient(sum(scale(x)));
  CHECK(equal(g[scale.factor], x));
  CHECK(equal(g[scale.shift], ones({3})));
}

TEST_CASE("docs/readme: an op of one's own and its gradient check") {
  Rng rng(1);
  const Tensor x = rng.normal({3, 4}, float64);
  const Tensor w = rng.normal({4, 2}, float64);
  const Report report =
      gradcheck([](const Tensor& x, const Tensor& w) { return sum(gauss(matmul(x, w))); }, {x, w});
  print(report);
  CHECK(report.ok());
  CHECK(report.entries().size() == 20);
  const double at_one = std::exp(-1.0);
  CHECK(std::fabs(gauss(tensor({1.0}, float64)).item() - at_one) <= 1e-15);
}

TEST_CASE("docs/readme: a graph as a file") {
  std::string name = (std::filesystem::temp_directory_path() / "readme.XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  const std::string path = (folder / "graph.jsonl").string();
  {
    Tape tape;
    const Tensor x = tape.watch(tensor({0.5, 1.0, 2.0}, float64));
    save_graph(path, tape, sum(x * tanh(x)));
  }
  const Graph graph = load_graph(path);
  const GraphResult result = graph.run();                          // outputs and gradients
  const std::vector<GraphDifference> differences = graph.check();  // none: the same again
  CHECK(result.outputs.size() == 1);
  CHECK(result.gradients.size() == 1);
  CHECK(differences.empty());
  std::filesystem::remove_all(folder);
}

TEST_CASE("docs/readme: an error names op, operands and line") {
  std::string text;
  const int line = __LINE__ + 2;
  try {
    matmul(ones({2, 4}), ones({5, 3}));
  } catch (const ShapeError& error) {
    text = error.what();
  }
  const std::string expected =
      "[matmul] inner dimensions differ: 4 and 5 — a: float32[2, 4], b: float32[5, 3]";
  CHECK(text == expected + " (readme_test.cpp:" + std::to_string(line) + ")");
}

namespace {

std::vector<std::string> read_lines(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.good(), path.string());
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// The lines between ```cpp and ```, one entry per block.
std::vector<std::vector<std::string>> code_blocks(const std::vector<std::string>& lines) {
  std::vector<std::vector<std::string>> blocks;
  bool inside = false;
  for (const std::string& line : lines) {
    if (!inside && line == "```cpp") {
      blocks.emplace_back();
      inside = true;
    } else if (inside && line == "```") {
      inside = false;
    } else if (inside) {
      blocks.back().push_back(line);
    }
  }
  REQUIRE_FALSE(inside);
  return blocks;
}

// True when the block stands in the file line by line; the file may have lines in between that check the
// result.
bool stands_in(const std::vector<std::string>& block, const std::vector<std::string>& file) {
  for (size_t start = 0; start < file.size(); ++start) {
    if (file[start] != block[0]) continue;
    size_t found = 1;
    size_t skipped = 0;
    for (size_t at = start + 1; at < file.size() && found < block.size() && skipped <= 2; ++at) {
      ++(file[at] == block[found] ? found : skipped);
    }
    if (found == block.size()) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("docs/readme: every block of code is compiled") {
  const std::filesystem::path source = TAPEGRAD_SOURCE_DIR;
  std::vector<std::vector<std::string>> compiled = {read_lines(source / "tests/docs/readme_test.cpp")};
  for (const auto& entry : std::filesystem::directory_iterator(source / "examples")) {
    if (entry.path().extension() == ".cpp") compiled.push_back(read_lines(entry.path()));
  }
  const auto blocks = code_blocks(read_lines(source / "README.md"));
  CHECK(blocks.size() >= 6);
  for (const auto& block : blocks) {
    REQUIRE_FALSE(block.empty());
    std::string text;
    for (const std::string& line : block) text += line + "\n";
    bool found = false;
    for (const auto& file : compiled) found = found || stands_in(block, file);
    CHECK_MESSAGE(found, "not compiled anywhere, line by line:\n" << text);
  }
}

TEST_CASE("docs/readme: every file it links to is there") {
  const std::filesystem::path source = TAPEGRAD_SOURCE_DIR;
  for (const std::string page : {"README.md", "autograd/README.md", "tests/README.md"}) {
    const std::filesystem::path path = source / page;
    std::string text;
    bool code = false;
    for (const std::string& line : read_lines(path)) {
      if (line.starts_with("```")) code = !code;
      if (!code) text += line + "\n";
    }
    for (size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 2)) {
      const std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
      if (target.starts_with("http") || target.find('\n') != std::string::npos) continue;
      CHECK_MESSAGE(std::filesystem::exists(path.parent_path() / target), page << " links to " << target);
    }
  }
}
