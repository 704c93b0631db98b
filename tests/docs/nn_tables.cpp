#include "tests/docs/nn_tables.h"

#include <fmt/format.h>

#include <sstream>

#include "nn/nn.h"
#include "tests/docs/cells.h"
#include "tests/docs/files.h"

namespace tapegrad::docs {
namespace {

// Up to the first full stop that ends a sentence.
std::string first_sentence(const std::string& comment) {
  for (size_t at = comment.find(". "); at != std::string::npos; at = comment.find(". ", at + 1)) {
    if (!comment.substr(0, at).ends_with("et al")) return comment.substr(0, at);
  }
  return comment.substr(0, comment.find_last_not_of(" .:") + 1);
}

// Rows for the types whose body has `member`.
void add_rows(std::vector<Row>& rows, std::string_view headers, std::string_view member) {
  std::istringstream lines{std::string(headers)};
  std::string comment;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("// ")) {
      if (!line.starts_with("//   ")) comment += (comment.empty() ? "" : " ") + line.substr(3);
      continue;
    }
    for (const std::string_view head : {"struct TAPEGRAD_API ", "class TAPEGRAD_API "}) {
      if (!line.starts_with(head) || !line.ends_with("{")) continue;
      const std::string name = line.substr(head.size(), line.find(' ', head.size()) - head.size());
      std::string body;
      while (std::getline(lines, line) && line != "};") body += line + "\n";
      if (body.find(member) == std::string::npos) continue;
      rows.push_back({fmt::format("`{}`", name), first_sentence(comment)});
    }
    comment.clear();
  }
}

std::string read_all(std::initializer_list<const char*> names) {
  std::string text;
  for (const char* name : names) text += read_file(name) + "\n";
  return text;
}

}  // namespace

std::string layer_table(std::string_view headers) {
  std::vector<Row> rows = {{"layer", "what it gives"}};
  add_rows(rows, headers, "Tensor operator()(const Arg&");
  return markdown(rows);
}

std::string metric_table(std::string_view headers) {
  std::vector<Row> rows = {{"metric", "what it is"}};
  add_rows(rows, headers, "void update(const Tensor&");
  return markdown(rows);
}

std::string initializer_table() {
  std::vector<Row> rows = {{"initializer", "weight", "bias"}};
  for (const nn::Initializer* init : nn::all_initializers()) {
    Rng rng(1);
    const bool zero = equal(init->bias(5, 3, rng, float32), zeros({5}));
    rows.push_back(
        {fmt::format("`{}`", init->name), std::string(init->doc), zero ? "0" : "Gaussian, variance 1"});
  }
  return markdown(rows);
}

std::string activation_list() {
  std::vector<std::string> names;
  for (const nn::Activation& activation : nn::all_activations())
    names.push_back(fmt::format("`{}`", activation.name));
  return wrapped(names) + "\n";
}

std::string layer_headers() {
  return read_all({"nn/neuron.h", "nn/layer.h", "nn/linear.h", "nn/feedforward.h", "nn/layers.h",
                   "nn/data/normalize.h", "nn/sequential.h", "nn/branches.h"});
}
std::string metric_headers() { return read_all({"nn/metrics/classes.h", "nn/metrics/values.h"}); }

}  // namespace tapegrad::docs
