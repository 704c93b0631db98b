#pragma once

// The loops of MlpLimit that are not a large matrix product. Matrices are row-major with the given distance
// between rows (in floats); `inputs` and `columns` are multiples of 16, and all but x start on 64 bytes.

#include <cstddef>
#include <cstdint>

namespace tapegrad::bench {

// Row length of the last layer's sums, and the most outputs it may have.
inline constexpr size_t kHeadStride = 16;

struct LayerKernels {
  // z = max(z + bias, 0), in place, rows x columns.
  void (*bias_relu)(float* z, size_t stride, const float* bias, size_t rows, size_t columns);
  // d = a > 0 ? d : 0, in place, and bias -= the sum of d's rows. `sums` is scratch of `columns` floats.
  void (*relu_backward)(float* d, const float* a, size_t stride, float* bias, float* sums, size_t rows,
                        size_t columns);

  // A single sample. z[o] = sum over i of w[o, i] x[i] + bias[o], cut off below 0 if relu.
  void (*row_forward)(const float* x, const float* w, const float* bias, float* z, size_t outputs,
                      size_t inputs, bool relu);
  // d[i] = x[i] > 0 ? sum over o of dz[o] w[o, i] : 0 (not if d is null), w[o, i] -= dz[o] x[i], bias[o] -=
  // dz[o], in one pass over w from its last rows to its first: those the next step reads first are the ones
  // still in the cache.
  void (*row_backward)(const float* dz, const float* x, float* w, float* bias, float* d, size_t outputs,
                       size_t inputs);
};

// A last layer of up to kHeadStride outputs; the rows of z and dz have that length.
struct HeadKernels {
  // z[r, o] = sum over i of a[r, i] w[o, i] + bias[o].
  void (*forward)(const float* a, size_t stride, const float* w, const float* bias, float* z, size_t rows,
                  size_t inputs, size_t outputs);
  // Returns the mean over rows of log(sum of exp(z)) - z[target]; z becomes its gradient times rate, 0 in the
  // padding.
  float (*cross_entropy)(float* z, const int64_t* target, size_t rows, size_t outputs, float rate);
  // d[r, i] = a[r, i] > 0 ? sum over o of dz[r, o] w[o, i] : 0.
  void (*backward)(const float* dz, const float* w, const float* a, float* d, size_t stride, size_t rows,
                   size_t inputs, size_t outputs);
  // w[o, i] -= sum over r of dz[r, o] a[r, i];  bias[o] -= sum over r of dz[r, o].
  void (*update)(const float* dz, const float* a, size_t stride, float* w, float* bias, size_t rows,
                 size_t inputs, size_t outputs);
};

// The kernels for this processor.
const LayerKernels& layer_kernels();
const HeadKernels& head_kernels();

}  // namespace tapegrad::bench
