#pragma once

// The figures as tables and as JSON.

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "bench/growth.h"
#include "bench/peaks.h"
#include "bench/run_case.h"

namespace tapegrad::bench {

// `many`: of the run's threads, the same as `one` where there is one.
void print_machine(const Peaks& one, const Peaks& many);
nlohmann::json to_json(const Peaks& peaks);

// A line while the run goes on, and at its end the rest: parts of a step, rates and memory, threads.
void print_times_header(bool peers);
void print_times(const CaseResult& result, bool peers);
void print_details(const std::vector<CaseResult>& results, const Peaks& one);
// Where the time goes of programs that miss their targets.
void print_missed(const std::vector<CaseResult>& results);
void print_threads(const std::vector<CaseResult>& results);
nlohmann::json to_json(const CaseResult& result, const Peaks& peaks);

void print_growth(const std::vector<Growth>& growth);
nlohmann::json to_json(const std::vector<Growth>& growth);

}  // namespace tapegrad::bench
