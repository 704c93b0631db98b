#pragma once

namespace tapegrad::bench {

// Registers, with Google Benchmark, the forward kernel and the backward pass of every op of the registry over
// the op's own benchmark samples, with GFLOP/s and GB/s by the op's own cost.
void register_ops();

}  // namespace tapegrad::bench
