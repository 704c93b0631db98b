#include "autograd/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad {

std::string_view name(Verdict verdict) {
  constexpr std::string_view kNames[] = {
      "agree",    "agree_zero", "kink_in",          "JUMP",      "NONFINITE", "DISAGREE",
      "KINK_OUT", "NOISY",      "NONDETERMINISTIC", "STRUCTURE", "VACUOUS"};
  return kNames[static_cast<size_t>(verdict)];
}

namespace {

constexpr int kShown = 10;  // failures in the text; the rest is counted

// What orders entries from the best to the worst.
std::pair<bool, double> badness(const CheckedEntry& e) {
  const double gap = std::fabs(e.gradient - e.difference);
  const double bars = e.bar > 0 ? gap / e.bar : gap;
  return {!e.passed, std::isnan(bars) ? INFINITY : bars};
}

bool better(const CheckedEntry& a, const CheckedEntry& b) { return badness(a) < badness(b); }

std::string place(const CheckedEntry& e, const std::vector<CheckedInput>& inputs) {
  if (e.input < 0) return "along a random direction through all inputs";
  const CheckedInput& input = inputs[static_cast<size_t>(e.input)];
  if (e.entry < 0) return fmt::format("{} along a random direction", input.name);
  return fmt::format("{} {}", input.name, index_text(e.entry, input.shape));
}

std::string numbers(const CheckedEntry& e) {
  return fmt::format("gradient {:.10g}, difference {:.10g} ± {:.2g} (step {:.2g}, {} evaluations)",
                     e.gradient, e.difference, e.bar, e.step, e.evaluations);
}

std::string json_string(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (static_cast<unsigned char>(c) < 0x20) result += fmt::format("\\u{:04x}", static_cast<int>(c));
    else result += c;
  }
  return result + "\"";
}

// JSON has no NaN and no infinity: they become text.
std::string json_number(double x) {
  return std::isfinite(x) ? fmt::format("{}", x) : fmt::format("\"{}\"", x);
}

}  // namespace

bool Report::ok() const {
  return !entries_.empty() && faults_.empty() && culprits_.empty() && undecided_.empty() &&
         canaries_caught_ == canaries_ &&
         std::all_of(entries_.begin(), entries_.end(), [](const CheckedEntry& e) { return e.passed; });
}

const CheckedEntry& Report::worst() const {
  if (entries_.empty())
    raise<ArgumentError>("[gradcheck] nothing was checked: no floating input has an element");
  return *std::max_element(entries_.begin(), entries_.end(), better);
}

double Report::resolution(double q) const {
  std::vector<double> bars;
  for (const CheckedEntry& e : entries_) {
    if (e.verdict == Verdict::agree && e.scale > 0) bars.push_back(e.bar / e.scale);
  }
  if (bars.empty()) return 0;
  const auto at =
      static_cast<size_t>(std::lround(std::clamp(q, 0.0, 1.0) * static_cast<double>(bars.size() - 1)));
  std::nth_element(bars.begin(), bars.begin() + static_cast<std::ptrdiff_t>(at), bars.end());
  return bars[at];
}

