#pragma once

// A run of gradients.h as text and as JSON.

#include <string>

#include "tests/verify/gradients.h"

namespace tapegrad::verify {

// `./run verify`: prints a row for each op, totals, graphs and what went wrong; writes `json` unless empty.
// Returns the exit status: 1 if the run is not ok, 2 if no op matches or the file cannot be written.
int run_gradients(const GradientRunOptions& options, const std::string& json);

}  // namespace tapegrad::verify
