#include "nn/init.h"

#include "nn/initial.h"
#include "nn/names.h"

namespace tapegrad::nn {
namespace detail {

Tensor gaussian_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::lecun_normal({out, in}, rng, dtype);
}
Tensor gaussian_bias(int64_t out, int64_t, Rng& rng, DType dtype) { return rng.normal({out}, dtype); }

Tensor xavier_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::xavier_uniform({out, in}, rng, 1, dtype);
}
Tensor xavier_normal_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::xavier_normal({out, in}, rng, 1, dtype);
}
Tensor kaiming_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::kaiming_uniform({out, in}, rng, {}, dtype);
}
Tensor kaiming_normal_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::kaiming_normal({out, in}, rng, {}, dtype);
}
Tensor lecun_uniform_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::lecun_uniform({out, in}, rng, dtype);
}
Tensor orthogonal_weight(int64_t out, int64_t in, Rng& rng, DType dtype) {
  return init::orthogonal({out, in}, rng, 1, dtype);
}

Tensor zero_bias(int64_t out, int64_t, Rng&, DType dtype) { return zeros({out}, dtype); }

}  // namespace detail

std::span<const Initializer* const> all_initializers() {
  static constexpr const Initializer* kAll[] = {&gaussian,        &xavier_uniform, &xavier_normal,
                                                &kaiming_uniform, &kaiming_normal, &lecun_uniform,
                                                &lecun_normal,    &orthogonal};
  return kAll;
}

const Initializer* find_initializer(std::string_view name) {
  for (const Initializer* initializer : all_initializers()) {
    if (initializer->name == name) return initializer;
  }
  return nullptr;
}

const Initializer& initializer(std::string_view name) {
  if (const Initializer* found = find_initializer(name)) return *found;
  raise_unknown("initializer", "name", name, all_initializers(),
                [](const Initializer* i) { return i->name; });
}

}  // namespace tapegrad::nn
