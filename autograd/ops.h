#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/arg.h"
#include "autograd/export.h"
#include "autograd/options.h"
#include "autograd/tensor.h"

// Every function of tensors. Names, option names and defaults are PyTorch's. Operands are tensors, parameters
// or numbers; two operands broadcast by numpy's rule; dtypes never mix. The gradient rules, conventions at
// kinks, ties and poles, and the bounds are in the table of autograd/README.md.
//
// All of them throw ShapeError, DTypeError, IndexError or ArgumentError naming the op, its operands and the
// source line of the call; nothing is recorded then.

namespace tapegrad {

// ---- pointwise, two operands: float32, float64, int64 ----
TAPEGRAD_API Tensor add(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor sub(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor mul(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor div(const Arg& a, const Arg& b);      // floating only
TAPEGRAD_API Tensor maximum(const Arg& a, const Arg& b);  // NaN wins; the gradient of a tie is split ½, ½
TAPEGRAD_API Tensor minimum(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor pow(const Arg& x, const Arg& exponent);  // C's pow; floating only
// Floating only; the gradient at (0, 0) is 0.
TAPEGRAD_API Tensor atan2(const Arg& y, const Arg& x);      // the angle of (x, y) in [−π, π]; C's atan2
TAPEGRAD_API Tensor hypot(const Arg& a, const Arg& b);      // √(a² + b²) without overflow on the way
TAPEGRAD_API Tensor xlogy(const Arg& x, const Arg& y);      // x·ln y, 0 where x = 0; floating only
TAPEGRAD_API Tensor logaddexp(const Arg& a, const Arg& b);  // ln(e^a + e^b); floating only
inline Tensor operator+(const Arg& a, const Arg& b) { return add(a, b); }
inline Tensor operator-(const Arg& a, const Arg& b) { return sub(a, b); }
inline Tensor operator*(const Arg& a, const Arg& b) { return mul(a, b); }
inline Tensor operator/(const Arg& a, const Arg& b) { return div(a, b); }

// ---- comparisons, giving bool; eq and not ==, which would not say what it means ----
TAPEGRAD_API Tensor eq(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor ne(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor lt(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor le(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor gt(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor ge(const Arg& a, const Arg& b);
inline Tensor operator<(const Arg& a, const Arg& b) { return lt(a, b); }
inline Tensor operator<=(const Arg& a, const Arg& b) { return le(a, b); }
inline Tensor operator>(const Arg& a, const Arg& b) { return gt(a, b); }
inline Tensor operator>=(const Arg& a, const Arg& b) { return ge(a, b); }

// ---- yes or no, giving bool: of any dtype, and of bool ----
TAPEGRAD_API Tensor isnan(const Arg& x);
TAPEGRAD_API Tensor isinf(const Arg& x);
TAPEGRAD_API Tensor isfinite(const Arg& x);
TAPEGRAD_API Tensor logical_not(const Arg& x);
TAPEGRAD_API Tensor logical_and(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor logical_or(const Arg& a, const Arg& b);
TAPEGRAD_API Tensor logical_xor(const Arg& a, const Arg& b);

// condition (bool) ? a : b, element by element. The side not chosen has no influence, not even a NaN.
TAPEGRAD_API Tensor where(const Arg& condition, const Arg& a, const Arg& b);
// a·b + c, rounded twice.
TAPEGRAD_API Tensor mul_add(const Arg& a, const Arg& b, const Arg& c);

// ---- pointwise, one operand ----
TAPEGRAD_API Tensor neg(const Arg& x);
TAPEGRAD_API Tensor abs(const Arg& x);  // gradient 0 at 0
TAPEGRAD_API Tensor sign(const Arg& x);
TAPEGRAD_API Tensor square(const Arg& x);
TAPEGRAD_API Tensor sqrt(const Arg& x);
TAPEGRAD_API Tensor exp(const Arg& x);
TAPEGRAD_API Tensor log(const Arg& x);
TAPEGRAD_API Tensor tanh(const Arg& x);
TAPEGRAD_API Tensor sigmoid(const Arg& x);
TAPEGRAD_API Tensor relu(const Arg& x);  // gradient 0 at 0
// Angles in radians, of any size.
TAPEGRAD_API Tensor acos(const Arg& x);  // NaN beyond ±1, where the gradient is infinite; so asin
TAPEGRAD_API Tensor asin(const Arg& x);
TAPEGRAD_API Tensor atan(const Arg& x);
TAPEGRAD_API Tensor cos(const Arg& x);
TAPEGRAD_API Tensor sin(const Arg& x);
TAPEGRAD_API Tensor tan(const Arg& x);
inline Tensor operator-(const Arg& x) { return neg(x); }
TAPEGRAD_API Tensor leaky_relu(const Arg& x, double negative_slope = 0.01);
TAPEGRAD_API Tensor elu(const Arg& x, double alpha = 1);
TAPEGRAD_API Tensor selu(const Arg& x);
TAPEGRAD_API Tensor softplus(const Arg& x, double beta = 1, double threshold = 20);
TAPEGRAD_API Tensor silu(const Arg& x);
TAPEGRAD_API Tensor mish(const Arg& x);
TAPEGRAD_API Tensor hardtanh(const Arg& x, double min_val = -1, double max_val = 1);  // at both gradient 0
inline Tensor relu6(const Arg& x) { return hardtanh(x, 0, 6); }
// At a bound the gradient passes. One of them may be absent; also of int64, with whole bounds.
TAPEGRAD_API Tensor clamp(const Arg& x, std::optional<double> min = {}, std::optional<double> max = {});
// Gradient 0; int64 stays as it is.
TAPEGRAD_API Tensor floor(const Arg& x);
TAPEGRAD_API Tensor ceil(const Arg& x);
TAPEGRAD_API Tensor round(const Arg& x);  // of two equally near the even one
TAPEGRAD_API Tensor trunc(const Arg& x);
// float32 and float64.
TAPEGRAD_API Tensor reciprocal(const Arg& x);
TAPEGRAD_API Tensor rsqrt(const Arg& x);
TAPEGRAD_API Tensor exp2(const Arg& x);
TAPEGRAD_API Tensor expm1(const Arg& x);
TAPEGRAD_API Tensor log2(const Arg& x);
TAPEGRAD_API Tensor log10(const Arg& x);
TAPEGRAD_API Tensor log1p(const Arg& x);
TAPEGRAD_API Tensor sinh(const Arg& x);
TAPEGRAD_API Tensor cosh(const Arg& x);
TAPEGRAD_API Tensor asinh(const Arg& x);
TAPEGRAD_API Tensor acosh(const Arg& x);
TAPEGRAD_API Tensor atanh(const Arg& x);
TAPEGRAD_API Tensor erf(const Arg& x);
TAPEGRAD_API Tensor erfc(const Arg& x);
TAPEGRAD_API Tensor gelu(const Arg& x, Approximate approximate = Approximate::none);
// The elements as another dtype. Throws ArgumentError where a float does not fit an integer.
TAPEGRAD_API Tensor cast(const Arg& x, DType dtype);

// ---- reductions over dims; none given: over all. NaN wins in every extreme ----
TAPEGRAD_API Tensor sum(const Arg& x, std::optional<Dims> dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor mean(const Arg& x, std::optional<Dims> dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor prod(const Arg& x, std::optional<Dims> dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor amax(const Arg& x, std::optional<Dims> dim = {},
                         bool keepdim = false);  // ties share evenly
TAPEGRAD_API Tensor amin(const Arg& x, std::optional<Dims> dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor logsumexp(const Arg& x, std::optional<Dims> dim = {}, bool keepdim = false);
// Σ (x − mean)² / max(0, n − correction) and its root. Written tapegrad::std where `using namespace tapegrad`
// holds, since std alone is then two names.
TAPEGRAD_API Tensor var(const Arg& x, std::optional<Dims> dim = {}, int64_t correction = 1,
                        bool keepdim = false);
TAPEGRAD_API Tensor std(const Arg& x, std::optional<Dims> dim = {}, int64_t correction = 1,
                        bool keepdim = false);
// (Σ |x|^p)^(1/p); p = 0 counts what is not 0, ±inf gives the largest and the smallest magnitude.
TAPEGRAD_API Tensor norm(const Arg& x, double p = 2, std::optional<Dims> dim = {}, bool keepdim = false);
struct ValuesAndIndices {
  Tensor values, indices;
};
// Along one dim: the value and the index of its first occurrence, which gets the whole gradient.
TAPEGRAD_API ValuesAndIndices max(const Arg& x, int64_t dim, bool keepdim = false);
TAPEGRAD_API ValuesAndIndices min(const Arg& x, int64_t dim, bool keepdim = false);
// Without a dim: the place in the flattened tensor.
TAPEGRAD_API Tensor argmax(const Arg& x, std::optional<int64_t> dim = {}, bool keepdim = false);
TAPEGRAD_API Tensor argmin(const Arg& x, std::optional<int64_t> dim = {}, bool keepdim = false);
// x summed down to a shape that broadcasts to x's.
TAPEGRAD_API Tensor sum_to_size(const Arg& x, const Shape& size);

// ---- along one dim ----
TAPEGRAD_API Tensor softmax(const Arg& x, int64_t dim);
TAPEGRAD_API Tensor log_softmax(const Arg& x, int64_t dim);
TAPEGRAD_API Tensor cumsum(const Arg& x, int64_t dim);
TAPEGRAD_API Tensor cumprod(const Arg& x, int64_t dim);  // right gradients with zeros, too
TAPEGRAD_API Tensor logcumsumexp(const Arg& x, int64_t dim);
// Stable; NaN counts as largest.
TAPEGRAD_API ValuesAndIndices sort(const Arg& x, int64_t dim = -1, bool descending = false);

// ---- linear algebra ----
// Matrix product over the last two dims, broadcasting the ones before; a 1-d operand is a row (left) or a
// column (right) whose dim is dropped again. The transposes apply to operands of two or more dims.
TAPEGRAD_API Tensor matmul(const Arg& a, const Arg& b, bool transpose_a = false, bool transpose_b = false);
// x·weightᵀ + bias: x [..., in], weight [out, in], bias [out] → [..., out].
TAPEGRAD_API Tensor linear(const Arg& x, const Arg& weight, const Arg& bias = {});

TAPEGRAD_API Tensor bmm(const Arg& a, const Arg& b);    // [b, n, k]·[b, k, m]
TAPEGRAD_API Tensor outer(const Arg& a, const Arg& b);  // [n], [m] → [n, m]
TAPEGRAD_API Tensor dot(const Arg& a, const Arg& b);    // [n], [n] → []
// Einstein's summation, with diagonals ("ii->i") and ellipses ("...ij,jk->...ik"). Throws ArgumentError for a
// malformed equation and ShapeError for sizes that do not fit it.
TAPEGRAD_API Tensor einsum(std::string_view equation, std::span<const Tensor> operands,
                           const char* file = __builtin_FILE(), int line = __builtin_LINE());
inline Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands,
                     const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return einsum(equation, std::span<const Tensor>(operands.begin(), operands.size()), file, line);
}

// ---- shape: any dtype ----
// These three, squeeze and flatten share the memory of x.
TAPEGRAD_API Tensor reshape(const Arg& x, const Dims& shape);  // one size may be -1
TAPEGRAD_API Tensor unsqueeze(const Arg& x, int64_t dim);
TAPEGRAD_API Tensor squeeze(const Arg& x, std::optional<int64_t> dim = {});  // absent: all dims of size 1
TAPEGRAD_API Tensor flatten(const Arg& x, int64_t start_dim = 0, int64_t end_dim = -1);
TAPEGRAD_API Tensor permute(const Arg& x, const Dims& dims);
TAPEGRAD_API Tensor transpose(const Arg& x, int64_t dim0, int64_t dim1);
TAPEGRAD_API Tensor flip(const Arg& x, const Dims& dims);
// Along each of dims by its shift; dims absent: by the one shift along x flattened.
TAPEGRAD_API Tensor roll(const Arg& x, const Dims& shifts, std::optional<Dims> dims = {});
TAPEGRAD_API Tensor expand(const Arg& x, const Dims& shape);
// Absent dim: of x flattened.
TAPEGRAD_API Tensor repeat_interleave(const Arg& x, int64_t repeats, std::optional<int64_t> dim = {});
TAPEGRAD_API Tensor slice(const Arg& x, int64_t dim, std::optional<int64_t> start = {},
                          std::optional<int64_t> end = {}, int64_t step = 1);  // Python's rule
TAPEGRAD_API Tensor select(const Arg& x, int64_t dim, int64_t index);
// Pieces of size split_size, the last one shorter.
TAPEGRAD_API std::vector<Tensor> split(const Arg& x, int64_t split_size, int64_t dim = 0);
TAPEGRAD_API Tensor cat(std::span<const Tensor> tensors, int64_t dim = 0, const char* file = __builtin_FILE(),
                        int line = __builtin_LINE());
inline Tensor cat(std::initializer_list<Tensor> tensors, int64_t dim = 0, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  return cat(std::span<const Tensor>(tensors.begin(), tensors.size()), dim, file, line);
}
TAPEGRAD_API Tensor stack(std::span<const Tensor> tensors, int64_t dim = 0,
                          const char* file = __builtin_FILE(), int line = __builtin_LINE());
inline Tensor stack(std::initializer_list<Tensor> tensors, int64_t dim = 0,
                    const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return stack(std::span<const Tensor>(tensors.begin(), tensors.size()), dim, file, line);
}
// {before, after} of the last dim, then of the one before it, …; negative entries cut off.
TAPEGRAD_API Tensor pad(const Arg& x, const Pads& pad, double value = 0);
// The entries on and below (above) a diagonal of the last two dims, 0 elsewhere.
TAPEGRAD_API Tensor tril(const Arg& x, int64_t diagonal = 0);
TAPEGRAD_API Tensor triu(const Arg& x, int64_t diagonal = 0);
TAPEGRAD_API Tensor diagonal(const Arg& x, int64_t offset = 0, int64_t dim1 = 0, int64_t dim2 = 1);

// ---- indexing; index is int64, its entries in [0, size along dim) (IndexError otherwise). What is added or
// written goes in the order of the index, for any number of threads ----
TAPEGRAD_API Tensor index_select(const Arg& x, int64_t dim, const Arg& index);  // index 1-d
TAPEGRAD_API Tensor index_add(const Arg& x, int64_t dim, const Arg& index, const Arg& src);
TAPEGRAD_API Tensor gather(const Arg& x, int64_t dim, const Arg& index);
TAPEGRAD_API Tensor scatter_add(const Arg& x, int64_t dim, const Arg& index, const Arg& src);
// Of several entries written to one element the last one stays and has the gradient.
TAPEGRAD_API Tensor scatter(const Arg& x, int64_t dim, const Arg& index, const Arg& src);
// The rows of weight [n, d] that index (of any shape) names. Row padding_idx has gradient 0.
TAPEGRAD_API Tensor embedding(const Arg& index, const Arg& weight, std::optional<int64_t> padding_idx = {});
// `value` where mask (bool, broadcasts with x) holds.
TAPEGRAD_API Tensor masked_fill(const Arg& x, const Arg& mask, double value);

// ---- losses ----
// The loss of each element or row (Reduction::none), their sum, or their mean, which is NaN of nothing. input
// and target have one shape (nothing is broadcast), and gradients reach both. A weight is a constant: no
// gradient reaches it.
TAPEGRAD_API Tensor mse_loss(const Arg& input, const Arg& target, Reduction reduction = Reduction::mean);
TAPEGRAD_API Tensor l1_loss(const Arg& input, const Arg& target,
                            Reduction reduction = Reduction::mean);  // gradient 0 at 0
TAPEGRAD_API Tensor huber_loss(const Arg& input, const Arg& target, Reduction reduction = Reduction::mean,
                               double delta = 1);
// beta = 0: l1_loss.
TAPEGRAD_API Tensor smooth_l1_loss(const Arg& input, const Arg& target, Reduction reduction = Reduction::mean,
                                   double beta = 1);
// input in [0, 1] (ArgumentError otherwise); logarithms below −100 count as −100. weight broadcasts to input.
TAPEGRAD_API Tensor binary_cross_entropy(const Arg& input, const Arg& target,
                                         Reduction reduction = Reduction::mean, const Arg& weight = {});
struct BinaryLogitsOptions {
  Tensor weight = {};                   // broadcasts to input
  std::vector<double> pos_weight = {};  // of target 1, by the entry of the last dim, or one for all
  Reduction reduction = Reduction::mean;
};
// The same of the logit of the probability, at any magnitude.
TAPEGRAD_API Tensor binary_cross_entropy_with_logits(const Arg& input, const Arg& target,
                                                     Reduction reduction = Reduction::mean);
TAPEGRAD_API Tensor binary_cross_entropy_with_logits(const Arg& input, const Arg& target,
                                                     const BinaryLogitsOptions& options);
// input: log-probabilities; target: probabilities, or their logarithms. A target of probability 0 adds
// nothing. PyTorch's "batchmean" is the sum divided by input.size(0).
TAPEGRAD_API Tensor kl_div(const Arg& input, const Arg& target, Reduction reduction = Reduction::mean,
                           bool log_target = false);

// Of classes along dim 1 (of one sample, dim 0): logits [c], [n, c] or [n, c, d…]. target: int64 class
// indices
// [], [n] or [n, d…], IndexError outside [0, c); or probabilities of logits' shape and dtype. A row whose
// target is ignore_index adds nothing. The mean divides by the weights of the rows' targets (of
// probabilities: by the number of rows); it is NaN where all rows are ignored.
struct CrossEntropyOptions {
  Tensor weight = {};  // of each class [c]; a constant
  double label_smoothing = 0;
  int64_t ignore_index = -100;  // with class indices only
  Reduction reduction = Reduction::mean;
};
TAPEGRAD_API Tensor cross_entropy(const Arg& logits, const Arg& target,
                                  Reduction reduction = Reduction::mean);
TAPEGRAD_API Tensor cross_entropy(const Arg& logits, const Arg& target, const CrossEntropyOptions& options);
// The same of log-probabilities and class indices.
struct NllLossOptions {
  Tensor weight = {};  // of each class [c]; a constant
  int64_t ignore_index = -100;
  Reduction reduction = Reduction::mean;
};
TAPEGRAD_API Tensor nll_loss(const Arg& input, const Arg& target, Reduction reduction = Reduction::mean);
TAPEGRAD_API Tensor nll_loss(const Arg& input, const Arg& target, const NllLossOptions& options);

// ---- randomness and state ----
// Zeroes each element with probability p and scales the rest by 1/(1−p). `state` is int64 [seed, counter];
// the same state gives the same mask. The second form draws with the buffer's state and moves its counter on.
TAPEGRAD_API Tensor dropout(const Arg& x, double p, const Tensor& state);
TAPEGRAD_API Tensor dropout(const Arg& x, double p, Buffer& state);

}  // namespace tapegrad
