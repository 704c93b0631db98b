#include "autograd/ops/einsum_terms.h"

#include <fmt/format.h>

#include <algorithm>

namespace tapegrad::ops {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// One side of a comma: the letters, and where among them the ellipsis stands (npos: nowhere).
struct Term {
  Labels letters;
  size_t ellipsis = std::string::npos;
};

std::string read_term(std::string_view text, Term& term) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (is_letter(text[i])) {
      term.letters += text[i];
    } else if (text.substr(i, 3) == "..." && term.ellipsis == std::string::npos) {
      term.ellipsis = term.letters.size();
      i += 2;
    } else if (text[i] == '.') {
      return text.substr(i, 3) == "..." ? fmt::format("two ellipses in \"{}\"", text)
                                        : fmt::format("a dot that is no ellipsis in \"{}\"", text);
    } else {
      return fmt::format("unexpected '{}' in \"{}\"", text[i], text);
    }
  }
  return {};
}

Labels fill_ellipsis(const Term& term, std::string_view dims) {
  Labels labels = term.letters;
  if (term.ellipsis != std::string::npos) labels.insert(term.ellipsis, dims);
  return labels;
}

std::string check_result(const Terms& terms) {
  for (size_t i = 0; i < terms.result.size(); ++i) {
    const char c = terms.result[i];
    if (terms.result.find(c, i + 1) != std::string::npos)
      return fmt::format("'{}' is twice in the result", c);
    const auto has = [c](const Labels& labels) { return labels.find(c) != std::string::npos; };
    if (std::none_of(terms.operands.begin(), terms.operands.end(), has)) {
      return fmt::format("'{}' of the result is in no operand", c);
    }
  }
  return {};
}

}  // namespace

Terms read_equation(std::string_view equation, std::span<const int> ranks) {
  Terms terms;
  auto fail = [&](std::string what) {
    terms.error = std::move(what);
    return terms;
  };
  std::string text;
  for (char c : equation) {
    if (c != ' ') text += c;
  }
  const size_t arrow = text.find("->");
  const std::string_view left = std::string_view(text).substr(0, arrow);
  const std::string_view right = arrow == std::string::npos ? "" : std::string_view(text).substr(arrow + 2);
  std::vector<Term> read;
  for (size_t begin = 0; begin <= left.size();) {
    const size_t end = std::min(left.find(',', begin), left.size());
    std::string wrong = read_term(left.substr(begin, end - begin), read.emplace_back());
    if (!wrong.empty()) return fail(std::move(wrong));
    begin = end + 1;
  }
  Term result;
  if (std::string wrong = read_term(right, result); !wrong.empty()) return fail(std::move(wrong));
  if (read.size() != ranks.size()) {
    return fail(fmt::format("the equation is for {} operands, given {}", read.size(), ranks.size()));
  }
  // How many dims the ellipses stand for, and letters for them.
  size_t most = 0;
  for (size_t i = 0; i < read.size(); ++i) {
    const size_t letters = read[i].letters.size(), rank = static_cast<size_t>(ranks[i]);
    const bool open = read[i].ellipsis != std::string::npos;
    if (open ? letters > rank : letters != rank) {
      terms.misfit = true;
      return fail(fmt::format("operand {} has {} dimensions, \"{}\" names {}{}", i, rank, read[i].letters,
                              open ? "at least " : "", letters));
    }
    if (open) most = std::max(most, rank - letters);
  }
  std::string dims;
  for (char c = 'z'; dims.size() < most && c >= 'A'; --c) {
    if (is_letter(c) && text.find(c) == std::string::npos) dims.insert(dims.begin(), c);
  }
  if (dims.size() < most) return fail("no letters are left for the dims of the ellipsis");
  for (size_t i = 0; i < read.size(); ++i) {
    const size_t count = static_cast<size_t>(ranks[i]) - read[i].letters.size();
    terms.operands.push_back(
        fill_ellipsis(read[i], std::string_view(dims).substr(most - std::min(count, most))));
  }
  if (arrow != std::string::npos) {
    terms.result = fill_ellipsis(result, dims);
  } else {
    std::string all;
    for (const Term& term : read) all += term.letters;
    std::sort(all.begin(), all.end());
    terms.result = dims;
    for (char c : all) {
      if (std::count(all.begin(), all.end(), c) == 1) terms.result += c;
    }
  }
  terms.error = check_result(terms);
  return terms;
}

std::string write_equation(std::span<const Labels> operands, std::string_view result) {
  return fmt::format("{}->{}", fmt::join(operands, ","), result);
}

LabelSizes label_sizes(const Terms& terms, std::span<const Shape> shapes, std::string& error) {
  LabelSizes sizes;
  size_t owner[128] = {};
  std::fill(std::begin(sizes.of), std::end(sizes.of), -1);
  for (size_t i = 0; i < shapes.size(); ++i) {
    const Labels& labels = terms.operands[i];
    for (size_t d = 0; d < labels.size(); ++d) {
      const int64_t size = shapes[i][static_cast<int>(d)];
      const size_t first = labels.find(labels[d]);
      if (shapes[i][static_cast<int>(first)] != size) {
        error = fmt::format("'{}' is repeated in operand {} with sizes {} and {}", labels[d], i,
                            shapes[i][static_cast<int>(first)], size);
        return sizes;
      }
      const auto at = static_cast<unsigned char>(labels[d]);
      if (sizes.of[at] > 1 || sizes.of[at] == 0) {
        if (size != sizes.of[at] && size != 1) {
          error = fmt::format("'{}' has size {} in operand {} and {} in operand {}", labels[d], sizes.of[at],
                              owner[at], size, i);
          return sizes;
        }
      } else {
        sizes.of[at] = size;
        owner[at] = i;
      }
    }
  }
  return sizes;
}

}  // namespace tapegrad::ops
