#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif

#include "autograd/dtype.h"
#include "autograd/export.h"
#include "autograd/shape.h"

namespace tapegrad {

// An index between square brackets, with the source line it was written on.
struct Index {
  template <std::integral T>
  Index(T i, const char* file = __builtin_FILE(), int line = __builtin_LINE())
      : value(static_cast<int64_t>(i)), file(file), line(line) {}

  int64_t value;
  const char* file;
  int line;
};

namespace detail {

// One tensor: a counted header, its sizes, and its elements from the next 64-byte boundary on, in one
// allocation; a single element stands right behind the sizes. A reshaped tensor has only the header and
// shares the memory of `owner`.
struct Body {
  uint32_t references;
  DType dtype;
  uint8_t rank;
  bool tracked;          // a gradient may flow to this value of `tape`
  uint64_t tape;         // serial of the tape that recorded this value, 0 for a constant
  uint32_t value;        // its place on that tape
  uint32_t small_bytes;  // what was allocated, 0: more than the small blocks of the pool hold
  void* data;
  Body* owner;  // null: the elements are this allocation's own
  int64_t numel;

  int64_t* dims() { return reinterpret_cast<int64_t*>(this + 1); }
  const int64_t* dims() const { return reinterpret_cast<const int64_t*>(this + 1); }
  Shape shape() const { return Shape(std::span<const int64_t>(dims(), rank)); }
  size_t bytes() const { return static_cast<size_t>(numel) * element_size(dtype); }
};
static_assert(sizeof(Body) == 48);

TAPEGRAD_API Body* new_body(DType dtype, std::span<const int64_t> dims, int64_t numel);
TAPEGRAD_API Body* new_alias(Body* of, std::span<const int64_t> dims);
TAPEGRAD_API void delete_body(Body* body) noexcept;

// A process that has started no thread counts without atomic instructions, which cost as much as a small op.
#if __has_include(<sys/single_threaded.h>)
inline bool single_threaded() { return __libc_single_threaded != 0; }
#else
constexpr bool single_threaded() { return false; }
#endif

inline Body* retain(Body* body) {
  if (body == nullptr) return body;
  if (single_threaded()) {
    ++body->references;
  } else {
    __atomic_fetch_add(&body->references, 1, __ATOMIC_RELAXED);
  }
  return body;
}
inline void release(Body* body) noexcept {
  if (body == nullptr) return;
  if (single_threaded()) {
    if (--body->references == 0) delete_body(body);
    return;
  }
  // The only holder need not pay for an atomic decrement.
  if (__atomic_load_n(&body->references, __ATOMIC_ACQUIRE) == 1 ||
      __atomic_sub_fetch(&body->references, 1, __ATOMIC_ACQ_REL) == 0) {
    delete_body(body);
  }
}

TAPEGRAD_API void* allocate(size_t bytes);
TAPEGRAD_API void deallocate(void* memory, size_t bytes) noexcept;

// Gives standard containers memory from the library's pool.
template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}
  T* allocate(size_t n) { return static_cast<T*>(detail::allocate(n * sizeof(T))); }
  void deallocate(T* memory, size_t n) noexcept { detail::deallocate(memory, n * sizeof(T)); }
  bool operator==(const PoolAllocator&) const { return true; }
};

// A number, or a list of lists: what tensor({{1, 2}, {3, 4}}) is written with.
struct Nested {
  template <Number T>
  Nested(T v) : value(static_cast<double>(v)), dtype(literal_dtype<T>()) {
    if constexpr (std::is_integral_v<T>) integer = static_cast<int64_t>(v);
  }
  // Borrows the list, which lives until the call it is written in returns.
  Nested(std::initializer_list<Nested> items) : count(static_cast<int64_t>(items.size())) {
    list = items.begin();
  }

  template <class T>
  static constexpr DType literal_dtype() {
    if constexpr (std::is_same_v<T, bool>) return DType::boolean;
    if constexpr (std::is_integral_v<T>) return DType::int64;
    return DType::float32;
  }

  const Nested* list = nullptr;
  int64_t count = -1;  // -1: a number
  double value = 0;
  int64_t integer = 0;
  DType dtype = DType::float32;
};

}  // namespace detail

