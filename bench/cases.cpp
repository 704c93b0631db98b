#include "bench/cases.h"

#include <autograd/profile.h>

#include <stdexcept>

namespace tapegrad::bench {

std::vector<std::string> case_names() {
  std::vector<std::string> names = net_names();
  names.insert(names.end(), {"chain-1m", "softmax", "log-softmax", "op-overhead"});
  return names;
}

Case make_case(const std::string& id, Parts parts) {
  for (const std::string& net : net_names()) {
    if (net == id) return make_net_case(id, parts);
  }
  if (id == "chain-1m") return make_chain_case(parts);
  if (id == "softmax") return make_softmax_case(false, parts);
  if (id == "log-softmax") return make_softmax_case(true, parts);
  if (id == "op-overhead") return make_overhead_case(parts);
  throw std::invalid_argument("no case named " + id);
}

void add_cost(Case& result, Program& program, std::span<const Tensor> inputs) {
  const Profile p = profile(program, inputs, {.seconds = 0.03});
  result.profile = p.text(3);
  for (const ProfileEntry& op : p.ops) {
    result.flops += op.flops;
    result.bytes += op.bytes;
  }
  result.planned_bytes = static_cast<long long>(program.memory().peak());
}

}  // namespace tapegrad::bench
