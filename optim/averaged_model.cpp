#include "optim/averaged_model.h"

#include <string>
#include <utility>

#include "autograd/apply.h"
#include "autograd/ops.h"
#include "autograd/program/trace.h"
#include "optim/core.h"
#include "optim/state.h"

namespace tapegrad::optim {

struct AveragedModel::Averages {
  ParameterList parameters;
  AveragedModelOptions options;
  std::vector<Buffer> averages;
  Buffer numbers;
  ops::AverageNumbers* numbers_at = nullptr;  // their memory
  int64_t n = 0;
};

AveragedModel::AveragedModel(ParameterList parameters, AveragedModelOptions options)
    : averages_(std::make_shared<Averages>()) {
  if (parameters.empty()) raise<ArgumentError>("[AveragedModel] the list of parameters is empty");
  if (options.decay) detail::OptionCheck("AveragedModel")("decay", *options.decay, Range::at_most_one);
  Averages& a = *averages_;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].defined()) raise<ArgumentError>("[AveragedModel] parameter {} is undefined", i);
    a.averages.emplace_back(parameters[i].value());
  }
  const Tensor numbers = zeros({ops::step_numbers(ops::step_op(ops::Step::average))}, DType::float64);
  a.numbers_at = new (numbers.handle()->data) ops::AverageNumbers;
  a.numbers = Buffer(numbers);
  a.parameters = std::move(parameters);
  a.options = options;
}

void AveragedModel::update_parameters() {
  const tapegrad::detail::HostScope scope(
      {averages_,
       [](void* state) {
         auto& a = *static_cast<Averages*>(state);
         const double part = a.options.decay ? 1 - *a.options.decay : 1 / static_cast<double>(a.n + 1);
         a.numbers_at->part = a.n == 0 ? 1 : part;
       },
       [](void* state) { ++static_cast<Averages*>(state)->n; }, averages_.get()});
  Averages& a = *averages_;
  for (size_t i = 0; i < a.parameters.size(); ++i) {
    const Arg operands[] = {a.parameters[i], a.numbers, a.averages[i]};
    update({&a.averages[i].ref(), 1}, ops::step_op(ops::Step::average), operands);
  }
}

int64_t AveragedModel::n_averaged() const { return averages_->n; }

std::vector<Tensor> AveragedModel::averages() const {
  std::vector<Tensor> list;
  for (const Buffer& average : averages_->averages) list.push_back(average.value());
  return list;
}

void AveragedModel::swap() {
  for (size_t i = 0; i < averages_->parameters.size(); ++i) {
    const CellRef& parameter = averages_->parameters[i];
    const CellRef& average = averages_->averages[i].ref();
    const Tensor w = parameter.value(), a = average.value();
    assign(parameter, a);
    assign(average, w);
  }
}

std::vector<NamedTensor> AveragedModel::state() const {
  std::vector<NamedTensor> state = {{"n_averaged", tensor(averages_->n)}};
  for (size_t i = 0; i < averages_->averages.size(); ++i)
    state.push_back({std::to_string(i), averages_->averages[i].value()});
  return state;
}

void AveragedModel::load_state(const std::vector<NamedTensor>& state) {
  detail::StateReader reader("AveragedModel", state);
  const int64_t n = reader.take_count("n_averaged");
  std::vector<Tensor> values;
  for (size_t i = 0; i < averages_->averages.size(); ++i)
    values.push_back(reader.take(std::to_string(i), averages_->averages[i].value()));
  reader.end();
  averages_->n = n;
  for (size_t i = 0; i < values.size(); ++i) assign(averages_->averages[i].ref(), values[i]);
}

}  // namespace tapegrad::optim
