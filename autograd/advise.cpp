#include "autograd/advise.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "autograd/text.h"

namespace tapegrad {
namespace {

// Ops whose result is elements of the first operand and nothing else, so that f(move(x)) = move(f(x)).
constexpr std::string_view kMoves[] = {
    "reshape", "permute",   "slice",   "expand",    "flip",     "roll",  "gather",           "index_select",
    "squeeze", "unsqueeze", "flatten", "transpose", "diagonal", "split", "repeat_interleave"};

// Reads the fields of one name out of options.
class FieldReader final : public PassingVisitor {
 public:
  explicit FieldReader(std::string_view wanted) : wanted_(wanted) {}
  using PassingVisitor::field;
  void field(std::string_view name, std::optional<Dims>& value) override {
    if (name == wanted_) dims = value;
  }

  std::optional<Dims> dims;

 private:
  std::string_view wanted_;
};

// Looks for formulas among the records of a tape.
class Adviser {
 public:
  explicit Adviser(const Tape& tape) : tape_(tape) {}

  std::vector<Advice> run() {
    for (size_t r = 0; r < tape_.size(); ++r) look(tape_[r], r);
    return std::move(found_);
  }

 private:
  // The record that made a value, if it is of that op; behind ops that only move elements.
  const Record* made_by(uint32_t value, std::string_view op) const {
    const Record* record = maker(value);
    while (record != nullptr && record->op->name != op && moves(*record)) record = maker(record->inputs[0]);
    return record != nullptr && record->op->name == op ? record : nullptr;
  }
  const Record* maker(uint32_t value) const {
    return tape_.kind(value) == ValueKind::produced ? &tape_[tape_.producer(value)] : nullptr;
  }
  static bool moves(const Record& record) {
    return std::find(std::begin(kMoves), std::end(kMoves), record.op->name) != std::end(kMoves);
  }
  // True for the number, or a constant of that one value.
  bool is_number(uint32_t value, double number) const {
    if (tape_.kind(value) == ValueKind::produced || tape_.kind(value) == ValueKind::parameter ||
        tape_.kind(value) == ValueKind::watched) {
      return false;
    }
    const Tensor x = tape_.value(value);
    return x.defined() && x.numel() == 1 && x.item() == number;
  }
  // x if a record squares it: square(x), x·x or pow(x, 2).
  std::optional<uint32_t> squared(const Record* record) const {
    if (record == nullptr) return {};
    const std::string_view op = record->op->name;
    const bool square = op == "square" || (op == "mul" && record->inputs[0] == record->inputs[1]) ||
                        (op == "pow" && is_number(record->inputs[1], 2));
    return square ? std::optional(record->inputs[0]) : std::nullopt;
  }
  // The record that made a value, behind ops that only move elements.
  const Record* behind_moves(uint32_t value) const {
    const Record* record = maker(value);
    while (record != nullptr && moves(*record)) record = maker(record->inputs[0]);
    return record;
  }

  static std::optional<Dims> dims(const Record& record) {
    FieldReader reader("dim");
    OptionsBox copy(record.option_ref());  // visitors may write
    record.op->options->visit(const_cast<void*>(copy.ref().data), reader);
    return reader.dims;
  }

  void look(const Record& record, size_t r) {
    const std::string_view op = record.op->name;
    if (op == "log") return log(record, r);
    if (op == "log1p") return log1p(record, r);
    if (op == "sqrt") return sqrt(record, r);
    if (op == "sub") return sub(record, r);
    if (op == "binary_cross_entropy") return cross_entropy_of_sigmoid(record, r);
    if (op == "nll_loss") return nll_of_log(record, r);
  }

  void log(const Record& record, size_t r) {
    const uint32_t x = record.inputs[0];
    if (const Record* softmax = made_by(x, "softmax")) {
      return say(r, "log of softmax", *softmax,
                 "-inf with NaN gradients where a probability rounds to 0; use log_softmax");
    }
    if (const Record* sigmoid = made_by(x, "sigmoid")) {
      return say(r, "log of sigmoid", *sigmoid,
                 "-inf with NaN gradients where it rounds to 0; use -softplus(-x)");
    }
    const Record* sum = made_by(x, "add");
    if (sum == nullptr) return;
    for (int i = 0; i < 2; ++i) {
      const Record* exp = made_by(sum->inputs[i], "exp");
      if (exp != nullptr && is_number(sum->inputs[1 - i], 1)) {
        return say(r, "log of 1 + exp(x)", *exp,
                   "overflows above 88 in float32 and is 0 below -17; use softplus");
      }
    }
  }

  void log1p(const Record& record, size_t r) {
    if (const Record* exp = made_by(record.inputs[0], "exp")) {
      say(r, "log1p of exp(x)", *exp, "overflows above 88 in float32; use softplus");
    }
  }

  void sqrt(const Record& record, size_t r) {
    const Record* sum = made_by(record.inputs[0], "sum");
    if (sum == nullptr || !squared(behind_moves(sum->inputs[0]))) return;
    say(r, "sqrt of a sum of squares", *sum, "over- and underflows, and its gradient at 0 is NaN; use norm");
  }

  void sub(const Record& record, size_t r) {
    const Record* of_squares = made_by(record.inputs[0], "mean");
    const auto squared_mean = squared(behind_moves(record.inputs[1]));
    if (of_squares == nullptr || !squared_mean) return;
    const Record* mean = made_by(*squared_mean, "mean");
    const auto x = squared(maker(of_squares->inputs[0]));
    if (mean == nullptr || x != mean->inputs[0] || dims(*mean) != dims(*of_squares)) return;
    say(r, "mean(x²) − mean(x)²", *mean,
        "cancels where the mean is large, even to below 0; use var with correction 0");
  }

  void cross_entropy_of_sigmoid(const Record& record, size_t r) {
    if (const Record* sigmoid = made_by(record.inputs[0], "sigmoid")) {
      say(r, "binary_cross_entropy of sigmoid", *sigmoid,
          "stops growing where that rounds to 0 or 1; use binary_cross_entropy_with_logits");
    }
  }

  void nll_of_log(const Record& record, size_t r) {
    const Record* log = made_by(record.inputs[0], "log");
    const Record* softmax = log != nullptr ? made_by(log->inputs[0], "softmax") : nullptr;
    if (softmax == nullptr) return;
    // Said once, here, and not of the log as well.
    std::erase_if(found_, [&](const Advice& advice) { return &tape_[advice.record] == log; });
    say(r, "nll_loss of log of softmax", *softmax,
        "infinite with NaN gradients where a probability rounds to 0; use cross_entropy");
  }

  // What was found, another record of the formula, why it is bad and what to write.
  void say(size_t r, std::string_view what, const Record& other, std::string_view why) {
    Advice advice{r, tape_[r].where, fmt::format("{}{}: {}", what, location(other.where), why)};
    found_.push_back(std::move(advice));
  }

  const Tape& tape_;
  std::vector<Advice> found_;
};

}  // namespace

std::vector<Advice> advise(const Tape& tape) { return Adviser(tape).run(); }

std::string to_string(std::span<const Advice> advice) {
  std::string text;
  for (const Advice& a : advice) {
    const std::string where = location(a.where);  // " (train.cpp:31)"
    if (!where.empty()) text += fmt::format("{}: ", std::string_view(where).substr(2, where.size() - 3));
    text += a.message + "\n";
  }
  return text;
}

}  // namespace tapegrad
