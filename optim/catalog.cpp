#include "optim/catalog.h"

#include <fmt/format.h>

#include <optional>

#include "optim/optim.h"

namespace tapegrad::optim {
namespace {

std::string text_of(double x) { return fmt::format("{:g}", x); }
std::string text_of(int64_t x) { return fmt::format("{}", x); }
std::string text_of(bool x) { return x ? "true" : "false"; }
std::string text_of(const Schedule& x) { return text_of(x.value(1)); }
std::string text_of(const Betas& x) { return fmt::format("{{{}, {}}}", text_of(x.first), text_of(x.second)); }
std::string text_of(const std::optional<int64_t>& x) { return x ? text_of(*x) : "none"; }
std::string text_of(LineSearch x) { return x == LineSearch::none ? "none" : "strong_wolfe"; }

template <class T>
OptimizerInfo info() {
  OptimizerInfo result{T::kName, T::kFormula, {}};
  const typename T::Options options;
  T::Options::fields(options, [&](const char* name, const auto& value, Range = Range::any) {
    result.options.push_back({name, text_of(value)});
  });
  return result;
}

}  // namespace

std::vector<OptimizerInfo> all_optimizers() {
  return {info<SGD>(),      info<Adam>(),  info<AdamW>(), info<RMSprop>(), info<Adagrad>(),
          info<Adadelta>(), info<NAdam>(), info<RAdam>(), info<Lion>(),    info<LBFGS>()};
}

}  // namespace tapegrad::optim
