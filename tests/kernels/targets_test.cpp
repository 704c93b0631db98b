// Which vector targets this processor has.

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <vector>

#include "autograd/kernels/dispatch.h"

namespace tapegrad {
namespace {

// The features that Linux lists of the first processor; none elsewhere.
std::vector<std::string> processor_flags() {
  std::ifstream file("/proc/cpuinfo");
  std::string word;
  while (file >> word && word != "flags") {
  }
  std::getline(file, word, ':');
  std::vector<std::string> flags;
  while (file.peek() != '\n' && file >> word) flags.push_back(word);
  return flags;
}

}  // namespace

#if defined(__x86_64__)
TEST_CASE("kernels/targets: the vector targets are those that Linux says the processor has, best first") {
  const std::vector<std::string> flags = processor_flags();
  if (flags.empty()) return;
  const auto has = [&](const std::vector<std::string>& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const std::string& flag) {
      return std::find(flags.begin(), flags.end(), flag) != flags.end();
    });
  };
  std::vector<std::string> expected;
  const bool avx2 = has({"avx2", "fma", "bmi1", "bmi2", "f16c", "aes", "pclmulqdq"});
  if (avx2 && has({"avx512f", "avx512vl", "avx512dq", "avx512bw"})) expected.push_back("AVX3");
  if (avx2) expected.push_back("AVX2");
  std::vector<std::string> found;
  for (int i = 0; i < kernels::target_count(); ++i) found.emplace_back(kernels::target_name(i));
  // The last is the portable baseline, unless the build has a better one.
  REQUIRE(found.size() >= expected.size());
  CHECK(found.size() <= expected.size() + 1);
  CHECK(std::equal(expected.begin(), expected.end(), found.begin()));
}
#endif

}  // namespace tapegrad
