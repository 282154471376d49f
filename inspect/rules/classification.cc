// SPDX-License-Identifier: Apache-2.0
#include "inspect/rules/classification.h"

#include <charconv>

#include "inspect/rules/text.h"

namespace sluice::inspect {
namespace {

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

// "name,description,priority"
bool add_line(std::string_view text, Classification& out) {
  const size_t first = text.find(',');
  const size_t last = text.rfind(',');
  if (first == std::string_view::npos || first == last) return false;
  const std::string_view name = trimmed(text.substr(0, first));
  const std::string_view number = trimmed(text.substr(last + 1));
  int priority = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), priority);
  if (name.empty() || error != std::errc{} || end != number.data() + number.size() ||
      priority < 1 || priority > 255)
    return false;
  out[std::string(name)] = {std::string(trimmed(text.substr(first + 1, last - first - 1))),
                            priority};
  return true;
}

}  // namespace

Classification default_classification() {
  return {
      {"not-suspicious", {"Not Suspicious Traffic", 3}},
      {"unknown", {"Unknown Traffic", 3}},
      {"bad-unknown", {"Potentially Bad Traffic", 2}},
      {"attempted-recon", {"Attempted Information Leak", 2}},
      {"successful-recon-limited", {"Information Leak", 2}},
      {"successful-recon-largescale", {"Large Scale Information Leak", 2}},
      {"attempted-dos", {"Attempted Denial of Service", 2}},
      {"successful-dos", {"Denial of Service", 2}},
      {"attempted-user", {"Attempted User Privilege Gain", 1}},
      {"unsuccessful-user", {"Unsuccessful User Privilege Gain", 1}},
      {"successful-user", {"Successful User Privilege Gain", 1}},
      {"attempted-admin", {"Attempted Administrator Privilege Gain", 1}},
      {"successful-admin", {"Successful Administrator Privilege Gain", 1}},
      {"rpc-portmap-decode", {"Decode of an RPC Query", 2}},
      {"shellcode-detect", {"Executable code was detected", 1}},
      {"string-detect", {"A suspicious string was detected", 3}},
      {"suspicious-filename-detect", {"A suspicious filename was detected", 2}},
      {"suspicious-login", {"An attempted login using a suspicious username was detected", 2}},
      {"system-call-detect", {"A system call was detected", 2}},
      {"tcp-connection", {"A TCP connection was detected", 4}},
      {"trojan-activity", {"A Network Trojan was detected", 1}},
      {"unusual-client-port-connection", {"A client was using an unusual port", 2}},
      {"network-scan", {"Detection of a Network Scan", 3}},
      {"denial-of-service", {"Detection of a Denial of Service Attack", 2}},
      {"non-standard-protocol", {"Detection of a non-standard protocol or event", 2}},
      {"protocol-command-decode", {"Generic Protocol Command Decode", 3}},
      {"web-application-activity", {"access to a potentially vulnerable web application", 2}},
      {"web-application-attack", {"Web Application Attack", 1}},
      {"misc-activity", {"Misc activity", 3}},
      {"misc-attack", {"Misc Attack", 2}},
      {"icmp-event", {"Generic ICMP event", 3}},
      {"policy-violation", {"Potential Corporate Privacy Violation", 1}},
      {"default-login-attempt", {"Attempt to login by a default username and password", 2}},
      {"targeted-activity", {"Targeted Malicious Activity was Detected", 1}},
      {"exploit-kit", {"Exploit Kit Activity Detected", 1}},
      {"external-ip-check", {"Device Retrieving External IP Address Detected", 2}},
      {"domain-c2", {"Domain Observed Used for C2 Detected", 1}},
      {"pup-activity", {"Possibly Unwanted Program Detected", 2}},
      {"credential-theft", {"Successful Credential Theft Detected", 1}},
      {"social-engineering", {"Possible Social Engineering Attempted", 2}},
      {"coin-mining", {"Crypto Currency Mining Activity Detected", 2}},
      {"command-and-control", {"Malware Command and Control Activity Detected", 1}},
  };
}

Result<> load_classification(const std::string& path, Classification& out) {
  SLUICE_TRY(const std::string text, read_text_file(path, kClassificationFileMax, "classes"));
  static constexpr std::string_view kPrefix = "config classification:";
  std::string_view rest = text;
  for (int number = 1; !rest.empty(); number++) {
    const std::string_view line = trimmed(take_line(rest));
    if (line.empty() || line.front() == '#') continue;
    if (!line.starts_with(kPrefix) || !add_line(line.substr(kPrefix.size()), out))
      return fail("not 'config classification: name,description,priority'",
                  path + ":" + std::to_string(number));
  }
  return {};
}

}  // namespace sluice::inspect
