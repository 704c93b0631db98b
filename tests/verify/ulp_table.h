#pragma once

// The rows of ulp.h as text and as JSON.

#include <string>

#include "tests/verify/ulp.h"

namespace tapegrad::verify {

// `./run verify --ulp`: measures, prints the table row by row, writes `json` unless empty. Returns the exit
// status: 1 if a bound is exceeded or missing, 2 if the file cannot be written.
int run_ulp(UlpOptions options, const std::string& json);

}  // namespace tapegrad::verify
