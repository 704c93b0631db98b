// ./run verify: checks of every op that take longer than a test may: its gradients and how many faults in
// them are found, or the errors of its values.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "autograd/threads.h"
#include "tests/verify/gradient_table.h"
#include "tests/verify/ulp_table.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Verifies the gradients of every op of the library, plants faults into them and into random graphs, "
      "and\n"
      "says what was found; with --ulp, measures the errors of values instead. Exit status 1: a right "
      "gradient\n"
      "called wrong, more than 0.5 % of the faults missed, a wrong record named; or a bound exceeded."};
  bool ulp = false;
  tapegrad::verify::GradientRunOptions gradients;
  gradients.progress = true;
  std::string json;
  std::vector<std::string> parts;
  tapegrad::verify::UlpOptions options;
  options.progress = true;
  options.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  auto* const ulp_flag =
      app.add_flag("--ulp", ulp, "the largest error of every pointwise op against MPFR, and of sums");
  app.add_flag("--exhaustive", options.exhaustive,
               "with --ulp: all 2^32 float32 operands, sums of 10^8 numbers (3 GB, some ten minutes)")
      ->needs(ulp_flag);
  app.add_flag("--quick", gradients.quick, "a short run: one round, fewer scales, faults and graphs")
      ->excludes(ulp_flag);
  app.add_option("--seed", gradients.seed, "of samples, cotangents and graphs")
      ->excludes(ulp_flag)
      ->capture_default_str();
  app.add_option("--only", parts, "of the run, only these parts: matrix, faults, graphs, network")
      ->check(CLI::IsMember({"matrix", "faults", "graphs", "network"}))
      ->delimiter(',')
      ->excludes(ulp_flag);
  app.add_option("--json", json, "write the figures to this file");
  app.add_option("--filter", options.filter, "only ops whose name matches this regular expression")
      ->check([](const std::string& text) -> std::string {
        try {
          const std::regex valid(text);
          return {};
        } catch (const std::regex_error& error) {
          return std::string("not a regular expression: ") + error.what();
        }
      });
  app.add_option("--threads", options.threads, "threads to use")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (!ulp) {
    gradients.filter = options.filter;
    gradients.threads = options.threads;
    if (gradients.quick) gradients.graphs = 30;
    const auto wanted = [&](const char* part) {
      return parts.empty() || std::find(parts.begin(), parts.end(), part) != parts.end();
    };
    gradients.matrix = wanted("matrix");
    gradients.faults = wanted("faults");
    gradients.network = wanted("network");
    if (!wanted("graphs")) gradients.graphs = 0;
    return tapegrad::verify::run_gradients(gradients, json);
  }
  tapegrad::set_num_threads(options.threads);
  return tapegrad::verify::run_ulp(options, json);
}
