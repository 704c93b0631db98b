#include "autograd/io/json.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "autograd/io/nearest.h"
#include "autograd/raise.h"

namespace tapegrad::io {
namespace {

// Reads text and tells how far the parser has come.
struct Reading {
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  const char& operator*() const { return *at; }
  Reading& operator++() {
    ++at;
    if (reached != nullptr) *reached = at;
    return *this;
  }
  Reading operator++(int) {
    Reading before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Reading& other) const { return at == other.at; }
  bool operator!=(const Reading& other) const { return at != other.at; }

  const char* at;
  const char** reached;
};

// Puts the parsed value together, as nlohmann's own parser does, but refuses what that lets pass.
class Builder {
 public:
  Builder(std::string_view text, const char* const& reached)
      : begin_(text.data()), size_(text.size()), reached_(reached) {}

  bool null() { return add(nullptr); }
  bool boolean(bool v) { return add(v); }
  bool number_integer(Json::number_integer_t v) { return add(v); }
  bool number_unsigned(Json::number_unsigned_t v) { return add(v); }
  bool number_float(Json::number_float_t v, const std::string&) { return add(v); }
  bool string(std::string& v) { return add(std::move(v)); }
  bool binary(Json::binary_t&) { return false; }  // JSON text has none
  bool start_object(size_t) { return open(Json::object()); }
  bool start_array(size_t) { return open(Json::array()); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    const auto [member, fresh] = stack_.back()->get_ref<Json::object_t&>().emplace(name, nullptr);
    if (!fresh) fault(fmt::format("duplicate key {}", in_quotes(name)), offset());
    slot_ = &member->second;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const Json::exception& error) {
    // The parser counts the end as a byte that it read.
    const bool truncated = position > size_;
    std::string what = words_of(error.what());
    what.resize(std::min<size_t>(what.size(), 200));  // it may quote a number of any length
    const bool trailing = what.find("expected end of input") != what.npos;
    const size_t at = truncated || position == 0 ? size_ : position - 1;
    fault(fmt::format("{}: {}",
                      truncated  ? "truncated"
                      : trailing ? "trailing bytes"
                                 : "not JSON",
                      what),
          at);
  }

  Json result;

 private:
  [[noreturn]] static void fault(std::string_view what, size_t at) {
    throw FormatError(fmt::format("{} (byte {})", what, at), static_cast<int64_t>(at));
  }
  size_t offset() const { return static_cast<size_t>(reached_ - begin_); }

  Json* put(Json value) {
    if (stack_.empty()) {
      result = std::move(value);
      return &result;
    }
    if (stack_.back()->is_array()) {
      auto& list = stack_.back()->get_ref<Json::array_t&>();
      list.push_back(std::move(value));
      return &list.back();
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json value) {
    if (stack_.size() == kMaxDepth) fault(fmt::format("nested deeper than {}", kMaxDepth), offset() - 1);
    stack_.push_back(put(std::move(value)));
    return true;
  }
  bool close() {
    stack_.pop_back();
    return true;
  }

  // The parser's message without its own place and without what it read last, which may be long and no text.
  static std::string words_of(std::string what) {
    const size_t tag = what.find("] ");
    if (tag != what.npos) what.erase(0, tag + 2);
    const size_t place = what.find(", column ");
    if (place != what.npos) what.erase(0, what.find(": ", place) + 2);
    const size_t last = what.find("; last read: '");
    if (last == what.npos) return what;
    const size_t next = what.rfind("'; expected ");
    return what.erase(last, next == what.npos || next < last ? what.npos : next + 1 - last);
  }

  const char* begin_;
  size_t size_;
  const char* const& reached_;
  std::vector<Json*> stack_;  // the arrays and objects that are open; a parent does not grow meanwhile
  Json* slot_ = nullptr;      // the member that the next value belongs to
};

// Walks through text that is known to be JSON.
struct Scanner {
  std::string_view text;
  size_t at = 0;

