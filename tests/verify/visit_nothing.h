#pragma once

#include <vector>

#include "autograd/options.h"

namespace tapegrad::verify {

// Looks at no field; visitors that care for some kinds override those.
class VisitNothing : public OptionVisitor {
 public:
  using OptionVisitor::field;
  void field(std::string_view, bool&) override {}
  void field(std::string_view, int64_t&) override {}
  void field(std::string_view, double&) override {}
  void field(std::string_view, Dims&) override {}
  void field(std::string_view, DType&) override {}
  void field(std::string_view, std::optional<int64_t>&) override {}
  void field(std::string_view, std::optional<double>&) override {}
  void field(std::string_view, std::optional<Dims>&) override {}
  void field(std::string_view, CellRef&) override {}
  void field(std::string_view, Text&) override {}
  void field(std::string_view, Pads&) override {}
  void field(std::string_view, std::vector<double>&) override {}
  void choice(std::string_view, int32_t&, std::span<const std::string_view>) override {}
};

}  // namespace tapegrad::verify
