#include "nn/data/loader.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "autograd/raise.h"

namespace tapegrad::nn {

// One pass over the data, with a thread that works ahead where one is wanted and to be had.
class detail::EpochRun {
 public:
  EpochRun(AnySource source, Tensor order, int64_t batches, const LoaderOptions& options)
      : source_(std::move(source)), order_(std::move(order)), batches_(batches), options_(options) {
    if (options_.prefetch == 0) return;
    try {
      thread_ = std::thread([this] { work(); });
    } catch (const std::system_error&) {
      // The system gives no more threads: each batch is made when it is asked for.
    }
  }
  ~EpochRun() {
    if (!thread_.joinable()) return;
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_one();
    thread_.join();
  }
  EpochRun(const EpochRun&) = delete;
  EpochRun& operator=(const EpochRun&) = delete;

  // The next batch; none at the end. Throws what the data set threw.
  std::optional<Batch> next() {
    if (taken_ == batches_) return {};
    const int64_t i = taken_++;
    if (!thread_.joinable()) return make(i);
    std::unique_lock lock(mutex_);
    news_.wait(lock, [&] { return !ready_.empty() || error_ != nullptr; });
    if (ready_.empty()) {
      taken_ = batches_;
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    room_.notify_one();
    return batch;
  }

 private:
  Batch make(int64_t i) const {
    const auto all = order_.data<int64_t>();
    const int64_t first = i * options_.batch_size;
    const int64_t count = std::min(options_.batch_size, static_cast<int64_t>(all.size()) - first);
    const auto part = all.subspan(static_cast<size_t>(first), static_cast<size_t>(count));
    return source_.batch(source_.data.get(), from_span(part, {count}));
  }

  void work() {
    try {
      for (int64_t i = 0; i < batches_; ++i) {
        {
          std::unique_lock lock(mutex_);
          const auto most = static_cast<size_t>(options_.prefetch);
          room_.wait(lock, [&] { return stopping_ || ready_.size() < most; });
          if (stopping_) return;
        }
        Batch batch = make(i);
        {
          const std::lock_guard lock(mutex_);
          ready_.push_back(std::move(batch));
        }
        news_.notify_one();
      }
    } catch (...) {
      {
        const std::lock_guard lock(mutex_);
        error_ = std::current_exception();
      }
      news_.notify_one();
    }
  }

  const AnySource source_;
  const Tensor order_;
  const int64_t batches_;
  const LoaderOptions options_;
  int64_t taken_ = 0;

  std::mutex mutex_;  // of what follows
  std::condition_variable news_, room_;
  std::deque<Batch> ready_;
  std::exception_ptr error_;
  bool stopping_ = false;
  std::thread thread_;
};

DataLoader::Iterator::Iterator(std::shared_ptr<detail::EpochRun> run) : run_(std::move(run)) { ++*this; }

DataLoader::Iterator& DataLoader::Iterator::operator++() {
  if (std::optional<Batch> batch = run_->next()) {
    batch_ = std::move(*batch);
  } else {
    run_ = nullptr;
    batch_ = {};
  }
  return *this;
}

DataLoader::DataLoader(detail::AnySource source, const LoaderOptions& options)
    : source_(std::move(source)), options_(options) {
  if (options.batch_size < 1)
    raise<ArgumentError>("[DataLoader] batch_size must be at least 1, given {}", options.batch_size);
  if (options.prefetch < 0)
    raise<ArgumentError>("[DataLoader] prefetch must be at least 0, given {}", options.prefetch);
}

int64_t DataLoader::count() const {
  const int64_t samples = size(), b = options_.batch_size;
  return samples / b + (samples % b != 0 && !options_.drop_last ? 1 : 0);
}

DataLoader::Iterator DataLoader::begin() {
  constexpr uint64_t kOrders = 0x6f72646572;  // keeps these draws apart from others of the same seed
  Tensor order;
  if (options_.shuffle) {
    Rng rng(tapegrad::detail::philox(options_.seed, static_cast<uint64_t>(epoch_), kOrders).word[0]);
    order = rng.permutation(size());
  } else {
    order = arange(0, size());
  }
  auto run = std::make_shared<detail::EpochRun>(source_, std::move(order), count(), options_);
  ++epoch_;
  return Iterator(std::move(run));
}

}  // namespace tapegrad::nn
