// SPDX-License-Identifier: Apache-2.0
// Conditions about what a transaction of one application protocol says beside its buffers.
#pragma once

#include <memory>
#include <utility>

#include "inspect/app/transaction.h"
#include "inspect/rules/condition.h"
#include "inspect/rules/keywords.h"

namespace sluice::inspect {

// `Test` takes the transaction and where the rule is asked. What is not known yet does not hold.
template <class Its, AppProtocol kProtocol, class Test>
class TransactionCondition final : public Condition {
 public:
  explicit TransactionCondition(Test test) : test_(std::move(test)) {}
  bool holds(const RuleContext& context) const override {
    return context.transaction != nullptr && context.transaction->protocol() == kProtocol &&
           test_(static_cast<const Its&>(*context.transaction), context);
  }
  AppProtocol about_transaction() const override { return kProtocol; }

 private:
  const Test test_;
};

template <class Its, AppProtocol kProtocol, class Test>
Result<> require_of_transaction(RuleDraft& draft, Test test) {
  draft.rule.conditions.push_back(
      std::make_shared<TransactionCondition<Its, kProtocol, Test>>(std::move(test)));
  return {};
}

}  // namespace sluice::inspect
