#pragma once

#include <fmt/format.h>

#include <string_view>

namespace trainer {

// Makes sure that descriptors 0 to 2 are open, so that a file opened later is not taken for the output, and
// that neither a reader of the output who goes away nor a limit of file sizes ends the training by a signal.
void prepare_console();

// True when the standard output is a terminal that can redraw a line.
bool is_terminal();
// Columns of that terminal; 80 when it does not say.
int terminal_width();

// From now on `say` prints nothing.
void be_quiet();

// Writes text at once. A closed or failing output is remembered but stops nothing.
void write_output(std::string_view text);
// One line "train: TEXT" to the error output, with blanks for control characters.
void write_error(std::string_view text);
// False after a write to the standard output failed for another reason than that its reader went away.
bool output_complete();

// For people: to the standard output, unless quiet.
bool quiet();
template <class... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  if (!quiet()) write_output(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void print_error(fmt::format_string<Args...> format, Args&&... args) {
  write_error(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace trainer
