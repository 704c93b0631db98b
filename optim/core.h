#pragma once

// The insides of an optimiser. Internal, not installed.

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autograd/ops/steps.h"
#include "autograd/raise.h"
#include "optim/optimizer.h"

namespace tapegrad::optim::detail {

// The moment of a step, as a rule sees it.
struct Now {
  std::string_view optimizer;
  int64_t t;             // the optimiser's step, from 1
  int64_t step;          // the parameter's: how many gradients it has had, this one counted
  double learning_rate;  // eta(t)
  double product;        // what the rule carries from step to step, 1 at first: read and set (NAdam)

  // The number of a schedule, checked.
  double operator()(std::string_view option, const Schedule& schedule, Range range) const {
    const double x = schedule.value(t);
    if (!contains(range, x)) {
      raise<ArgumentError>("[{}] {} must be {}, given {} at step {}", optimizer, option, text(range), x, t);
    }
    return x;
  }
  double beta1(const Betas& betas) const { return (*this)("betas[0]", betas.first, Range::below_one); }
};

// How optimiser T steps; a specialisation has
//   static const Op* op(const Options&);      the step, null for w − eta·g alone
//   static double initial(const Options&);    what the state starts as
//   static void numbers(const Options&, Now&, double* to);
//   static void check(const Options&);        of options together
template <class T>
struct Rule;

// The numbers of a step with what all have in common.
template <class N, class Options>
N started(const Options& options) {
  N n;
  if (options.maximize) n.sign = -1;
  n.decay = options.weight_decay;
  return n;
}
template <class N>
void put(const N& numbers, double* to) {
  std::memcpy(to, &numbers, sizeof(N));
}

// One parameter and its state.
struct Member {
  CellRef cell;
  uint32_t group;
  std::vector<CellRef> cells;    // the parameter, then its state
  std::vector<Buffer> states;    // holds the state's cells
  Buffer numbers;                // of the step under way; undefined where there is no op
  double* numbers_at = nullptr;  // its memory, which only `prepare` writes
  int64_t steps = 0;
  double product = 1, next_product = 1;
  size_t place = 0;  // of its gradient at the last step
};

struct GroupState {
  const Schedule* learning_rate;
  const Op* op;
  int64_t numbers;                  // how many the op takes
  double rate = 0, minus_rate = 0;  // of the step under way
};

class Core {
 public:
  explicit Core(std::string_view name) : name_(name) {}
  virtual ~Core() = default;
  Core& operator=(const Core&) = delete;
  virtual std::shared_ptr<Core> clone() const = 0;

  std::string_view name() const { return name_; }
  int64_t t() const { return t_; }
  size_t groups() const { return groups_.size(); }
  double learning_rate(size_t group) const { return rate(group, t_ + 1); }
  ParameterList parameters() const;

  // Finds and checks the gradient of every parameter; the members that have one.
  const std::vector<uint32_t>& find(const Gradients& gradients, bool allow_unused);
  // Computes the numbers of the next step of these members / counts that step.
  void prepare(const std::vector<uint32_t>& members);
  void commit(const std::vector<uint32_t>& members);
  void step(uint32_t member, const Gradients& gradients);

  std::vector<NamedTensor> state() const;
  void load(const std::vector<NamedTensor>& state);

 protected:
  Core(const Core& other);
  void add_group(const ParameterList& parameters, const Schedule& learning_rate, const Op* op,
                 double initial);
  void point_to(size_t group, const Schedule& learning_rate) {
    groups_[group].learning_rate = &learning_rate;
  }
  virtual void numbers(size_t group, Now& now, double* to) const = 0;
  virtual bool carries_product() const = 0;  // whether Now::product is state

 private:
  double rate(size_t group, int64_t t) const;
  void give_numbers(Member& member) const;
  std::string_view state_name(const Member& member, size_t k) const;

  std::string_view name_;
  std::vector<GroupState> groups_;
  std::vector<Member> members_;
  std::vector<uint32_t> present_;
  int64_t t_ = 0;
};

// Members of an optimiser that step together. A Program keeps it, so its list changes no more then.
struct Work {
  std::shared_ptr<Core> core;
  std::vector<uint32_t> members;
};

// ArgumentError for an empty list, an undefined parameter, or one that is there twice. `where` says of which
// list.
void check_list(std::string_view optimizer, const ParameterList& parameters, std::string_view where = {});

// Checks each option against its range.
class OptionCheck {
 public:
  explicit OptionCheck(std::string_view optimizer) : optimizer_(optimizer) {}
  template <class T>
  void operator()(const char*, T, Range = Range::any) const {}  // any value is right
  void operator()(const char* option, int64_t n, Range range) const {
    check(option, static_cast<double>(n), range);
  }
  void operator()(const char* option, const std::optional<int64_t>& n, Range range) const {
    if (n) (*this)(option, *n, range);
  }
  void operator()(const char* option, double x, Range range) const { check(option, x, range); }
  void operator()(const char* option, const Schedule& schedule, Range range) const {
    if (const double* x = schedule.number()) check(option, *x, range);
  }
  void operator()(const char* option, const Betas& betas, Range range) const {
    const std::string name = option;
    (*this)((name + "[0]").c_str(), betas.first, range);
    check(name + "[1]", betas.second, range);
  }

 private:
  void check(std::string_view option, double x, Range range) const {
    if (!contains(range, x))
      raise<ArgumentError>("[{}] {} must be {}, given {}", optimizer_, option, text(range), x);
  }
  std::string_view optimizer_;
};

template <class T>
class CoreOf final : public Core {
 public:
  using Options = typename T::Options;

  explicit CoreOf(std::vector<Group<Options>> groups) : Core(T::kName) {
    if (groups.empty()) raise<ArgumentError>("[{}] the list of groups is empty", T::kName);
    options_.reserve(groups.size());
    for (Group<Options>& group : groups) {
      Options::fields(std::as_const(group.options), OptionCheck(T::kName));
      if constexpr (requires { Rule<T>::check(group.options); }) Rule<T>::check(group.options);
      options_.push_back(std::move(group.options));
      const Options& options = options_.back();
      double initial = 0;
      if constexpr (requires { Rule<T>::initial(options); }) initial = Rule<T>::initial(options);
      add_group(group.parameters, options.learning_rate, Rule<T>::op(options), initial);
    }
  }
  CoreOf(const CoreOf& other) : Core(other), options_(other.options_) {
    for (size_t g = 0; g < options_.size(); ++g) point_to(g, options_[g].learning_rate);
  }
  std::shared_ptr<Core> clone() const override { return std::make_shared<CoreOf>(*this); }

 private:
  void numbers(size_t group, Now& now, double* to) const override {
    Rule<T>::numbers(options_[group], now, to);
  }
  bool carries_product() const override {
    return requires { Rule<T>::carries_product; };
  }

  std::vector<Options> options_;
};

template <class T>
std::shared_ptr<Core> core_of(ParameterList parameters, typename T::Options options) {
  std::vector<Group<typename T::Options>> groups;
  groups.push_back({std::move(parameters), std::move(options)});
  return std::make_shared<CoreOf<T>>(std::move(groups));
}
template <class T>
std::shared_ptr<Core> core_of(std::vector<Group<typename T::Options>> groups) {
  return std::make_shared<CoreOf<T>>(std::move(groups));
}

}  // namespace tapegrad::optim::detail
