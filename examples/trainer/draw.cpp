#include "examples/trainer/draw.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>

extern char** environ;

namespace trainer {

using namespace std::string_view_literals;

bool run_program(const std::vector<std::string>& command, const std::string& folder) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, STDOUT_FILENO, STDERR_FILENO);
  posix_spawn_file_actions_addchdir_np(&files, folder.c_str());
  // A group of its own, so that Ctrl-C does not cut a picture off.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);

  pid_t child = 0;
  int status = -1;
  const bool started =
      ::posix_spawnp(&child, arguments[0], &files, &attributes, arguments.data(), environ) == 0;
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (!started) return false;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return false;
  }
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void Drawer::draw(const std::string& picture, const std::vector<std::string>& command, std::string_view end) {
  const std::string temporary = picture + ".tmp";
  if (run_program(command, out_.path())) {
    // Neither program says so when the disk is full.
    const std::string bytes = read_file(out_.path(temporary));
    if (std::string_view(bytes).ends_with(end) &&
        std::rename(out_.path(temporary).c_str(), out_.path(picture).c_str()) == 0) {
      drawn_.push_back(picture);
      return;
    }
  } else if (std::find(missing_.begin(), missing_.end(), command[0]) == missing_.end()) {
    missing_.push_back(command[0]);
  }
  out_.remove(temporary);
  out_.remove(picture);  // of an earlier run
}

void Drawer::plot(const std::string& name, int width, int height, const std::string& script) {
  const std::string picture = name + ".png", file = name + ".gp";
  out_.write(file, fmt::format("# Draws {0}: gnuplot {1}\n"
                               "if (!exists('picture')) picture = '{0}'\n"
                               "set terminal pngcairo size {2},{3} font 'sans,11'\n"
                               "set output picture\n{4}",
                               picture, file, width, height, script));
  draw(picture, {"gnuplot", "-e", fmt::format("picture='{}.tmp'", picture), file}, "IEND\xae\x42\x60\x82"sv);
}

void Drawer::graph(const std::string& name, const std::string& dot) {
  const std::string picture = name + ".svg", file = name + ".dot";
  out_.write(file, dot);
  draw(picture, {"dot", "-Tsvg", "-o", picture + ".tmp", file}, "</svg>\n");
}

}  // namespace trainer
