#include "autograd/threads.h"

#include <limits>

#include "autograd/kernels/parallel.h"
#include "autograd/raise.h"

namespace tapegrad {

int num_threads() { return kernels::num_threads(); }

void set_num_threads(int n) {
  if (n < 1) raise<ArgumentError>("[set_num_threads] expected at least 1, given {}", n);
  kernels::set_num_threads(n);
}

namespace {

template <class T>
bool keeps() {
  // Volatile, so that the processor and not the compiler does it.
  volatile T half = T(0.5), smallest = std::numeric_limits<T>::min();
  volatile T denormal = smallest * half;  // as a result
  volatile T tiny = std::numeric_limits<T>::denorm_min(), two = 2;
  volatile T larger = tiny * two;  // as an operand
  return denormal > 0 && larger > 0;
}

}  // namespace

bool keeps_denormals() { return keeps<float>() && keeps<double>(); }

}  // namespace tapegrad
