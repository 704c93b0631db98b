#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <regex>

#include "autograd/ops.h"
#include "autograd/random.h"
#include "tests/verify/ulp.h"
#include "tests/verify/workers.h"

namespace tapegrad::verify {
namespace {

// A sum of long doubles with the rounding errors of its additions (Neumaier): off by some 2⁻⁶⁴ of the result
// and n·2⁻¹²⁸ of Σ|x|.
class ExactSum {
 public:
  void add(long double x) {
    const long double sum = sum_ + x;
    rest_ += std::fabs(sum_) >= std::fabs(x) ? (sum_ - sum) + x : (x - sum) + sum_;
    sum_ = sum;
    size_ += std::fabs(x);
  }
  long double total() const { return sum_ + rest_; }
  long double size() const { return size_; }  // Σ|x|

 private:
  long double sum_ = 0, rest_ = 0, size_ = 0;
};

struct Data {
  const char* name;
  double (*at)(int64_t i, int64_t n, Rng& rng);
};

constexpr Data kData[] = {
    {"0.1 everywhere", [](int64_t, int64_t, Rng&) { return 0.1; }},
    {"uniform in [0, 1)", [](int64_t, int64_t, Rng& rng) { return rng.uniform(); }},
    {"uniform in [−1, 1)", [](int64_t, int64_t, Rng& rng) { return 2 * rng.uniform() - 1; }},
    // Neighbours cancel nearly; what is added last is the largest.
    {"alternating and growing",
     [](int64_t i, int64_t n, Rng& rng) {
       const double size = std::exp2(24.0 * static_cast<double>(i) / static_cast<double>(n));
       return (i % 2 == 0 ? size : -size) * (1 + 0x1p-10 * rng.uniform());
     }},
    // Lanes and blocks each see only one end of it.
    {"large, small, minus large",
     [](int64_t i, int64_t n, Rng& rng) {
       if (i < n / 4) return 0x1p20 * (1 + rng.uniform());
       return i < n - n / 4 ? rng.uniform() : -0x1p20 * (1 + rng.uniform());
     }},
};

template <class T>
Tensor draw(const Data& data, int64_t n, uint64_t seed) {
  std::vector<T> x(static_cast<size_t>(n));
  Rng rng(seed);
  for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = static_cast<T>(data.at(i, n, rng));
  return from_vector(x, {n});
}

// a·b without rounding, as two terms.
void add_product(ExactSum& sum, double a, double b) {
  const double product = a * b;
  sum.add(product);
  sum.add(std::fma(a, b, -product));
}

class Rows {
 public:
  Rows(const UlpOptions& options) : filter_(options.filter), progress_(options.progress) {}

  bool wants(const char* op) const { return std::regex_search(op, filter_); }

  // got against a sum of n terms, in units of u·Σ|x|; for a mean all of that over n.
  template <class T>
  void note(UlpRow& row, T got, const ExactSum& want, int64_t n, double divisor, const std::string& where) {
    const long double unit = std::numeric_limits<T>::epsilon() / 2 * want.size() / divisor;
    const double error = static_cast<double>(std::fabs(got - want.total() / divisor) / unit);
    const double bound = bound_of(row, n);
    // The row shows what comes nearest to its bound; a NaN comes nearer than anything.
    if (row.bound == 0 || !(error / bound <= row.error / row.bound)) {
      row.error = std::isnan(error) ? std::numeric_limits<double>::infinity() : error;
      row.bound = bound;
      row.at = where;
    }
    row.inputs += n;
  }

  std::vector<UlpRow> rows;

  UlpRow start(const char* op, const Data& data, DType dtype, int64_t most) {
    started_ = std::chrono::steady_clock::now();
    progress_.show(fmt::format("{} {} {}", op, name(dtype), data.name), 0);
    return {.op = op,
            .options = fmt::format("{}, n ≤ 10^{:.0f}", data.name, std::log10(static_cast<double>(most))),
            .dtype = dtype};
  }
  void finish(UlpRow row, const UlpOptions& options) {
    row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    progress_.clear();
    if (options.report) options.report(row);
    rows.push_back(std::move(row));
  }

