#include "nn/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace tapegrad::nn {
namespace {

// In characters on the screen, of UTF-8.
size_t width(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

std::string grouped(double number) {
  std::string text = fmt::format("{:.0f}", number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string columns(const std::vector<std::vector<std::string>>& lines, size_t left) {
  std::vector<size_t> widest;
  for (const auto& line : lines) {
    widest.resize(std::max(widest.size(), line.size()));
    for (size_t c = 0; c < line.size(); ++c) widest[c] = std::max(widest[c], width(line[c]));
  }
  std::string text;
  for (const auto& line : lines) {
    for (size_t c = 0; c < line.size(); ++c) {
      const std::string blank(widest[c] - width(line[c]), ' ');
      if (c > 0) text += "  ";
      text += c < left ? line[c] + blank : blank + line[c];
    }
    text += '\n';
  }
  return text;
}

}  // namespace tapegrad::nn
