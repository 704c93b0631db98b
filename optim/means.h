#pragma once

// The running means of g and g² that the relatives of Adam keep. Internal, not installed.

#include <cmath>

#include "optim/core.h"

namespace tapegrad::optim::detail {

struct Means {
  double beta1, beta2;
  double correction1, correction2;  // 1 − beta^t, which the means are too small by

  Means(const Betas& betas, const Now& now)
      : beta1(now.beta1(betas)),
        beta2(betas.second),
        correction1(1 - std::pow(beta1, static_cast<double>(now.step))),
        correction2(1 - std::pow(beta2, static_cast<double>(now.step))) {}

  template <class N>
  void put_into(N& numbers) const {
    numbers.beta1 = beta1;
    numbers.gain1 = 1 - beta1;
    numbers.beta2 = beta2;
    numbers.gain2 = 1 - beta2;
  }
};

}  // namespace tapegrad::optim::detail
