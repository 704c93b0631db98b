// The tables of autograd/README.md and optim/README.md are those that the code gives.

#include "tests/docs/tables.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "autograd/error.h"
#include "tests/docs/cells.h"
#include "tests/docs/files.h"
#include "tests/docs/nn_tables.h"
#include "tests/docs/optim_tables.h"

using namespace tapegrad;
using namespace tapegrad::docs;

TEST_CASE("docs/tables: the pages are as ./run docs writes them") {
  for (const std::string name : kPages) {
    const std::string page = read_file(name), made = with_tables(page, public_headers());
    const size_t tables = name == "nn/README.md" ? 4 : 2;
    size_t found = 0;
    for (size_t at = page.find("<!-- generated: "); at != std::string::npos; ++found)
      at = page.find("<!-- generated: ", at + 1);
    CHECK_MESSAGE(found == tables, name);
    if (page == made) continue;
    size_t at = 0;
    while (at < page.size() && at < made.size() && page[at] == made[at]) ++at;
    const size_t line = made.rfind('\n', at) + 1;
    FAIL_CHECK("write the tables of " << name << " anew by ./run docs; the first line that differs:\n"
                                      << made.substr(line, made.find('\n', line) - line));
  }
}

TEST_CASE("docs/tables: the first program of README.md is the example it names") {
  const std::string example = read_file("examples/first_gradient.cpp");
  const std::string program = example.substr(example.find("#include"));
  CHECK(read_file("README.md").find("```cpp\n" + program + "```\n") != std::string::npos);
}

TEST_CASE("docs/tables: every function of ops.h that is an op has a row") {
  const std::string table = op_table(public_headers());
  for (const char* name :
       {"add", "exp", "sum", "softmax", "matmul", "cat", "einsum", "gather", "cross_entropy", "sort"})
    CHECK_MESSAGE(table.find("\n| `" + std::string(name) + "` ") != std::string::npos, name);
  CHECK(table.find("\n| `tanh_backward`") == std::string::npos);
  CHECK(table.find("`tanh_backward`") != std::string::npos);
}

TEST_CASE("docs/tables: optimisers and schedules with their options") {
  const std::string optimizers = optimizer_table();
  for (const char* name :
       {"SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "NAdam", "RAdam", "Lion", "LBFGS"})
    CHECK_MESSAGE(optimizers.find("\n| `" + std::string(name) + "` ") != std::string::npos, name);
  CHECK(optimizers.find("momentum = 0, dampening = 0, weight_decay = 0, nesterov = false") !=
        std::string::npos);
  const std::string header =
      "struct ROptions {\n  double a = 1;  // what a is\n  bool b = false;\n};\n"
      "// Not this.\n\n// Falls to\n// nothing. Throws never.\n"
      "TAPEGRAD_API Schedule fall(double eta0, std::vector<int64_t> at,\n  ROptions options = {});\n";
  CHECK(schedule_table(header) == markdown({{"schedule", "arguments", "η(t), k = t − 1"},
                                            {"`fall`", "eta0, at, a = 1, b = false", "Falls to nothing."}}));
  const std::string schedules = schedule_table(public_headers());
  for (const char* name : {"constant", "inverse_time", "step_lr", "one_cycle_lr", "ReduceLROnPlateau"})
    CHECK_MESSAGE(schedules.find("\n| `" + std::string(name) + "` ") != std::string::npos, name);
  CHECK(schedules.find("eta0, mode = PlateauMode::min, factor = 0.1") != std::string::npos);
}

TEST_CASE("docs/tables: cells") {
  CHECK(markdown({{"a", "b", "c"}, {"|x|", "−1", "long"}}) ==
        "| a     | b  | c |\n|-------|----|---|\n| \\|x\\| | −1 | long |\n");
  CHECK(wrapped({"a", "b"}) == "a b");
  CHECK(wrapped({std::string(60, 'a'), std::string(39, 'b'), "c"}) ==
        std::string(60, 'a') + " " + std::string(39, 'b') + "\nc");
  CHECK(number(-std::numeric_limits<double>::infinity()) == "−inf");
  CHECK(number(-0.0) == "−0");
  CHECK(number(0.1234567) == "0.1235");
  CHECK(numbers(tensor({{1.0, 2.5}, {-3.0, 0.0}})) == "[[1, 2.5], [−3, 0]]");
  CHECK(numbers(tensor(2.0)) == "2");
  CHECK(numbers(zeros({0, 3})) == "empty [0, 3]");
  CHECK(numbers(Tensor()) == "–");
  const Op& sum = *find_op("sum");
  CHECK(defaults(sum.options) == "dim=none, keepdim=false");
  CHECK(chosen(OptionsBox(sum.options).ref()).empty());
}

TEST_CASE("docs/tables: a page with broken marks is an error") {
  CHECK_THROWS_AS(with_tables("<!-- generated: ops -->\n", ""), ArgumentError);
  CHECK_THROWS_AS(with_tables("<!-- generated: cats -->\n<!-- end -->\n", ""), ArgumentError);
  CHECK_THROWS_AS(with_tables("<!-- generated: ops -->\n<!-- generated: ops -->\n<!-- end -->\n", ""),
                  ArgumentError);
  CHECK(with_tables("text\n", "") == "text\n");
}

TEST_CASE("docs/tables: layers and metrics are types with the member, with the first sentence about them") {
  const std::string header =
      "// Not this.\n\n// Doubles x (Who et al. 1999). More.\n//   code\nstruct TAPEGRAD_API Twice {\n"
      "  Tensor operator()(const Arg& x) const;\n};\n// Options.\nstruct TAPEGRAD_API Other {\n  int "
      "a;\n};\n";
  CHECK(layer_table(header) ==
        markdown({{"layer", "what it gives"}, {"`Twice`", "Doubles x (Who et al. 1999)"}}));
  CHECK(metric_table(header) == markdown({{"metric", "what it is"}}));
}
