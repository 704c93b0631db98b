// A program as small as a user's: run by tapegrad_bench, which takes its time and memory.
//   tapegrad_start gradient: one gradient of a small network.
//   tapegrad_start mlp: 20 steps of 784-512-512-10, batch 128, recorded anew every time; prints the peak of
//   memory in KB.

#include <autograd/autograd.h>
#include <nn/nn.h>
#include <optim/optim.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace tapegrad;

namespace {

// The most memory that this process had, as Linux tells; 0 elsewhere.
long peak_kilobytes() {
  long peak = 0;
  std::FILE* const file = std::fopen("/proc/self/status", "r");
  if (file == nullptr) return 0;
  for (char line[256]; std::fgets(line, sizeof line, file) != nullptr;) {
    if (std::strncmp(line, "VmHWM:", 6) == 0) peak = std::strtol(line + 6, nullptr, 10);
  }
  std::fclose(file);
  return peak;
}

int gradient() {
  const Parameter w(full({4, 3}, 0.5));
  Tape tape;
  const Gradients g = tape.gradient(sum(tanh(matmul(full({2, 4}, 0.25), w))));
  return g[w].numel() == 12 ? 0 : 1;
}

int mlp() {
  Rng rng(1);
  nn::FeedForward net({784, 512, 512, 10}, {nn::relu, nn::relu, nn::identity}, rng);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.01});
  const Tensor x = rng.normal({128, 784}), y = rng.integers({128}, 0, 10);
  double last = 0;
  for (int step = 0; step < 20; ++step) {
    Tape tape;
    const Tensor loss = cross_entropy(net(x), y);
    sgd.step(tape.gradient(loss));
    last = loss.item();
  }
  std::printf("%ld\n", peak_kilobytes());
  return last > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) { return argc == 2 && std::strcmp(argv[1], "mlp") == 0 ? mlp() : gradient(); }
