// SPDX-License-Identifier: Apache-2.0
// Tags of endpoints and endpoint services; and STS.
#include "gateway/aws/ec2.h"
#include "gateway/aws/ec2_parts.h"
#include "gateway/aws/xml.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::ec2 {
namespace {

AwsResult<Tags*> find_tags(Config& config, const std::string& id) {
  if (const Attachment* attachment = find_endpoint(config, id))
    return &config.attachments.edit(attachment->name)->tags;
  if (const EndpointService* service = find_service(config, id))
    return &config.endpoint_services.edit(service->name)->tags;
  return refuse("InvalidID", "'" + id +
                                 "' is no endpoint or endpoint service; the network is what "
                                 "the configuration file says and has no tags");
}

}  // namespace

AwsResult<> create_tags(Call& call) {
  const auto ids = call.params.texts("ResourceId", kIdsMax);
  const Tags tags = read_tags(call.params);
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    for (const std::string& id : ids) {
      SLUICE_TRY(Tags * there, find_tags(next, id));
      for (const auto& [key, value] : tags) (*there)[key] = value;
      if (there->size() > kTagsMax)
        return refuse("TagLimitExceeded", "more than " + std::to_string(kTagsMax) + " tags");
    }
    return {};
  }));
  add(call.out, "return", true);
  return {};
}

AwsResult<> delete_tags(Call& call) {
  const auto ids = call.params.texts("ResourceId", kIdsMax);
  struct Wanted {
    std::string key;
    std::optional<std::string> value;  // only with this value
  };
  std::vector<Wanted> wanted;
  for (Params& tag : call.params.structures("Tag", kTagsMax))
    wanted.push_back({tag.require("Key"), tag.text("Value")});
  SLUICE_TRY_VOID(call.params.finish());
  SLUICE_TRY_VOID(call.commit([&](Config& next) -> AwsResult<> {
    for (const std::string& id : ids) {
      SLUICE_TRY(Tags * there, find_tags(next, id));
      if (wanted.empty()) there->clear();
      for (const Wanted& one : wanted) {
        const auto at = there->find(one.key);
        if (at != there->end() && (!one.value || *one.value == at->second)) there->erase(at);
      }
    }
    return {};
  }));
  add(call.out, "return", true);
  return {};
}

AwsResult<> describe_tags(Call& call) {
  const Filters filters(call.params, {"resource-id", "resource-type", "key", "value"});
  const Page page(call.params, kPageNames);
  SLUICE_TRY_VOID(call.params.finish());
  struct One {
    std::string id, type, key, value;
  };
  std::vector<One> found;
  const auto take = [&](const std::string& id, const std::string& type, const Tags& tags) {
    for (const auto& [key, value] : tags)
      if (filters.pass(
              {{"resource-id", id}, {"resource-type", type}, {"key", key}, {"value", value}}, tags))
        found.push_back({id, type, key, value});
  };
  for (const Attachment& one : call.config().attachments)
    take(endpoint_id(one), "vpc-endpoint", one.tags);
  for (const EndpointService& one : call.config().endpoint_services)
    take(service_id(one), "vpc-endpoint-service", one.tags);
  auto set = add(call.out, "tagSet");
  page.cut(found, call.out, [](const One& one) { return one.id + " " + one.key; });
  for (const One& one : found) {
    auto item = add(set, "item");
    add(item, "resourceId", one.id);
    add(item, "resourceType", one.type);
    add(item, "key", one.key);
    add(item, "value", one.value);
  }
  return {};
}

}  // namespace sluice::gateway::ec2

namespace sluice::gateway::sts {

AwsResult<> get_caller_identity(Call& call) {
  SLUICE_TRY_VOID(call.params.finish());
  const std::string& name = call.author;
  add(call.out, "Arn",
      "arn:aws:iam::" + call.place.account + ":user/" +
          (name.starts_with("aws:") ? name.substr(4) : name));
  add(call.out, "UserId", name.starts_with("aws:") ? name.substr(4) : name);
  add(call.out, "Account", call.place.account);
  return {};
}

}  // namespace sluice::gateway::sts
