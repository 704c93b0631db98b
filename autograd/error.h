#pragma once

#include <cstdint>
#include <exception>
#include <string_view>

#include "autograd/export.h"

namespace tapegrad {

// Where in the user's source an op was called.
struct SourceLine {
  const char* file = nullptr;
  int line = 0;
};

// Root of everything the library throws. what() names the op, its operands, what was expected and given, and
// the user's source line. After a throw, tensors, tapes and parameters are as before and the next valid call
// works.
class TAPEGRAD_API Error : public std::exception {
 public:
  explicit Error(std::string_view message);
  Error(const Error& other) noexcept;
  Error& operator=(const Error& other) noexcept;
  ~Error() override;

  const char* what() const noexcept override;
  // Appends a line such as "in layers.1: Linear 784→256" to what().
  void add_context(std::string_view line);

 private:
  struct Text;
  Text* text_;
};

// Sizes or ranks that do not fit the op.
class TAPEGRAD_API ShapeError : public Error {
  using Error::Error;
};
// An element type that the op does not take, or two that differ.
class TAPEGRAD_API DTypeError : public Error {
  using Error::Error;
};
// A dimension or an index outside its range.
class TAPEGRAD_API IndexError : public Error {
  using Error::Error;
};
// An option or argument with a value that makes no sense.
class TAPEGRAD_API ArgumentError : public Error {
  using Error::Error;
};
// A tape or gradient asked for something it did not record.
class TAPEGRAD_API GraphError : public Error {
  using Error::Error;
};
// A value that is not a number where one is needed.
class TAPEGRAD_API NumericError : public Error {
  using Error::Error;
};
// A file whose content is not what its format says; offset is the byte where it shows.
class TAPEGRAD_API FormatError : public Error {
 public:
  FormatError(std::string_view message, int64_t offset) : Error(message), offset_(offset) {}
  int64_t offset() const { return offset_; }

 private:
  int64_t offset_;
};
// A system call on a file failed; code is its errno.
class TAPEGRAD_API IoError : public Error {
 public:
  IoError(std::string_view message, int code) : Error(message), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};
// Memory or another resource ran out.
class TAPEGRAD_API ResourceError : public Error {
  using Error::Error;
};

}  // namespace tapegrad
