// The tables of autograd/README.md are those that the ops give.

#include "tests/docs/tables.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

#include "autograd/error.h"
#include "tests/docs/cells.h"
#include "tests/docs/files.h"

using namespace tapegrad;
using namespace tapegrad::docs;

TEST_CASE("docs/tables: autograd/README.md is as ./run docs writes it") {
  const std::string page = read_file(kPage), made = with_tables(page, public_headers());
  REQUIRE(page.find("<!-- generated: ops") != std::string::npos);
  REQUIRE(page.find("<!-- generated: conventions") != std::string::npos);
  if (page == made) return;
  size_t at = 0;
  while (at < page.size() && at < made.size() && page[at] == made[at]) ++at;
  const size_t line = made.rfind('\n', at) + 1;
  FAIL("write the tables of autograd/README.md anew by ./run docs; the first line that differs:\n"
       << made.substr(line, made.find('\n', line) - line));
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
