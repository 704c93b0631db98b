#include "autograd/verify/check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numeric>

#include "autograd/kernels/parallel.h"
#include "autograd/raise.h"
#include "autograd/verify/differences.h"

namespace tapegrad::verify {
namespace {

constexpr int64_t kMostSearched = 4000;  // evaluations, beyond which a search begins no part
constexpr int64_t kSearchEntries = 16;   // parts of an input this small are searched entry by entry

double largest_finite(const Tensor& g) {
  double top = 0;
  for (int64_t i = 0; i < g.numel(); ++i) {
    if (std::isfinite(elements(g)[i])) top = std::max(top, std::fabs(elements(g)[i]));
  }
  return top;
}

// Parts of a direction that is as long as the point itself, and the whole of one whose longest entry is 1,
// for points so near 0 that nothing moves. Of networks the first one is sharp most often.
struct DirectionScales {
  explicit DirectionScales(const Tensors& direction) {
    double longest = 0;
    for (const Tensor& v : direction) {
      if (v.defined()) longest = std::max(longest, largest_finite(v));
    }
    values[3] = longest > 0 && longest < 0.5 ? 1 / longest : 1.0;
  }
  double values[4] = {0x1p-4, 0x1p-7, 1.0, 1.0};
};

double root_mean_square(const Tensor& x) {
  double squares = 0;
  int64_t count = 0;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double v = elements(x)[i];
    if (!std::isfinite(v)) continue;
    squares += v * v;
    ++count;
  }
  return squares > 0 ? std::sqrt(squares / static_cast<double>(count)) : 1;
}

// Random bits of a counter, by SplitMix64.
uint64_t random_bits(uint64_t counter) {
  uint64_t z = counter * 0x9E3779B97F4A7C15u;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

// ±(½ to 1½), from 16 bits: never so small that an entry would be passed over. Four parts of 64 bits take a
// fraction of the time of a run of a large function.
double random_part(uint64_t bits) {
  const double size = 0.5 + static_cast<double>(bits >> 1 & 0x7fff) * 0x1p-15;
  return (bits & 1) != 0 ? size : -size;
}

// ⟨direction, g⟩, and the size that a random sum of such terms has.
struct Along {
  double value;
  double typical;
};
Along along(const Tensors& direction, const Tensors& gradients) {
  CompensatedSum sum;
  double squares = 0;
  for (size_t v = 0; v < direction.size(); ++v) {
    if (!direction[v].defined()) continue;
    const double *d = elements(direction[v]), *g = elements(gradients[v]);
    for (int64_t i = 0; i < direction[v].numel(); ++i) {
      sum.add(d[i] * g[i]);
      squares += d[i] * g[i] * d[i] * g[i];
    }
  }
  const double typical = std::sqrt(squares);
  return {sum.value(), std::isfinite(typical) ? typical : 0};
}

}  // namespace

Check::Check(Subject& subject, const GradcheckOptions& options, ReportBuilder& report)
    : subject_(subject),
      options_(options),
      report_(report),
      ground_{subject, {}, {}},
      rng_(options.seed + 1) {
  for (int i : subject.varied()) rms_.push_back(root_mean_square(subject.inputs()[static_cast<size_t>(i)]));
  for (const Tensor& x : subject.inputs()) {
    if (x.dtype() != float64) continue;
    largest_input_ = std::max(largest_input_, largest_finite(x));
    products_ *= std::max(1.0, largest_finite(x));
  }
  // Of an op's few operands; the inputs of a network are not multiplied with one another.
  products_ = subject.inputs().size() <= 4 ? products_ / std::max(1.0, largest_input_) : 1;
  moved_.assign(rms_.size(), false);
}

void Check::start() {
  ground_.outputs = evaluate(subject_, subject_.inputs());
  report_.evaluations(1);
}

void Check::take_gradients(int count) {
  Recording recording(subject_, subject_.inputs());
  if (!same_bits(recording.outputs(), ground_.outputs)) {
    report_.fault(Verdict::nondeterministic, -1,
                  "two runs of the function, one of them recorded, differ in their bits");
  }
  for (int q = 0; q < count; ++q) {
    ground_.cotangents.push_back(
        normal_like(ground_.outputs, options_.seed * 1000 + static_cast<uint64_t>(q)));
    gradients_.push_back(recording.gradient(ground_.cotangents.back()));
  }
}

void Check::run() {
  start();
  const bool projection = options_.mode == GradcheckMode::projection;
  take_gradients(projection ? options_.projections : 2);
  for (const Tensors& gradients : gradients_) {
    largest_.emplace_back();
    for (const Tensor& g : gradients) largest_.back().push_back(largest_finite(g));
  }
  if (projection) {
    std::vector<int> all(gradients_.size());
    std::iota(all.begin(), all.end(), 0);
    directions(all);
  } else {
    for (size_t v = 0; v < subject_.varied().size(); ++v) {
      const int64_t count = gradients_[0][v].numel();
      const bool whole = options_.mode == GradcheckMode::entry || count <= options_.max_entries;
      std::vector<int64_t> which(static_cast<size_t>(whole ? count : options_.max_entries));
      for (size_t k = 0; k < which.size(); ++k)
        which[k] = whole ? static_cast<int64_t>(k) : rng_.integer(0, count);
      entries(v, which);
      if (!whole) directions_of_input(v);
    }
  }
  ties();
  note_vacuous();
}

void Check::run_recorded(Tensors cotangents, Tensors gradients) {
  start();
  ground_.cotangents.push_back(std::move(cotangents));
  gradients_.push_back(std::move(gradients));
  largest_.emplace_back();
  for (const Tensor& g : gradients_[0]) largest_.back().push_back(largest_finite(g));
  const std::vector<int> same(static_cast<size_t>(options_.projections), 0);
  directions(same);
  ties();
}

void Check::entries(size_t v, std::span<const int64_t> which) {
  const Tensor& x = subject_.inputs()[static_cast<size_t>(subject_.varied()[v])];
  std::vector<int> all(std::min<size_t>(gradients_.size(), Line::kMost));
  std::iota(all.begin(), all.end(), 0);
  for (int64_t i : which) {
    double gradients[Line::kMost], typical[Line::kMost];
    for (int q : all) {
      gradients[q] = elements(gradients_[static_cast<size_t>(q)][v])[i];
      typical[q] = typical_entry(q, v);
    }
    const double at = std::fabs(elements(x)[i]);
    const double size = std::isfinite(at) ? at : 0;
    const double scales[] = {std::max(size, 0.01 * rms_[v]), std::max(size, rms_[v]), std::max(size, 1.0)};
    SubjectLine line(ground_, all, v, i);
    check(line, all, gradients, typical, scales, subject_.varied()[v], i);
  }
}

Tensors Check::random_direction(bool together) {
  Tensors direction;
  const uint64_t common = rng_.bits();
  const double widest = rms_.empty() ? 0 : *std::max_element(rms_.begin(), rms_.end());
  for (size_t v = 0; v < subject_.varied().size(); ++v) {
    const Tensor& x = subject_.inputs()[static_cast<size_t>(subject_.varied()[v])];
    direction.push_back(space_like(x));
    const double* from = elements(x);
    double* to = elements(direction.back());
    const uint64_t counter = together ? common : rng_.bits();
    const double least = 0.1 * (together ? widest : rms_[v]);
    kernels::parallel_for(x.numel(), int64_t{16384}, [&](int64_t begin, int64_t end) {
      uint64_t bits = 0;
      for (int64_t i = begin; i < end; ++i) {
        const double at = std::fabs(from[i]), size = at < INFINITY ? std::max(at, least) : 0;
        if (together) bits = random_bits(counter + std::bit_cast<uint64_t>(from[i] + 0.0));
        else bits = i % 4 == 0 ? random_bits(counter + static_cast<uint64_t>(i)) : bits >> 16;
        to[i] = random_part(bits) * size;
      }
    });
  }
  return direction;
}

void Check::directions_of_input(size_t v) {
  const std::vector<int> all = {0, 1};
  for (int p = 0; p < options_.projections; ++p) {
    Tensors direction = random_direction();
    for (size_t other = 0; other < direction.size(); ++other) {
      if (other != v) direction[other] = Tensor();
    }
    double gradients[Line::kMost], typical[Line::kMost];
    for (int q : all) {
      const Along a = along(direction, gradients_[static_cast<size_t>(q)]);
      gradients[q] = a.value;
      typical[q] = a.typical;
    }
    SubjectLine line(ground_, all, direction);
    check(line, all, gradients, typical, DirectionScales(direction).values, subject_.varied()[v], -1);
    if (doubtful() && !search(0, direction)) return;
  }
}

void Check::directions(std::span<const int> cotangents) {
  for (int q : cotangents) {
    const Tensors direction = random_direction();
    const Along a = along(direction, gradients_[static_cast<size_t>(q)]);
    const int which[] = {q};
    SubjectLine line(ground_, which, direction);
    check(line, which, &a.value, &a.typical, DirectionScales(direction).values, -1, -1);
    if (doubtful() && !search(q, direction)) return;
  }
  // A gradient that is 0 everywhere says nothing about its input in a sum of all.
  for (size_t v = 0; v < subject_.varied().size(); ++v) {
    const auto zero = [&](const std::vector<double>& largest) { return largest[v] == 0; };
    moved_[v] = !std::all_of(largest_.begin(), largest_.end(), zero);
    if (moved_[v] || options_.expected.zero_gradient || gradients_[0][v].numel() == 0) continue;
    Tensors direction = random_direction();
    for (size_t other = 0; other < direction.size(); ++other) {
      if (other != v) direction[other] = Tensor();
    }
    const double none = 0;
    const int which[] = {0};
    SubjectLine line(ground_, which, direction);
    check(line, which, &none, &none, DirectionScales(direction).values, subject_.varied()[v], -1);
  }
}

// Rule: ties
void Check::ties() {
  const auto& found = report_.report().entries();
  const auto by_point = [](const CheckedEntry& e) { return e.passed && excused(e.verdict); };
  const auto failed = [](const CheckedEntry& e) { return !e.passed; };
  if (std::none_of(found.begin(), found.end(), by_point) || std::any_of(found.begin(), found.end(), failed))
    return;
  const Tensors direction = random_direction(/*together=*/true);
  const Along a = along(direction, gradients_[0]);
  const int which[] = {0};
  SubjectLine line(ground_, which, direction);
  check(line, which, &a.value, &a.typical, DirectionScales(direction).values, -1, -1);
  // Among other kinks it says nothing.
  if (found.back().verdict != Verdict::disagree && !found.back().passed) report_.drop_last();
}

// Halves a direction that failed until the wrong entries are few enough to be looked at one by one.
//
// Rule: entries of a direction
// Where several entries are at kinks, the sides of a direction through them lie far apart, or anywhere,
// though the gradient of each entry lies between its own. A jump or a pole of one entry says nothing about
// the others. So it is the entries that decide there, as many as the effort allows: a direction that passes
// because of the point is searched like one that fails; and one that fails is excused if every part of it
// that does not agree consists of entries that pass, some of them at kinks.
bool Check::search(int q, const Tensors& direction) {
  const size_t begin = report_.report().entries().size() - 1;
  const bool passed = report_.report().entries()[begin].passed;
  // One entry among many needs bars of its own size.
  early_ = 1e-6;
  enough_ = 1e-3;
  last_evaluation_ = report_.report().evaluations() + kMostSearched;
  // Rule: noisy direction
  // Parts that agree say more than a whole that is too noisy to tell.
  bool bends = report_.report().entries()[begin].verdict == Verdict::noisy, known = true;
  for (size_t v = 0; v < direction.size(); ++v) {
    if (!direction[v].defined() || direction[v].numel() == 0) continue;
    const Part part = search_part(q, direction, v, 0, direction[v].numel());
    if (part == Part::wrong) return false;
    bends |= part == Part::bends;
    known &= part != Part::unknown;
  }
  const bool right = passed || (bends && known && options_.expected.kinks);
  if (right) report_.excuse_directions(begin);
  return right;
}

Check::Part Check::search_part(int q, const Tensors& direction, size_t v, int64_t begin, int64_t end) {
  if (report_.report().evaluations() > last_evaluation_) return Part::unknown;
  Tensors part(direction.size());
  part[v] = zeros(direction[v].shape(), float64);
  std::copy(elements(direction[v]) + begin, elements(direction[v]) + end, elements(part[v]) + begin);
  const Along a = along(part, gradients_[static_cast<size_t>(q)]);
  const int which[] = {q};
  SubjectLine line(ground_, which, part);
  const bool passed =
      check(line, which, &a.value, &a.typical, DirectionScales(part).values, subject_.varied()[v], -1);
  const Verdict verdict = report_.report().entries().back().verdict;
  if (passed && !excused(verdict)) return Part::right;
  if (end - begin <= kSearchEntries) {
    std::vector<int64_t> entries_of_part(static_cast<size_t>(end - begin));
    std::iota(entries_of_part.begin(), entries_of_part.end(), begin);
    const size_t first = report_.report().entries().size();
    entries(v, entries_of_part);
    const std::span<const CheckedEntry> found = std::span(report_.report().entries()).subspan(first);
    const auto right = [](const CheckedEntry& e) { return e.passed; };
    const auto kink = [](const CheckedEntry& e) { return e.verdict == Verdict::kink_in; };
    const auto wrong = [](const CheckedEntry& e) { return refuted(e.verdict); };
    if (std::any_of(found.begin(), found.end(), wrong)) return Part::wrong;
    if (!std::all_of(found.begin(), found.end(), right)) return Part::unknown;
    if (verdict == Verdict::noisy || std::any_of(found.begin(), found.end(), kink)) return Part::bends;
    return passed ? Part::right : refuted(verdict) ? Part::wrong : Part::unknown;
  }
  const int64_t middle = begin + (end - begin) / 2;
  const Part left = search_part(q, direction, v, begin, middle);
  if (left == Part::wrong) return left;
  const Part right = search_part(q, direction, v, middle, end);
  if (right == Part::wrong) return right;
  if (left == Part::unknown || right == Part::unknown) return Part::unknown;
  if (left == Part::bends || right == Part::bends) return Part::bends;
  // Where both halves are right and the whole disagrees, something else is wrong.
  if (passed) return Part::right;
  if (verdict == Verdict::noisy) return Part::bends;
  return refuted(verdict) ? Part::wrong : Part::unknown;
}

bool Check::check(Line& line, std::span<const int> which, const double* gradients, const double* typical,
                  std::span<const double> scales, int input, int64_t entry) {
  const double scale = entry >= 0 ? scales[0] : 1;  // of the point
  Evidence evidence[Line::kMost];
  for (int q = 0; q < line.count(); ++q) {
    const int c = which[static_cast<size_t>(q)];
    evidence[q] = {gradients[q], {}, typical[q], 0, 0, ground_.mass(c), ground_.weight(c), scale};
    // Rule: rounded directions
    // A coordinate off by half a unit of x moves φ by as much of g·x, and the step by as much of itself. That
    // of one entry is known.
    const double moves = 2 * typical[q] + std::fabs(gradients[q]);
    if (entry < 0 && std::isfinite(moves)) evidence[q].carried = 2 * kUnit * moves;
  }
  // A direction costs as much as an entry and there are few, but each evaluation may be of a whole network.
  const Effort effort{options_.tolerance, entry >= 0 ? early_ : 4 * early_, enough_, entry >= 0 ? 0.0 : 0.5,
                      products_};
  Differences(line, scales, largest_input_, effort).settle(evidence);
  Court court(line, scale, options_.tolerance);
  CheckedEntry worst{};
  double worst_gap = -1;
  bool all_passed = true;
  for (int q = 0; q < line.count(); ++q) {
    Evidence& e = evidence[q];
    const Verdict verdict = court.judge(q, e);
    const bool passed = passes(verdict, options_.expected);
    const double gap = std::fabs(e.gradient - e.difference.value) / std::max(e.radius(), 1e-300);
    const bool bends = verdict == Verdict::kink_in || verdict == Verdict::jump;
    const bool zero = verdict == Verdict::agree_zero || (e.gradient == 0 && e.difference.value == 0);
    if (input >= 0 && (bends || !zero)) {
      const auto at = std::find(subject_.varied().begin(), subject_.varied().end(), input);
      moved_[static_cast<size_t>(at - subject_.varied().begin())] = true;
    }
    if (q == 0 || passed < worst.passed || (passed == worst.passed && gap > worst_gap)) {
      worst_gap = gap;
      worst = {input, entry,   e.gradient, e.difference.value, e.difference.bar, e.size(), e.difference.step,
               0,     verdict, passed};
    }
    all_passed &= passed;
  }
  if (worst.verdict == Verdict::agree || worst.verdict == Verdict::agree_zero) {
    const bool whole = canary_due_ && entry >= 0 && worst.verdict == Verdict::agree;
    if (whole) canary_due_ = false;
    try_canary(line, std::span(evidence, static_cast<size_t>(line.count())), whole);
  }
  worst.evaluations = line.evaluations();
  report_.evaluations(line.evaluations());
  report_.add(worst);
  return all_passed;
}

// A derivative ten bars away must be called wrong: by the first rule always, and once per check by all rules,
// so that none of the excuses is too wide. Near a kink one of the two sides may be excused.
void Check::try_canary(Line& line, std::span<const Evidence> evidence, bool whole) {
  const auto q = static_cast<int>(rng_.integer(0, static_cast<int64_t>(evidence.size())));
  const Evidence& e = evidence[static_cast<size_t>(q)];
  Evidence up = e, down = e;
  double shift = 10 * e.radius() + 512 * kUnit * e.whole_mass / e.scale;
  if (shift == 0) shift = 1;  // nothing moves, and the bar is 0
  up.gradient = e.gradient + shift;
  down.gradient = e.gradient - shift;
  const Expected& expected = options_.expected;
  if (!whole) {
    report_.canary(!passes(compare(up, options_.tolerance), expected) &&
                   !passes(compare(down, options_.tolerance), expected));
    return;
  }
  Court court(line, e.scale, options_.tolerance);
  const bool caught = !passes(court.judge(q, up), expected) || !passes(court.judge(q, down), expected);
  report_.canary(caught);
}

// Rule: zero gradient
void Check::note_vacuous() {
  if (options_.expected.zero_gradient) return;
  for (size_t v = 0; v < moved_.size(); ++v) {
    if (moved_[v] || gradients_[0][v].numel() == 0) continue;
    const int input = subject_.varied()[v];
    report_.fault(
        Verdict::vacuous, input,
        fmt::format("every derivative by {} is 0 as far as can be told, which proves nothing; declare "
                    "expected.zero_gradient if it is right",
                    subject_.input_name(input)));
  }
}

}  // namespace tapegrad::verify
