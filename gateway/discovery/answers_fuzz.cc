// SPDX-License-Identifier: Apache-2.0
// What sources say: none of it may break the reader, and a list that was cut is no longer than the
// whole one.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "gateway/control/validate.h"
#include "gateway/discovery/dns_answer.h"
#include "gateway/discovery/etcd_messages.h"
#include "gateway/discovery/target_list.h"

using namespace sluice::gateway;  // NOLINT

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const DnsRecord record : {DnsRecord::kA, DnsRecord::kAaaa, DnsRecord::kSrv}) {
    const auto answer = parse_dns_answer({data, size}, record);
    if (answer && answer->addresses.size() + answer->services.size() > kDnsRecordsMax) abort();
  }
  for (const char* path : {"list", "list.yaml"}) {
    const auto list = parse_target_list(text, path);
    if (list && list->size() > kTargetsPerGroupMax) abort();
  }
  const auto list = parse_etcd_list(text);
  if (list && list->found.targets.size() > kTargetsPerGroupMax) abort();
  (void)parse_etcd_word(text);
  (void)etcd_complaint(500, text);
  return 0;
}
