#include "optim/core.h"

#include <algorithm>
#include <unordered_set>

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "autograd/text.h"
#include "optim/state.h"

namespace tapegrad::optim::detail {

Core::Core(const Core& other)
    : name_(other.name_), groups_(other.groups_), members_(other.members_), t_(other.t_) {
  for (Member& member : members_) {
    member.cells.resize(1);
    for (const Buffer& state : member.states) member.cells.push_back(state.ref());
    give_numbers(member);
  }
}

void check_list(std::string_view optimizer, const ParameterList& parameters, std::string_view where) {
  if (parameters.empty()) raise<ArgumentError>("[{}] the list of parameters{} is empty", optimizer, where);
  std::unordered_set<const void*> seen;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const CellRef& cell = parameters[i];
    if (!cell.defined()) raise<ArgumentError>("[{}] parameter {}{} is undefined", optimizer, i, where);
    if (!seen.insert(cell.handle()).second)
      raise<ArgumentError>("[{}] \"{}\" is in the list twice", optimizer, cell.name());
  }
}

// Memory of its own for the numbers of a step.
void Core::give_numbers(Member& member) const {
  const GroupState& group = groups_[member.group];
  if (group.op == nullptr) return;
  const Tensor numbers = zeros({group.numbers}, DType::float64);
  member.numbers_at = static_cast<double*>(numbers.handle()->data);
  member.numbers = Buffer();
  member.numbers = Buffer(numbers);
}

void Core::add_group(const ParameterList& parameters, const Schedule& learning_rate, const Op* op,
                     double initial) {
  const size_t group = groups_.size();
  const std::string where = group == 0 ? "" : fmt::format(" of group {}", group);
  check_list(name_, parameters, where);
  groups_.push_back({&learning_rate, op, op == nullptr ? 0 : ops::step_numbers(*op)});
  std::unordered_set<const void*> seen;
  for (const Member& member : members_) seen.insert(member.cell.handle());
  for (const CellRef& cell : parameters) {
    if (!seen.insert(cell.handle()).second)
      raise<ArgumentError>("[{}] \"{}\" is in the list twice", name_, cell.name());
    Member& member = members_.emplace_back();
    member.cell = cell;
    member.group = static_cast<uint32_t>(group);
    member.cells.push_back(cell);
    const Tensor value = cell.value();
    const size_t states = op == nullptr ? 0 : op->operands.size() - ops::kStepState;
    for (size_t k = 0; k < states; ++k) {
      member.states.emplace_back(full(value.shape(), initial, value.dtype()));
      member.cells.push_back(member.states.back().ref());
    }
    give_numbers(member);
  }
}

ParameterList Core::parameters() const {
  ParameterList list;
  for (const Member& member : members_) list.push_back(member.cell);
  return list;
}

double Core::rate(size_t group, int64_t t) const {
  const Schedule& schedule = *groups_[group].learning_rate;
  if (const double* fixed = schedule.number()) return *fixed;  // checked when it was given
  const Now now{name_, t, 0, 0, 1};
  return now("learning_rate", schedule, Range::not_negative);
}

const std::vector<uint32_t>& Core::find(const Gradients& gradients, bool allow_unused) {
  const std::span<const Gradients::Entry> entries(gradients.entries());
  present_.clear();
  present_.reserve(members_.size());
  uint32_t i = 0;
  for (Member& member : members_) {
    const uint32_t at = i++;
    const CellRef& cell = member.cell;
    auto holds = [&](size_t place) { return entries[place].parameter.handle() == cell.handle(); };
    // Most often where it stood at the step before.
    if (member.place >= entries.size() || !holds(member.place)) [[unlikely]] {
      size_t place = 0;
      while (place < entries.size() && !holds(place)) ++place;
      if (place == entries.size()) continue;
      member.place = place;
    }
    present_.push_back(at);
    const Tensor& g = entries[member.place].gradient;
    if (cell.fits(g)) continue;
    const Tensor w = cell.value();
    const std::string is = fmt::format("[{}] the gradient of \"{}\" is {}, the parameter {}", name_,
                                       cell.name(), describe(g), describe(w));
    if (g.dtype() != w.dtype()) throw DTypeError(is);
    throw ShapeError(is);
  }
  if (t_ == 0 && !allow_unused && present_.size() < members_.size()) {
    std::string names;
    for (const CellRef& cell : unused(parameters(), gradients))  // frozen ones are not meant to
      names += fmt::format("{}\"{}\"", names.empty() ? "" : ", ", cell.name());
    if (!names.empty()) {
      raise<GraphError>(
          "[{}] took no part in the loss of the first step: {}; leave out what is not to be learned, or step "
          "with allow_unused",
          name_, names);
    }
  }
  return present_;
}

void Core::prepare(const std::vector<uint32_t>& members) {
  for (size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].rate = rate(g, t_ + 1);
    groups_[g].minus_rate = -groups_[g].rate;
  }
  if (std::none_of(groups_.begin(), groups_.end(), [](const GroupState& g) { return g.op != nullptr; }))
    return;
  const Member* last = nullptr;
  for (const uint32_t i : members) {
    Member& member = members_[i];
    const GroupState& group = groups_[member.group];
    if (group.op == nullptr) continue;
    // The numbers follow from the group and from what is compared here.
    if (last != nullptr && last->group == member.group && last->steps == member.steps &&
        last->product == member.product) {
      std::copy_n(last->numbers_at, group.numbers, member.numbers_at);
      member.next_product = last->next_product;
    } else {
      Now now{name_, t_ + 1, member.steps + 1, group.rate, member.product};
      numbers(member.group, now, member.numbers_at);
      member.next_product = now.product;
    }
    last = &member;
  }
}

void Core::commit(const std::vector<uint32_t>& members) {
  ++t_;
  for (const uint32_t i : members) {
    ++members_[i].steps;
    members_[i].product = members_[i].next_product;
  }
}

void Core::step(uint32_t i, const Gradients& gradients) {
  static const Op& mul_add = *find_op("mul_add");
  const Member& member = members_[i];
  const GroupState& group = groups_[member.group];
  const Tensor& g = gradients.entries()[member.place].gradient;
  if (group.op == nullptr)
    return update(member.cell, mul_add, {g, Arg::live(&group.minus_rate), member.cell});
  Arg args[2 + kernels::kStepArrays];
  args[0] = g;
  args[1] = member.numbers;
  for (size_t k = 0; k < member.cells.size(); ++k) args[2 + k] = member.cells[k];
  update(member.cells, *group.op, {args, 2 + member.cells.size()});
}

}  // namespace tapegrad::optim::detail
