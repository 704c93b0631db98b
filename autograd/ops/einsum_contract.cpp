#include "autograd/ops/einsum_contract.h"

#include <algorithm>
#include <utility>

#include "autograd/kernels/copy.h"
#include "autograd/kernels/dot.h"
#include "autograd/kernels/gemm.h"
#include "autograd/kernels/parallel.h"
#include "autograd/kernels/reduce.h"

namespace tapegrad::ops {
namespace {

constexpr int64_t kGrain = 32768;  // elements of a piece of work

bool has(std::string_view labels, char c) { return labels.find(c) != std::string_view::npos; }

// Those of `labels` for which keep holds, in their order.
template <class Keep>
Labels filter(std::string_view labels, const Keep& keep) {
  Labels result;
  for (char c : labels) {
    if (keep(c)) result += c;
  }
  return result;
}

// An operand or an intermediate result: a size and a stride for each of its labels, which differ; dims of
// size 1 are left out.
struct Array {
  const void* data = nullptr;
  Labels labels;
  Dims sizes, strides;
  Tensor memory;  // that data lies in, if it is not an operand's

  int64_t size(char c) const { return sizes[static_cast<int>(labels.find(c))]; }
  int64_t stride(char c) const { return strides[static_cast<int>(labels.find(c))]; }
  int64_t size(std::string_view of) const {
    int64_t product = 1;
    for (char c : of) product *= size(c);
    return product;
  }
  // Whether the elements lie in the order of these labels, which are all of the array's.
  bool lies_in(std::string_view order) const {
    int64_t expected = 1;
    for (size_t i = order.size(); i-- > 0; expected *= size(order[i])) {
      if (stride(order[i]) != expected) return false;
    }
    return true;
  }
};

// A label that an operand repeats stands for its diagonal.
Array view(const detail::Body& body, const Labels& labels) {
  Array array;
  array.data = body.data;
  int64_t stride = body.numel;
  for (int d = 0; d < body.rank; ++d) {
    stride /= body.dims()[d];
    if (body.dims()[d] == 1) continue;
    const char c = labels[static_cast<size_t>(d)];
    if (has(array.labels, c)) {
      array.strides[static_cast<int>(array.labels.find(c))] += stride;
    } else {
      array.labels += c;
      array.sizes.push_back(body.dims()[d]);
      array.strides.push_back(stride);
    }
  }
  return array;
}

class Contraction {
 public:
  explicit Contraction(DType dtype) : dtype_(dtype) {}

  // x with its labels in another order, written to `to`.
  void copy(const Array& x, std::string_view order, void* to) const {
    Dims sizes, strides;
    for (char c : order) {
      sizes.push_back(x.size(c));
      strides.push_back(x.stride(c));
    }
    kernels::copy_strided(element_size(dtype_), x.data, {strides.begin(), strides.end()},
                          {sizes.begin(), sizes.end()}, to);
  }

  // The sum over the labels that are not in `kept`, in the order of kept; to `to` if it is not null. x itself
  // where nothing is to be done.
  Array sum(Array x, const Labels& kept, void* to = nullptr) const {
    const Labels gone = filter(x.labels, [&](char c) { return !has(kept, c); });
    if (gone.empty() && to == nullptr) return x;
    Array y = result(x, kept, to);
    if (gone.empty()) {
      copy(x, kept, const_cast<void*>(y.data));
      return y;
    }
    const int64_t rows = x.size(kept), n = x.size(gone);
    const bool columns = x.lies_in(gone + kept) && !kept.empty();
    if (!columns && !x.lies_in(kept + gone)) x = dense(x, kept + gone);
    kernels::Reduction r{};
    r.rank_kept = r.rank_reduced = 1;
    r.kept[0] = rows;
    r.kept_stride[0] = columns ? 1 : n;
    r.reduced[0] = n;
    r.reduced_stride[0] = columns ? rows : 1;
    kernels::reduce(kernels::Reduce::sum, dtype_, r, x.data, const_cast<void*>(y.data));
    return y;
  }

  // Σ a·b over the labels that are not in `kept`. In the order of `kept` where `to` is not null.
  Array multiply(Array a, Array b, const Labels& kept, void* to) const {
    a = sum(a, filter(a.labels, [&](char c) { return has(kept, c) || has(b.labels, c); }));
    b = sum(b, filter(b.labels, [&](char c) { return has(kept, c) || has(a.labels, c); }));
    Labels batch = filter(kept, [&](char c) { return has(a.labels, c) && has(b.labels, c); });
    Labels rows = filter(kept, [&](char c) { return has(a.labels, c) && !has(b.labels, c); });
    Labels columns = filter(kept, [&](char c) { return !has(a.labels, c) && has(b.labels, c); });
    const Labels order = filter(kept, [&](char c) { return has(a.labels, c) || has(b.labels, c); });
    if (batch + columns + rows == order && batch + rows + columns != order) {
      std::swap(a, b);
      std::swap(rows, columns);
    }
    Array c;
    c.labels = batch + rows + columns;
    for (char label : c.labels) c.sizes.push_back(has(a.labels, label) ? a.size(label) : b.size(label));
    const bool direct = to != nullptr && c.labels == order;
    place(c, direct ? to : nullptr);
    product(std::move(a), std::move(b), batch, rows, columns, const_cast<void*>(c.data));
    if (to != nullptr && !direct) copy(c, order, to);
    return c;
  }

