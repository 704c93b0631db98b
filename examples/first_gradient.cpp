// The first gradient: a function, its value, its derivative.

#include <autograd/autograd.h>

using namespace tapegrad;

int main() {
  Tape tape;                                             // records from here to the end of the scope
  const Tensor x = tape.watch(tensor({0.5, 1.0, 2.0}));  // float32[3]
  const Tensor y = sum(x * tanh(x));                     // y = Σ x·tanh(x)
  const Gradients g = tape.gradient(y);                  // dy/dx = tanh(x) + x·(1 − tanh²(x))

  print(tape);
  print(y);
  print(g[x]);
  return allclose(g[x], tanh(x) + x * (1.0 - square(tanh(x)))) ? 0 : 1;
}
