// The program behind `./run train`: what it says to bad options, files and moments, and that nothing is left
// half written.

#include <doctest/doctest.h>

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "tests/nn/data_files.h"

namespace {

namespace fs = std::filesystem;
using tapegrad::test::TemporaryFolder;

struct Ended {
  int status = -1;  // as a shell gives it
  std::string out, err;
};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs the shell's words with $TRAIN as the program, in the folder.
Ended shell(const TemporaryFolder& folder, const std::string& words) {
  const std::string command =
      "cd '" + folder.path() + "' && TRAIN='" TAPEGRAD_TRAIN "'; { " + words + "; } >out.txt 2>err.txt";
  const int status = std::system(command.c_str());
  REQUIRE(WIFEXITED(status));
  return {WEXITSTATUS(status), read(folder / "out.txt"), read(folder / "err.txt")};
}

// A training of a second or less: 1,600 points of two classes.
const std::string kSmall = "$TRAIN --dataset moons --layers 8 --epochs 2 --no-pictures --out run ";

int64_t count_lines(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

std::vector<std::string> half_written(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.path().string().find(".tmp") != std::string::npos) names.push_back(entry.path().string());
  }
  return names;
}

struct Bad {
  std::string words;     // of the shell
  std::string expected;  // part of the only line on the error output
  int status = 2;
};

void check(const TemporaryFolder& folder, const Bad& bad) {
  CAPTURE(bad.words);
  const Ended ended = shell(folder, bad.words);
  CAPTURE(ended.out);
  CAPTURE(ended.err);
  CHECK(ended.status == bad.status);
  CHECK(ended.err.starts_with("train: "));
  CHECK(count_lines(ended.err) == 1);
  CHECK(ended.err.find(bad.expected) != std::string::npos);
  CHECK(half_written(folder.path()).empty());
}

}  // namespace

TEST_CASE("train: an option that makes no sense is named, with what was expected") {
  const TemporaryFolder folder;
  const Bad kBad[] = {
      {"$TRAIN --epoch 3", "unknown option --epoch, did you mean --epochs?"},
      {"$TRAIN --learning-rate=1", "unknown option --learning-rate"},
      {"$TRAIN extra", "The following argument was not expected: extra"},
      {"$TRAIN --layers 16 16", "was not expected: 16; lists have commas and no blanks"},
      {"$TRAIN -lr 0.1", "unknown option -lr, did you mean --lr?"},
      {"$TRAIN --schedule plateu", "(did you mean plateau?)"},
      {"$TRAIN --lr", "--lr"},
      {"$TRAIN --lr 0", "--lr: expected a number above 0 and below 1000000, got '0'"},
      {"$TRAIN --lr nan", "--lr: expected a number above 0"},
      {"$TRAIN --lr 0.1x", "got '0.1x'"},
      {"$TRAIN --epochs 0", "--epochs: expected a whole number from 1 to 1000000, got '0'"},
      {"$TRAIN --epochs 1.5", "got '1.5'"},
      {"$TRAIN --batch -1", "--batch: expected a whole number from 1 to 1000000, got '-1'"},
      {"$TRAIN --layers 8,,8", "--layers: expected sizes from 1 to 65536 with commas between them, or none"},
      {"$TRAIN --layers 0", "got '0'"},
      {"$TRAIN --layers 99999999999", "--layers: expected sizes"},
      {"$TRAIN --activation rleu", "(did you mean relu?), got 'rleu'"},
      {"$TRAIN --init kaimng_normal", "(did you mean kaiming_normal?)"},
      {"$TRAIN --optimizer admaw", "(did you mean adamw?)"},
      {"$TRAIN --schedule cosin", "(did you mean cosine?)"},
      {"$TRAIN --dataset mons", "(did you mean moons?)"},
      {"$TRAIN --dtype float16", "--dtype: expected one of float32, float64"},
      {"$TRAIN --momentum 1", "--momentum: expected a number of at least 0 and below 1, got '1'"},
      {"$TRAIN --weight-decay -1", "--weight-decay: expected a number of at least 0"},
      {"$TRAIN --label-smoothing 1", "--label-smoothing: expected a number of at least 0 and below 1"},
      {"$TRAIN --clip 0", "--clip: expected a number above 0"},
      {"$TRAIN --validation 1", "--validation: expected a number of at least 0 and below 1"},
      {"$TRAIN --patience 0", "--patience: expected a whole number from 1"},
      {"$TRAIN --threads 0", "--threads: expected a whole number from 1 to 1024"},
      {"$TRAIN --seed -1", "--seed: expected a whole number from 0"},
      {"$TRAIN --limit 0", "--limit: expected a whole number from 1"},
      {"$TRAIN --out ''", "--out: expected a path"},
      {"$TRAIN --config missing.toml", "--config: missing.toml was not readable"},
      {"echo 'epoch = 3' >a.toml; $TRAIN --config a.toml",
       "--config: cannot read 'epoch'; expected lines such as epochs = 3, no sections (did you mean "
       "epochs?)"},
      {"echo 'epochs 3' >c.toml; $TRAIN --config c.toml", "--config: cannot read 'epochs 3'; expected lines"},
      {"echo '[train]' >d.toml; echo 'lr = 1' >>d.toml; $TRAIN --config d.toml", "no sections"},
      {"echo 'epochs = []' >e.toml; $TRAIN --config e.toml", "--epochs: expected a value, got an empty list"},
      {"echo 'layers = [1' >f.toml; $TRAIN --config f.toml", "--layers: "},
      {"echo 'epochs = \"many\"' >b.toml; $TRAIN --config b.toml", "expected a whole number"},
  };
  for (const Bad& bad : kBad) check(folder, bad);
}

