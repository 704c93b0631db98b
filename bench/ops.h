#pragma once

// Every op of the registry over its own benchmark samples, beside the machine's bandwidth.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace tapegrad::bench {

struct OpsOptions {
  std::string filter;      // a regular expression that "NAME/SHAPES" must contain a match of
  double min_time = 0.1;   // seconds for each figure
  bool wall_time = false;  // instead of the thread's processor time; for more than one thread
};

// Times each op forward and its backward pass, prints a line for each and, at the end, which miss what an op
// of their kind should reach on a large tensor. Returns the figures as a list.
nlohmann::json run_ops(const OpsOptions& options);

}  // namespace tapegrad::bench