 private:
  // Gives y, whose labels and sizes are set, dense memory: `to`, or its own.
  void place(Array& y, void* to) const {
    int64_t numel = 1;
    y.strides = y.sizes;
    for (int d = y.sizes.size() - 1; d >= 0; --d) {
      y.strides[d] = numel;
      numel *= y.sizes[d];
    }
    if (to == nullptr) {
      y.memory = Tensor::adopt(detail::new_body(dtype_, {&numel, 1}, numel));
      to = y.memory.handle()->data;
    }
    y.data = to;
  }
  Array result(const Array& x, const Labels& labels, void* to) const {
    Array y;
    y.labels = labels;
    for (char c : labels) y.sizes.push_back(x.size(c));
    place(y, to);
    return y;
  }
  Array dense(const Array& x, const Labels& order) const {
    Array y = result(x, order, nullptr);
    copy(x, order, const_cast<void*>(y.data));
    return y;
  }

  // c [batch, rows, columns] = Σ over what a and b share besides.
  void product(Array a, Array b, const Labels& batch, const Labels& rows, const Labels& columns,
               void* c) const {
    // The shared labels in an order that spares copies.
    Labels inner;
    int fewest = 3;
    for (const Array* of : {&a, &b}) {
      const Labels shared =
          filter(of->labels, [&](char l) { return has(a.labels, l) && has(b.labels, l) && !has(batch, l); });
      const int copies = (lies(a, batch, rows, shared) ? 0 : 1) + (lies(b, batch, shared, columns) ? 0 : 1);
      if (copies >= fewest) continue;
      fewest = copies;
      inner = shared;
    }
    if (!lies(a, batch, rows, inner)) a = dense(a, batch + rows + inner);
    if (!lies(b, batch, inner, columns)) b = dense(b, batch + inner + columns);
    kernels::Gemm g{.m = a.size(rows), .n = b.size(columns), .k = a.size(inner)};
    g.batch = a.size(batch);
    if (g.m == 1 && g.n == 1) return dots(g.batch, g.k, a.data, b.data, c);
    g.transpose_a = !a.lies_in(batch + rows + inner);
    g.transpose_b = !b.lies_in(batch + inner + columns);
    g.stride_a = g.m * g.k;
    g.stride_b = g.k * g.n;
    g.stride_c = g.m * g.n;
    kernels::gemm(dtype_, g, a.data, b.data, nullptr, c);
  }
  static bool lies(const Array& x, const Labels& batch, const Labels& first, const Labels& second) {
    return x.lies_in(batch + first + second) || x.lies_in(batch + second + first);
  }

  void dots(int64_t rows, int64_t n, const void* a, const void* b, void* c) const {
    if (rows == 1) return kernels::dot(dtype_, a, b, n, c);
    dtype_ == DType::float32 ? dots_of<float>(rows, n, a, b, c) : dots_of<double>(rows, n, a, b, c);
  }
  template <class E>
  void dots_of(int64_t rows, int64_t n, const void* left, const void* right, void* to) const {
    const auto *a = static_cast<const E*>(left), *b = static_cast<const E*>(right);
    auto* c = static_cast<E*>(to);
    kernels::parallel_for(rows, std::max<int64_t>(1, kGrain / n), [&](int64_t begin, int64_t end) {
      if (n > 1) return kernels::row_dot(dtype_, a + begin * n, b + begin * n, c + begin, end - begin, n);
      for (int64_t i = begin; i < end; ++i) c[i] = a[i] * b[i];
    });
  }

  DType dtype_;
};

// Those of a result that some operand from i on still needs, those of the end result first.
Labels needed(const Terms& terms, size_t i) {
  Labels labels = terms.result;
  for (; i < terms.operands.size(); ++i) {
    for (char c : terms.operands[i]) {
      if (!has(labels, c)) labels += c;
    }
  }
  return labels;
}

}  // namespace

int intermediate_rank(const Terms& terms, const LabelSizes& sizes) {
  Labels labels = terms.operands[0];
  size_t most = 0;
  for (size_t i = 1; i < terms.operands.size(); ++i) {
    const Labels later = needed(terms, i + 1);
    const Labels both = labels + terms.operands[i];
    labels = filter(later, [&](char c) { return has(both, c) && sizes[c] != 1; });
    most = std::max(most, labels.size());
  }
  return static_cast<int>(most);
}

void contract(const Terms& terms, const LabelSizes& sizes, std::span<const detail::Body* const> operands,
              void* out) {
  const DType dtype = operands[0]->dtype;
  const Contraction by(dtype);
  const Labels result = filter(terms.result, [&](char c) { return sizes[c] != 1; });
  int64_t numel = 1;
  for (char c : result) numel *= sizes[c];
  if (numel == 0) return;
  for (const detail::Body* body : operands) {
    if (body->numel > 0) continue;
    const uint64_t zero = 0;  // a sum of nothing
    return kernels::fill(element_size(dtype), out, numel, &zero);
  }
  Array x = view(*operands[0], terms.operands[0]);
  if (operands.size() == 1) {
    by.sum(std::move(x), result, out);
    return;
  }
  for (size_t i = 1; i < operands.size(); ++i) {
    const bool last = i + 1 == operands.size();
    x = by.multiply(std::move(x), view(*operands[i], terms.operands[i]), last ? result : needed(terms, i + 1),
                    last ? out : nullptr);
  }
}

}  // namespace tapegrad::ops