TEST_CASE("train: a file that does not fit is named") {
  const TemporaryFolder folder;
  std::ofstream(folder / "ragged.csv") << "a,b,class\n1,2,x\n3,4\n";
  std::ofstream(folder / "words.csv") << "a,b,class\n1,2,x\n3,four,y\n";
  std::ofstream(folder / "one.csv") << "a,class\n1,x\n2,x\n";
  std::ofstream(folder / "few.csv") << "a,class\n1,x\n2,y\n";
  std::ofstream(folder / "text.txt") << "not a checkpoint";
  fs::create_directory(folder / "empty");
  REQUIRE(shell(folder, kSmall + "--quiet --save moons.safetensors").status == 0);
  const Bad kBad[] = {
      {"$TRAIN --data nowhere", "nowhere"},
      {"$TRAIN --data empty", "train-images-idx3-ubyte"},
      {"$TRAIN --data ragged.csv", "ragged.csv:3: expected 3 fields, given 2"},
      {"$TRAIN --data words.csv", "words.csv:3: column 'b': expected a finite number, given 'four'"},
      {"$TRAIN --data one.csv", "expected at least two classes"},
      {"$TRAIN --data few.csv --validation 0.5", "test_size", 1},
      {kSmall + "--load nowhere.safetensors", "nowhere.safetensors"},
      {kSmall + "--load text.txt", "text.txt"},
      {kSmall + "--load moons.safetensors --layers 9", "layers.0.weight"},
      {kSmall + "--load moons.safetensors --layers 8,8", "it lacks 'layers.2.weight', 'layers.2.bias'"},
      // Before the training, not after it.
      {kSmall + "--epochs 1000000 --save no/folder/weights",
       "no/folder/weights: cannot write the file (No such file or directory"},
      {kSmall + "--epochs 1000000 --save empty", "empty: cannot write the file (Is a directory"},
      {kSmall + "--limit 1", "the gradient check failed, see above; --no-verify trains all the same", 1},
      {kSmall + "--out text.txt", "text.txt"},
      {kSmall + "--out text.txt/run", "text.txt/run"},
      {"ulimit -f 64; " + kSmall + "--pictures", "run/boundary.csv: cannot write the file (File too large"},
      {kSmall + ">/dev/full", "cannot write to the standard output"},
  };
  for (const Bad& bad : kBad) check(folder, bad);
}

TEST_CASE("train: a loss that is no number ends the training with the record that made it") {
  const TemporaryFolder folder;
  const Ended ended = shell(folder, kSmall + "--lr 1e5 --activation identity --epochs 50 --no-verify");
  CAPTURE(ended.err);
  CHECK(ended.status == 1);
  CHECK(count_lines(ended.err) == 1);
  CHECK(ended.err.find("no longer a finite number in epoch ") != std::string::npos);
  CHECK(ended.err.find("[") != std::string::npos);
  CHECK(ended.err.find(".cpp:") != std::string::npos);
}

TEST_CASE("train: Ctrl-C ends the step, writes what there is and exits with 130") {
  const TemporaryFolder folder;
  for (const int milliseconds : {300, 450, 700, 950, 1300}) {
    const std::string delay =
        std::to_string(milliseconds / 1000) + "." + std::to_string(milliseconds % 1000 + 1000).substr(1);
    const Ended ended = shell(folder, "timeout --foreground --preserve-status -s INT " + delay + " " +
                                          kSmall + "--epochs 100000 --no-verify --save weights");
    CAPTURE(delay);
    CAPTURE(ended.out);
    CAPTURE(ended.err);
    CHECK(ended.status == 130);
    CHECK(ended.err.empty());
    CHECK(ended.out.find("interrupted in epoch ") != std::string::npos);
    CHECK(ended.out.find("test accuracy: ") != std::string::npos);
    CHECK(half_written(folder.path()).empty());
    const std::string history = read(folder / "run/history.csv");
    CHECK(count_lines(history) >= 2);
    CHECK(history.ends_with('\n'));
    CHECK(shell(folder, kSmall + "--quiet --epochs 1 --load weights").status == 0);
  }
}

