#include "autograd/threads.h"

#include "autograd/kernels/parallel.h"
#include "autograd/raise.h"

namespace tapegrad {

int num_threads() { return kernels::num_threads(); }

void set_num_threads(int n) {
  if (n < 1) raise<ArgumentError>("[set_num_threads] expected at least 1, given {}", n);
  kernels::set_num_threads(n);
}

}  // namespace tapegrad
