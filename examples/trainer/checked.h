#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Options of a command line that say what they expected.

namespace trainer {

// Checks the text given and stores it; returns what was expected when it does not fit.
using Store = std::function<std::optional<std::string>(const std::string& text)>;

inline CLI::Option* add(CLI::App& app, const std::string& name, const std::string& type,
                        const std::string& standard, const std::string& help, const Store& store) {
  return app
      .add_option(
          name,
          [name, store](const CLI::results_t& given) {
            // An empty or unfinished list of a config file has none.
            if (given.empty()) throw CLI::ValidationError(name, "expected a value, got an empty list");
            const std::optional<std::string> expected = store(given.back());
            if (expected)
              throw CLI::ValidationError(name, fmt::format("expected {}, got '{}'", *expected, given.back()));
            return true;
          },
          help)
      ->type_name(type)
      ->default_str(standard)
      ->take_last();
}

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

template <class T>
CLI::Option* add_whole(CLI::App& app, const std::string& name, T& value, T low, T high,
                       const std::string& help, const std::string& standard = {}) {
  return add(app, name, "N", standard.empty() ? fmt::to_string(value) : standard, help,
             [&value, low, high](const std::string& text) -> std::optional<std::string> {
               const std::optional<T> given = number<T>(text);
               if (!given || *given < low || *given > high)
                 return fmt::format("a whole number from {} to {}", low, high);
               value = *given;
               return {};
             });
}

// A number x with low ≤ x < high, or low < x < high when `open`.
template <class T>
CLI::Option* add_real(CLI::App& app, const std::string& name, T& value, double low, bool open, double high,
                      const std::string& help, const std::string& standard) {
  return add(app, name, "X", standard, help,
             [&value, low, open, high](const std::string& text) -> std::optional<std::string> {
               const std::optional<double> given = number<double>(text);
               if (!given || !(open ? *given > low : *given >= low) || !(*given < high)) {
                 return fmt::format("a number {} {} and below {}", open ? "above" : "of at least", low, high);
               }
               value = *given;
               return {};
             });
}

// One of these names.
CLI::Option* add_name(CLI::App& app, const std::string& name, const std::string& standard,
                      const std::vector<std::string>& choices, const std::string& help,
                      const std::function<void(const std::string&)>& store);

// A path that is not empty.
CLI::Option* add_path(CLI::App& app, const std::string& name, const std::string& type, std::string& value,
                      const std::string& help, const std::string& standard = {});

// Lists a flag that can be switched off as "--x,--no-x".
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option* option, bool positional) const override;
};

// Of the names of the app's options, the nearest to one it does not know.
std::string suggestion(const CLI::App& app, const std::string& given);

}  // namespace trainer
