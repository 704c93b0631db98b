#include "examples/trainer/history.h"

#include <fmt/format.h>

namespace trainer {

History::History(const OutputFolder& out)
    : out_(out), text_("epoch,train_loss,held_out_loss,accuracy,learning_rate,seconds\n") {
  out_.write("history.csv", text_);
}

void History::append(const Epoch& epoch) {
  text_ += fmt::format("{},{:.6f},{:.6f},{:.6f},{:.6g},{:.3f}\n", epoch.number, epoch.train_loss,
                       epoch.held_out_loss, epoch.accuracy, epoch.learning_rate, epoch.seconds);
  out_.write("history.csv", text_);
}

}  // namespace trainer
