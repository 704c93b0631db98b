// ./run docs: writes the generated tables of the pages anew. With --counts prints one
// line that says how many ops there are and what is checked of them.

#include <cstdio>
#include <exception>
#include <string_view>

#include "tests/docs/files.h"
#include "tests/docs/nn_tables.h"
#include "tests/docs/tables.h"

int main(int argc, char** argv) {
  using namespace tapegrad::docs;
  const std::string_view argument = argc > 1 ? argv[1] : "";
  if (argc > 2 || (!argument.empty() && argument != "--counts")) {
    std::fputs("usage: docs_main [--counts]\n", stderr);
    return 2;
  }
  try {
    if (argument == "--counts") {
      std::printf("%s\n", counts().c_str());
      return 0;
    }
    for (const char* const name : kPages) {
      const std::string page = read_file(name), made = with_tables(page, public_headers());
      if (made != page) write_file(name, made);
      std::printf("%s: %s\n", name, made == page ? "up to date" : "written");
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "docs: %s\n", error.what());
    return 1;
  }
}
