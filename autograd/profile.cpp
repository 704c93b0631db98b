#include "autograd/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "autograd/io/json.h"
#include "autograd/profile_impl.h"
#include "autograd/raise.h"
#include "autograd/text.h"

namespace tapegrad {
namespace {

std::string header() {
  return fmt::format("{:>12} {:>7} {:>10} {:>9} {:>10} {:>9} {:>7} {:>7}  ", "time us", "share", "MFLOP",
                     "GFLOP/s", "KB", "GB/s", "of peak", "records");
}

std::string row(const ProfileEntry& entry, double whole) {
  const auto rate = [&](double work) {
    return work > 0 && entry.seconds > 0 ? fmt::format("{:.1f}", work / entry.seconds * 1e-9) : "–";
  };
  const double peak = entry.share_of_peak();
  return fmt::format("{:>12.3f} {:>5.1f} % {:>10.3f} {:>9} {:>10.1f} {:>9} {:>7} {:>7}  ",
                     entry.seconds * 1e6, whole > 0 ? entry.seconds / whole * 100 : 0.0, entry.flops * 1e-6,
                     rate(entry.flops), entry.bytes * 1e-3, rate(entry.bytes),
                     peak > 0 ? fmt::format("{:.0f} %", peak * 100) : "–", entry.calls);
}

std::vector<const ProfileEntry*> longest_first(const std::vector<ProfileEntry>& entries) {
  std::vector<const ProfileEntry*> sorted;
  sorted.reserve(entries.size());
  for (const ProfileEntry& entry : entries) sorted.push_back(&entry);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ProfileEntry* a, const ProfileEntry* b) { return a->seconds > b->seconds; });
  return sorted;
}

std::string event(std::string_view name, double start, const ProfileEntry& entry) {
  return fmt::format(
      "{{\"name\":{},\"ph\":\"X\",\"pid\":1,\"tid\":1,\"ts\":{:.4f},\"dur\":{:.4f},\"args\":{{\"result\":{},"
      "\"where\":{},\"step\":{},\"flops\":{:.0f},\"bytes\":{:.0f},\"share_of_peak\":{:.4f}}}}}",
      io::json_text(name), start * 1e6, entry.seconds * 1e6, io::json_text(entry.result),
      io::json_text(entry.where.file != nullptr ? fmt::format("{}:{}", entry.where.file, entry.where.line)
                                                : ""),
      entry.step, entry.flops, entry.bytes, entry.share_of_peak());
}

}  // namespace

void detail::sum_up_ops(Profile& profile) {
  std::map<std::string, ProfileEntry> sums;
  for (const ProfileEntry& record : profile.records) {
    ProfileEntry& sum = sums.try_emplace(record.op, ProfileEntry{.op = record.op, .calls = 0}).first->second;
    sum.calls += record.calls;
    sum.seconds += record.seconds;
    sum.flops += record.flops;
    sum.bytes += record.bytes;
    sum.peak_seconds += record.peak_seconds;
  }
  std::vector<ProfileEntry> all;
  all.reserve(sums.size());
  for (auto& [op, sum] : sums) all.push_back(std::move(sum));
  profile.ops.clear();
  for (const ProfileEntry* entry : longest_first(all)) profile.ops.push_back(*entry);
}

std::string Profile::text(size_t rows) const {
  ProfileEntry all;
  all.calls = 0;
  for (const ProfileEntry& op : ops) {
    all.calls += op.calls;
    all.seconds += op.seconds;
    all.flops += op.flops;
    all.bytes += op.bytes;
    all.peak_seconds += op.peak_seconds;
  }
  std::string text = header() + "op\n";
  for (const ProfileEntry& op : ops) text += row(op, seconds) + op.op + "\n";
  text += row(all, seconds) +
          fmt::format("together; a run took {:.3f} us, median of {}\n\n", seconds * 1e6, runs);
  text += header() + "record\n";
  const std::vector<const ProfileEntry*> sorted = longest_first(records);
  for (size_t i = 0; i < sorted.size() && i < rows; ++i) {
    const ProfileEntry& record = *sorted[i];
    text += row(record, seconds) +
            fmt::format("{} {}{}, step {}\n", record.op, record.result, location(record.where), record.step);
  }
  if (sorted.size() > rows) text += fmt::format("and {} more\n", sorted.size() - rows);
  return text;
}

std::string Profile::chrome_trace() const {
  std::string text = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n";
  text += "{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":1,\"args\":{\"name\":\"tapegrad\"}}";
  double start = 0;
  for (size_t first = 0; first < records.size();) {
    // Records of one step stand within a span of their own.
    size_t end = first;
    ProfileEntry step{.op = "together", .step = records[first].step};
    for (; end < records.size() && records[end].step == step.step; ++end) {
      step.seconds += records[end].seconds;
      step.flops += records[end].flops;
      step.bytes += records[end].bytes;
      step.peak_seconds += records[end].peak_seconds;
    }
    if (end - first > 1) text += ",\n" + event(step.op, start, step);
    for (; first < end; ++first) {
      text += ",\n" + event(records[first].op, start, records[first]);
      start += records[first].seconds;
    }
  }
  return text + "\n]}\n";
}

void save_chrome_trace(const std::string& path, const Profile& profile) {
  const std::string text = profile.chrome_trace();
  std::FILE* const file = std::fopen(path.c_str(), "wb");
  const bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (!written || !closed) raise<ResourceError>("[save_chrome_trace] cannot write {}", path);
}

}  // namespace tapegrad
