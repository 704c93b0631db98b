#include "nn/module.h"

#include <fmt/format.h>
#include <span>

#include <string>
#include <unordered_set>

namespace tapegrad {

FieldVisitor::~FieldVisitor() = default;
void FieldVisitor::parameter(const CellRef&) {}
void FieldVisitor::buffer(const CellRef&) {}
void FieldVisitor::flag(std::string_view, bool&) {}
void FieldVisitor::setting(std::string_view, double) {}
void FieldVisitor::enter(const ModuleRef&) {}
void FieldVisitor::leave() {}

std::string FieldVisitor::path_name() const {
  std::string name;
  for (const Path* step = path_; step != nullptr; step = step->parent) {
    std::string part = step->name.empty() ? std::to_string(step->index) : std::string(step->name);
    if (!name.empty()) part.append(".").append(name);
    name.swap(part);
  }
  return name;
}

namespace detail {

std::string sized_label(std::string_view type, int64_t in, int64_t out) {
  return fmt::format("{} {}→{}", type, in, out);
}

void CellCollector::parameter(const CellRef& cell) {
  if (kind_ == Kind::parameters) add(cell);
}

void CellCollector::buffer(const CellRef& cell) {
  if (kind_ == Kind::buffers) add(cell);
}

void CellCollector::add(const CellRef& cell) {
  cells_.push_back(cell);
  if (give_names_ && !cell.named() && path() != nullptr) cell.set_name(path_name());
}

ParameterList CellCollector::take() {
  ParameterList once;
  std::unordered_set<uint64_t> seen;
  for (CellRef& cell : cells_) {
    if (seen.insert(cell.id()).second) once.push_back(std::move(cell));
  }
  cells_.clear();
  return once;
}

int64_t count_elements(const ParameterList& cells) {
  int64_t count = 0;
  for (const CellRef& cell : cells) count += cell.value().numel();
  return count;
}

void FreezeSwitch::parameter(const CellRef& cell) { cell.requires_grad_(learns_); }

void TrainingSwitch::flag(std::string_view name, bool& value) {
  if (name == "training") value = on_;
}

}  // namespace detail

namespace {

class Fnv1a {
 public:
  void add(std::span<const unsigned char> bytes) {
    for (unsigned char byte : bytes) hash_ = (hash_ ^ byte) * 0x100000001B3u;
  }
  // Least significant byte first on every machine.
  void add(int64_t value) {
    auto rest = static_cast<uint64_t>(value);
    for (int i = 0; i < 8; ++i, rest >>= 8) hash_ = (hash_ ^ (rest & 0xFF)) * 0x100000001B3u;
  }
  uint64_t hash() const { return hash_; }

 private:
  uint64_t hash_ = 0xCBF29CE484222325u;
};

}  // namespace

uint64_t fingerprint(const ParameterList& cells) {
  Fnv1a fnv;
  for (const CellRef& cell : cells) {
    const Tensor value = cell.value();
    const Shape shape = value.shape();
    fnv.add(static_cast<int64_t>(value.dtype()));
    fnv.add(static_cast<int64_t>(shape.rank()));
    for (int64_t size : shape) fnv.add(size);
    const detail::Body& body = *value.handle();
    fnv.add(std::span(static_cast<const unsigned char*>(body.data), body.bytes()));
  }
  return fnv.hash();
}

}  // namespace tapegrad
