#include "tests/verify/ulp_table.h"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

namespace tapegrad::verify {
namespace {

// Four digits, never rounded down.
std::string error_text(double error) {
  if (std::isinf(error)) return "wrong";
  double scale = 1000;
  while (error * scale < 1000 && scale < 1e9) scale *= 10;
  return fmt::format("{:.4g}", std::ceil(error * scale) / scale);
}

std::string op_text(const UlpRow& row) {
  return row.options.empty() ? row.op : fmt::format("{}({})", row.op, row.options);
}

void print_row(const UlpRow& row) {
  fmt::print("{:<42} {:<8} {:>9} {:>7} {:<16} {:>13} {:>7.2f}  {}{}\n", op_text(row), name(row.dtype),
             error_text(row.error), row.bound > 0 ? fmt::format("{:.4g}", row.bound) : "–", row.verdict(),
             row.inputs, row.seconds, row.at, row.target.empty() ? "" : " on " + row.target);
  std::fflush(stdout);
}

// A table whose heading is printed with its first row.
std::function<void(const UlpRow&)> table(const char* heading, const char* unit) {
  return [heading, unit, first = true](const UlpRow& row) mutable {
    if (std::exchange(first, false)) {
      fmt::print("\n{}\n\n{:<42} {:<8} {:>9} {:>7} {:<16} {:>13} {:>7}  {}\n", heading, "op", "dtype", unit,
                 "bound", "", "inputs", "seconds", "where");
    }
    print_row(row);
  };
}

nlohmann::json to_json(const UlpRow& row) {
  nlohmann::json error = row.error;
  if (std::isinf(row.error)) error = "inf";
  return {{"op", row.op},
          {"options", row.options},
          {"dtype", name(row.dtype)},
          {"error", error},
          {"bound", row.bound > 0 ? nlohmann::json(row.bound) : nlohmann::json()},
          {"ok", row.ok()},
          {"verdict", row.verdict()},
          {"at", row.at},
          {"target", row.target},
          {"inputs", row.inputs},
          {"seconds", row.seconds}};
}

}  // namespace

int run_ulp(UlpOptions options, const std::string& json) {
  options.report =
      table("Largest errors of pointwise ops, in units in the last place of the exact result", "ULP");
  std::vector<UlpRow> rows = measure_ulp(options);
  options.report = table("Largest errors of sums, in units of u·Σ|x|; the bound is log₂ n + 8", "u·Σ|x|");
  const std::vector<UlpRow> sums = measure_sums(options);
  rows.insert(rows.end(), sums.begin(), sums.end());

  int64_t failed = 0;
  for (const UlpRow& row : rows) failed += !row.ok();
  fmt::print("\n{} rows within their bounds, {} not\n", static_cast<int64_t>(rows.size()) - failed, failed);
  if (rows.empty()) {
    fmt::print(stderr, "verify: no op matches '{}'\n", options.filter);
    return 2;
  }
  if (!json.empty()) {
    nlohmann::json list = nlohmann::json::array();
    for (const UlpRow& row : rows) list.push_back(to_json(row));
    std::ofstream file(json);
    file << nlohmann::json{{"exhaustive", options.exhaustive}, {"rows", list}}.dump(2) << '\n';
    if (!file.flush()) {
      fmt::print(stderr, "verify: cannot write {}\n", json);
      return 2;
    }
  }
  return failed == 0 ? 0 : 1;
}

}  // namespace tapegrad::verify
