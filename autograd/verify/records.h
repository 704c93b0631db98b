#pragma once

// Verifies a tape record by record. Internal, not installed.

#include "autograd/verify/builder.h"
#include "autograd/verify/trace.h"

namespace tapegrad::verify {

// Of each record that the sweep visited: its replay from the saved inputs gives the saved bits; the
// cotangents that it received are the sums of what was contributed to them; its contributions are its
// derivative under those cotangents, along random directions and, where one fails, entry by entry. Adds a
// culprit for each record that fails and counts the others. Derivatives of a float32 tape are not looked at.
// Returns the records that pass because of a kink, a jump or a pole: not shown to be wrong.
std::vector<Culprit> check_records(Tape& tape, const Trace& trace, const GradcheckOptions& options,
                                   ReportBuilder& report);

// The expectations that an op's flags declare.
Expected expected_of(const Op& op);

}  // namespace tapegrad::verify
