#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "autograd/kernels/copy.h"
#include "autograd/kernels/parallel.h"
#include "autograd/ops.h"
#include "autograd/ops/diagonal.h"
#include "autograd/ops/dims.h"
#include "autograd/ops/groups.h"
#include "autograd/pointwise.h"
#include "autograd/samples.h"

// Triangles and diagonals of matrices.

namespace tapegrad {
namespace ops {
namespace {

struct DiagonalOption {
  int64_t diagonal = 0;
  static void fields(auto& self, auto&& f) { f("diagonal", self.diagonal); }
};

// Of each row of a matrix the elements up to the diagonal, or from it on; the others are 0.
template <bool Lower>
struct Triangle {
  using Options = DiagonalOption;
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    if (call.rank(0) < 2) call.shape_error("expected at least two dimensions");
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    if (call.out().numel == 0) return;
    const Shape x = call.shape(0);
    const int64_t rows = x[x.rank() - 2], columns = x[x.rank() - 1];
    const int64_t diagonal = std::clamp(call.options<Options>().diagonal, -rows, columns);
    const size_t element = element_size(call.dtype(0));
    const auto bytes = [&](int64_t n) { return static_cast<size_t>(n) * element; };
    kernels::parallel_for(
        call.out().numel / columns, std::max<int64_t>(1, 32768 / columns), [&](int64_t begin, int64_t end) {
          for (int64_t r = begin; r < end; ++r) {
            const char* from = call.data<char>(0) + bytes(r * columns);
            char* to = call.out_data<char>() + bytes(r * columns);
            const int64_t at = r % rows + diagonal + (Lower ? 1 : 0);
            const size_t left = bytes(std::clamp<int64_t>(at, 0, columns)), right = bytes(columns) - left;
            if (Lower) {
              std::memcpy(to, from, left);
              std::memset(to + left, 0, right);
            } else {
              std::memset(to, 0, left);
              std::memcpy(to + left, from + left, right);
            }
          }
        });
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({1024, 1024})}, Options{});
    s.add({s.normal({3, 3})}, Options{});
    s.add({s.normal({3, 4})}, Options{1});
    s.add({s.normal({4, 3})}, Options{-1});
    s.add({s.normal({2, 3, 4})}, Options{0});
    s.add({s.normal({2, 3})}, Options{Lower ? INT64_MAX : INT64_MIN});
    s.add({s.normal({2, 3})}, Options{Lower ? INT64_MIN : INT64_MAX});
    s.add({s.normal({2, 0})}, Options{});
    s.add({s.normal({0, 2})}, Options{});
    s.add_error("expected at least two dimensions", {s.normal({3})}, Options{});
  }
};

struct Tril : Triangle<true> {
  static constexpr std::string_view
      name = "tril",
      doc = "of each matrix in the last two dims the entries with column − row <= diagonal, else 0";
  static void vjp(Vjp& v) { v.add(0, tril(v.g(), v.options<Options>().diagonal)); }
};
struct Triu : Triangle<false> {
  static constexpr std::string_view
      name = "triu",
      doc = "of each matrix in the last two dims the entries with column − row >= diagonal, else 0";
  static void vjp(Vjp& v) { v.add(0, triu(v.g(), v.options<Options>().diagonal)); }
};

struct DiagonalOptions {
  int64_t offset = 0;
  int64_t dim1 = 0;
  int64_t dim2 = 1;
  static void fields(auto& self, auto&& f) {
    f("offset", self.offset);
    f("dim1", self.dim1);
    f("dim2", self.dim2);
  }
};

// Where a diagonal lies in x: its first element, and the sizes and strides of what it gives.
struct Line {
  Dims sizes, strides;
  int64_t start = 0;
};
Line line(const Call& call, const Shape& x, const DiagonalOptions& o) {
  const int a = call.dim(o.dim1, x.rank()), b = call.dim(o.dim2, x.rank());
  if (a == b) call.argument_error(fmt::format("dim1 and dim2 are both dimension {}", a));
  const Dims strides = dense_strides(x);
  Line result;
  for (int d = 0; d < x.rank(); ++d) {
    if (d == a || d == b) continue;
    result.sizes.push_back(x[d]);
    result.strides.push_back(strides[d]);
  }
  const int64_t length = o.offset >= 0 ? std::min(x[a], x[b] - o.offset) : std::min(x[a] + o.offset, x[b]);
  result.sizes.push_back(std::max<int64_t>(length, 0));
  result.strides.push_back(strides[a] + strides[b]);
  if (length > 0) result.start = o.offset >= 0 ? o.offset * strides[b] : -o.offset * strides[a];
  return result;
}

