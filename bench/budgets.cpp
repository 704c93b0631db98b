#include "bench/budgets.h"

#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "bench/child.h"

namespace tapegrad::bench {
namespace {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tapegrad_budgets_XXXXXX").string();
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const char* name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// The least of many starts, in processor time: what the program needs and not what else the machine does.
double start_milliseconds() {
  double best = 1e9;
  for (int i = 0; i < 40; ++i) {
    const Outcome o = run_program({TAPEGRAD_BENCH_START, "gradient"});
    if (o.status != 0) return -1;
    best = std::min(best, o.processor_seconds);
  }
  return best * 1e3;
}

// As the program itself reads it: what wait4 tells begins with the memory of this process.
double mlp_megabytes() {
  const Outcome o = run_program({TAPEGRAD_BENCH_START, "mlp"});
  return o.status == 0 ? std::atof(o.output.c_str()) * 1024 * 1e-6 : -1;
}

// All of the libraries as one shared library, stripped.
double library_megabytes(const Folder& folder) {
  const std::string library = folder.file("whole.so");
  const Outcome o =
      run_program({"/bin/sh", "-c",
                   TAPEGRAD_BENCH_CXX " -shared -s -o " + library +
                       " -Wl,--whole-archive " TAPEGRAD_BENCH_LIBRARIES " -Wl,--no-whole-archive"});
  if (o.status != 0) return -1;
  return static_cast<double>(std::filesystem::file_size(library)) * 1e-6;
}

double header_lines(const Folder& folder) {
  const std::string source = folder.file("header.cpp");
  std::ofstream(source) << "#include <autograd/autograd.h>\n";
  const Outcome o = run_program(
      {"/bin/sh", "-c",
       TAPEGRAD_BENCH_CXX " -std=c++20 -E -P " TAPEGRAD_BENCH_INCLUDES " " + source + " | wc -l"});
  return o.status == 0 ? std::atof(o.output.c_str()) : -1;
}

// In processor time, which other processes disturb less.
double compile_seconds(const Folder& folder) {
  const Outcome o = run_program({"/bin/sh", "-c",
                                 TAPEGRAD_BENCH_CXX " -std=c++20 -O2 " TAPEGRAD_BENCH_INCLUDES
                                                    " -c " TAPEGRAD_BENCH_MLP_SOURCE " -o " +
                                     folder.file("mlp.o")});
  return o.status == 0 ? o.processor_seconds : -1;
}

}  // namespace

std::vector<Budget> measure_budgets() {
  const Folder folder;
  return {{"start to first gradient", "ms", 5, start_milliseconds(), true},
          {"libraries, stripped", "MB", 3, library_megabytes(folder), false},
          {"autograd.h preprocessed", "lines", 32000, header_lines(folder), true},
          {"compiling an MLP", "s", 5, compile_seconds(folder), true},
          {"peak memory of mlp-b128", "MB", 40, mlp_megabytes(), true}};
}

}  // namespace tapegrad::bench
