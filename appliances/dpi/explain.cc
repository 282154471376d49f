// SPDX-License-Identifier: Apache-2.0
#include "appliances/dpi/explain.h"

#include <arpa/inet.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "inspect/dpi/names.h"
#include "inspect/dpi/policy.h"

namespace sluice::dpi {

using inspect::PolicyAction;

namespace {

// "2026-11-21T18:30" with or without seconds and Z.
Result<int64_t> parse_time(const std::string& text, inspect::TimeZone zone) {
  tm parts{};
  const char* rest = strptime(text.c_str(), "%Y-%m-%dT%H:%M", &parts);
  if (rest != nullptr && *rest == ':') rest = strptime(rest, ":%S", &parts);
  const bool utc = rest != nullptr && *rest == 'Z';
  if (rest == nullptr || *(rest + (utc ? 1 : 0)) != '\0')
    return fail("a time like 2026-11-21T18:30 or 2026-11-21T18:30Z is expected", "--time");
  parts.tm_isdst = -1;
  const time_t seconds = utc || zone == inspect::TimeZone::kUtc ? timegm(&parts) : mktime(&parts);
  return int64_t{seconds} * 1'000'000;
}

Result<inspect::Application> parse_application(const DescribedFlow& flow,
                                               const inspect::Classifier& classifier) {
  const inspect::DpiNames& names = classifier.names();
  inspect::Application application;
  if (!flow.application.empty()) {
    const auto named = application_named(flow.application, names);
    if (!named) return fail(unknown_application(flow.application, names), "--application");
    application = *named;
    application.category = classifier.usual_category(application);
  }
  if (!flow.category.empty()) {
    const auto category = inspect::number_of(flow.category, names.categories);
    if (!category)
      return fail(inspect::unknown_name("category", flow.category, names.categories), "--category");
    application.category = *category;
  }
  return application;
}

Result<inspect::Findings> findings_of(const DescribedFlow& flow, const inspect::DpiNames& names) {
  inspect::Findings findings;
  findings.host = flow.host;
  findings.ja3_client = flow.ja3;
  findings.ja4 = flow.ja4;
  findings.risk_score = flow.score;
  for (const std::string& name : flow.risks) {
    const auto risk = inspect::number_of(name, names.risks);
    if (!risk) return fail(inspect::unknown_name("risk", name, names.risks), "--risk");
    findings.risks |= uint64_t{1} << *risk;
  }
  return findings;
}

std::string_view state_text(inspect::MatchState state) {
  constexpr std::string_view kTexts[] = {"no", "not yet", "for now", "yes"};
  return kTexts[static_cast<size_t>(state)];
}

std::string limit_text(const inspect::Limit& limit) {
  constexpr const char* kPer[] = {"flow", "client", "application"};
  return "limit to " + std::to_string(limit.rate) + " bytes a second (" +
         std::to_string(limit.burst) + " at once) for each " + kPer[static_cast<size_t>(limit.per)];
}

std::string treatment_text(const inspect::Treatment& action) {
  if (action.kind == PolicyAction::kLimit) return limit_text(action.limit);
  if (action.kind == PolicyAction::kMark) return "mark with DSCP " + std::to_string(action.dscp);
  if (action.kind == PolicyAction::kSteer) return "steer with hint " + std::to_string(action.hint);
  if (action.kind != PolicyAction::kQuota) return std::string(policy_action_name(action.kind));
  const inspect::Quota& quota = action.quota;
  return std::to_string(quota.bytes) + " bytes a day for each " +
         (quota.per == inspect::Per::kClient ? "client" : "application") + ", then " +
         (quota.then == PolicyAction::kLimit ? limit_text(quota.limit)
                                             : std::string(policy_action_name(quota.then)));
}

}  // namespace

Result<std::string> explain(const std::string& policy_file, const DescribedFlow& flow,
                            const inspect::Classifier& classifier, int64_t now_us) {
  if (policy_file.empty()) return fail("say --policy FILE", "explain");
  const inspect::DpiNames& names = classifier.names();
  SLUICE_TRY(const inspect::Policy policy, inspect::Policy::load(policy_file, names));
  SLUICE_TRY(const inspect::Application application, parse_application(flow, classifier));
  SLUICE_TRY(const inspect::Findings findings, findings_of(flow, names));
  int64_t time_us = now_us;
  if (!flow.time.empty()) {
    SLUICE_TRY(time_us, parse_time(flow.time, policy.zone()));
  }
  uint32_t words[4] = {};
  const bool v6 = flow.client.find(':') != std::string::npos;
  if (!flow.client.empty() && inet_pton(v6 ? AF_INET6 : AF_INET, flow.client.c_str(), words) != 1)
    return fail("not an IP address: '" + flow.client + "'", "--client");

  const inspect::Address client{words, static_cast<uint8_t>(v6 ? 6 : 4)};
  const inspect::PolicyFacts facts{
      application, findings,      !flow.first,
      client,      flow.endpoint, policy.schedules_at(civil_minute(time_us, policy.zone()))};
  std::string text = application_text(application, names) + ", category " +
                     names.categories[application.category] + "\n";
  for (const inspect::PolicyStep& step : policy.explain(facts, names)) {
    const std::string_view state = state_text(step.state);
    text += "  " + std::string(state) + std::string(9 - state.size(), ' ') + step.rule + ": " +
            step.why + "\n";
  }
  const inspect::PolicyDecision decision = policy.decide(facts);
  return text + "decision: " + treatment_text(decision.action()) + ", by " + decision.rule->text +
         "\n";
}

void add_explain(CLI::App& app, const std::string& policy_file, const inspect::ListFiles& lists) {
  const auto flow = std::make_shared<DescribedFlow>();
  CLI::App* sub = app.add_subcommand("explain", "say which rule of --policy decides about a flow");
  sub->fallthrough();  // for --policy
  sub->add_option("--application", flow->application, "as in TLS.YouTube; none: not known");
  sub->add_option("--category", flow->category, "if it is not the application's own");
  sub->add_option("--risk", flow->risks, "a risk that nDPI found; may be repeated");
  sub->add_option("--score", flow->score, "of all risks");
  sub->add_option("--host", flow->host, "name in TLS, QUIC, HTTP or DNS");
  sub->add_option("--ja3", flow->ja3, "of the client");
  sub->add_option("--ja4", flow->ja4, "of the client");
  sub->add_option("--client", flow->client, "address of who opened the flow");
  sub->add_option("--endpoint", flow->endpoint, "number of the gateway endpoint");
  sub->add_option("--time", flow->time, "2026-11-21T18:30, with Z in UTC; now unless given");
  sub->add_flag("--first", flow->first, "at its first packets, when more may be learned");
  sub->callback([flow, &policy_file, &lists] {
    using namespace std::chrono;
    const auto now = system_clock::now().time_since_epoch();
    const auto run = [&]() -> Result<std::string> {
      SLUICE_TRY(const auto classifier, inspect::Classifier::create(lists));
      return explain(policy_file, *flow, *classifier, duration_cast<microseconds>(now).count());
    };
    const Result<std::string> text = run();
    if (text) {
      std::printf("%s", text->c_str());
      throw CLI::Success();
    }
    std::fprintf(stderr, "%s\n", text.error().text().c_str());
    throw CLI::RuntimeError(1);
  });
}

}  // namespace sluice::dpi
