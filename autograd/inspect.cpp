#include "autograd/inspect.h"

#include <fmt/format.h>

#include <cmath>

#include "autograd/text.h"

namespace tapegrad {
namespace {

constexpr int64_t kEdge = 3;       // entries shown at either end of a long dim
constexpr int64_t kShownAll = 60;  // tensors of up to this many elements are shown whole

std::string element(const Tensor& x, int64_t i) {
  const auto at = static_cast<size_t>(i);
  switch (x.dtype()) {
    case DType::float32: return fmt::format("{:.6g}", x.data<float>()[at]);
    case DType::float64: return fmt::format("{:.6g}", x.data<double>()[at]);
    case DType::int64: return fmt::format("{}", x.data<int64_t>()[at]);
    case DType::boolean: return x.data<bool>()[at] ? "true" : "false";
  }
  return {};
}

void write_dim(const Tensor& x, const Shape& shape, int dim, int64_t offset, std::string& text) {
  if (dim == shape.rank()) {
    text += element(x, offset);
    return;
  }
  int64_t stride = 1;
  for (int d = dim + 1; d < shape.rank(); ++d) stride *= shape[d];
  const bool cut = x.numel() > kShownAll && shape[dim] > 2 * kEdge;
  const std::string separator =
      dim + 1 < shape.rank() ? ",\n" + std::string(static_cast<size_t>(dim) + 1, ' ') : std::string(", ");
  text += "[";
  for (int64_t i = 0; i < shape[dim]; ++i) {
    if (i > 0) text += separator;
    if (cut && i == kEdge) {
      text += "…" + separator;
      i = shape[dim] - kEdge;
    }
    write_dim(x, shape, dim + 1, offset + i * stride, text);
  }
  text += "]";
}

std::string value_name(const Tape& tape, uint32_t value) {
  switch (tape.kind(value)) {
    case ValueKind::parameter: return fmt::format("\"{}\"", tape.parameter(value).name());
    case ValueKind::real_literal:
    case ValueKind::integer_literal: return fmt::format("{}", tape.value(value).item());
    case ValueKind::watched: return fmt::format("watched %{}", value);
    case ValueKind::constant: {
      const Tensor x = tape.value(value);
      return fmt::format("constant {}", x.defined() ? describe(*x.handle()) : "freed");
    }
    default: return fmt::format("%{}", value);
  }
}

std::string value_type(const Tape& tape, uint32_t value) {
  const Tensor x = tape.value(value);
  return x.defined() ? describe(*x.handle()) : "freed";
}

std::string op_text(const Record& record) {
  const std::string options = to_string(record.option_ref());
  return options.empty() ? std::string(record.op->name) : fmt::format("{}({})", record.op->name, options);
}

std::string escape(std::string_view text) {
  std::string result;
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

}  // namespace

std::string to_string(const Tensor& x) {
  if (!x.defined()) return "undefined";
  std::string text;
  write_dim(x, x.shape(), 0, 0, text);
  return text + " " + describe(*x.handle());
}

std::string to_string(const Tape& tape) {
  std::string text;
  size_t total = 0;
  for (size_t r = 0; r < tape.size(); ++r) {
    const Record& record = tape[r];
    text += fmt::format("{:>4}  ", r);
    size_t bytes = 0;
    for (uint32_t k = 0; k < record.output_count; ++k) {
      const Tensor y = tape.value(record.first_output + k);
      if (y.defined() && y.handle()->owner == nullptr) bytes += y.handle()->bytes();
      text += fmt::format("{}%{}: {}", k > 0 ? ", " : "", record.first_output + k,
                          value_type(tape, record.first_output + k));
    }
    text += fmt::format(" = {} ", op_text(record));
    for (uint32_t i = 0; i < record.input_count; ++i) {
      text += fmt::format("{}{}", i > 0 ? ", " : "", value_name(tape, record.inputs[i]));
    }
    text += fmt::format("  {} bytes{}\n", bytes, location(record.where));
    total += bytes;
  }
  return text + fmt::format("tape {}: {} records, {} values, {} bytes\n", tape.serial(), tape.size(),
                            tape.values(), total);
}

std::string to_string(const Gradients& gradients) {
  std::string text;
  for (const Gradients::Entry& entry : gradients.entries()) {
    double squares = 0;
    for (int64_t i = 0; i < entry.gradient.numel(); ++i) {
      const double v = entry.gradient.dtype() == float64
                           ? entry.gradient.data<double>()[static_cast<size_t>(i)]
                           : entry.gradient.data<float>()[static_cast<size_t>(i)];
      squares += v * v;
    }
    const std::string key = entry.parameter.defined()
                                ? std::string(entry.parameter.name())
                                : fmt::format("watched %{} of tape {}", entry.value, entry.tape);
    text += fmt::format("{}: {}, norm {:.6g}\n", key, describe(*entry.gradient.handle()), std::sqrt(squares));
  }
  return text;
}

std::string to_dot(const Tape& tape) {
  std::string text =
      "digraph tape {\n  rankdir=TB;\n  node [fontname=\"sans-serif\", fontsize=10];\n"
      "  edge [fontname=\"sans-serif\", fontsize=9];\n";
  for (uint32_t v = 0; v < tape.values(); ++v) {
    if (tape.kind(v) == ValueKind::produced) continue;
    const bool leaf = tape.kind(v) == ValueKind::parameter || tape.kind(v) == ValueKind::watched;
    text +=
        fmt::format("  v{} [shape=box, style={}, label=\"{}\"];\n", v, leaf ? "filled" : "dashed",
                    escape(leaf ? value_name(tape, v) + "\n" + value_type(tape, v) : value_name(tape, v)));
  }
  for (size_t r = 0; r < tape.size(); ++r) {
    const Record& record = tape[r];
    text += fmt::format("  r{} [shape=ellipse, label=\"{}\"];\n", r, escape(op_text(record)));
    for (uint32_t i = 0; i < record.input_count; ++i) {
      const uint32_t v = record.inputs[i];
      if (tape.kind(v) == ValueKind::produced) {
        text += fmt::format("  r{} -> r{} [label=\"{}\"];\n", tape.producer(v), r, value_type(tape, v));
      } else {
        text += fmt::format("  v{} -> r{};\n", v, r);
      }
    }
  }
  return text + "}\n";
}

}  // namespace tapegrad
