#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "autograd/error.h"
#include "autograd/export.h"
#include "autograd/shape.h"
#include "autograd/tensor.h"
#include "nn/module.h"

namespace tapegrad::nn {

// One module of a network. Numbers are its own, without those of the modules within it, so that they add up.
struct SummaryRow {
  std::string name;   // the way to it: "layers.0"; empty for the network itself
  std::string label;  // "Linear 784→256", "Dropout p=0.5"
  int depth = 0;
  int calls =
      0;  // 0: the forward pass did not call it, or it is of a type that does not say when it is called
  Shape output;            // of the last call
  int64_t parameters = 0;  // numbers in parameters that no earlier row holds
  int64_t frozen = 0;      // how many of them are frozen
  bool tied = false;       // holds a parameter of an earlier row
  double flops = 0;        // of the forward pass
};

struct Summary {
  std::vector<SummaryRow> rows;  // in the order of fields, a module before those within it
  Shape input;
  int64_t parameters = 0, frozen = 0, bytes = 0;  // of all parameters, tied ones once
  double flops = 0;                               // of one forward pass of this input
};

// A table of the rows, and a line of totals below it.
TAPEGRAD_API std::string to_string(const Summary& summary);
inline void print(const Summary& summary, std::FILE* file = stdout) {
  std::fprintf(file, "%s", to_string(summary).c_str());
}

namespace detail {
struct Callee {
  const void* model;
  std::string_view type;
  Tensor (*call)(const void* model, const Tensor& x);
  void (*visit)(const void* model, FieldVisitor& f);
};
TAPEGRAD_API Summary summary(const Callee& callee, const Shape& input, DType dtype, const SourceLine& where);
}  // namespace detail

// What the network consists of, and what its layers make of an input of this shape (its first size being the
// batch): one forward pass of zeros is run. Buffers, such as those of Dropout, are put back afterwards. The
// FLOPs are those of the ops on the way, by each op's own count. Throws what the network throws for such an
// input.
//   print(nn::summary(net, {128, 784}));
template <HasFields M>
  requires std::is_invocable_r_v<Tensor, const M&, const Tensor&> Summary
  summary(const M& model, const Shape& input, DType dtype = float32, const char* file = __builtin_FILE(),
          int line = __builtin_LINE()) {
    const detail::Callee callee = {
        &model, tapegrad::detail::type_name<M>(),
        [](const void* m, const Tensor& x) -> Tensor { return (*static_cast<const M*>(m))(x); },
        [](const void* m, FieldVisitor& f) { f.visit(*static_cast<const M*>(m)); }};
    return detail::summary(callee, input, dtype, {file, line});
  }

}  // namespace tapegrad::nn
