// Where the time of a training step goes: a recorded step timed record by record, as a table and as a trace
// for chrome://tracing or Perfetto.

#include <autograd/autograd.h>
#include <nn/nn.h>
#include <optim/optim.h>

#include <cstdio>

using namespace tapegrad;

int main() {
  Rng rng(1);
  nn::FeedForward net({784, 128, 10}, {nn::relu, nn::identity}, rng);
  optim::SGD sgd(parameters(net), {.learning_rate = 0.01});
  const Tensor images = rng.normal({64, 784});
  const Tensor labels = rng.integers({64}, 0, 10);

  Program train = capture_step(
      [&](const Tensor& x, const Tensor& y) {
        Tape tape;
        const Tensor loss = cross_entropy(net(x), y);
        sgd.step(tape.gradient(loss));
        return loss;
      },
      images, labels);
  const Profile step = profile(train, {images, labels});  // runs it for half a second
  print(step);
  save_chrome_trace("profile_trace.json", step);

  Tape tape;  // the same without a program: each record, and each rule of the sweep
  const Tensor loss = cross_entropy(net(images), labels);
  const Profile eager = profile(tape, loss);
  std::printf("\n%s", eager.text(5).c_str());

  // Two products forward; backward two for the weights and one for the hidden layer.
  const double forward = 2.0 * 64 * (784 * 128 + 128 * 10);
  double products = 0;
  for (const ProfileEntry& op : step.ops) {
    if (op.op.starts_with("linear") && !op.op.ends_with("bias")) products += op.flops;
  }
  return products == 2 * forward + 2.0 * 64 * 128 * 10 ? 0 : 1;
}
