#include <fmt/format.h>

#include "nn/summary.h"
#include "nn/text.h"

namespace tapegrad::nn {
namespace {

std::string bytes_text(int64_t bytes) {
  const auto count = static_cast<double>(bytes);
  if (bytes < 10'000) return fmt::format("{} bytes", bytes);
  return bytes < 10'000'000 ? fmt::format("{:.1f} kB", count / 1e3) : fmt::format("{:.1f} MB", count / 1e6);
}

std::vector<std::string> line_of(const SummaryRow& row) {
  const std::string way = row.name.empty() ? row.label : row.name + ": " + row.label;
  std::vector<std::string> line = {std::string(2 * static_cast<size_t>(row.depth), ' ') + way,
                                   row.calls == 0 ? "–" : fmt::format("[{}]", fmt::join(row.output, ", ")),
                                   grouped(static_cast<double>(row.parameters)), grouped(row.flops)};
  if (row.calls > 1) line[1] += fmt::format(" × {}", row.calls);
  if (row.tied) line[2] = row.parameters == 0 ? "tied" : line[2] + " + tied";
  if (row.frozen > 0) {
    const bool all = row.frozen == row.parameters;
    line[2] =
        (all ? "frozen " : fmt::format("frozen {}, ", grouped(static_cast<double>(row.frozen)))) + line[2];
  }
  return line;
}

}  // namespace

std::string to_string(const Summary& summary) {
  std::vector<std::vector<std::string>> lines = {{"layer", "output", "parameters", "FLOPs"}};
  for (const SummaryRow& row : summary.rows) lines.push_back(line_of(row));
  lines.push_back({"total", "", grouped(static_cast<double>(summary.parameters)), grouped(summary.flops)});
  return columns(lines, 2) + fmt::format("input [{}]; {} of parameters, {} of them frozen\n",
                                         fmt::join(summary.input, ", "), bytes_text(summary.bytes),
                                         grouped(static_cast<double>(summary.frozen)));
}

}  // namespace tapegrad::nn