 private:
  // log₂ n + 8; a sum of 10⁸ float32 numbers 0.1 is moreover right to a millionth.
  static double bound_of(const UlpRow& row, int64_t n) {
    const double bound = std::log2(static_cast<double>(n)) + 8;
    return row.dtype == float32 && row.options.starts_with(kData[0].name) ? std::min(bound, 1e-6 / 0x1p-24)
                                                                          : bound;
  }

  std::regex filter_;
  Progress progress_;
  std::chrono::steady_clock::time_point started_{};
};

// x [n] summed whole, and as [n/16, 16] along either dim.
template <class T>
void sums(UlpRow& row, Rows& rows, const Tensor& x, bool mean) {
  const auto f = [&](const Tensor& t, std::optional<Dims> dim) {
    return mean ? tapegrad::mean(t, dim) : tapegrad::sum(t, dim);
  };
  const auto data = x.data<T>();
  const int64_t n = x.numel(), part = n / 16;
  ExactSum all;
  for (const T value : data) all.add(value);
  rows.note<T>(row, f(x, {}).template item<T>(), all, n, mean ? static_cast<double>(n) : 1,
               fmt::format("n = {}", n));
  if (part == 0 || n % 16 != 0) return;
  const Tensor columns = f(reshape(x, {part, 16}), Dims{0}), lines = f(reshape(x, {16, part}), Dims{1});
  for (const size_t k : {size_t{0}, size_t{7}, size_t{15}}) {
    ExactSum column, line;
    for (int64_t i = 0; i < part; ++i) {
      column.add(data[static_cast<size_t>(i) * 16 + k]);
      line.add(data[k * static_cast<size_t>(part) + static_cast<size_t>(i)]);
    }
    const double divisor = mean ? static_cast<double>(part) : 1;
    rows.note<T>(row, columns.data<T>()[k], column, part, divisor, fmt::format("[{}, 16] along 0", part));
    rows.note<T>(row, lines.data<T>()[k], line, part, divisor, fmt::format("[16, {}] along 1", part));
  }
}

template <class T>
std::vector<Tensor> draw_all(const Data& data, const std::vector<int64_t>& sizes, uint64_t seed) {
  std::vector<Tensor> drawn;
  drawn.reserve(sizes.size());
  for (const int64_t n : sizes) drawn.push_back(draw<T>(data, n, seed));
  return drawn;
}

template <class T>
void dots(UlpRow& row, Rows& rows, const Tensor& a, const Tensor& b) {
  ExactSum exact;
  for (size_t i = 0; i < static_cast<size_t>(a.numel()); ++i)
    add_product(exact, a.data<T>()[i], b.data<T>()[i]);
  rows.note<T>(row, tapegrad::dot(a, b).item<T>(), exact, a.numel(), 1, fmt::format("n = {}", a.numel()));
}

template <class T>
void measure(const UlpOptions& options, Rows& rows, const std::vector<int64_t>& sizes) {
  if (!rows.wants("sum") && !rows.wants("mean") && !rows.wants("dot")) return;
  const std::vector<Tensor> weights = draw_all<T>(kData[2], sizes, 3);
  for (const Data& data : kData) {
    const std::vector<Tensor> drawn = draw_all<T>(data, sizes, 1);
    for (const char* op : {"sum", "mean", "dot"}) {
      if (!rows.wants(op)) continue;
      const std::string_view name = op;
      UlpRow row = rows.start(op, data, dtype_of<T>(), sizes.back());
      for (size_t i = 0; i < sizes.size(); ++i) {
        if (name == "dot") dots<T>(row, rows, drawn[i], weights[i]);
        else sums<T>(row, rows, drawn[i], name == "mean");
      }
      rows.finish(row, options);
    }
  }
}

}  // namespace

std::vector<UlpRow> measure_sums(const UlpOptions& options) {
  Rows rows(options);
  std::vector<std::vector<int64_t>> sizes = {{1, 2, 7, 64, 1000, 4097, 65536, 65537, 1'000'000}};
  if (options.exhaustive) sizes.push_back({100'000'000});
  for (const auto& some : sizes) {
    measure<float>(options, rows, some);
    measure<double>(options, rows, some);
  }
  return rows.rows;
}

}  // namespace tapegrad::verify
