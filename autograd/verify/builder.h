#pragma once

// Fills a Report. Internal, not installed.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

#include "autograd/report.h"
#include "autograd/verify/subject.h"

namespace tapegrad::verify {}

namespace tapegrad {

class ReportBuilder {
 public:
  explicit ReportBuilder(uint64_t seed) { report_.seed_ = seed; }

  void inputs_of(const verify::Subject& subject);
  void add(const CheckedEntry& entry) { report_.entries_.push_back(entry); }
  void drop_last() { report_.entries_.pop_back(); }
  // Directions from number `begin` on that failed, and of which every entry passed: those that were too noisy
  // to tell no longer count, the others are kinks.
  void excuse_directions(size_t begin) {
    auto& list = report_.entries_;
    const auto failed = [](const CheckedEntry& e) { return !e.passed && e.entry < 0; };
    const auto from = list.begin() + static_cast<std::ptrdiff_t>(begin);
    list.erase(
        std::remove_if(from, list.end(),
                       [&](const CheckedEntry& e) { return failed(e) && e.verdict == Verdict::noisy; }),
        list.end());
    for (size_t i = begin; i < list.size(); ++i) {
      if (!failed(list[i])) continue;
      list[i].verdict = Verdict::kink_in;
      list[i].passed = true;
    }
  }
  void fault(Verdict verdict, int input, std::string what) {
    report_.faults_.push_back({verdict, input, std::move(what)});
  }
  void culprit(Culprit culprit) { report_.culprits_.push_back(std::move(culprit)); }
  void undecided(Culprit record) { report_.undecided_.push_back(std::move(record)); }
  void verified_record() { ++report_.records_verified_; }
  void evaluations(int64_t count) { report_.evaluations_ += count; }
  void canary(bool caught) {
    ++report_.canaries_;
    report_.canaries_caught_ += caught;
  }
  void note(std::string line) { report_.note_ = std::move(line); }
  // Takes over what a check of a part found, except its entries.
  void absorb(const Report& part);

  const Report& report() const { return report_; }
  Report take() { return std::move(report_); }

 private:
  Report report_;
};

}  // namespace tapegrad
