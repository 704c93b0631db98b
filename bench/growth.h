#pragma once

// How time and memory grow with the length of a tape.

#include <vector>

namespace tapegrad::bench {

struct Growth {
  long long records;        // ops on single elements, one after the other
  double ns_per_record;     // recorded and swept, in processor time
  double bytes_per_record;  // heap in use at once
};

// For 10², 10³ … 10⁷ records, or 10⁶ where `quick`.
std::vector<Growth> run_growth(bool quick);

}  // namespace tapegrad::bench
