// SPDX-License-Identifier: Apache-2.0
// What several EC2 actions read and write.
#pragma once

#include <functional>
#include <initializer_list>
#include <pugixml.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/aws/call.h"
#include "gateway/control/model.h"

namespace sluice::gateway::ec2 {

inline constexpr const char* kInvalid = "InvalidParameterValue";
inline constexpr const char* kUnsupported = "UnsupportedOperation";
inline constexpr PageNames kPageNames{"NextToken", "MaxResults", "nextToken", 5, 1000};
inline constexpr size_t kIdsMax = 200;  // in one call

std::string endpoint_id(const Attachment& attachment);   // "vpce-0123456789abcdef0"
std::string service_id(const EndpointService& service);  // "vpce-svc-0123456789abcdef0"
std::string service_name(const Place& place, const EndpointService& service);
const Attachment* find_endpoint(const Config& config, std::string_view id);
const EndpointService* find_service(const Config& config, std::string_view id);

// 16 hexadecimal digits: the same for the same token, so that a repeated creation finds what the
// first one made; new ones without a token.
std::string new_id(const std::string& client_token);

// What filters can be about: names and values of one object.
using Facts = std::vector<std::pair<std::string_view, std::string>>;

// Filter.N of a Describe action; before finish(). Names beside `known`, tag-key and tag:KEY are
// refused.
class Filters {
 public:
  Filters(Params& params, std::initializer_list<std::string_view> known);
  bool pass(const Facts& facts, const Tags& tags) const;

 private:
  struct Filter {
    std::string name;
    std::vector<std::string> values;
  };
  std::vector<Filter> filters_;
};

// Those that `ids` name, in their order, or all of `all`. `code` is the error of an unknown one.
template <class Objects, class Id>
AwsResult<std::vector<const typename Objects::value_type*>> by_ids(
    const Objects& all, const std::vector<std::string>& ids, const Id& id_of, const char* code) {
  using Object = typename Objects::value_type;
  std::vector<const Object*> out;
  for (const std::string& id : ids) {
    const size_t before = out.size();
    for (const Object& object : all)
      if (id_of(object) == id) out.push_back(&object);
    if (out.size() == before) return refuse(code, "The ID '" + id + "' does not exist");
  }
  if (ids.empty())
    for (const Object& object : all) out.push_back(&object);
  return out;
}

// Deletes what each ID names, in a commit of its own; those that cannot be deleted are listed as
// `unsuccessful`.
AwsResult<> delete_each(
    Call& call, const std::vector<std::string>& ids,
    const std::function<AwsResult<>(Config& next, const std::string& id)>& remove);

// TagSpecification.N, all of one resource type.
Tags read_tag_specifications(Params& params, std::string_view resource_type);
// Tag.N of `params`.
Tags read_tags(Params& params);
void write_tags(pugi::xml_node item, const Tags& tags);

}  // namespace sluice::gateway::ec2