struct Diagonal {
  using Options = DiagonalOptions;
  static constexpr std::string_view
      name = "diagonal",
      doc = "entries with index along dim2 − index along dim1 = offset, as the last dim; 2-d and more";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    call.output(call.dtype(0), Shape(line(call, call.shape(0), call.options<Options>()).sizes));
  }
  static void forward(Call& call) {
    const Line l = line(call, call.shape(0), call.options<Options>());
    const size_t element = element_size(call.dtype(0));
    kernels::copy_strided(element, call.data<char>(0) + static_cast<size_t>(l.start) * element,
                          {l.strides.begin(), l.strides.end()}, {l.sizes.begin(), l.sizes.end()},
                          call.out_data());
  }
  static Cost cost(const Call& call) { return copy_cost(call); }
  static void vjp(Vjp& v);
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({64, 128, 128})}, Options{0, 1, 2});
    s.add({s.normal({3, 3})}, Options{});
    s.add({s.normal({3, 4})}, Options{1, 0, 1});
    s.add({s.normal({3, 4})}, Options{-2, 0, 1});
    s.add({s.normal({3, 4})}, Options{1, 1, 0});
    s.add({s.normal({2, 3, 4})}, Options{0, -2, -1});
    s.add({s.normal({2, 3, 2})}, Options{-1, 0, 2});
    s.add({s.normal({2, 3})}, Options{3, 0, 1});
    s.add({s.normal({2, 3})}, Options{INT64_MIN, 0, 1});
    s.add({s.normal({0, 3})}, Options{});
    s.add_error("dim1 and dim2 are both dimension 1", {s.normal({2, 3})}, Options{0, 1, -1});
    s.add_error("dimension 1 is out of range", {s.normal({3})}, Options{});
    s.add_error("dimension 2 is out of range", {s.normal({2, 3})}, Options{0, 0, 2});
  }
};

// Zeros of a shape with g on the diagonal.
struct DiagonalBackward {
  struct Options {
    DiagonalOptions diagonal;
    Shape shape;
    static void fields(auto& self, auto&& f) {
      DiagonalOptions::fields(self.diagonal, f);
      f("shape", self.shape);
    }
  };
  static constexpr std::string_view name = "diagonal_backward",
                                    doc = "zeros of a shape with g on the diagonal";
  static constexpr std::string_view operands[] = {"g"};
  static void shape(Call& call) {
    const auto& o = call.options<Options>();
    const Dims expected = line(call, o.shape, o.diagonal).sizes;
    if (!(expected == call.shape(0)))
      call.shape_error(fmt::format("expected g [{}]", fmt::join(expected, ", ")));
    call.output(call.dtype(0), o.shape);
  }
  static void forward(Call& call) {
    const auto& o = call.options<Options>();
    const Line l = line(call, o.shape, o.diagonal);
    const size_t element = element_size(call.dtype(0));
    const int64_t zero = 0;
    kernels::fill(element, call.out_data(), call.out().numel, &zero);
    const Dims from = dense_strides(call.shape(0));
    kernels::copy_strided(
        element, {l.sizes.begin(), l.sizes.end()}, call.data<void>(0), {from.begin(), from.end()},
        call.out_data<char>() + static_cast<size_t>(l.start) * element, {l.strides.begin(), l.strides.end()});
  }
  static Cost cost(const Call& call) {
    return {0, static_cast<double>(call.in(0).bytes() + call.out().bytes())};
  }
  static void vjp(Vjp& v) {
    const auto& o = v.options<Options>().diagonal;
    v.add(0, diagonal(v.g(), o.offset, o.dim1, o.dim2));
  }
  static void samples(Samples& s) {
    if (s.benchmark()) return s.add({s.normal({64, 128})}, Options{{0, 1, 2}, {64, 128, 128}});
    s.add({s.normal({3})}, Options{{1, 0, 1}, {3, 4}});
    s.add({s.normal({3, 2})}, Options{{0, 0, 2}, {2, 3, 4}});
    s.add({s.normal({0})}, Options{{9, 0, 1}, {3, 4}});
    s.add_error("expected g [3]", {s.normal({4})}, Options{{1, 0, 1}, {3, 4}});
  }
};

void Diagonal::vjp(Vjp& v) {
  v.add(0, apply(op<DiagonalBackward>, {v.g()}, DiagonalBackward::Options{v.options<Options>(), v.shape(0)}));
}

}  // namespace

Tensor diagonal_backward(const Arg& g, const Shape& shape, int64_t dim1, int64_t dim2) {
  return apply(op<DiagonalBackward>, {g}, DiagonalBackward::Options{{0, dim1, dim2}, shape});
}

std::span<const Op* const> diagonals() {
  static constexpr const Op* kOps[] = {&op<Tril>, &op<Triu>, &op<Diagonal>, &op<DiagonalBackward>};
  return kOps;
}

}  // namespace ops

Tensor tril(const Arg& x, int64_t diagonal) {
  return apply(op<ops::Tril>, {x}, ops::DiagonalOption{diagonal});
}
Tensor triu(const Arg& x, int64_t diagonal) {
  return apply(op<ops::Triu>, {x}, ops::DiagonalOption{diagonal});
}
Tensor diagonal(const Arg& x, int64_t offset, int64_t dim1, int64_t dim2) {
  return apply(op<ops::Diagonal>, {x}, ops::DiagonalOptions{offset, dim1, dim2});
}

}  // namespace tapegrad
