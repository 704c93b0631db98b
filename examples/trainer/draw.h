#pragma once

#include <string>
#include <vector>

#include "examples/trainer/output.h"

namespace trainer {

// Runs another program with its working folder at `folder`, its output thrown away, and waits. False when it
// cannot be run or fails.
bool run_program(const std::vector<std::string>& command, const std::string& folder);

// Pictures in the output folder, drawn by other programs from files that stay beside them.
class Drawer {
 public:
  explicit Drawer(const OutputFolder& out) : out_(out) {}

  // NAME.png by gnuplot from NAME.gp, which gets this text behind lines that set the picture's file and its
  // size in pixels. A picture that cannot be drawn whole is left out.
  void plot(const std::string& name, int width, int height, const std::string& script);
  // NAME.svg by Graphviz from NAME.dot.
  void graph(const std::string& name, const std::string& dot);

  const std::vector<std::string>& drawn() const { return drawn_; }  // the names of the pictures
  // "gnuplot" and "dot", where one was needed and could not be run.
  const std::vector<std::string>& missing() const { return missing_; }

 private:
  void draw(const std::string& picture, const std::vector<std::string>& command, std::string_view end);

  const OutputFolder& out_;
  std::vector<std::string> drawn_, missing_;
};

}  // namespace trainer
