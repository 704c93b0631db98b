// What an optimiser keeps, read out and put back.

#include <optional>
#include <unordered_map>

#include "autograd/ops.h"
#include "autograd/text.h"
#include "optim/core.h"

namespace tapegrad::optim::detail {
namespace {

// The entries by their names; takes one after the other and then none is left.
class Entries {
 public:
  Entries(std::string_view optimizer, const std::vector<NamedTensor>& state) : optimizer_(optimizer) {
    for (const NamedTensor& entry : state) {
      if (!entry.value.defined() || !left_.emplace(entry.name, entry.value.detach()).second)
        raise<ArgumentError>("[{}] state \"{}\" is undefined or there twice", optimizer_, entry.name);
    }
  }

  Tensor take(const std::string& name, const Shape& shape, DType dtype) {
    const auto found = left_.find(name);
    if (found == left_.end()) raise<ArgumentError>("[{}] no state \"{}\"", optimizer_, name);
    Tensor value = std::move(found->second);
    left_.erase(found);
    auto is = [&] {
      return fmt::format("[{}] state \"{}\" is {}, expected {}", optimizer_, name, describe(*value.handle()),
                         describe(*zeros(shape, dtype).handle()));
    };
    if (value.dtype() != dtype) throw DTypeError(is());
    if (!(value.shape() == shape)) throw ShapeError(is());
    return value;
  }
  int64_t take_count(const std::string& name) {
    const int64_t count = take(name, {}, DType::int64).data<int64_t>()[0];
    if (count < 0) raise<ArgumentError>("[{}] state \"{}\" is {}, expected a count", optimizer_, name, count);
    return count;
  }
  void end() const {
    if (left_.empty()) return;
    raise<ArgumentError>("[{}] state \"{}\" is unknown", optimizer_, left_.begin()->first);
  }

 private:
  std::string_view optimizer_;
  std::unordered_map<std::string, Tensor> left_;
};

Tensor count(int64_t n) { return tensor(n); }

std::string key(size_t member, std::string_view name) { return fmt::format("{}.{}", member, name); }

constexpr std::string_view kProduct = "mu_product";

}  // namespace

std::vector<NamedTensor> Core::state() const {
  std::vector<NamedTensor> state = {{"t", count(t_)}};
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    state.push_back({key(i, "step"), count(member.steps)});
    if (carries_product()) state.push_back({key(i, kProduct), tensor(member.product, DType::float64)});
    for (size_t k = 0; k < member.states.size(); ++k) {
      const std::string_view name = groups_[member.group].op->operands[ops::kStepState + k];
      state.push_back({key(i, name), member.states[k].value()});
    }
  }
  return state;
}

void Core::load(const std::vector<NamedTensor>& state) {
  struct Loaded {
    int64_t steps;
    double product = 1;
    std::vector<Tensor> states = {};
  };
  Entries entries(name_, state);
  const int64_t t = entries.take_count("t");
  std::vector<Loaded> loaded;
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    Loaded& to = loaded.emplace_back(Loaded{entries.take_count(key(i, "step"))});
    if (carries_product()) to.product = entries.take(key(i, kProduct), {}, DType::float64).item();
    for (size_t k = 0; k < member.states.size(); ++k) {
      const Tensor held = member.states[k].value();
      const std::string_view name = groups_[member.group].op->operands[ops::kStepState + k];
      to.states.push_back(entries.take(key(i, name), held.shape(), held.dtype()));
    }
  }
  entries.end();
  t_ = t;
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    member.steps = loaded[i].steps;
    member.product = loaded[i].product;
    for (size_t k = 0; k < member.states.size(); ++k) assign(member.states[k].ref(), loaded[i].states[k]);
  }
}

}  // namespace tapegrad::optim::detail