// An n-dimensional array that never changes: contiguous, row-major, counted, cheap to copy. What a Tensor
// remembers besides its elements is which tape recorded it; see Tape.
class TAPEGRAD_API Tensor {
 public:
  Tensor() = default;  // no tensor at all: defined() is false and everything else throws ArgumentError
  Tensor(const Tensor& other) : body_(detail::retain(other.body_)) {}
  Tensor(Tensor&& other) noexcept : body_(other.body_) { other.body_ = nullptr; }
  Tensor& operator=(Tensor other) noexcept {
    detail::Body* mine = body_;
    body_ = other.body_;
    other.body_ = mine;
    return *this;
  }
  ~Tensor() { detail::release(body_); }
  void swap(Tensor& other) noexcept {
    detail::Body* mine = body_;
    body_ = other.body_;
    other.body_ = mine;
  }

  bool defined() const { return body_ != nullptr; }
  DType dtype() const { return body().dtype; }
  Shape shape() const { return body().shape(); }
  int rank() const { return body().rank; }
  int64_t numel() const { return body().numel; }
  // The size along one dimension; negative dims count from the end. Throws IndexError outside the rank.
  int64_t size(int64_t dim) const;

  // The elements, row-major. Throws DTypeError when T is not what the tensor holds.
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(checked_data(dtype_of<T>())), static_cast<size_t>(numel())};
  }
  template <class T>
  std::vector<T> to_vector() const {
    std::span<const T> elements = data<T>();
    return {elements.begin(), elements.end()};
  }
  // The one element. Throws ShapeError when there are several and DTypeError when T is not the dtype.
  template <class T>
  T item() const {
    check_single();
    return data<T>()[0];
  }
  // The one element, whatever its dtype, as a double.
  double item() const;

  // The i-th entry along the first dimension, with that dimension dropped; negative i counts from the end.
  // Recorded like any op. Throws IndexError.
  Tensor operator[](Index i) const;

  // The same elements as a constant: no gradient crosses.
  Tensor detach() const;

  detail::Body* handle() const { return body_; }
  // Takes over one reference.
  static Tensor adopt(detail::Body* body) {
    Tensor tensor;
    tensor.body_ = body;
    return tensor;
  }
  static Tensor share(detail::Body* body) { return adopt(detail::retain(body)); }
  // Gives up the tensor without counting down.
  detail::Body* give() {
    detail::Body* body = body_;
    body_ = nullptr;
    return body;
  }

 private:
  const detail::Body& body() const {
    if (body_ == nullptr) throw_undefined();
    return *body_;
  }
  const void* checked_data(DType wanted) const;
  void check_single() const;
  [[noreturn]] static void throw_undefined();

  detail::Body* body_ = nullptr;
};

// `==` on tensors would not say which of these is meant: equal (same shape, dtype and values), allclose
// (within a tolerance), eq (element by element).
bool operator==(const Tensor&, const Tensor&) = delete;
bool operator!=(const Tensor&, const Tensor&) = delete;

// A tensor from numbers or nested lists: tensor({{1., 2.}, {3., 4.}}). Integers give int64 and booleans bool,
// as in PyTorch; anything fractional float32. Throws ShapeError when rows differ in length.
TAPEGRAD_API Tensor tensor(const detail::Nested& values);
TAPEGRAD_API Tensor tensor(const detail::Nested& values, DType dtype);

// A tensor from elements in row-major order. Throws ShapeError when their count is not the shape's.
TAPEGRAD_API Tensor from_bytes(const void* elements, size_t count, DType dtype, const Shape& shape);
template <class T>
Tensor from_span(std::span<const T> elements, const Shape& shape) {
  return from_bytes(elements.data(), elements.size(), dtype_of<T>(), shape);
}
template <class T>
Tensor from_vector(const std::vector<T>& elements, const Shape& shape) {
  return from_span(std::span<const T>(elements), shape);
}

TAPEGRAD_API Tensor full(const Shape& shape, double value, DType dtype = float32);
TAPEGRAD_API Tensor zeros(const Shape& shape, DType dtype = float32);
TAPEGRAD_API Tensor ones(const Shape& shape, DType dtype = float32);
// start, start + step, … up to but without end. Throws ArgumentError for step 0.
TAPEGRAD_API Tensor arange(int64_t start, int64_t end, int64_t step = 1, DType dtype = int64);

// Same dtype, shape and values; a NaN equals a NaN.
TAPEGRAD_API bool equal(const Tensor& a, const Tensor& b);
// |a − b| ≤ atol + rtol·|b| everywhere, equal infinities, NaN with NaN; shapes and dtypes must be equal.
TAPEGRAD_API bool allclose(const Tensor& a, const Tensor& b, double rtol = 1e-5, double atol = 1e-8);

}  // namespace tapegrad
