#pragma once

#include "autograd/autograd.h"
#include "autograd/samples.h"

namespace tapegrad::testing {

// What an op y = 2x of one floating operand needs besides a name and a VJP, for ops that tests make up.
struct DoublingOp {
  static constexpr std::string_view doc = "y = 2x";
  static constexpr std::string_view operands[] = {"x"};
  static void shape(Call& call) {
    call.require_floating(0);
    call.output(call.dtype(0), call.shape(0));
  }
  static void forward(Call& call) {
    for (int64_t i = 0; i < call.numel(0); ++i) {
      if (call.dtype(0) == float64) call.out_data<double>()[i] = 2 * call.data<double>(0)[i];
      else call.out_data<float>()[i] = 2 * call.data<float>(0)[i];
    }
  }
  static Cost cost(const Call& call) { return {static_cast<double>(call.numel(0)), 0}; }
  static void samples(Samples& s) { s.add({s.normal({3})}); }
};

}  // namespace tapegrad::testing
