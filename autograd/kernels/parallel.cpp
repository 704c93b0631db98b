#include "autograd/kernels/parallel.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace tapegrad::kernels {
namespace {

constexpr int kMaxThreads = 1024;
constexpr auto kSpin = std::chrono::microseconds(50);

void relax() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until done() or until the time is over; says whether done() held.
template <class Done>
bool spin(Done&& done) {
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return done();
}

int process() {
#if defined(__unix__) || defined(__APPLE__)
  return static_cast<int>(getpid());
#else
  return 0;
#endif
}

int default_threads() {
  if (const char* text = std::getenv("TAPEGRAD_NUM_THREADS")) {
    char* end = nullptr;
    const long n = std::strtol(text, &end, 10);
    if (end != text && *end == '\0' && n >= 1) return static_cast<int>(std::min<long>(n, kMaxThreads));
  }
  int n = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) n = CPU_COUNT(&set);
#endif
  return std::clamp(n, 1, kMaxThreads);
}

// One job at a time. The fields of a job are written only while the gate is closed and no worker is inside:
// a worker enters by raising the gate's count while it is open, the caller closes it when no piece is left
// and waits for the count to fall to 0. Gate: bit 0 open, bits 1-15 workers inside, bits 16-31 serial number
// of the job.
class Pool {
 public:
  int threads() const { return wanted_.load(std::memory_order_relaxed); }
  void set_threads(int n) { wanted_.store(std::clamp(n, 1, kMaxThreads), std::memory_order_relaxed); }

  // False where the caller has to run the pieces itself.
  bool run(int64_t count, int64_t grain, detail::Piece piece, void* body) {
    const int wanted = threads();
    if (wanted == 1 || busy_.load(std::memory_order_relaxed)) return false;
    if (busy_.exchange(true, std::memory_order_acquire)) return false;
    if (!prepare(wanted - 1)) {
      busy_.store(false, std::memory_order_release);
      return false;
    }
    count_ = count;
    grain_ = grain;
    piece_ = piece;
    body_ = body;
    next_.store(0, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
    const uint32_t serial = (gate_.load(std::memory_order_relaxed) & kSerial) + kOneSerial;
    gate_.store(serial | kOpen, std::memory_order_seq_cst);
    wake((count - 1) / grain);
    work();
    gate_.fetch_and(~kOpen, std::memory_order_acq_rel);
    const auto left = [&] { return (gate_.load(std::memory_order_acquire) & kInside) == 0; };
    while (!spin(left)) std::this_thread::yield();
    std::exception_ptr error;
    if (failed_.load(std::memory_order_relaxed)) std::swap(error, error_);
    busy_.store(false, std::memory_order_release);
    if (error) std::rethrow_exception(error);
    return true;
  }

  // Ends the workers for good; later loops run on their callers. A forked child has none to end.
  void close() {
    if (process() != process_) return;
    set_threads(1);
    while (busy_.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    stop();
  }

 private:
  static constexpr uint32_t kOpen = 1, kOneInside = 2, kInside = 0xfffe, kOneSerial = 0x10000,
                            kSerial = 0xffff0000;

  bool prepare(int workers) {
    if (static_cast<int>(workers_.size()) == workers) return true;
    stop();
    try {
      workers_.reserve(static_cast<size_t>(workers));
      const uint32_t serial = gate_.load(std::memory_order_relaxed) & kSerial;
      for (int i = 0; i < workers; ++i) workers_.emplace_back([this, serial] { serve(serial); });
    } catch (...) {  // The system gives no more threads: go on with those it gave.
    }
    if (static_cast<int>(workers_.size()) < workers) set_threads(static_cast<int>(workers_.size()) + 1);
    return !workers_.empty();
  }

  void stop() {
    stopping_.store(true, std::memory_order_seq_cst);
    wake(kMaxThreads);
    for (std::thread& worker : workers_) worker.join();
    workers_.clear();
    stopping_.store(false, std::memory_order_relaxed);
  }

  // Either this sees the sleeper, or the sleeper, which looks once more after counting itself, sees the news.
  void wake(int64_t most) {
    if (sleepers_.load(std::memory_order_seq_cst) == 0) return;
    { const std::lock_guard lock(mutex_); }
    if (most >= static_cast<int64_t>(workers_.size())) {
      wakeup_.notify_all();
    } else {
      for (int64_t i = 0; i < most; ++i) wakeup_.notify_one();
    }
  }

  void serve(uint32_t served) {
    const auto news = [&] {
      const uint32_t gate = gate_.load(std::memory_order_seq_cst);
      return stopping_.load(std::memory_order_seq_cst) || ((gate & kOpen) && (gate & kSerial) != served);
    };
    while (true) {
      if (!spin(news)) {
        std::unique_lock lock(mutex_);
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        wakeup_.wait(lock, news);
        sleepers_.fetch_sub(1, std::memory_order_relaxed);
      }
      if (stopping_.load(std::memory_order_acquire)) return;
      uint32_t gate = gate_.load(std::memory_order_relaxed);
      while ((gate & kOpen) && (gate & kSerial) != served) {
        if (gate_.compare_exchange_weak(gate, gate + kOneInside, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
          served = gate & kSerial;
          work();
          gate_.fetch_sub(kOneInside, std::memory_order_release);
          break;
        }
      }
    }
  }

  void work() {
    while (true) {
      const int64_t begin = next_.fetch_add(grain_, std::memory_order_relaxed);
      if (begin >= count_) return;
      try {
        piece_(body_, begin, std::min(begin + grain_, count_));
      } catch (...) {
        if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
        next_.store(count_, std::memory_order_relaxed);
      }
    }
  }

  alignas(64) std::atomic<uint32_t> gate_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) int64_t count_ = 0;
  int64_t grain_ = 1;
  detail::Piece piece_ = nullptr;
  void* body_ = nullptr;
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<int> wanted_{default_threads()};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  const int process_ = process();
  std::mutex mutex_;
  std::condition_variable wakeup_;
  std::vector<std::thread> workers_;
};

// Lives to the very end of the process, so that loops in late destructors still work; its threads end before.
Pool& pool() {
  alignas(Pool) static unsigned char memory[sizeof(Pool)];
  static Pool* const instance = new (memory) Pool;
  struct Closer {
    ~Closer() { instance->close(); }
  };
  static const Closer closer;
  return *instance;
}

}  // namespace

int num_threads() { return pool().threads(); }
void set_num_threads(int n) { pool().set_threads(n); }

void detail::run_pieces(int64_t count, int64_t grain, Piece piece, void* body) {
  if (pool().run(count, grain, piece, body)) return;
  for (int64_t begin = 0; begin < count; begin += grain) piece(body, begin, std::min(begin + grain, count));
}

}  // namespace tapegrad::kernels
