// The files that the documentation points to.

#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <string>

#include "tests/docs/files.h"

using namespace tapegrad::docs;

TEST_CASE("docs/links: every file that a page links to is there") {
  for (const std::string page : {"README.md", "autograd/README.md", "nn/README.md", "optim/README.md",
                                 "tests/README.md", "bench/README.md"}) {
    std::istringstream lines(read_file(page));
    std::string text;
    bool code = false;
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with("```")) code = !code;
      if (!code) text += line + "\n";
    }
    for (size_t at = text.find("]("); at != std::string::npos; at = text.find("](", at + 2)) {
      const std::string target = text.substr(at + 2, text.find(')', at) - at - 2);
      if (target.starts_with("http") || target.find('\n') != std::string::npos) continue;
      CHECK_MESSAGE(std::filesystem::exists(source_path(page).parent_path() / target),
                    page << " links to " << target);
    }
  }
}
