#include "examples/trainer/history.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "autograd/error.h"

namespace trainer {
namespace {

[[noreturn]] void fail(const std::string& path, std::string_view what, int code) {
  throw tapegrad::IoError(fmt::format("{}: {} ({}, errno {})", path, what, std::strerror(code), code), code);
}

}  // namespace

History::History(const std::string& folder) : path_(folder + "/history.csv") {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(folder, "cannot make the output folder", error.value());
  file_.reset(std::fopen(path_.c_str(), "w"));
  if (file_ == nullptr) fail(path_, "cannot write the file", errno);
  write("epoch,train_loss,test_loss,test_accuracy,learning_rate,seconds\n");
}

void History::append(const Epoch& epoch) {
  write(fmt::format("{},{:.6f},{:.6f},{:.6f},{:.6g},{:.3f}\n", epoch.number, epoch.train_loss,
                    epoch.test_loss, epoch.test_accuracy, epoch.learning_rate, epoch.seconds));
}

void History::write(const std::string& line) {
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fflush(file_.get()) != 0) {
    fail(path_, "cannot write the file", errno);
  }
}

}  // namespace trainer