TEST_CASE("train: a reader that goes away, a closed output and no terminal do no harm") {
  const TemporaryFolder folder;
  Ended ended = shell(folder, kSmall + "| head -n 1");
  CHECK(ended.status == 0);
  CHECK(count_lines(ended.out) == 1);
  CHECK(ended.err.empty());
  ended = shell(folder, kSmall + ">&-");
  CHECK(ended.status == 0);
  CHECK(ended.err.empty());
  // A log stays short: no progress bar, and a hundred lines of epochs at most.
  ended = shell(folder, kSmall + "--epochs 300 --no-verify");
  CHECK(ended.status == 0);
  CHECK(count_lines(ended.out) < 140);
  CHECK(ended.out.find('\r') == std::string::npos);
}

TEST_CASE("train: the same weights with a program and without, for any number of threads") {
  const TemporaryFolder folder;
  const auto weights = [&](const std::string& options) {
    const Ended ended = shell(folder, kSmall + options);
    REQUIRE(ended.status == 0);
    const size_t at = ended.out.find("weights: ");
    REQUIRE(at != std::string::npos);
    return ended.out.substr(at, 25);
  };
  for (const std::string optimizer : {"sgd", "adamw", "nadam", "lion"}) {
    const std::string options = "--optimizer " + optimizer + " --clip 1 --warmup 0.5 --schedule cosine ";
    const std::string first = weights(options + "--threads 1");
    CHECK(weights(options + "--threads 2") == first);
    CHECK(weights(options + "--no-program") == first);
    CHECK(weights(options + "--seed 2") != first);
  }
}

TEST_CASE("train: the plateau goes by the validation loss, and its rate reaches the recorded step") {
  const TemporaryFolder folder;
  const std::string options = kSmall +
                              "--dataset spiral --label-smoothing 0 --schedule plateau --lr 0.5 --momentum "
                              "0.95 --epochs 30 --no-verify ";
  const Ended ended = shell(folder, options);
  CAPTURE(ended.out);
  CAPTURE(ended.err);
  REQUIRE(ended.status == 0);
  CHECK(ended.out.find(" 160 validation ") != std::string::npos);
  const std::string history = read(folder / "run/history.csv");
  std::istringstream lines(history);
  std::string line;
  std::getline(lines, line);
  double expected = 0.5, best = 1e300;
  int bad = 0, cuts = 0;
  for (int epoch = 1; epoch <= 30; ++epoch) {
    std::getline(lines, line);
    CAPTURE(line);
    double loss = 0, rate = 0;
    REQUIRE(std::sscanf(line.c_str(), "%*d,%*f,%lf,%*f,%lf,", &loss, &rate) == 2);
    CHECK(std::abs(rate - expected) <= 1e-5 * expected);  // the file has six digits
    bad = loss < best * (1 - 1e-4) ? 0 : bad + 1;
    best = std::min(best, loss);
    if (bad < 2) continue;
    expected *= 0.1;
    bad = 0;
    ++cuts;
  }
  CHECK(cuts >= 2);
  // With the steps recorded anew, the same numbers.
  CHECK(shell(folder, options + "--no-program").status == 0);
  const std::string again = read(folder / "run/history.csv");
  const auto without_seconds = [](std::string text) {
    return std::regex_replace(text, std::regex(",[^,\n]*\n"), "\n");
  };
  CHECK(without_seconds(again) == without_seconds(history));
}

TEST_CASE("train: patience stops early, --json is one object, --config has the names of the options") {
  const TemporaryFolder folder;
  std::ofstream(folder / "c.toml")
      << "dataset = \"spiral\"\nlayers = \"16,16\"\nepochs = 60\npatience = 2\nlr = 0.3\n"
      << "pictures = false\nout = \"run\"\n";
  const Ended ended = shell(folder, "$TRAIN --config c.toml --json --optimizer sgd");
  CAPTURE(ended.out);
  CAPTURE(ended.err);
  CHECK(ended.status == 0);
  CHECK(ended.err.empty());
  CHECK(count_lines(ended.out) == 1);
  CHECK(ended.out.starts_with("{\"data\":\"spiral\""));
  CHECK(ended.out.find("\"end\":\"early\"") != std::string::npos);
  CHECK(ended.out.find("\"optimizer\":\"sgd\"") != std::string::npos);
}
