#include "examples/trainer/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

namespace trainer {

using namespace tapegrad;

namespace {

constexpr size_t kMostColumns = 20;  // of a matrix that is printed

size_t widest(const std::vector<std::string>& names) {
  size_t width = 7;
  for (const std::string& name : names) width = std::max(width, name.size());
  return std::min<size_t>(width, 24);
}

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

}  // namespace

Confusion::Confusion(size_t classes, const Predictions& predictions)
    : classes_(classes), counts_(classes * classes) {
  for (size_t i = 0; i < predictions.truth.size(); ++i) {
    const auto truth = static_cast<size_t>(predictions.truth[i]);
    ++counts_[truth * classes_ + static_cast<size_t>(predictions.chosen[i])];
  }
}

ClassScore Confusion::score(size_t c) const {
  int64_t chosen = 0, truth = 0;
  for (size_t k = 0; k < classes_; ++k) {
    chosen += (*this)(k, c);
    truth += (*this)(c, k);
  }
  const int64_t right = (*this)(c, c);
  return {ratio(right, chosen), ratio(right, truth), ratio(2 * right, chosen + truth), truth};
}

std::string classes_text(const Confusion& confusion, const std::vector<std::string>& classes) {
  const size_t width = widest(classes);
  std::string text = fmt::format("{:<{}}  precision  recall      F1  samples\n", "class", width);
  ClassScore mean;
  for (size_t c = 0; c < classes.size(); ++c) {
    const ClassScore s = confusion.score(c);
    text += fmt::format("{:<{}.{}}  {:>9.4f}  {:>6.4f}  {:>6.4f}  {:>7}\n", classes[c], width, width,
                        s.precision, s.recall, s.f1, s.samples);
    mean.precision += s.precision / static_cast<double>(classes.size());
    mean.recall += s.recall / static_cast<double>(classes.size());
    mean.f1 += s.f1 / static_cast<double>(classes.size());
    mean.samples += s.samples;
  }
  text += fmt::format("{:<{}}  {:>9.4f}  {:>6.4f}  {:>6.4f}  {:>7}\n", "mean", width, mean.precision,
                      mean.recall, mean.f1, mean.samples);
  if (classes.size() > kMostColumns) return text;

  text += fmt::format("\n{:<{}}  predicted\n{:<{}} ", "truth", width, "", width);
  for (size_t c = 0; c < classes.size(); ++c) text += fmt::format(" {:>5.5}", classes[c]);
  text += '\n';
  for (size_t truth = 0; truth < classes.size(); ++truth) {
    text += fmt::format("{:<{}.{}} ", classes[truth], width, width);
    for (size_t c = 0; c < classes.size(); ++c) text += fmt::format(" {:>5}", confusion(truth, c));
    text += '\n';
  }
  return text;
}

std::string json_text(const Options& options, const Data& data, const Outcome& outcome,
                      const Predictions& test, const Confusion& confusion, int64_t parameters,
                      uint64_t fingerprint) {
  constexpr const char* kEnds[] = {"complete", "early", "interrupted", "not_finite"};
  nlohmann::ordered_json classes = nlohmann::ordered_json::array();
  for (size_t c = 0; c < data.classes.size(); ++c) {
    const ClassScore s = confusion.score(c);
    classes.push_back(
        {{"name", data.classes[c]}, {"precision", s.precision}, {"recall", s.recall}, {"f1", s.f1}, {"samples", s.samples}});
  }
  const nlohmann::ordered_json object = {
      {"data", data.name},
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
