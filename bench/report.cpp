#include "bench/report.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

namespace tapegrad::bench {
namespace {

using nlohmann::json;

std::string number(double value) { return value < 0 ? std::string("–") : fmt::format("{:.3f}", value); }

std::string ratio(const Ratio& r) {
  return r.value < 0 ? std::string("–") : fmt::format("{:.3f} ± {:.3f}", r.value, r.error);
}

const char* word(Mark mark) {
  switch (mark) {
    case Mark::met: return "met";
    case Mark::within_spread: return "within spread";
    case Mark::missed: return "missed";
    case Mark::none: return "–";
  }
  return "";
}

// GB/s of a triad in as much memory as the program works in.
double triad_of(const CaseResult& r) { return triad_for(static_cast<double>(r.planned_bytes)); }

json or_null(double value) { return value < 0 ? json() : json(value); }

void put(json& j, const std::string& key, const Ratio& r) {
  j[key] = or_null(r.value);
  j[key + "_error"] = r.value < 0 ? json() : json(r.error);
}

}  // namespace

void print_machine(const Peaks& one, const Peaks& many) {
  fmt::print("{}, {}\n", one.processor, one.target);
  const auto line = [](const Peaks& p) {
    fmt::print(
        "  {} thread{}: {:.0f} / {:.0f} GFLOP/s (float32 / float64), of them BLAS {:.0f} / {:.0f}; triad L1 "
        "{:.0f}, "
        "L2 {:.0f}, L3 {:.0f}, memory {:.0f} GB/s, streaming {:.0f}\n",
        p.threads, p.threads == 1 ? "" : "s", p.fma_float32, p.fma_float64, p.gemm_float32, p.gemm_float64,
        p.triad_l1, p.triad_l2, p.triad_l3, p.triad_dram, p.triad_dram_streaming);
  };
  line(one);
  if (many.threads > 1) line(many);
  fmt::print("\n");
}

json to_json(const Peaks& p) {
  return {{"processor", p.processor},
          {"target", p.target},
          {"threads", p.threads},
          {"fma_float32_gflops", p.fma_float32},
          {"fma_float64_gflops", p.fma_float64},
          {"gemm_float32_gflops", p.gemm_float32},
          {"gemm_float64_gflops", p.gemm_float64},
          {"triad_l1_gbs", p.triad_l1},
          {"triad_l2_gbs", p.triad_l2},
          {"triad_l3_gbs", p.triad_l3},
          {"triad_dram_gbs", p.triad_dram},
          {"triad_dram_streaming_gbs", p.triad_dram_streaming}};
}

void print_times_header(bool peers) {
  fmt::print("{:<13}{:>3}{:>12}{:>12}{:>12}{:>18}{:>18}{:>8}{:>15}{:>15}", "case", "thr", "limit us",
             "eager us", "program us", "eager / limit", "program / limit", "A/A ±", "eager", "program");
  if (peers) fmt::print("{:>13}{:>18}{:>18}", "libtorch us", "eager / lt", "program / lt");
  fmt::print("\n");
}

void print_times(const CaseResult& r, bool peers) {
  fmt::print("{:<13}{:>3}{:>12}{:>12}{:>12}{:>18}{:>18}{:>7.1f}%{:>15}{:>15}", r.id, r.threads,
             number(r.limit_us), number(r.eager_us), number(r.program_us), ratio(r.eager_ratio),
             ratio(r.program_ratio), r.aa_spread * 100, word(r.eager.mark), word(r.program.mark));
  if (peers)
    fmt::print("{:>13}{:>18}{:>18}", number(r.peer_us), ratio(r.eager_to_peer), ratio(r.program_to_peer));
  if (r.ops > 1)
    fmt::print("   per op {:.1f} ns, program {:.1f}", r.eager_us * 1e3 / r.ops, r.program_us * 1e3 / r.ops);
  fmt::print("\n");
  std::fflush(stdout);
}

void print_details(const std::vector<CaseResult>& results, const Peaks& one) {
  fmt::print(
      "\nParts of a step in us (backward and update by subtraction), backward to forward, the rates of the\n"
      "program beside the peak of arithmetic and a triad in as much memory, heap allocations of a step "
      "(eager /\n"
      "program), heap of the first three eager steps, a program's memory as it is and as plan() said.\n\n");
  fmt::print("{:<13}{:>32}{:>6}{:>32}{:>6}{:>16}{:>16}{:>9}{:>13}{:>22}\n", "case",
             "eager fwd / bwd / update", "b/f", "program fwd / bwd / update", "b/f", "GFLOP/s", "GB/s",
             "allocs", "heap bytes", "program bytes");
  const auto parts = [](double forward, double backward, double update) {
    return fmt::format("{} / {} / {}", number(forward), number(backward), number(update));
  };
  const auto quotient = [](double backward, double forward) {
    return forward > 0 ? fmt::format("{:.2f}", backward / forward) : std::string("–");
  };
  for (const CaseResult& r : results) {
    if (r.threads > 1) continue;
    const double flops = r.flops / r.program_us * 1e-3, bytes = r.bytes / r.program_us * 1e-3;
    fmt::print("{:<13}{:>32}{:>6}{:>32}{:>6}{:>16}{:>16}{:>9}{:>13}{:>22}\n", r.id,
               parts(r.forward_us, r.backward_us, r.update_us), quotient(r.backward_us, r.forward_us),
               parts(r.program_forward_us, r.program_backward_us, r.program_update_us),
               quotient(r.program_backward_us, r.program_forward_us),
               fmt::format("{:.1f} ({:.0f} %)", flops, flops / one.fma_float32 * 100),
               fmt::format("{:.1f} ({:.0f} %)", bytes, bytes / triad_of(r) * 100),
               fmt::format("{}/{}", r.allocations_eager, r.allocations_program), r.peak_bytes,
               fmt::format("{} / {}", r.planned_bytes, r.predicted_bytes));
  }
}

void print_missed(const std::vector<CaseResult>& results) {
  for (const CaseResult& r : results) {
    if (r.program.mark == Mark::missed) fmt::print("\n{}, as a program:\n{}", r.id, r.profile);
  }
}

void print_threads(const std::vector<CaseResult>& results) {
  bool any = false;
  for (const CaseResult& r : results) {
    if (r.threads == 1) continue;
    if (!any) {
      fmt::print(
          "\nTimes faster than with one thread; held: not below 0.97, and 0.9 of the hand-written "
          "loop's\n\n");
      fmt::print("{:<13}{:>3}{:>18}{:>18}{:>18}{:>18}{:>15}\n", "case", "thr", "limit", "eager", "program",
                 "libtorch", "held");
      any = true;
    }
    fmt::print("{:<13}{:>3}{:>18}{:>18}{:>18}{:>18}{:>15}\n", r.id, r.threads, ratio(r.limit_speedup),
               ratio(r.eager_speedup), ratio(r.program_speedup), ratio(r.peer_speedup), word(r.speedup));
  }
}

json to_json(const CaseResult& r, const Peaks& peaks) {
  json j = {{"id", r.id},
            {"threads", r.threads},
            {"limit_us", or_null(r.limit_us)},
            {"eager_us", or_null(r.eager_us)},
            {"program_us", or_null(r.program_us)},
            {"libtorch_us", or_null(r.peer_us)},
            {"aa_spread", r.aa_spread},
            {"difference", r.difference},
            {"allocations_eager", r.allocations_eager},
            {"allocations_program", r.allocations_program},
            {"peak_bytes", r.peak_bytes},
            {"program_bytes", or_null(static_cast<double>(r.planned_bytes))},
            {"predicted_program_bytes", or_null(static_cast<double>(r.predicted_bytes))},
            {"flops", r.flops},
            {"bytes", r.bytes},
            {"gflops", r.flops / r.program_us * 1e-3},
            {"share_of_peak", r.flops / r.program_us * 1e-3 / peaks.fma_float32},
            {"gbs", r.bytes / r.program_us * 1e-3},
            {"share_of_triad", r.bytes / r.program_us * 1e-3 / triad_of(r)}};
  put(j, "eager_to_limit", r.eager_ratio);
  put(j, "program_to_limit", r.program_ratio);
  put(j, "eager_to_libtorch", r.eager_to_peer);
  put(j, "program_to_libtorch", r.program_to_peer);
  if (r.threads == 1) {
    j["profile"] = r.profile;
    j["eager_target"] = word(r.eager.mark);
    j["program_target"] = word(r.program.mark);
    for (const auto& [key, value] : {std::pair{"forward_us", r.forward_us},
                                     {"backward_us", r.backward_us},
                                     {"update_us", r.update_us},
                                     {"program_forward_us", r.program_forward_us},
                                     {"program_backward_us", r.program_backward_us},
                                     {"program_update_us", r.program_update_us}}) {
      j[key] = or_null(value);
    }
    j["backward_to_forward"] = r.forward_us > 0 ? json(r.backward_us / r.forward_us) : json();
    j["program_backward_to_forward"] =
        r.program_forward_us > 0 ? json(r.program_backward_us / r.program_forward_us) : json();
  } else {
    put(j, "limit_speedup", r.limit_speedup);
    put(j, "eager_speedup", r.eager_speedup);
    put(j, "program_speedup", r.program_speedup);
    put(j, "libtorch_speedup", r.peer_speedup);
    j["speedup_held"] = word(r.speedup);
  }
  if (r.ops > 1) {
    j["eager_ns_per_op"] = r.eager_us * 1e3 / r.ops;
    j["program_ns_per_op"] = r.program_us * 1e3 / r.ops;
  }
  return j;
}

void print_growth(const std::vector<Growth>& growth) {
  fmt::print("\n{:>12}{:>16}{:>18}\n", "records", "ns per record", "bytes per record");
  for (const Growth& g : growth)
    fmt::print("{:>12}{:>16.1f}{:>18.1f}\n", g.records, g.ns_per_record, g.bytes_per_record);
}

json to_json(const std::vector<Growth>& growth) {
  json list = json::array();
  for (const Growth& g : growth) {
    list.push_back({{"records", g.records},
                    {"ns_per_record", g.ns_per_record},
                    {"bytes_per_record", g.bytes_per_record}});
  }
  return list;
}

}  // namespace tapegrad::bench
