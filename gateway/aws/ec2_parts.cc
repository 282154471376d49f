// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/ec2_parts.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <array>

#include "gateway/aws/xml.h"
#include "gateway/control/validate.h"

namespace sluice::gateway::ec2 {
namespace {

constexpr size_t kFiltersMax = 20;
constexpr size_t kFilterValuesMax = 200;

// `*` is any run of characters, `?` any one.
bool matches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      p++;
      t++;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') p++;
  return p == pattern.size();
}

bool matches_any(const std::vector<std::string>& patterns, std::string_view text) {
  return std::ranges::any_of(patterns,
                             [&](const std::string& pattern) { return matches(pattern, text); });
}

}  // namespace

std::string endpoint_id(const Attachment& attachment) { return "vpce-0" + attachment.id; }
std::string service_id(const EndpointService& service) { return "vpce-svc-0" + service.id; }

std::string service_name(const Place& place, const EndpointService& service) {
  return "com.amazonaws.vpce." + place.region + "." + service_id(service);
}

const Attachment* find_endpoint(const Config& config, std::string_view id) {
  const auto at = std::ranges::find_if(
      config.attachments, [&](const Attachment& one) { return endpoint_id(one) == id; });
  return at == config.attachments.end() ? nullptr : &*at;
}

const EndpointService* find_service(const Config& config, std::string_view id) {
  const auto at = std::ranges::find_if(
      config.endpoint_services, [&](const EndpointService& one) { return service_id(one) == id; });
  return at == config.endpoint_services.end() ? nullptr : &*at;
}

std::string new_id(const std::string& client_token) {
  std::array<uint8_t, 32> bytes;
  constexpr size_t kUsed = 8;
  if (client_token.empty())
    SLUICE_CHECK(::getrandom(bytes.data(), kUsed, 0) == kUsed);
  else
    SLUICE_CHECK(EVP_Digest(client_token.data(), client_token.size(), bytes.data(), nullptr,
                            EVP_sha256(), nullptr) == 1);
  std::string out;
  for (size_t i = 0; i < kUsed; i++) {
    out += "0123456789abcdef"[bytes[i] >> 4];
    out += "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

Filters::Filters(Params& params, std::initializer_list<std::string_view> known) {
  for (Params& one : params.structures("Filter", kFiltersMax)) {
    Filter filter{one.require("Name"), one.texts("Value", kFilterValuesMax)};
    const bool there = std::ranges::find(known, filter.name) != known.end();
    if (!there && filter.name != "tag-key" && !filter.name.starts_with("tag:"))
      one.fail(kInvalid, "The filter '" + filter.name + "' is invalid");
    filters_.push_back(std::move(filter));
  }
}

bool Filters::pass(const Facts& facts, const Tags& tags) const {
  return std::ranges::all_of(filters_, [&](const Filter& filter) {
    if (filter.name == "tag-key")
      return std::ranges::any_of(
          tags, [&](const auto& tag) { return matches_any(filter.values, tag.first); });
    if (filter.name.starts_with("tag:")) {
      const auto tag = tags.find(std::string_view(filter.name).substr(4));
      return tag != tags.end() && matches_any(filter.values, tag->second);
    }
    return std::ranges::any_of(facts, [&](const auto& fact) {
      return fact.first == filter.name && matches_any(filter.values, fact.second);
    });
  });
}

Tags read_tags(Params& params) {
  constexpr size_t kKeyMax = 128, kValueMax = 256;
  Tags out;
  for (Params& tag : params.structures("Tag", kTagsMax)) {
    const std::string key = tag.require("Key");
    const std::string value = tag.text("Value").value_or("");
    if (key.size() > kKeyMax || value.size() > kValueMax || key.starts_with("aws:"))
      tag.invalid("Key",
                  "has at most 128 bytes and does not begin with 'aws:', and its value has "
                  "at most 256");
    if (!out.emplace(key, value).second) tag.invalid("Key", "'" + key + "' is given twice");
  }
  return out;
}

Tags read_tag_specifications(Params& params, std::string_view resource_type) {
  Tags out;
  for (Params& one : params.structures("TagSpecification", 1)) {
    if (one.require("ResourceType") != resource_type)
      one.invalid("ResourceType", "must be '" + std::string(resource_type) + "' here");
    out = read_tags(one);
  }
  return out;
}

void write_tags(pugi::xml_node item, const Tags& tags) {
  auto list = add(item, "tagSet");
  for (const auto& [key, value] : tags) {
    auto tag = add(list, "item");
    add(tag, "key", key);
    add(tag, "value", value);
  }
}

AwsResult<> delete_each(
    Call& call, const std::vector<std::string>& ids,
    const std::function<AwsResult<>(Config& next, const std::string& id)>& remove) {
  auto failures = add(call.out, "unsuccessful");
  for (const std::string& id : ids) {
    const auto done = call.commit([&](Config& next) { return remove(next, id); });
    if (done) continue;
    if (done.error().code == "DryRunOperation") return done;
    auto item = add(failures, "item");
    add(item, "resourceId", id);
    auto error = add(item, "error");
    add(error, "code", done.error().code);
    add(error, "message", done.error().message);
  }
  return {};
}

}  // namespace sluice::gateway::ec2
