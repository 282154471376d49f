// SPDX-License-Identifier: Apache-2.0
// The workers of a running appliance, as another thread sees them: it can have something done by
// each, between two batches of packets.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "appliances/sdk/appliance.h"
#include "appliances/sdk/errands.h"
#include "tunnels/result.h"

namespace sluice::sdk {

// How long each() waits for a person who asked, and for a page of the health endpoint, which must
// go on answering checks.
inline constexpr int64_t kErrandWaitMs = 10'000;
inline constexpr int64_t kPageWaitMs = 1000;

class Workers {
 public:
  using Task = std::function<void(size_t worker, Appliance&)>;

  explicit Workers(std::vector<Errands*> errands, int64_t wait_ms = kErrandWaitMs)
      : errands_(std::move(errands)), wait_ms_(wait_ms) {}

  size_t count() const { return errands_.size(); }
  // The same workers, with less patience or more.
  Workers waiting(int64_t wait_ms) const { return Workers(errands_, wait_ms); }

  // Has `task` run once on every worker's thread, at the same time, and waits for it. An error if a
  // worker has not done it in time; it will, so `task` must own or share what it uses.
  Result<> each(const Task& task) const;

  // What `question` returns for each worker's appliance, in the order of the workers.
  template <class T, class Question>
  Result<std::vector<T>> ask(Question question) const {
    auto answers = std::make_shared<std::vector<T>>(count());
    SLUICE_TRY_VOID(each([answers, question](size_t worker, Appliance& appliance) {
      (*answers)[worker] = question(appliance);
    }));
    return std::move(*answers);
  }
  // All of them together.
  template <class T, class Question>
  Result<T> sum(Question question) const {
    SLUICE_TRY(const std::vector<T> parts, ask<T>(std::move(question)));
    T out{};
    for (const T& part : parts) out += part;
    return out;
  }

 private:
  std::vector<Errands*> errands_;
  int64_t wait_ms_;
};

}  // namespace sluice::sdk
