// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/flow_report.h"

#include "appliances/dpi/events.h"

namespace sluice::dpi {

FlowReport report_of(const DpiRecord& record, const inspect::Classifier& classifier,
                     const inspect::Policy& policy, const inspect::PolicyFacts& facts) {
  const DpiFlow& flow = record.user;
  const inspect::FlowClassification& known = flow.classification;
  FlowReport report;
  report.to_server = record.to_server;
  report.application = classifier.name(known.application());
  report.category = classifier.category_name(known.application());
  report.findings = known.findings();
  report.final = known.final();
  report.action = action_text(flow);
  report.rule = rule_text(flow);
  report.blocked_by = flow.blocked_by;
  report.packets_blocked = flow.packets_blocked;
  report.packets_limited = flow.packets_limited;
  report.packets_over_quota = flow.packets_over_quota;
  for (const FlowStep& step : flow.steps)
    report.history.push_back({step.packet, classifier.name(step.application), step.rule->text});
  report.reasons = policy.explain(facts, classifier.names());
  return report;
}

}  // namespace sluice::dpi
