// SPDX-License-Identifier: Apache-2.0
// The `lab:` section of the configuration file: which namespaces there are, how they are wired,
// what runs in them. docs/features/lab.md tells the format.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tunnels/result.h"

namespace sluice::testbed {

inline constexpr size_t kSwitchesMax = 32;
inline constexpr size_t kNamespacesMax = 128;
inline constexpr size_t kInterfacesMax = 32;  // of one namespace
inline constexpr size_t kAddressesMax = 32;   // of one interface
inline constexpr size_t kRoutesMax = 64;      // of one namespace
inline constexpr size_t kProgramsMax = 16;    // of one namespace
inline constexpr size_t kArgumentsMax = 64;

// What tells that a program has started. At most one of the three.
struct Ready {
  std::string tcp_address;  // accepts connections here, tried from the program's namespace
  uint16_t tcp_port = 0;
  std::string socket;        // this file exists and is a socket
  std::optional<int> exits;  // has ended with this status (a program that sets something up)
  uint32_t timeout_seconds = 30;
};

struct Program {
  std::string name;                  // of the log file and in messages; the first word of `run`
  std::vector<std::string> command;  // after substitution of {config}, {dir}, {bin}, {run}
  Ready ready;
  bool appliance = false;
};

struct Interface {
  std::string name;
  std::vector<std::string> addresses;  // "10.1.0.2/16", "fd01::2/64"
  std::string switch_name;             // on this switch, or
  std::string peer_namespace;          // wired straight to this namespace, where the other end
  std::string peer_name;               // has this name
  uint32_t mtu = 0;                    // 0: that of the switch, else 1500
  // Off: packets leave with complete checksums, as on a wire. On only in the namespace of an
  // appliance, whose UDP_SEGMENT needs it on older kernels.
  bool transmit_checksum = false;
};

struct Route {
  std::string to;  // a prefix or "default"
  std::string via;
};

struct LabNamespace {
  std::string name;
  std::vector<Interface> interfaces;
  std::vector<Route> routes;
  std::vector<Program> programs;  // the appliance, if there is one, first
};

struct Switch {
  std::string name;
  uint32_t mtu = 1500;
};

struct Topology {
  std::string name;  // gateway.name
  std::vector<Switch> switches;
  std::vector<LabNamespace> namespaces;
};

using TopologyResult = Result<Topology, std::vector<Error>>;

TopologyResult read_topology(const std::string& path);
// `path` is where the text is from: for errors, {config} and {dir}.
TopologyResult parse_topology(std::string_view text, const std::string& path);

// The network namespace of a lab's namespace or switch, as `ip netns` knows it.
std::string namespace_name(const std::string& lab, const std::string& name);
// Where a lab keeps its state and logs: {run}.
std::string run_directory(const std::string& lab);
// The directory of the running program: {bin}.
std::string program_directory();

}  // namespace sluice::testbed