  void skip_space() {
    while (at < text.size() &&
           std::string_view(" \t\r\n\xEF\xBB\xBF").find(text[at]) != std::string_view::npos) {
      ++at;
    }
  }
  std::string_view take_string() {
    const size_t start = at++;
    while (text[at] != '"') at += text[at] == '\\' ? 2 : 1;
    ++at;
    return text.substr(start, at - start);
  }
  void skip_value() {
    int depth = 0;
    do {
      skip_space();
      const char c = text[at];
      if (c == '"') {
        take_string();
      } else if (c == '{' || c == '[') {
        ++depth, ++at;
      } else if (c == '}' || c == ']') {
        --depth, ++at;
      } else if (c == ',' || c == ':') {
        ++at;
      } else {
        while (at < text.size() && std::string_view(",]} \t\r\n").find(text[at]) == std::string_view::npos)
          ++at;
      }
    } while (depth > 0);
    skip_space();
  }
  // From the start of an object or array to that of one of its values.
  void enter(std::string_view key, size_t index) {
    ++at;
    for (size_t i = 0;; ++i, ++at) {
      skip_space();
      bool found = key.data() == nullptr && i == index;
      if (key.data() != nullptr) {
        found = Json::parse(take_string()).get_ref<const std::string&>() == key;
        skip_space();
        ++at;  // the colon
        skip_space();
      }
      if (found) return;
      skip_value();
    }
  }
};

}  // namespace

Json parse_json(std::string_view text) {
  // The parser takes a zero byte for the end.
  if (const size_t zero = text.find('\0'); zero != text.npos) {
    throw FormatError(fmt::format("not JSON: a zero byte (byte {})", zero), static_cast<int64_t>(zero));
  }
  const char* reached = text.data();
  Builder builder(text, reached);
  Json::sax_parse(Reading{text.data(), &reached}, Reading{text.data() + text.size(), nullptr}, &builder);
  return std::move(builder.result);
}

std::string json_text(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string json_text(double value) {
  if (std::isnan(value)) return "\"nan\"";
  if (std::isinf(value)) return value > 0 ? "\"inf\"" : "\"-inf\"";
  if (value == 0 && std::signbit(value)) return "-0.0";  // "-0" is an integer to many readers
  return fmt::format("{}", value);
}

std::string in_quotes(std::string_view name) {
  constexpr size_t kShown = 60;
  if (name.size() <= kShown) return fmt::format("'{}'", name);
  size_t cut = kShown;
  while (cut > 0 && (static_cast<unsigned char>(name[cut]) & 0xC0) == 0x80) --cut;  // not inside a character
  return fmt::format("'{}…'", name.substr(0, cut));
}

std::string Place::path() const {
  if (parent_ == nullptr) return {};
  const std::string before = parent_->path();
  if (key_.data() == nullptr) return fmt::format("{}[{}]", before, index_);
  return before.empty() ? std::string(key_) : fmt::format("{}.{}", before, key_);
}

size_t Place::offset() const {
  std::vector<const Place*> steps;
  for (const Place* place = this; place->parent_ != nullptr; place = place->parent_) steps.push_back(place);
  Scanner scanner{document_.text};
  scanner.skip_space();
  for (; !steps.empty(); steps.pop_back()) scanner.enter(steps.back()->key_, steps.back()->index_);
  return scanner.at;
}

void Place::fault(std::string_view what) const {
  const std::string where = path();
  const size_t at = offset();
  throw FormatError(fmt::format("{}{}{}{}{} (byte {})", document_.name, document_.name.empty() ? "" : ": ",
                                where, where.empty() ? "" : ": ", what, at),
                    static_cast<int64_t>(at));
}

void Place::expect_object(std::initializer_list<std::string_view> keys) const {
  if (!value_.is_object()) fault(fmt::format("expected an object, given {}", value_.type_name()));
  for (auto member = value_.begin(); member != value_.end() && keys.size() > 0; ++member) {
    const std::string& key = member.key();
    bool known = false;
    for (std::string_view name : keys) known |= key == name;
    if (known) continue;
    const std::string_view meant = nearest(key, keys, [](std::string_view name) { return name; });
    if (distance(key, meant) <= 1 || (meant.size() > 2 && key.starts_with(meant))) {
      at(member).fault(fmt::format("unknown key, did you mean '{}'?", meant));
    }
  }
}

Place Place::at(const char* key) const {
  const auto member = value_.find(key);
  if (member == value_.end()) fault(fmt::format("'{}' is missing", key));
  return at(member);
}

Place Place::at(const Json::const_iterator& member) const { return {this, *member, member.key(), 0}; }

size_t Place::size() const {
  if (!value_.is_array()) fault(fmt::format("expected a list, given {}", value_.type_name()));
  return value_.size();
}

Place Place::item(size_t i) const { return {this, value_[i], {}, i}; }

const std::string& Place::string() const {
  if (!value_.is_string()) fault(fmt::format("expected a text, given {}", value_.type_name()));
  return value_.get_ref<const std::string&>();
}

bool Place::boolean() const {
  if (!value_.is_boolean()) fault(fmt::format("expected true or false, given {}", value_.type_name()));
  return value_.get<bool>();
}

bool Place::is_integer() const {
  if (value_.is_number_unsigned())
    return value_.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()};
  // The parser calls only numbers with a sign so.
  return value_.is_number_integer() && value_.get<int64_t>() != 0;
}

int64_t Place::integer() const {
  if (value_.is_number_integer() && !value_.is_number_unsigned()) return value_.get<int64_t>();
  if (is_integer()) return value_.get<int64_t>();
  if (value_.is_number()) fault(fmt::format("expected an integer of 64 bits, given {}", value_.dump()));
  fault(fmt::format("expected an integer, given {}", value_.type_name()));
}

double Place::number() const {
  if (value_.is_number()) {
    const auto value = value_.get<double>();
    // "-0" comes as an integer with a sign.
    const bool negative = value_.is_number_integer() && !value_.is_number_unsigned();
    return value == 0 && negative ? -0.0 : value;
  }
  if (value_.is_string()) {
    const auto& text = value_.get_ref<const std::string&>();
    if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
    if (text == "inf") return std::numeric_limits<double>::infinity();
    if (text == "-inf") return -std::numeric_limits<double>::infinity();
    fault(fmt::format("expected a number, \"nan\", \"inf\" or \"-inf\", given {}", in_quotes(text)));
  }
  fault(fmt::format("expected a number, given {}", value_.type_name()));
}

}  // namespace tapegrad::io
