#include "tests/docs/optim_tables.h"

#include <fmt/format.h>

#include <sstream>
#include <vector>

#include "optim/catalog.h"
#include "tests/docs/cells.h"

namespace tapegrad::docs {
namespace {

std::string trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \n"), to = text.find_last_not_of(" \n;");
  return from == std::string_view::npos ? "" : std::string(text.substr(from, to - from + 1));
}

// The text between `from` and the next `to`.
std::string_view between(std::string_view text, size_t from, std::string_view to) {
  return text.substr(from, text.find(to, from) - from);
}

void join(std::string& text, std::string_view part) {
  if (part.empty()) return;
  if (!text.empty()) text += ", ";
  text += part;
}

// "pct_start = 0.3, linear = false" of the struct of that name.
std::string fields_of(std::string_view headers, const std::string& name) {
  const std::string head = "struct " + name + " {\n";
  const size_t at = headers.find(head);
  std::string list;
  if (at == std::string_view::npos) return list;
  std::istringstream body{std::string(between(headers, at + head.size(), "\n};"))};
  for (std::string line; std::getline(body, line);) {
    line = trimmed(between(line, 0, "//"));
    const size_t space = line.find(' ');
    if (line.find(" = ") != std::string::npos) join(list, line.substr(space + 1));
  }
  return list;
}

// Arguments without their types; options by their fields.
std::string arguments(std::string_view headers, std::string_view text) {
  std::string list, part;
  int depth = 0;
  auto end = [&] {
    std::string argument = trimmed(part);
    part.clear();
    const std::string name = trimmed(between(argument, 0, " = "));
    const size_t space = name.rfind(' ');
    if (name.ends_with("Options options")) {
      join(list, fields_of(headers, name.substr(0, space)));
    } else if (space != std::string::npos) {
      join(list, argument.substr(space + 1));
    }
  };
  for (const char c : text) {
    depth += (c == '<') - (c == '>');
    if (c == ',' && depth == 0) end();
    else part += c == '\n' ? ' ' : c;
  }
  end();
  return list;
}

}  // namespace

std::string optimizer_table() {
  std::vector<Row> rows = {{"optimiser", "options", "a step"}};
  for (const optim::OptimizerInfo& info : optim::all_optimizers()) {
    std::string options;
    for (const optim::OptionInfo& option : info.options)
      join(options, fmt::format("{} = {}", option.name, option.default_value));
    rows.push_back({fmt::format("`{}`", info.name), options, std::string(info.formula)});
  }
  return markdown(rows);
}

std::string schedule_table(std::string_view headers) {
  std::vector<Row> rows = {{"schedule", "arguments", "η(t), k = t − 1"}};
  std::istringstream lines{std::string(headers)};
  std::string comment;
  size_t at = 0;
  for (std::string line; std::getline(lines, line); at += line.size() + 1) {
    if (line.starts_with("// ")) {
      const bool code = line.starts_with("//   ");
      if (!code) comment += (comment.empty() ? "" : " ") + line.substr(3);
      continue;
    }
    size_t name = std::string::npos, open = std::string::npos;
    for (const std::string_view head : {"TAPEGRAD_API Schedule ", "TAPEGRAD_API OneCycle "}) {
      if (line.starts_with(head)) name = at + head.size();
    }
    if (name != std::string::npos) {
      open = headers.find('(', name);
    } else if (line.starts_with("class TAPEGRAD_API ReduceLR")) {
      name = at + std::string_view("class TAPEGRAD_API ").size();
      open = headers.find('(', headers.find("explicit", name));
    }
    if (open != std::string::npos) {
      const std::string called{headers.substr(name, headers.find_first_of(" (", name) - name)};
      std::string_view words = between(comment, 0, " Throws ");
      words = words.substr(0, words.ends_with(':') ? words.size() - 1 : words.size());
      rows.push_back({fmt::format("`{}`", called), arguments(headers, between(headers, open + 1, ");")),
                      std::string(words)});
    }
    comment.clear();
  }
  return markdown(rows);
}

}  // namespace tapegrad::docs
