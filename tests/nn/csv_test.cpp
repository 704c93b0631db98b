#include "nn/data/csv.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autograd/error.h"
#include "autograd/random.h"
#include "tests/nn/data_files.h"
#include "tests/support/throws.h"

using namespace tapegrad;
using namespace tapegrad::test;
using tapegrad::testing::message_of;
using Names = std::vector<std::string>;

namespace {

Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }

const TemporaryFolder& folder() {
  static const TemporaryFolder made;
  return made;
}

nn::CsvData read(std::string_view text, const nn::CsvOptions& options = {}) {
  return nn::read_csv(write_file(folder() / "table.csv", bytes(text)), options);
}

// The message without the folder.
std::string fault(std::string_view text, const nn::CsvOptions& options = {}) {
  std::string message = message_of([&] { read(text, options); });
  const size_t at = message.find(folder().path());
  return at == message.npos ? message : message.erase(at, folder().path().size() + 1);
}

}  // namespace

TEST_CASE("nn/csv: names, a label column of classes, and the same in other dress") {
  const Tensor inputs = tensor({{5.1, 3.5}, {4.9, -0.25}, {6e2, 1.0}}, float32);
  const std::string plain = "length,width,kind\n5.1,3.5,oak\n4.9,-.25,elm\n6e2,+1,oak\n";
  const std::string quoted =
      "\xEF\xBB\xBF\"length\";width ;\"kind\"\r\n\r\n5.1; 3.5 ;\"oak\"\r\n\"4.9\";-0.25;elm\r\n600;1;oak";
  for (const std::string& text :
       {plain, quoted, std::string("length\twidth\tkind\n5.1\t3.5\toak\n4.9\t-.25\telm\n600\t1\toak\n")}) {
    const nn::CsvData table = read(text);
    CHECK(equal(table.data.inputs, inputs));
    CHECK(equal(table.data.targets, tensor({1, 0, 1})));
    CHECK(table.features == Names{"length", "width"});
    CHECK(table.label == "kind");
    CHECK(table.classes == Names{"elm", "oak"});
  }
  const nn::CsvData packed = nn::read_csv(write_file(folder() / "table.csv.gz", gzip(bytes(plain))));
  CHECK(equal(packed.data.inputs, inputs));
}

TEST_CASE("nn/csv: the label by name, by number and from the end") {
  const std::string text = "y,a,b\n1,2,3\n0,5,6\n";
  for (const char* label : {"y", "0", "-3"}) {
    const nn::CsvData table = read(text, {.label = label});
    CHECK(equal(table.data.inputs, tensor({{2.0, 3.0}, {5.0, 6.0}})));
    CHECK(equal(table.data.targets, tensor({1, 0})));
  }
  const nn::CsvData numbers = read(text, {.label = "b", .regression = true});
  CHECK(equal(numbers.data.targets, tensor({3.0, 6.0})));
  CHECK(numbers.classes.empty());
}

TEST_CASE("nn/csv: whether the first line has names is seen, or said") {
  CHECK(read("1,2,7\n3,4,10\n5,6,9\n").classes == Names{"7", "9", "10"});  // as numbers, not as text
  CHECK(equal(read("1,2,7\n3,4,10\n5,6,9\n").data.targets, tensor({0, 2, 1})));
  CHECK(read("1,2,7\n").features == Names{"0", "1"});
  CHECK(read("1,2,oak\n3,4,elm\n").data.size() == 2);
  CHECK(read("1,2,oak\n3,4,elm\n", {.header = true}).data.size() == 1);
  CHECK(fault("a,b,oak\n3,4,elm\n", {.header = false}) ==
        "table.csv:1: column '0': expected a finite number, given 'a'");
}

TEST_CASE("nn/csv: quotes hold delimiters, quotes and line ends, and lines are counted") {
  const nn::CsvData table = read("x,\"the \"\"kind\"\", or so\"\n1,\"a,b\"\n2,\"two\nlines\"\n3,c\n");
  CHECK(table.label == "the \"kind\", or so");
  CHECK(table.classes == Names{"a,b", "c", "two\nlines"});
  CHECK(fault("x,kind\n1,\"two\nlines\"\n\nq,c\n") ==
        "table.csv:5: column 'x': expected a finite number, given 'q'");
}

