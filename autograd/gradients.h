#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "autograd/error.h"
#include "autograd/export.h"
#include "autograd/parameter.h"
#include "autograd/tensor.h"

namespace tapegrad {

// What a sweep found: one gradient per parameter and watched tensor that took part. A plain value: nothing to
// zero, nothing that goes stale, and nobody writes into it but +=.
class TAPEGRAD_API Gradients {
 public:
  struct Entry {
    CellRef parameter;  // undefined for a watched tensor, which goes by tape and value
    uint64_t tape;
    uint64_t value;
    Tensor gradient;

    bool same_key(const Entry& other) const {
      return parameter.handle() == other.parameter.handle() && tape == other.tape && value == other.value;
    }
  };

  // What a gradient is asked for, and the line that asks. Borrows x.
  class Of {
   public:
    Of(const Parameter& x, const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : Of(x.ref(), file, line) {}
    Of(const CellRef& x, const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : cell_(&x), where_{file, line} {}
    Of(const Tensor& x, const char* file = __builtin_FILE(), int line = __builtin_LINE())
        : tensor_(&x), where_{file, line} {}

   private:
    friend class Gradients;
    const CellRef* cell_ = nullptr;
    const Tensor* tensor_ = nullptr;
    SourceLine where_;
  };

  // The gradient with respect to x, of x's shape and dtype. Throws GraphError naming x and the line if x took
  // no part.
  Tensor operator[](const Of& x) const;
  // Zeros of x's shape if x took no part.
  Tensor get_or_zeros(const Parameter& x) const { return get_or_zeros(x.ref()); }
  Tensor get_or_zeros(const CellRef& x) const;
  Tensor get_or_zeros(const Tensor& x) const;
  // Null if x took no part.
  const Tensor* find(const CellRef& x) const;
  const Tensor* find(const Tensor& x) const;
  bool contains(const Parameter& x) const { return find(x.ref()) != nullptr; }

  size_t size() const { return entries_.size(); }
  using Entries = std::vector<Entry, detail::PoolAllocator<Entry>>;
  const Entries& entries() const { return entries_; }

  // Sums with the gradients of another micro-batch or thread; parameters that only one side has are taken
  // over.
  Gradients& operator+=(const Gradients& other);
  Gradients& operator*=(double factor);

  void reserve(size_t count) { entries_.reserve(count); }
  void add(Entry entry) { entries_.push_back(static_cast<Entry&&>(entry)); }

 private:
  Entries entries_;
};

// The parameters of the list that took no part, but for frozen ones; empty when all did.
TAPEGRAD_API std::vector<CellRef> unused(const ParameterList& parameters, const Gradients& gradients);

}  // namespace tapegrad
