#pragma once

#include "autograd/export.h"

namespace tapegrad {

// How many threads kernels may use, the calling one included. At first the number of processors, or what the
// environment variable TAPEGRAD_NUM_THREADS says. Results have the same bits for every number.
TAPEGRAD_API int num_threads();
// Throws ArgumentError for n < 1.
TAPEGRAD_API void set_num_threads(int n);

// True if arithmetic on this thread keeps numbers below the smallest normal one, as operands and as results,
// which every error bound of the library assumes. Start-up code of -ffast-math and flush-to-zero settings of
// the processor make it false; threads take the setting over from the one that starts them.
TAPEGRAD_API bool keeps_denormals();

}  // namespace tapegrad
