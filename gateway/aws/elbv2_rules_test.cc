// SPDX-License-Identifier: Apache-2.0
// Application load balancers: conditions, actions, rules, and what proxies say of them.
#include "gateway/aws/aws_test_support.h"

namespace sluice::gateway {
namespace {

class Elbv2RulesTest : public AwsTest {};

// The fields of a rule's first condition and action.
using Pairs = std::vector<std::pair<std::string, std::string>>;
Pairs rule_fields(const std::string& listener, const std::string& priority, Pairs more) {
  more.insert(more.end(), {{"ListenerArn", listener}, {"Priority", priority}});
  return more;
}
const std::string kCondition = "Conditions.member.1.", kAction = "Actions.member.1.";

TEST_F(Elbv2RulesTest, EveryConditionAndAction) {
  const std::string arn = make_balancer("alb", "application");
  const std::string web = make_group("web", "HTTP", "80"), beta = make_group("beta", "HTTP", "81");
  const std::string listener = make_listener(arn, web, {{"Protocol", "HTTP"}, {"Port", "80"}})
                                   .at("Listeners/member/ListenerArn");
  const Fields weighted = {{kAction + "Type", "forward"},
                           {kAction + "ForwardConfig.TargetGroups.member.1.TargetGroupArn", web},
                           {kAction + "ForwardConfig.TargetGroups.member.1.Weight", "3"},
                           {kAction + "ForwardConfig.TargetGroups.member.2.TargetGroupArn", beta}};
  const Fields redirect = {{kAction + "Type", "redirect"},
                           {kAction + "RedirectConfig.Protocol", "HTTPS"},
                           {kAction + "RedirectConfig.Port", "443"},
                           {kAction + "RedirectConfig.StatusCode", "HTTP_302"}};
  const Fields fixed = {{kAction + "Type", "fixed-response"},
                        {kAction + "FixedResponseConfig.StatusCode", "404"},
                        {kAction + "FixedResponseConfig.MessageBody", "no <such> page"}};
  const auto both = [](Fields a, const Fields& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
  };
  const struct {
    Fields fields;
    const char* path;  // of the answer
    const char* value;
  } cases[] = {
      {both({{kCondition + "Field", "http-header"},
             {kCondition + "HttpHeaderConfig.HttpHeaderName", "X-V"},
             {kCondition + "HttpHeaderConfig.Values.member.1", "2*"}},
            weighted),
       "Rules/member/Conditions/member/HttpHeaderConfig/HttpHeaderName", "X-V"},
      {both({{kCondition + "Field", "http-request-method"},
             {kCondition + "HttpRequestMethodConfig.Values.member.1", "GET"}},
            redirect),
       "Rules/member/Actions/member/RedirectConfig/StatusCode", "HTTP_302"},
      {both({{kCondition + "Field", "query-string"},
             {kCondition + "QueryStringConfig.Values.member.1.Key", "k"},
             {kCondition + "QueryStringConfig.Values.member.1.Value", "v"}},
            fixed),
       "Rules/member/Actions/member/FixedResponseConfig/MessageBody", "no <such> page"},
      {both({{kCondition + "Field", "source-ip"},
             {kCondition + "SourceIpConfig.Values.member.1", "10.0.0.0/8"}},
            weighted),
       "Rules/member/Actions/member/ForwardConfig/TargetGroups/member[1]/Weight", "3"},
  };
  int priority = 1;
  for (const auto& one : cases) {
    const AwsAnswer made =
        elb("CreateRule", rule_fields(listener, std::to_string(priority++), one.fields));
    EXPECT_EQ(made.error(), "") << made.message();
    EXPECT_EQ(made.at(one.path), one.value);
  }
  EXPECT_EQ(
      elb("DescribeRules", {{"ListenerArn", listener}}).all("Rules/member/Conditions/member/Field"),
      "http-header http-request-method query-string source-ip");
  EXPECT_EQ(elb("DeleteTargetGroup", {{"TargetGroupArn", beta}}).error(), "ResourceInUse");
}

TEST_F(Elbv2RulesTest, RulesThatCannotBe) {
  const std::string arn = make_balancer("alb", "application");
  const std::string web = make_group("web", "HTTP", "80"), tcp = make_group("tcp", "TCP", "81");
  const std::string listener = make_listener(arn, web, {{"Protocol", "HTTP"}, {"Port", "80"}})
                                   .at("Listeners/member/ListenerArn");
  const auto refused = [&](const char* code, const char* named, Fields condition, Fields action) {
    condition.insert(condition.end(), action.begin(), action.end());
    const AwsAnswer answer = elb("CreateRule", rule_fields(listener, "1", condition));
    EXPECT_EQ(answer.error(), code) << answer.message();
    EXPECT_NE(answer.message().find(named), std::string::npos) << answer.message();
  };
  const Fields path = {{kCondition + "Field", "path-pattern"},
                       {kCondition + "Values.member.1", "/"}};
  const Fields to_web = {{kAction + "Type", "forward"}, {kAction + "TargetGroupArn", web}};
  refused("ValidationError", "value", {{kCondition + "Field", "source-ip"}}, to_web);
  refused("ValidationError", "source-ip",
          {{kCondition + "Field", "source-ip"},
           {kCondition + "SourceIpConfig.Values.member.1", "10.0.0.1/8"}},
          to_web);
  refused("ValidationError", "HttpHeaderName",
          {{kCondition + "Field", "http-header"},
           {kCondition + "HttpHeaderConfig.Values.member.1", "x"}},
          to_web);
  refused("InvalidConfigurationRequest", "regular expressions",
          {{kCondition + "Field", "path-pattern"},
           {kCondition + "PathPatternConfig.RegexValues.member.1", "^/"}},
          to_web);
  refused("ValidationError", "Actions", path, {});
  refused("ValidationError", "StatusCode", path,
          {{kAction + "Type", "redirect"}, {kAction + "RedirectConfig.Port", "443"}});
  refused("ValidationError", "comes from", path,
          {{kAction + "Type", "redirect"}, {kAction + "RedirectConfig.StatusCode", "HTTP_301"}});
  refused(
      "ValidationError", "status", path,
      {{kAction + "Type", "fixed-response"}, {kAction + "FixedResponseConfig.StatusCode", "302"}});
  refused("InvalidConfigurationRequest", "authenticate-oidc", path,
          {{kAction + "Type", "authenticate-oidc"}});
  refused("InvalidConfigurationRequest", "stickiness", path,
          {{kAction + "Type", "forward"},
           {kAction + "ForwardConfig.TargetGroups.member.1.TargetGroupArn", web},
           {kAction + "ForwardConfig.TargetGroupStickinessConfig.Enabled", "true"}});
  refused("IncompatibleProtocols", "TCP", path,
          {{kAction + "Type", "forward"}, {kAction + "TargetGroupArn", tcp}});
  refused("InvalidConfigurationRequest", "at least one needs a weight", path,
          {{kAction + "Type", "forward"},
           {kAction + "ForwardConfig.TargetGroups.member.1.TargetGroupArn", web},
           {kAction + "ForwardConfig.TargetGroups.member.1.Weight", "0"},
           {kAction + "ForwardConfig.TargetGroups.member.2.TargetGroupArn",
            make_group("other", "HTTP", "82")},
           {kAction + "ForwardConfig.TargetGroups.member.2.Weight", "0"}});
  const AwsAnswer https = make_listener(arn, web, {{"Protocol", "HTTPS"}, {"Port", "443"}});
  EXPECT_EQ(https.error(), "UnsupportedProtocol");
  EXPECT_NE(https.message().find("HTTPS"), std::string::npos);
}

TEST_F(Elbv2RulesTest, ALoadBalancerHasAHundredRules) {
  const std::string arn = make_balancer("alb", "application");
  const std::string web = make_group("web", "HTTP", "80");
  std::vector<std::string> listeners;
  for (const char* port : {"80", "81"})
    listeners.push_back(make_listener(arn, web, {{"Protocol", "HTTP"}, {"Port", port}})
                            .at("Listeners/member/ListenerArn"));
  const auto made = plane.commit("test", [](Config& next) -> Result<> {
    for (uint32_t i = 1; i <= 100; i++)
      next.load_balancers[next.load_balancers.size() - 1].listeners[i % 2].rules.push_back(
          {{}, i, {{ConditionField::kPathPattern, {"/"}}}, {"web"}});
    return {};
  });
  ASSERT_TRUE(made) << made.error()[0].text();
  EXPECT_EQ(elb("CreateRule", rule_fields(listeners[0], "200",
                                          {{kCondition + "Field", "path-pattern"},
                                           {kCondition + "Values.member.1", "/"},
                                           {kAction + "Type", "forward"},
                                           {kAction + "TargetGroupArn", web}}))
                .error(),
            "TooManyRules");
}

TEST_F(Elbv2RulesTest, WhatProxiesSayIsTold) {
  const std::string arn = make_balancer("alb", "application");
  const std::string web = make_group("web", "HTTP", "80");
  const Target target{*parse_ip_address("10.1.0.21"), 80};
  const auto state = [&] {
    return elb("DescribeLoadBalancers", {{"LoadBalancerArns.member.1", arn}})
        .at("LoadBalancers/member/State/Code");
  };
  const auto health = [&] {
    const AwsAnswer told = elb("DescribeTargetHealth",
                               {{"TargetGroupArn", web}, {"Targets.member.1.Id", "10.1.0.21"}});
    return told.at("TargetHealthDescriptions/member/TargetHealth/State") + " " +
           told.at("TargetHealthDescriptions/member/TargetHealth/Reason");
  };
  EXPECT_EQ(elb("RegisterTargets", {{"TargetGroupArn", web}, {"Targets.member.1.Id", "10.1.0.21"}})
                .error(),
            "");
  EXPECT_EQ(health(), "unused Target.NotInUse");
  make_listener(arn, web, {{"Protocol", "HTTP"}, {"Port", "80"}});
  EXPECT_EQ(state(), "provisioning");
  EXPECT_EQ(health(), "unavailable Elb.InternalError");
  ApplicationReports& reports = controller.applications();
  reports.set_balancers(1, {{"alb", {{"10.1.0.254:80", ""}, {"10.1.0.254:81", "taken"}}}});
  EXPECT_EQ(state(), "active_impaired");
  EXPECT_EQ(health(), "initial Elb.RegistrationInProgress");
  reports.set_target(1, {"web", target}, {HealthState::kHealthy, "", "200"});
  reports.set_balancers(1, {{"alb", {{"10.1.0.254:80", ""}}}});
  EXPECT_EQ(state() + " " + health(), "active healthy ");
  EXPECT_EQ(
      elb("DeregisterTargets", {{"TargetGroupArn", web}, {"Targets.member.1.Id", "10.1.0.21"}})
          .error(),
      "");
  reports.set_target(1, {"web", target}, {HealthState::kDraining, "", ""});
  EXPECT_EQ(health(), "draining Target.DeregistrationInProgress");
  reports.forget(1);
  EXPECT_EQ(health(), "unused Target.NotRegistered");
  EXPECT_EQ(state(), "provisioning");
}

TEST_F(Elbv2RulesTest, RulesOfAnApplicationLoadBalancer) {
  const std::string arn = make_balancer("alb", "application");
  const std::string web = make_group("web", "HTTP", "80"),
                    api_group = make_group("api", "HTTP", "81");
  const std::string listener = make_listener(arn, web, {{"Protocol", "HTTP"}, {"Port", "80"}})
                                   .at("Listeners/member/ListenerArn");
  const auto rule = [&](const std::string& priority, const std::string& value) {
    return elb(
        "CreateRule",
        {{"ListenerArn", listener},
         {"Priority", priority},
         {"Conditions.member.1.Field", "path-pattern"},
         {"Conditions.member.1.PathPatternConfig.Values.member.1", value},
         {"Actions.member.1.Type", "forward"},
         {"Actions.member.1.ForwardConfig.TargetGroups.member.1.TargetGroupArn", api_group}});
  };
  const AwsAnswer first = rule("20", "/api/*");
  EXPECT_EQ(first.error(), "") << first.message();
  const std::string first_arn = first.at("Rules/member/RuleArn");
  EXPECT_EQ(first.at("Rules/member/Conditions/member/Values/member"), "/api/*");
  EXPECT_EQ(rule("20", "/api/*").at("Rules/member/RuleArn"), first_arn);
  EXPECT_EQ(rule("20", "/x").error(), "PriorityInUse");
  const std::string second_arn = rule("3", "/x").at("Rules/member/RuleArn");
  AwsAnswer rules = elb("DescribeRules", {{"ListenerArn", listener}});
  EXPECT_EQ(rules.all("Rules/member/Priority"), "3 20 default");
  EXPECT_EQ(rules.all("Rules/member/IsDefault"), "false false true");
  const std::string default_arn = rules.at("Rules/member[3]/RuleArn");

  EXPECT_EQ(elb("SetRulePriorities", {{"RulePriorities.member.1.RuleArn", first_arn},
                                      {"RulePriorities.member.1.Priority", "3"}})
                .error(),
            "PriorityInUse");
  EXPECT_EQ(elb("SetRulePriorities", {{"RulePriorities.member.1.RuleArn", first_arn},
                                      {"RulePriorities.member.1.Priority", "3"},
                                      {"RulePriorities.member.2.RuleArn", second_arn},
                                      {"RulePriorities.member.2.Priority", "20"}})
                .all("Rules/member/Priority"),
            "3 20");
  EXPECT_EQ(elb("ModifyRule", {{"RuleArn", first_arn},
                               {"Conditions.member.1.Field", "host-header"},
                               {"Conditions.member.1.Values.member.1", "a.example"}})
                .at("Rules/member/Conditions/member/HostHeaderConfig/Values/member"),
            "a.example");
  EXPECT_EQ(elb("DeleteTargetGroup", {{"TargetGroupArn", api_group}}).error(), "ResourceInUse");
  EXPECT_EQ(elb("DeleteRule", {{"RuleArn", default_arn}}).error(), "OperationNotPermitted");
  EXPECT_EQ(elb("DeleteRule", {{"RuleArn", first_arn}}).error(), "");
  EXPECT_EQ(elb("DeleteRule", {{"RuleArn", first_arn}}).error(), "RuleNotFound");
  EXPECT_EQ(elb("DescribeRules", {{"RuleArns.member.1", default_arn}}).all("Rules/member/Priority"),
            "default");
}

}  // namespace
}  // namespace sluice::gateway
