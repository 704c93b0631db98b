#pragma once

// What another library does for the same work, linked into the program only where asked for. Plain types
// only: this header is read by sources of another language standard, too.

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tapegrad::bench {

// Does the work so many times; empty where the peer is not there or has no such case.
using PeerStep = std::function<void(int64_t)>;

// A network and its batch. The memory stays the caller's and alive.
struct PeerNet {
  std::vector<int64_t> sizes;
  std::string hidden, last;  // "relu", "tanh", "sigmoid", "identity"
  std::vector<int64_t> input_shape, target_shape;
  bool classes = false;  // cross-entropy of `labels`; else mean squared error to `target`
  float rate = 0, momentum = 0;
  const float* input = nullptr;
  const float* target = nullptr;
  const int64_t* labels = nullptr;
  std::vector<const float*> weights, biases;  // of each layer, [out, in]
};

std::string peer_version();  // "LibTorch 1.13.1"; empty where there is none
void set_peer_threads(int threads);
PeerStep peer_net(const PeerNet& net);
PeerStep peer_chain(const float* x, int64_t n, float a, float b);
PeerStep peer_softmax(bool logarithm, const float* x, const float* g, int64_t rows, int64_t n);
// A chain of that many products of a single element with a number.
PeerStep peer_scalar_chain(int ops);

}  // namespace tapegrad::bench
