#pragma once

// A line of JSON, read with suspicion: every value knows where it stands, so that what is wrong with it can
// be said with path and byte. Internal, not installed.

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace tapegrad::io {

using Json = nlohmann::json;

// The whole line as one value. Throws FormatError for what is not JSON, duplicate keys, and nesting deeper
// than kMaxDepth. Takes memory in proportion to the line.
inline constexpr int kMaxDepth = 32;
Json parse_json(std::string_view text);

// As an element of a line of JSON: quoted, or the number. Infinities and NaN are strings.
std::string json_text(std::string_view text);
std::string json_text(double value);

// At most 60 bytes of a name, in quotes, for messages.
std::string in_quotes(std::string_view name);

// A parsed line and what its faults are called after.
struct Document {
  explicit Document(std::string_view text) : text(text), root(parse_json(text)) {}
  std::string_view text;
  Json root;
  std::string name;
};

// One value of a document, and where it stands. Made on the stack; the place it was taken from outlives it.
class Place {
 public:
  explicit Place(const Document& document) : document_(document), value_(document.root) {}

  // FormatError with the path of this value, what is wrong, and its byte in the line.
  [[noreturn]] void fault(std::string_view what) const;

  // A fault unless it is an object. Of `keys`, which the format knows, a misspelt one is a fault as well,
  // because it would be passed over; none given: any key will do.
  void expect_object(std::initializer_list<std::string_view> keys) const;
  bool has(const char* key) const { return value_.contains(key); }
  Place at(const char* key) const;
  Place at(const Json::const_iterator& member) const;

  bool is_array() const { return value_.is_array(); }
  bool is_null() const { return value_.is_null(); }
  size_t size() const;  // of an array
  Place item(size_t i) const;

  const std::string& string() const;
  bool boolean() const;
  int64_t integer() const;
  bool is_integer() const;  // fits int64 and is not −0
  double number() const;    // a JSON number, "nan", "inf" or "-inf"

  const Json& json() const { return value_; }

 private:
  Place(const Place* parent, const Json& value, std::string_view key, size_t index)
      : document_(parent->document_), value_(value), parent_(parent), key_(key), index_(index) {}
  std::string path() const;
  size_t offset() const;

  const Document& document_;
  const Json& value_;
  const Place* parent_ = nullptr;
  std::string_view key_ = {};  // of an object's member; null for an element
  size_t index_ = 0;
};

}  // namespace tapegrad::io
