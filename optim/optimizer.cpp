#include "optim/optimizer.h"

#include <utility>

#include "autograd/program/trace.h"
#include "optim/core.h"

namespace tapegrad::optim {

using detail::Core;
using detail::Work;

Optimizer::Optimizer(std::shared_ptr<Core> core) : parameters_(core->parameters()), core_(std::move(core)) {}
Optimizer::Optimizer(const Optimizer& other)
    : parameters_(other.parameters_), core_(other.core_ == nullptr ? nullptr : other.core_->clone()) {}
Optimizer& Optimizer::operator=(Optimizer other) noexcept {
  std::swap(parameters_, other.parameters_);
  std::swap(core_, other.core_);
  std::swap(work_, other.work_);
  return *this;
}
Optimizer::~Optimizer() = default;

void Optimizer::step(const Gradients& gradients, StepOptions options) {
  const std::vector<uint32_t>& members = core_->find(gradients, options.allow_unused);
  if (work_ == nullptr || work_->members != members) {
    if (work_ == nullptr || work_.use_count() > 1) work_ = std::make_shared<Work>(Work{core_, {}});
    work_->members = members;
  }
  const tapegrad::detail::HostScope scope({work_,
                                           [](void* state) {
                                             auto& work = *static_cast<Work*>(state);
                                             work.core->prepare(work.members);
                                           },
                                           [](void* state) {
                                             auto& work = *static_cast<Work*>(state);
                                             work.core->commit(work.members);
                                           },
                                           core_.get()});
  for (const uint32_t member : work_->members) core_->step(member, gradients);
}

std::string_view Optimizer::name() const { return core_->name(); }
int64_t Optimizer::t() const { return core_->t(); }
double Optimizer::learning_rate(size_t group) const {
  if (group >= core_->groups())
    raise<ArgumentError>("[{}] there are {} groups, asked for group {}", name(), core_->groups(), group);
  return core_->learning_rate(group);
}
size_t Optimizer::groups() const { return core_->groups(); }
std::vector<NamedTensor> Optimizer::state() const { return core_->state(); }
void Optimizer::load_state(const std::vector<NamedTensor>& state) { core_->load(state); }

}  // namespace tapegrad::optim
