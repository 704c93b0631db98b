// References of running sums and products, of their gradients, and of sorting.

#include <cmath>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

using Numbers = std::vector<double>;

Numbers row_of(const Array& x, const std::vector<size_t>& at) {
  Numbers row;
  for (size_t i : at) row.push_back(x[i]);
  return row;
}

// f of the operands' rows, in the order of the scan, gives a row.
template <class F>
Out scanned(In in, Options o, const F& f) {
  Array y = array_like(in.back().shape);
  for_rows(y.shape, number(o, "dim"), [&](std::vector<size_t> at) {
    if (number(o, "reverse") != 0) std::reverse(at.begin(), at.end());
    const Numbers row = f(row_of(in[0], at), row_of(in.back(), at));
    for (size_t i = 0; i < at.size(); ++i) y[at[i]] = row[i];
  });
  return {y};
}

// f of each beginning of a row.
template <class F>
Numbers of_beginnings(const Numbers& x, const F& f) {
  Numbers y;
  for (size_t i = 0; i < x.size(); ++i)
    y.push_back(f(Numbers(x.begin(), x.begin() + static_cast<int64_t>(i) + 1)));
  return y;
}

// Π x_j over j < count other than `left_out`.
double product(const Numbers& x, size_t count, size_t left_out) {
  double all = 1;
  for (size_t j = 0; j < count; ++j) all *= j == left_out ? 1 : x[j];
  return all;
}

Out prod_backward(In in, Options) {
  const Array &g = in[0], &x = in[1];
  Array y = array_like(x.shape);
  for_rows(x.shape, 1, [&](const std::vector<size_t>& at) {
    const Numbers row = row_of(x, at);
    for (size_t i = 0; i < at.size(); ++i) {
      y[at[i]] = broadcast_at(g, unravel(static_cast<int64_t>(at[i]), x.shape)) * product(row, row.size(), i);
    }
  });
  return {y};
}

Out sort(In in, Options o) {
  Array values = in[0], indices = in[0];
  const bool descending = number(o, "descending") != 0;
  for_rows(in[0].shape, number(o, "dim"), [&](const std::vector<size_t>& at) {
    std::vector<size_t> order;
    for (size_t i = 0; i < at.size(); ++i) order.push_back(i);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      const double x = in[0][at[a]], y = in[0][at[b]];
      return descending ? x > y : x < y;
    });
    for (size_t i = 0; i < at.size(); ++i) {
      values[at[i]] = in[0][at[order[i]]];
      indices[at[i]] = static_cast<double>(order[i]);
    }
  });
  return {values, indices};
}

}  // namespace

const std::map<std::string_view, Reference>& scan_references() {
  static const std::map<std::string_view, Reference> table = {
      {"cumsum",
       [](In in, Options o) {
         return scanned(in, o, [](const Numbers& x, const Numbers&) { return of_beginnings(x, total); });
       }},
      {"cumprod",
       [](In in, Options o) {
         return scanned(in, o, [](const Numbers& x, const Numbers&) {
           return of_beginnings(x, [](const Numbers& v) { return product(v, v.size(), v.size()); });
         });
       }},
      {"logcumsumexp",
       [](In in, Options o) {
         return scanned(in, o,
                        [](const Numbers& x, const Numbers&) { return of_beginnings(x, log_sum_exp); });
       }},
      {"linear_scan",
       [](In in, Options o) {
         return scanned(in, o, [](const Numbers& a, const Numbers& b) {
           Numbers y;
           for (size_t i = 0; i < a.size(); ++i) y.push_back(b[i] + (i > 0 ? a[i] * y[i - 1] : 0));
           return y;
         });
       }},
      {"cumprod_backward",
       [](In in, Options o) {
         return scanned(in, o, [](const Numbers& g, const Numbers& x) {
           Numbers y;
           for (size_t i = 0; i < x.size(); ++i) {
             double sum = 0;
             for (size_t k = i; k < x.size(); ++k) sum += g[k] * product(x, k + 1, i);
             y.push_back(sum);
           }
           return y;
         });
       }},
      {"prod_backward", prod_backward},
      {"sort", sort},
  };
  return table;
}

}  // namespace tapegrad::testing
