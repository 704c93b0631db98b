#include "optim/schedule.h"

#include <cmath>

#include "autograd/raise.h"

namespace tapegrad::optim {
namespace {

double checked(const char* what, double value) {
  if (!(std::isfinite(value) && value >= 0)) {
    raise<ArgumentError>("[schedule] {} must be finite and at least 0, given {}", what, value);
  }
  return value;
}

}  // namespace

double Schedule::operator()(int64_t t) const {
  if (t < 1) raise<ArgumentError>("[schedule] steps count from 1, given t = {}", t);
  return checked("the step size", value(t));
}

Schedule constant(double eta) { return checked("the step size", eta); }

Schedule inverse_time(double eta0, double decay) {
  checked("eta0", eta0);
  checked("decay", decay);
  return [=](int64_t t) { return eta0 / (1 + decay * static_cast<double>(t - 1)); };
}

}  // namespace tapegrad::optim
