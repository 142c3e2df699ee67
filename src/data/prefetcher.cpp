// Worker threads of the loader. Job k goes to worker k modulo their number, each of which has random numbers of its own,
// so that results do not depend on who is faster.
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "bolide/autograd.h"
#include "bolide/data.h"
#include "core/rng.h"

namespace bolide::data::detail {

struct Prefetcher::State {
  struct Job {
    std::vector<size_t> indices;
    std::shared_ptr<void> result;
    std::exception_ptr error;
    bool done = false;
  };
  using JobPointer = std::shared_ptr<Job>;

  Make make;
  std::optional<double> timeout;
  mutable std::mutex mutex;
  std::condition_variable work, ready;
  std::deque<JobPointer> jobs;                // in order, until they are handed over
  std::vector<std::deque<JobPointer>> queue;  // of each worker
  std::vector<std::thread> threads;
  size_t pushed = 0;
  bool stop = false;

  void run(size_t worker, uint64_t seed, bool grad) {
    Generator own(seed + worker);
    const UseGenerator use(own);
    set_grad_enabled(grad);
    std::unique_lock lock(mutex);
    while (true) {
      work.wait(lock, [&] { return stop || !queue[worker].empty(); });
      if (stop) return;
      const JobPointer job = std::move(queue[worker].front());
      queue[worker].pop_front();
      lock.unlock();
      try {
        job->result = make(job->indices);
      } catch (...) {
        job->error = std::current_exception();
      }
      lock.lock();
      job->done = true;
      ready.notify_all();
    }
  }
};

Prefetcher::Prefetcher(Make make, size_t workers, std::optional<double> timeout, uint64_t base_seed) : state_(std::make_unique<State>()) {
  state_->make = std::move(make);
  state_->timeout = timeout;
  state_->queue.resize(workers);
  for (size_t w = 0; w < workers; ++w)
    state_->threads.emplace_back([s = state_.get(), w, base_seed, grad = grad_enabled()] { s->run(w, base_seed, grad); });
}

Prefetcher::~Prefetcher() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stop = true;
  }
  state_->work.notify_all();
  for (std::thread& t : state_->threads) t.join();
}

void Prefetcher::push(std::vector<size_t> indices) {
  auto job = std::make_shared<State::Job>();
  job->indices = std::move(indices);
  {
    const std::lock_guard lock(state_->mutex);
    state_->jobs.push_back(job);
    state_->queue[state_->pushed++ % state_->queue.size()].push_back(std::move(job));
  }
  state_->work.notify_all();
}

std::shared_ptr<void> Prefetcher::pop() {
  std::unique_lock lock(state_->mutex);
  const auto job = state_->jobs.front();
  const auto done = [&] { return job->done; };
  if (!state_->timeout) state_->ready.wait(lock, done);
  else if (!state_->ready.wait_for(lock, std::chrono::duration<double>(*state_->timeout), done))
    fail("DataLoader timed out after ", *state_->timeout, " seconds");
  state_->jobs.pop_front();
  if (job->error) std::rethrow_exception(job->error);
  return job->result;
}

size_t Prefetcher::pending() const {
  const std::lock_guard lock(state_->mutex);
  return state_->jobs.size();
}

}  // namespace bolide::data::detail
