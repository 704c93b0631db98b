#pragma once

// Reads what state() gave, with errors that name the entry. Internal, not installed.

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "optim/optimizer.h"

namespace tapegrad::optim::detail {

class StateReader {
 public:
  // Throws ArgumentError for an entry that is undefined or there twice.
  StateReader(std::string_view owner, const std::vector<NamedTensor>& state);

  // The entry of that name, once. Throws ArgumentError where it is missing, DTypeError or ShapeError where it
  // is not like `like`; `take_any` checks the dtype alone.
  Tensor take(const std::string& name, const Tensor& like);
  Tensor take_any(const std::string& name, DType dtype);
  double take_number(const std::string& name);
  int64_t take_count(const std::string& name);  // at least 0
  bool has(const std::string& name) const { return left_.find(name) != left_.end(); }
  // Throws ArgumentError where an entry has not been taken.
  void end() const;

 private:
  std::string_view owner_;
  std::unordered_map<std::string, Tensor> left_;
};

}  // namespace tapegrad::optim::detail
