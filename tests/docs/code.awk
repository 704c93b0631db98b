# Makes a test of the C++ in a page of documentation: awk -v page=README.md -f code.awk README.md > test.cpp
#
# Code that begins with two blanks stands in a function: it runs in a scope of its own, inside the scopes of
# the code before it, whose names it may use; a scope that records on a tape ends with the piece. Code that begins at the margin stands outside of functions; a
# `main` in it must return 0. What the reader need not see, but the test needs (a name that the text has
# introduced in words, a CHECK of what the text claims), stands in a comment that begins with "<!-- cpp".

function line_of(n) { return "#line " n " \"" page "\"\n" }

# At the end of a piece of code of `count` lines from line `first`.
function take(hidden,    text, i) {
  text = ""
  for (i = 1; i <= count; ++i) text = text piece[i] "\n"
  if (text ~ /^\n*  /) {
    if (!hidden) {
      if (taped) { body = body "}\n"; --depth }
      body = body "{\n"
      ++depth
      taped = text ~ /(^|\n)  Tape tape/
    }
    body = body line_of(first) text
  } else {
    if (text ~ /int main\(\)/) {
      ++programs
      sub(/int main\(\)/, "int program_" programs "()", text)
      body = body "CHECK(program_" programs "() == 0);\n"
    }
    head = head line_of(first) text
  }
}

/^```cpp$/ { inside = 1; count = 0; first = NR + 1; next }
/^<!-- cpp$/ { inside = 2; count = 0; first = NR + 1; next }
(inside == 1 && /^```$/) || (inside == 2 && /^-->$/) { if (count) take(inside == 2); inside = 0; next }
inside && /^#include/ { includes = includes $0 "\n"; piece[++count] = ""; next }
inside { piece[++count] = $0 }

END {
  if (inside) { print "#error " page ": code without an end"; exit }
  print "#include <doctest/doctest.h>\n\n#include <autograd/autograd.h>\n#include <nn/nn.h>"
  print "#include <optim/optim.h>\n" includes "\nusing namespace tapegrad;\n\nnamespace {\n" head "}  // namespace\n"
  print "TEST_CASE(\"docs: the code of " page "\") {\n" body
  while (depth--) print "}"
  print "}"
}