std::string Report::text(bool colour) const {
  const char *red = colour ? "\x1b[31m" : "", *green = colour ? "\x1b[32m" : "",
             *plain = colour ? "\x1b[0m" : "";
  if (entries_.empty() && faults_.empty() && culprits_.empty())
    return fmt::format("gradcheck: {}VACUOUS{}, nothing was checked", red, plain);
  const auto passed =
      std::count_if(entries_.begin(), entries_.end(), [](const CheckedEntry& e) { return e.passed; });
  std::string text = fmt::format("gradcheck: {}{}{}, {} of {} derivatives agree", ok() ? green : red,
                                 ok() ? "passed" : "FAILED", plain, passed, entries_.size());
  text += fmt::format("; resolution p50 {:.1e}, p99 {:.1e}; canaries {}/{}; {} evaluations; seed {}",
                      resolution(0.5), resolution(0.99), canaries_caught_, canaries_, evaluations_, seed_);
  if (!note_.empty()) text += "\n  " + note_;
  for (int i = -1; i < static_cast<int>(inputs_.size()); ++i) {
    const CheckedEntry* worst = nullptr;
    int count = 0, kinks = 0, good = 0;
    for (const CheckedEntry& e : entries_) {
      if (e.input != i) continue;
      ++count;
      good += e.passed;
      kinks += e.verdict == Verdict::kink_in;
      if (worst == nullptr || better(*worst, e)) worst = &e;
    }
    if (worst == nullptr) continue;
    const std::string what = i < 0 ? "all inputs at once"
                                   : fmt::format("{} {}", inputs_[static_cast<size_t>(i)].name,
                                                 inputs_[static_cast<size_t>(i)].type);
    text += fmt::format("\n  {}{}{}: {} of {}{}; worst {}: {}", good == count ? green : red, what, plain,
                        good, count, kinks > 0 ? fmt::format(", {} at kinks", kinks) : "",
                        place(*worst, inputs_), numbers(*worst));
  }
  int shown = 0;
  // An entry says more than a direction.
  for (const bool direction : {false, true}) {
    for (const CheckedEntry& e : entries_) {
      if (e.passed || (e.entry < 0) != direction || ++shown > kShown) continue;
      text += fmt::format("\n  {}{}{} {}{}: {}", red, name(e.verdict), plain, e.input < 0 ? "" : "at ",
                          place(e, inputs_), numbers(e));
    }
  }
  if (shown > kShown) text += fmt::format("\n  … and {} more", shown - kShown);
  for (const StructureFault& f : faults_)
    text += fmt::format("\n  {}{}{}: {}", red, name(f.verdict), plain, f.what);
  for (const Culprit& c : culprits_) {
    text += fmt::format("\n  {}record {} {}{}{}: {}", red, c.record, c.op, plain, location(c.where), c.what);
  }
  for (const Culprit& c : undecided_) {
    text += fmt::format("\n  not decided: record {} {}{}: {}", c.record, c.op, location(c.where), c.what);
  }
  if (records_verified_ > 0) {
    text += fmt::format("\n  {}{} records are verified with the cotangents they received",
                        culprits_.empty() && undecided_.empty() ? "" : "the other ", records_verified_);
  }
  return text;
}

std::string Report::json() const {
  const auto passed =
      std::count_if(entries_.begin(), entries_.end(), [](const CheckedEntry& e) { return e.passed; });
  std::string text = fmt::format(
      "{{\"ok\":{},\"checked\":{},\"passed\":{},\"resolution_p50\":{},\"resolution_p99\":{},"
      "\"canaries\":{},\"canaries_caught\":{},\"evaluations\":{},\"seed\":{},\"records_verified\":{}",
      ok(), entries_.size(), passed, json_number(resolution(0.5)), json_number(resolution(0.99)), canaries_,
      canaries_caught_, evaluations_, seed_, records_verified_);
  auto list = [&](std::string_view key, const auto& items, const auto& item) {
    text += fmt::format(",\"{}\":[", key);
    bool first = true;
    for (const auto& x : items) {
      const std::string one = item(x);
      if (one.empty()) continue;
      text += (first ? "" : ",") + one;
      first = false;
    }
    text += "]";
  };
  list("inputs", inputs_, [](const CheckedInput& i) {
    return fmt::format("{{\"name\":{},\"type\":{}}}", json_string(i.name), json_string(i.type));
  });
  list("failures", entries_, [](const CheckedEntry& e) {
    if (e.passed) return std::string();
    return fmt::format(
        "{{\"verdict\":{},\"input\":{},\"entry\":{},\"gradient\":{},\"difference\":{},\"bar\":{},"
        "\"step\":{},\"evaluations\":{}}}",
        json_string(name(e.verdict)), e.input, e.entry, json_number(e.gradient), json_number(e.difference),
        json_number(e.bar), json_number(e.step), e.evaluations);
  });
  list("faults", faults_, [](const StructureFault& f) {
    return fmt::format("{{\"verdict\":{},\"input\":{},\"what\":{}}}", json_string(name(f.verdict)), f.input,
                       json_string(f.what));
  });
  const auto record = [](const Culprit& c) {
    return fmt::format(
        "{{\"record\":{},\"op\":{},\"file\":{},\"line\":{},\"operand\":{},\"element\":{},\"what\":{}}}",
        c.record, json_string(c.op), json_string(c.where.file != nullptr ? c.where.file : ""), c.where.line,
        c.operand, c.element, json_string(c.what));
  };
  list("culprits", culprits_, record);
  list("undecided", undecided_, record);
  return text + "}";
}

void print(const Report& report, std::FILE* file) {
  const bool colour = isatty(fileno(file)) == 1 && std::getenv("NO_COLOR") == nullptr;
  std::fprintf(file, "%s\n", report.text(colour).c_str());
}

}  // namespace tapegrad
