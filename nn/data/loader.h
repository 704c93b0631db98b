#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>

#include "autograd/export.h"
#include "nn/data/dataset.h"

namespace tapegrad::nn {

// Where a DataLoader gets its samples: Dataset, or a struct of one's own, which may read files or change
// images on the way. batch() is called from the loader's thread, one call at a time.
template <class D>
concept BatchSource = std::copy_constructible<D> && requires(const D& data, const Tensor& indices) {
  { data.size() } -> std::convertible_to<int64_t>;
  { data.batch(indices) } -> std::convertible_to<Batch>;
};

struct LoaderOptions {
  int64_t batch_size = 1;
  bool shuffle = false;    // in another order at each epoch
  bool drop_last = false;  // leave out a last batch that is not full
  int64_t prefetch = 2;    // how many batches a thread of the loader's own prepares ahead; 0: it has none
  uint64_t seed = 0;       // of the orders
};

namespace detail {
struct AnySource {
  std::shared_ptr<const void> data;
  int64_t (*size)(const void* data);
  Batch (*batch)(const void* data, const Tensor& indices);

  template <class D>
  static AnySource of(D data) {
    return {std::make_shared<const D>(std::move(data)),
            [](const void* d) -> int64_t { return static_cast<const D*>(d)->size(); },
            [](const void* d, const Tensor& i) -> Batch { return static_cast<const D*>(d)->batch(i); }};
  }
};

class EpochRun;
}  // namespace detail

// The batches of a data set, epoch by epoch:
//   DataLoader loader(data, {.batch_size = 128, .shuffle = true, .seed = 7});
//   for (const auto& [inputs, targets] : loader) …     // one epoch; the next loop is the next one
// The order of an epoch follows from seed and epoch alone, whatever the thread does. What the data set throws
// comes out of the loop where the faulty batch would have come. Leaving the loop stops the thread.
class TAPEGRAD_API DataLoader {
 public:
  class TAPEGRAD_API Iterator {
   public:
    using value_type = Batch;
    using difference_type = ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator() = default;
    const Batch& operator*() const { return batch_; }
    const Batch* operator->() const { return &batch_; }
    Iterator& operator++();
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return run_ == nullptr; }

   private:
    friend class DataLoader;
    explicit Iterator(std::shared_ptr<detail::EpochRun> run);

    std::shared_ptr<detail::EpochRun> run_;  // null at the end
    Batch batch_;
  };

  // Keeps a copy of the data set; that of a Dataset shares its memory. Throws ArgumentError for a batch_size
  // below 1 or a negative prefetch.
  template <BatchSource D>
  explicit DataLoader(D data, const LoaderOptions& options = {})
      : DataLoader(detail::AnySource::of(std::move(data)), options) {}
  DataLoader(detail::AnySource source, const LoaderOptions& options);

  // Batches of an epoch.
  int64_t count() const;
  // Samples of the data set.
  int64_t size() const { return source_.size(source_.data.get()); }
  // The epoch that begin() begins next, from 0. Setting it goes on where another run stopped.
  int64_t epoch() const { return epoch_; }
  void set_epoch(int64_t epoch) { epoch_ = epoch; }

  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  detail::AnySource source_;
  LoaderOptions options_;
  int64_t epoch_ = 0;
};

}  // namespace tapegrad::nn
