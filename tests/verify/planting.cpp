// Faults in the VJP of one op.

#include <algorithm>

#include "autograd/gradcheck.h"
#include "tests/support/op_function.h"
#include "tests/support/planted.h"
#include "tests/support/usual_rules.h"
#include "tests/verify/gradients.h"

namespace tapegrad::verify {
namespace {

using testing::Fault;
using testing::OpFunction;
using testing::PlantedOp;

constexpr int64_t kSmall = 40;  // elements; the rule of PyTorch wants the whole Jacobian

// Whether a usual rule calls the op right; what it cannot evaluate counts as wrong.
template <class Rule>
bool passes(const Rule& rule, const Op& op, const Sample& sample) {
  try {
    const OpFunction f(op, sample);
    return rule([&](std::span<const Tensor> x) { return f.joined(x); }, f.variables());
  } catch (const Error&) {
    return false;
  }
}
bool torch_passes(const Op& op, const Sample& sample) {
  return passes([](const auto& f, const auto& x) { return testing::torch_rule(f, x); }, op, sample);
}
bool jax_passes(const Op& op, const Sample& sample) {
  return passes([](const auto& f, const auto& x) { return testing::jax_rule(f, x); }, op, sample);
}

// The samples of one seed that faults can show on, the small ones if there are any.
struct Places {
  Places(const Op& op, uint64_t seed) : samples(float64, seed) {
    op.samples(samples);
    int64_t least = INT64_MAX;
    for (const Sample& sample : samples.samples()) {
      const OpFunction f(op, sample);
      if (f.elements() == 0 || f.joined(f.variables()).numel() == 0) continue;
      all.push_back({&sample, f.elements()});
      least = std::min(least, f.elements());
    }
    std::erase_if(all, [&](const Place& p) { return p.elements > std::max(kSmall, least); });
  }
  struct Place {
    const Sample* sample;
    int64_t elements;
  };
  Samples samples;
  std::vector<Place> all;
};

class Planter {
 public:
  Planter(const Op& op, uint64_t seed, int places, int64_t points, OpRow& row)
      : op_(op), seed_(seed), places_(places), points_(points), row_(row), first_(op, seed) {}

  void run() {
    for (const Places::Place& place : first_.all) {
      torch_.push_back(torch_passes(op_, *place.sample));
      jax_.push_back(jax_passes(op_, *place.sample));
      row_.torch_alarms += !torch_.back();
      row_.jax_alarms += !jax_.back();
      ++row_.right_samples;
      control(*place.sample);
    }
    if (first_.all.empty()) return;
    for (Fault fault : testing::all_faults()) plant(fault);
  }

 private:
  // With the right VJP in the same disguise nothing must be found.
  void control(const Sample& sample) {
    const PlantedOp right(op_, Fault::none);
    const Report report = gradcheck(right, sample, {.seed = seed_, .locate = false});
    if (!testing::found(report)) return;
    ++row_.tally.false_alarms;
    row_.tally.alarms.push_back(std::string(op_.name) + " with its own VJP planted: " + report.text());
  }

  void plant(Fault fault) {
    const PlantedOp broken(op_, fault);
    int planted = 0;
    int64_t compared = 0;
    for (size_t i = 0; i < first_.all.size() && planted < places_; ++i) {
      const Places::Place& place = first_.all[i];
      if (!shows(place, fault, 0)) {
        compared += kDraws * place.elements;
        continue;
      }
      ++planted;
      look(broken, *place.sample, torch_[i], jax_[i]);
    }
    if (planted > 0) return;
    // Rule: equivalent fault
    // Nothing to be seen so far: other values of the operands and other cotangents.
    for (uint64_t round = 1; compared < points_; ++round) {
      const Places more(op_, seed_ + round);
      for (const Places::Place& place : more.all) {
        compared += kDraws * place.elements;
        if (!shows(place, fault, round)) continue;
        look(broken, *place.sample, torch_passes(op_, *place.sample), jax_passes(op_, *place.sample));
        return;
      }
    }
    ++row_.faults.planted;
    ++row_.faults.equivalent;
  }

  static constexpr int kDraws = 4;
  bool shows(const Places::Place& place, Fault fault, uint64_t round) const {
    return testing::shows(op_, place.sample->inputs, place.sample->options.ref(), fault, kDraws,
                          900 + kDraws * round + (seed_ << 32));
  }

  // `torch`, `jax`: whether that rule passes the right op here; if not, an alarm says nothing.
  void look(const PlantedOp& broken, const Sample& sample, bool torch, bool jax) {
    ++row_.faults.planted;
    row_.faults.torch_caught += torch && !torch_passes(broken, sample);
    row_.faults.jax_caught += jax && !jax_passes(broken, sample);
    const Report report = gradcheck(broken, sample, {.seed = seed_, .locate = false});
    row_.faults.caught += testing::found(report);
    if (testing::found(report)) return;
    ++row_.faults.missed;
    row_.faults.missed_at.push_back(OpFunction(op_, sample).text(0) + " with " +
                                    std::string(name(broken.fault)) + ": " + report.text());
  }

  const Op& op_;
  uint64_t seed_;
  int places_;
  int64_t points_;
  OpRow& row_;
  Places first_;
  std::vector<bool> torch_, jax_;
};

}  // namespace

void plant_faults(const Op& op, uint64_t seed, int places, int64_t points, OpRow& row) {
  if (op.vjp == nullptr || op.flags.zero_gradient) return;
  Planter(op, seed, places, points, row).run();
}

void Planted::merge(const Planted& other) {
  planted += other.planted;
  caught += other.caught;
  equivalent += other.equivalent;
  missed += other.missed;
  torch_caught += other.torch_caught;
  jax_caught += other.jax_caught;
  missed_at.insert(missed_at.end(), other.missed_at.begin(), other.missed_at.end());
}

}  // namespace tapegrad::verify
