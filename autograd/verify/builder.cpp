#include "autograd/verify/builder.h"

#include "autograd/text.h"

namespace tapegrad {

void ReportBuilder::inputs_of(const verify::Subject& subject) {
  for (size_t i = 0; i < subject.inputs().size(); ++i) {
    const Tensor& x = subject.inputs()[i];
    report_.inputs_.push_back({subject.input_name(static_cast<int>(i)), describe(*x.handle()), x.shape()});
  }
}

void ReportBuilder::absorb(const Report& part) {
  report_.evaluations_ += part.evaluations_;
  report_.canaries_ += part.canaries_;
  report_.canaries_caught_ += part.canaries_caught_;
}

}  // namespace tapegrad
