#pragma once

#include "autograd/export.h"

namespace tapegrad {

// How many threads kernels may use, the calling one included. At first the number of processors, or what the
// environment variable TAPEGRAD_NUM_THREADS says. Results have the same bits for every number.
TAPEGRAD_API int num_threads();
// Throws ArgumentError for n < 1.
TAPEGRAD_API void set_num_threads(int n);

}  // namespace tapegrad
