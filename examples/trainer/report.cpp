#include "examples/trainer/report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace trainer {

using namespace tapegrad;

std::string json_text(const Options& options, const Data& data, const Outcome& outcome,
                      const Predictions& test, const nn::ConfusionMatrix& confusion, int64_t parameters,
                      uint64_t fingerprint) {
  constexpr const char* kEnds[] = {"complete", "early", "interrupted", "not_finite"};
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (int64_t c = 0; c < confusion.classes(); ++c) {
    classes.push_back({{"name", data.classes[static_cast<size_t>(c)]},
                       {"precision", confusion.precision(c)},
                       {"recall", confusion.recall(c)},
                       {"f1", confusion.f1(c)},
                       {"samples", confusion.support(c)}});
  }
  const nlohmann::ordered_json object = {{"data", data.name},
                                         {"train_samples", data.train.size()},
                                         {"test_samples", data.test.size()},
                                         {"parameters", parameters},
                                         {"optimizer", options.optimizer},
                                         {"schedule", options.schedule},
                                         {"batch", options.batch},
                                         {"seed", options.seed},
                                         {"end", kEnds[static_cast<size_t>(outcome.end)]},
                                         {"epochs", outcome.epochs},
                                         {"best_epoch", outcome.best_epoch},
                                         {"train_loss", outcome.train_loss},
                                         {"test_loss", test.mean_loss()},
                                         {"test_accuracy", test.accuracy()},
                                         {"seconds", outcome.seconds},
                                         {"samples_per_second", outcome.samples_per_second},
                                         {"weights", fmt::format("{:016x}", fingerprint)},
                                         {"classes", classes}};
  return object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace trainer
