#include "optim/state.h"

#include <utility>

#include "autograd/ops.h"
#include "autograd/raise.h"
#include "autograd/text.h"
#include "optim/core.h"

namespace tapegrad::optim::detail {

StateReader::StateReader(std::string_view owner, const std::vector<NamedTensor>& state) : owner_(owner) {
  for (const NamedTensor& entry : state) {
    if (!entry.value.defined()) raise<ArgumentError>("[{}] state \"{}\" is undefined", owner_, entry.name);
    if (!left_.emplace(entry.name, entry.value.detach()).second)
      raise<ArgumentError>("[{}] state \"{}\" is there twice", owner_, entry.name);
  }
}

Tensor StateReader::take_any(const std::string& name, DType dtype) {
  const auto found = left_.find(name);
  if (found == left_.end()) raise<ArgumentError>("[{}] state \"{}\" is missing", owner_, name);
  Tensor value = found->second;
  if (value.dtype() != dtype) {
    raise<DTypeError>("[{}] state \"{}\" is {}, expected {}", owner_, name, describe(value),
                      tapegrad::name(dtype));
  }
  left_.erase(found);
  return value;
}

Tensor StateReader::take(const std::string& name, const Tensor& like) {
  Tensor value = take_any(name, like.dtype());
  if (value.shape() == like.shape()) return value;
  raise<ShapeError>("[{}] state \"{}\" is {}, expected {}", owner_, name, describe(value), describe(like));
}

double StateReader::take_number(const std::string& name) {
  return take(name, tensor(0.0, DType::float64)).item();
}

int64_t StateReader::take_count(const std::string& name) {
  const int64_t count = take(name, tensor(0)).item<int64_t>();
  if (count < 0) raise<ArgumentError>("[{}] state \"{}\" must be at least 0, given {}", owner_, name, count);
  return count;
}

void StateReader::end() const {
  if (!left_.empty()) raise<ArgumentError>("[{}] state \"{}\" is unknown", owner_, left_.begin()->first);
}

namespace {

std::string key(size_t member, std::string_view name) { return fmt::format("{}.{}", member, name); }

constexpr std::string_view kProduct = "mu_product";

}  // namespace

std::string_view Core::state_name(const Member& member, size_t k) const {
  return groups_[member.group].op->operands[ops::kStepState + k];
}

std::vector<NamedTensor> Core::state() const {
  std::vector<NamedTensor> state = {{"t", tensor(t_)}};
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    state.push_back({key(i, "step"), tensor(member.steps)});
    if (carries_product()) state.push_back({key(i, kProduct), tensor(member.product, DType::float64)});
    for (size_t k = 0; k < member.states.size(); ++k)
      state.push_back({key(i, state_name(member, k)), member.states[k].value()});
  }
  return state;
}

void Core::load(const std::vector<NamedTensor>& state) {
  struct Loaded {
    int64_t steps;
    double product = 1;
    std::vector<Tensor> states = {};
  };
  StateReader reader(name_, state);
  const int64_t t = reader.take_count("t");
  std::vector<Loaded> loaded;
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    Loaded& to = loaded.emplace_back(Loaded{reader.take_count(key(i, "step"))});
    if (carries_product()) to.product = reader.take_number(key(i, kProduct));
    for (size_t k = 0; k < member.states.size(); ++k)
      to.states.push_back(reader.take(key(i, state_name(member, k)), member.states[k].value()));
  }
  reader.end();
  t_ = t;
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    member.steps = loaded[i].steps;
    member.product = loaded[i].product;
    for (size_t k = 0; k < member.states.size(); ++k) assign(member.states[k].ref(), loaded[i].states[k]);
  }
}

}  // namespace tapegrad::optim::detail
