// SPDX-License-Identifier: Apache-2.0
// The topology of the configuration's `network` section, as the APIs look at it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/aws/aws_error.h"
#include "gateway/control/model.h"

namespace sluice::gateway {

const Vpc* find_vpc(const Config& config, std::string_view id);
const Subnet* find_subnet(const Config& config, std::string_view id);
const Instance* find_instance(const Config& config, std::string_view id);
const Instance* find_instance(const Config& config, const IpAddress& address);
const SecurityGroup* find_security_group(const Config& config, std::string_view id);

// Of its first subnet; empty without one.
std::string vpc_of(const Config& config, const LoadBalancer& balancer);

// "10.1.0.0/24": the first and the last address, as numbers.
struct Ipv4Range {
  uint32_t first, last;
};
std::optional<Ipv4Range> parse_cidr(const std::string& cidr);

// Decides where a load balancer stands: checks that the subnets are there, of one VPC and of
// different zones, and finds the addresses that network and application load balancers need. An
// address that is given must be free and of its subnet; others are the highest free one.
AwsResult<> place(const Config& config, LoadBalancer& balancer);

}  // namespace sluice::gateway
