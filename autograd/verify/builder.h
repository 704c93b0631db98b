#pragma once

// Fills a Report. Internal, not installed.

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
  // Every derivative from number `begin` on that failed is excused as a kink, except entries.
  void excuse_directions(size_t begin) {
    for (size_t i = begin; i < report_.entries_.size(); ++i) {
      CheckedEntry& e = report_.entries_[i];
      if (e.passed || e.entry >= 0) continue;
      e.verdict = Verdict::kink_in;
      e.passed = true;
    }
  }
  void fault(Verdict verdict, int input, std::string what) {
    report_.faults_.push_back({verdict, input, std::move(what)});
  }
  void culprit(Culprit culprit) { report_.culprits_.push_back(std::move(culprit)); }
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