TEST_CASE("nn/csv: the classes of another table") {
  const nn::CsvOptions options{.classes = {"oak", "elm", "ash"}};
  CHECK(equal(read("1,elm\n2,oak\n", options).data.targets, tensor({1, 0})));
  CHECK(read("1,elm\n2,oak\n", options).classes == options.classes);
  CHECK(fault("1,elm\n2,fir\n", options) ==
        "table.csv:2: column '1': expected one of 3 known classes, given 'fir'");
}

TEST_CASE("nn/csv: random damage is an error or another table, and no more") {
  const std::string whole = "a,\"b \"\"c\"\"\",kind\r\n1.5,-2,oak\r\n\r\n3,4e2,\"elm, \nold\"\n";
  Rng rng{1};
  int errors = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = whole;
    for (int64_t k = rng.integer(1, 4); k > 0; --k) {
      const auto at = static_cast<size_t>(rng.integer(0, static_cast<int64_t>(text.size())));
      const std::string_view likely = "\"\r\n,; x\t";
      if (rng.integer(0, 3) == 0) text.erase(at, 1);
      else if (rng.integer(0, 2) == 0) text[at] = likely[static_cast<size_t>(rng.integer(0, 8))];
      else text[at] = static_cast<char>(rng.integer(0, 256));
    }
    try {
      const nn::CsvData table = read(text);
      CHECK(table.data.inputs.shape() ==
            Shape{table.data.size(), static_cast<int64_t>(table.features.size())});
    } catch (const Error& error) {
      CHECK(std::string_view(error.what()).find("table.csv") != std::string_view::npos);
      ++errors;
    }
  }
  CHECK(errors > 500);
}

TEST_CASE("nn/csv: faults name the line and the column") {
  CHECK(fault("a,b\n1,2\n3,four\n", {.regression = true}) ==
        "table.csv:3: column 'b': expected a finite number, given 'four'");
  CHECK(fault("a,b\n,2\n") == "table.csv:2: column 'a': expected a finite number, given nothing");
  CHECK(fault("a,b\n1,\n") == "table.csv:2: column 'b': expected a class, given nothing");
  CHECK(fault("a,b\nnan,2\n") == "table.csv:2: column 'a': expected a finite number, given 'nan'");
  CHECK(fault("a,b\n1e999,2\n") == "table.csv:2: column 'a': expected a finite number, given '1e999'");
  CHECK(fault("a,b\n1 2,2\n") == "table.csv:2: column 'a': expected a finite number, given '1 2'");
  CHECK(fault("a,b\n" + std::string(50, 'x') + ",2\n") ==
        "table.csv:2: column 'a': expected a finite number, given '" + std::string(40, 'x') + "…'");
  CHECK(fault("a,b\n1,2\n1,2,3\n") == "table.csv:3: expected 2 fields, given 3");
  CHECK(fault("a,b\n1\n") == "table.csv:2: expected 2 fields, given 1");
  CHECK(fault("a,b\n\n\n") == "table.csv:1: expected at least one line of numbers, given only names");
  CHECK(fault("a\n1\n") == "table.csv:1: expected at least two columns, a feature and the label, given one");
  CHECK(fault("a,a,b\n1,2,3\n") == "table.csv:1: expected different names of columns, given 'a' twice");
  CHECK(fault("a,b\n1,\"two\n") ==
        "table.csv:2: expected a quote that ends the field, given the end of the file");
  CHECK(fault("a,b\n\"1\"2,3\n") ==
        "table.csv:2: expected ',' or the end of the line after a quoted field, given '2'");
  CHECK(fault("") == "table.csv: expected a table, given an empty file");
  CHECK(fault("speces,b\n1,2\n", {.label = "species"}) ==
        "[read_csv] unknown column 'species', did you mean 'speces'?");
  CHECK(fault("a,b\n1,2\n", {.label = "2"}) == "[read_csv] expected a label column from -2 to 1, given 2");
  CHECK(message_of<IoError>([] { nn::read_csv(folder() / "missing.csv"); }).find("cannot open the file") !=
        std::string::npos);
}
