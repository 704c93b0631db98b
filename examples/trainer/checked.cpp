#include "examples/trainer/checked.h"

#include <algorithm>

#include "autograd/io/nearest.h"

namespace trainer {

namespace {
std::string nearest(const std::string& given, const std::vector<std::string>& names) {
  return std::string(
      tapegrad::io::nearest(given, names, [](const std::string& name) -> std::string_view { return name; }));
}
}  // namespace

CLI::Option* add_name(CLI::App& app, const std::string& name, const std::string& standard,
                      const std::vector<std::string>& choices, const std::string& help,
                      const std::function<void(const std::string&)>& store) {
  return add(app, name, "NAME", standard, fmt::format("{}: {}", help, fmt::join(choices, ", ")),
             [choices, store](const std::string& text) -> std::optional<std::string> {
               if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
                 return fmt::format("one of {} (did you mean {}?)", fmt::join(choices, ", "),
                                    nearest(text, choices));
               }
               store(text);
               return {};
             });
}

CLI::Option* add_path(CLI::App& app, const std::string& name, const std::string& type, std::string& value,
                      const std::string& help, const std::string& standard) {
  return add(app, name, type, standard.empty() ? value : standard, help,
             [&value](const std::string& text) -> std::optional<std::string> {
               if (text.empty()) return "a path";
               value = text;
               return {};
             });
}

std::string HelpFormatter::make_option_name(const CLI::Option* option, bool positional) const {
  std::string name = CLI::Formatter::make_option_name(option, positional);
  const size_t mark = name.find("{false}");
  return mark == std::string::npos ? name : name.erase(mark, 7);
}

std::string suggestion(const CLI::App& app, const std::string& given) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return nearest(given, names);
}

}  // namespace trainer
