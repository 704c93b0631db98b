#pragma once

// Running sums and products as other ops need them. Internal, not installed.

#include "autograd/apply.h"

namespace tapegrad::ops {

struct ScanOptions {
  int64_t dim = 0;
  bool reverse = false;
  static void fields(auto& self, auto&& f) {
    f("dim", self.dim);
    f("reverse", self.reverse);
  }
};

// y_i = b_i + a_i·y_{i−1} along dim, from 0; with `reverse` from the last to the first.
Tensor linear_scan(const Arg& a, const Arg& b, const ScanOptions& options);
// Products up to and with each element.
Tensor running_product(const Arg& x, const ScanOptions& options);
// The element before in the order of the scan, `first` where there is none; with `ahead` the one after it.
Tensor shifted(const Tensor& x, const ScanOptions& options, bool ahead, double first);

}  // namespace tapegrad::ops
