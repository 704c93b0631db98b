#include "optim/options.h"

#include <cmath>

namespace tapegrad::optim {

bool contains(Range range, double x) {
  if (!std::isfinite(x)) return false;
  switch (range) {
    case Range::any: return true;
    case Range::not_negative: return x >= 0;
    case Range::positive: return x > 0;
    case Range::below_one: return x >= 0 && x < 1;
    case Range::at_most_one: return x >= 0 && x <= 1;
  }
  return false;
}

std::string_view text(Range range) {
  switch (range) {
    case Range::any: return "finite";
    case Range::not_negative: return "finite and at least 0";
    case Range::positive: return "finite and above 0";
    case Range::below_one: return "at least 0 and below 1";
    case Range::at_most_one: return "at least 0 and at most 1";
  }
  return {};
}

}  // namespace tapegrad::optim
