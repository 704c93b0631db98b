#include "nn/branches.h"

#include "autograd/ops.h"
#include "autograd/raise.h"
#include "nn/text.h"

namespace tapegrad::nn {
Tensor Residual::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  const Tensor from = detail::to_tensor(x);
  const Tensor y = f_.call(from, "f");
  const Tensor around = projection_ ? projection_.call(from, "projection") : from;
  if (!(around.shape() == y.shape())) {
    raise<ShapeError>("[Residual] expected f to give {} like {}, given {}{}", describe(around),
                      projection_ ? "the projection" : "x, which a projection could change", describe(y),
                      location(site.where()));
  }
  return call.result(around + y);
}

Tensor Parallel::operator()(const Arg& x) const {
  CallSite site(x);
  LayerCall call(this);
  const Tensor from = detail::to_tensor(x);
  std::vector<Tensor> results;
  results.reserve(branches_.size());
  for (size_t i = 0; i < branches_.size(); ++i) results.push_back(branches_[i].call(from, i));
  if (join_ == Join::concat) return call.result(cat(results, dim_, x.where().file, x.where().line));
  Tensor total = results[0];
  for (size_t i = 1; i < results.size(); ++i) {
    if (!(results[i].shape() == total.shape())) {
      raise<ShapeError>("[Parallel] expected every branch to give {}, like branch 0, branch {} gives {}{}",
                        describe(total), i, describe(results[i]), location(site.where()));
    }
    total = total + results[i];
  }
  return call.result(total);
}

}  // namespace tapegrad::nn
