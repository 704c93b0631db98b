#include "examples/trainer/options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <string_view>

#include "examples/trainer/console.h"

namespace trainer {
namespace {

using namespace tapegrad;

constexpr int64_t kMostUnits = 65536;

template <class T>
std::optional<T> number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return {};
  return value;
}

// One option: the text given is checked and stored by `store`, which returns what was expected when it does
// not fit.
using Store = std::function<std::optional<std::string>(const std::string& text)>;

void add(CLI::App& app, const std::string& name, const std::string& type, const std::string& standard,
         const char* help, const Store& store) {
  app.add_option_function<std::string>(
         name,
         [name, store](const std::string& text) {
           const std::optional<std::string> expected = store(text);
           if (expected)
             throw CLI::ValidationError(name, fmt::format("expected {}, got '{}'", *expected, text));
         },
         help)
      ->type_name(type)
      ->default_str(standard);
}

template <class T>
void add_whole(CLI::App& app, const std::string& name, T& value, T low, T high, const char* help,
               const std::string& standard = {}) {
  add(app, name, "N", standard.empty() ? fmt::to_string(value) : standard, help,
      [&value, low, high](const std::string& text) -> std::optional<std::string> {
        const std::optional<T> given = number<T>(text);
        if (!given || *given < low || *given > high)
          return fmt::format("a whole number from {} to {}", low, high);
        value = *given;
        return {};
      });
}

// A number x with low ≤ x < high, or low < x < high when `open`.
void add_real(CLI::App& app, const std::string& name, double& value, double low, bool open, double high,
              const char* help) {
  add(app, name, "X", fmt::to_string(value), help,
      [&value, low, open, high](const std::string& text) -> std::optional<std::string> {
        const std::optional<double> given = number<double>(text);
        if (!given || !(open ? *given > low : *given >= low) || !(*given < high)) {
          return fmt::format("a number {} {} and below {}", open ? "above" : "of at least", low, high);
        }
        value = *given;
        return {};
      });
}

template <class T>
void add_choice(CLI::App& app, const std::string& name, T& value, const T* (*find)(std::string_view),
                const std::vector<std::string_view>& choices, const char* help) {
  add(app, name, "NAME", std::string(value.name), help,
      [&value, find, choices](const std::string& text) -> std::optional<std::string> {
        const bool listed = std::find(choices.begin(), choices.end(), text) != choices.end();
        const T* found = listed ? find(text) : nullptr;
        if (found == nullptr) return fmt::format("one of {}", fmt::join(choices, ", "));
        value = *found;
        return {};
      });
}

std::optional<std::string> store_layers(const std::string& text, std::vector<int64_t>& layers) {
  std::vector<int64_t> sizes;
  for (size_t at = 0; text != "none" && at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    const std::optional<int64_t> size = number<int64_t>(std::string_view(text).substr(at, comma - at));
    if (!size || *size < 1 || *size > kMostUnits) {
      return fmt::format("sizes from 1 to {} with commas between them, or none", kMostUnits);
    }
    sizes.push_back(*size);
    at = comma + 1;
  }
  layers = sizes;
  return {};
}

std::optional<std::string> store_path(const std::string& text, std::string& path) {
  if (text.empty()) return "a folder";
  path = text;
  return {};
}

}  // namespace

std::optional<Options> parse_options(int argc, char** argv, int& status) {
  Options o;
  CLI::App app(
      "Trains a fully connected net on Fashion-MNIST (or MNIST) and reports its accuracy on the test set.",
      "train");
  add(app, "--data", "DIR", o.data, "folder with the four IDX files, plain or .gz",
      [&](const std::string& text) { return store_path(text, o.data); });
  add(app, "--layers", "N,N,...", fmt::format("{}", fmt::join(o.layers, ",")),
      "sizes of the hidden layers, or none",
      [&](const std::string& text) { return store_layers(text, o.layers); });
  add_choice(app, "--activation", o.activation, nn::find_activation,
             {nn::relu.name, nn::tanh.name, nn::sigmoid.name, nn::identity.name},
             "of the hidden layers: relu, tanh, sigmoid or identity");
  add_real(app, "--lr", o.lr, 0, true, 1e6, "learning rate at the start");
  add(app, "--decay", "NAME", "linear", "of the learning rate: linear (to 0 at the end) or none",
      [&](const std::string& text) -> std::optional<std::string> {
        if (text != "linear" && text != "none") return "linear or none";
        o.decay = text == "linear" ? Decay::linear : Decay::none;
        return {};
      });
  add_real(app, "--momentum", o.momentum, 0, false, 1, "part of the last step that is kept");
  add_whole<int64_t>(app, "--batch", o.batch, 1, 1'000'000, "samples per step");
  add_whole<int64_t>(app, "--epochs", o.epochs, 1, 1'000'000, "passes over the training set");
  add_whole<uint64_t>(app, "--seed", o.seed, 0, UINT64_MAX,
                      "of the first weights and the order of the samples");
  add_whole<int64_t>(app, "--threads", o.threads, 1, 1024, "threads; the result is the same for every number",
                     fmt::to_string(num_threads()));
  add_choice(app, "--init", o.init, nn::find_initializer,
             {nn::gaussian.name, nn::xavier_uniform.name, nn::xavier_normal.name, nn::kaiming_uniform.name,
              nn::kaiming_normal.name},
             "of the weights: gaussian, xavier_uniform, xavier_normal, kaiming_uniform or kaiming_normal");
  add_whole<int64_t>(app, "--limit", o.limit, 1, INT64_MAX, "use only the first N samples of each half",
                     "all");
  add(app, "--out", "DIR", o.out, "folder for history.csv, made if missing",
      [&](const std::string& text) { return store_path(text, o.out); });

  try {
    app.parse(argc, argv);
    return o;
  } catch (const CLI::CallForHelp&) {
    say("{}", app.help());
    status = 0;
  } catch (const CLI::ParseError& error) {
    print_error("{} (--help lists the options)", error.what());
    status = 2;
  }
  return {};
}

}  // namespace trainer
