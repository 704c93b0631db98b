#pragma once

// What parts of a reduction contribute, and how they join. Internal, not installed.

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace tapegrad::kernels {

// What is computed of a part of the elements.
enum class Measure : uint8_t {
  sum,
  largest,
  smallest,
  product,
  log_sum_exp,
  moments,
  nonzeros,
  sum_abs,
  largest_abs,
  smallest_abs,
  squares,
  powers,
  count
};
inline constexpr size_t kMeasures = static_cast<size_t>(Measure::count);

// The measure of some elements. sum, product, nonzeros, sum_abs and the extremes: `a`. log_sum_exp: the
// largest `a`, how often it occurs `b`, and the sum `c` of e^(x − a) over the others; `a` alone where it is
// not finite. moments: mean `a`, Σ (x − mean)² `b`, number of elements `c`. squares: Σx² = a·b², b a power of
// two. powers: Σ|x|^p = a^p·b with the largest magnitude, for p < 0 the smallest, as `a`, or
// for a whole p also 1.
struct Part {
  double a, b, c;
};
static_assert(sizeof(Part) == 3 * sizeof(double));

// The measure of both; p is the exponent of powers.
Part join(Measure measure, const Part& x, const Part& y, double p);

// Whether powers with this exponent are taken by multiplications, and without a unit where they fit.
inline bool is_whole_power(double p) { return p >= 3 && p <= 64 && p == std::trunc(p); }

// Parts of `Width` reductions side by side, joined as binary trees whose form follows from their number.
template <int64_t Width, int Levels>
class PartTree {
 public:
  PartTree(Measure measure, double p, int64_t width) : measure_(measure), p_(p), width_(width) {}
  // The next part of each reduction.
  void add(const Part* parts) {
    int level = 0;
    uint64_t bits = count_++;
    for (; (bits & 1) != 0 && level < Levels - 1; bits >>= 1) ++level;
    const bool top = level == Levels - 1 && (bits & 1) != 0;  // all beyond 2^(Levels − 1) parts goes there
    for (int64_t c = 0; c < width_; ++c) {
      Part part = parts[c];
      for (int l = 0; l < level; ++l) part = join(measure_, levels_[l][c], part, p_);
      levels_[level][c] = top ? join(measure_, levels_[level][c], part, p_) : part;
    }
    if (top) count_ -= uint64_t{1} << (Levels - 1);
  }
  // The joint parts; there must be one.
  void total(Part* out) const {
    for (int64_t c = 0; c < width_; ++c) {
      bool any = false;
      Part part{};
      for (int l = 0; l < Levels; ++l) {
        if ((count_ >> l & 1) == 0) continue;
        part = any ? join(measure_, levels_[l][c], part, p_) : levels_[l][c];
        any = true;
      }
      out[c] = part;
    }
  }

 private:
  Measure measure_;
  double p_;
  int64_t width_;
  uint64_t count_ = 0;
  Part levels_[Levels][Width];
};

// The measures of rows and of columns for one element type.
inline constexpr int64_t kColumns = 256;  // most columns of one call
inline constexpr int64_t kMostRows = 4096;
inline constexpr int64_t kMomentsNear = 1024;  // most elements of a row whose moments are taken at once

template <class T>
struct ReduceKernels {
  // Of n ≥ 1 dense elements; of moments n ≤ kMomentsNear.
  Part (*row[kMeasures])(const T* x, int64_t n, double p);
  // Of each of `columns` ≤ kColumns columns over n rows, 1 ≤ n ≤ kMostRows, that lie `stride` apart.
  void (*columns[kMeasures])(const T* x, int64_t n, int64_t columns, int64_t stride, double p, Part* out);
  // y[c] = b / count of moments, rounded once more; [1]: its root.
  void (*spreads[2])(const Part* parts, int64_t columns, double count, T* y);
  double (*product)(const T* a, const T* b, int64_t n);
};

// Those for the processor in use; float and double.
template <class T>
const ReduceKernels<T>& reduce_kernels();

}  // namespace tapegrad::kernels
