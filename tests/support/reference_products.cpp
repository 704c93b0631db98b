// References of products.

#include <map>

#include "tests/support/reference_parts.h"

namespace tapegrad::testing {
namespace {

Out bmm(In in, Options) {
  const int64_t b = in[0].shape[0], n = in[0].shape[1], k = in[0].shape[2], m = in[1].shape[2];
  Array y = array_like({b, n, m});
  for (int64_t i = 0; i < y.shape.numel(); ++i) {
    long double sum = 0;
    for (int64_t j = 0; j < k; ++j) {
      const Index at = unravel(i, y.shape);
      sum += static_cast<long double>(in[0][ravel({at[0], at[1], j}, in[0].shape)]) *
             static_cast<long double>(in[1][ravel({at[0], j, at[2]}, in[1].shape)]);
    }
    y[static_cast<size_t>(i)] = static_cast<double>(sum);
  }
  return {y};
}

Out outer(In in, Options) {
  Array y = array_like({in[0].shape[0], in[1].shape[0]});
  for (size_t i = 0; i < y.v.size(); ++i) y[i] = in[0][i / in[1].v.size()] * in[1][i % in[1].v.size()];
  return {y};
}

Out dot(In in, Options) {
  long double sum = 0;
  for (size_t i = 0; i < in[0].v.size(); ++i) {
    sum += static_cast<long double>(in[0][i]) * static_cast<long double>(in[1][i]);
  }
  return {array_like({}, static_cast<double>(sum))};
}

// An index variable for each dim: a letter, or the place from the end of a dim of the ellipsis.
using Names = std::vector<std::string>;

Names names_of(const std::string& term, int rank) {
  const auto dots = term.find("...");
  Names names;
  for (char c : term.substr(0, dots)) names.emplace_back(1, c);
  if (dots == std::string::npos) return names;
  for (int k = rank - static_cast<int>(term.size() - 3); k > 0; --k) names.push_back("." + std::to_string(k));
  for (char c : term.substr(dots + 3)) names.emplace_back(1, c);
  return names;
}

// A sum over every index variable that the result does not have, of products of one element of each operand.
Out einsum(In in, Options o) {
  std::string equation;
  for (double c : o.find("equation")->second) {
    if (c != ' ') equation += static_cast<char>(c);
  }
  const auto arrow = equation.find("->");
  std::vector<Names> terms;
  std::map<std::string, int64_t> sizes;
  std::map<std::string, int> uses;
  std::string rest = equation.substr(0, arrow) + ",";
  int ellipsis = 0;
  for (const Array& x : in) {
    const std::string term = rest.substr(0, rest.find(','));
    rest = rest.substr(rest.find(',') + 1);
    terms.push_back(names_of(term, x.shape.rank()));
    for (size_t d = 0; d < terms.back().size(); ++d) {
      const std::string& name = terms.back()[d];
      const int64_t size = x.shape[static_cast<int>(d)];
      ++uses[name];
      if (!sizes.contains(name) || sizes[name] == 1) sizes[name] = size;
      if (name[0] == '.') ellipsis = std::max(ellipsis, std::stoi(name.substr(1)));
    }
  }
  Names result;
  if (arrow != std::string::npos) {
    const std::string right = equation.substr(arrow + 2);
    const bool open = right.find("...") != std::string::npos;
    result = names_of(right, ellipsis + static_cast<int>(right.size()) - (open ? 3 : 0));
  } else {
    for (int k = ellipsis; k > 0; --k) result.push_back("." + std::to_string(k));
    for (const auto& [name, count] : uses) {
      if (name[0] != '.' && count == 1) result.push_back(name);
    }
  }
  Names all = result;
  for (const auto& [name, size] : sizes) {
    if (std::find(all.begin(), all.end(), name) == all.end()) all.push_back(name);
  }
  Index result_sizes;
  for (const std::string& name : result) result_sizes.push_back(sizes[name]);
  Array y = array_like(shape_from(result_sizes));
  int64_t total = 1;
  for (const std::string& name : all) total *= sizes[name];
  for (int64_t i = 0; i < total; ++i) {
    std::map<std::string, int64_t> at;
    int64_t place = i;
    for (size_t k = all.size(); k-- > 0; place /= sizes[all[k]]) at[all[k]] = place % sizes[all[k]];
    double product = 1;
    for (size_t t = 0; t < in.size(); ++t) {
      Index index;
      for (size_t d = 0; d < terms[t].size(); ++d)
        index.push_back(in[t].shape[static_cast<int>(d)] == 1 ? 0 : at[terms[t][d]]);
      product *= in[t][ravel(index, in[t].shape)];
    }
    Index to;
    for (const std::string& name : result) to.push_back(at[name]);
    y[ravel(to, y.shape)] += product;
  }
  return {y};
}

}  // namespace

const std::map<std::string_view, Reference>& product_references() {
  static const std::map<std::string_view, Reference> table = {
      {"bmm", bmm},
      {"outer", outer},
      {"dot", dot},
      {"einsum", einsum},
  };
  return table;
}

}  // namespace tapegrad::testing
