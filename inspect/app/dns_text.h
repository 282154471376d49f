// SPDX-License-Identifier: Apache-2.0
// DNS messages as events show them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "inspect/app/dns_message.h"

namespace sluice::inspect {

class JsonLine;

// "A", "AAAA", "HTTPS" ...; the number of one that is not known.
std::string dns_type_text(uint16_t type);
// "NOERROR", "NXDOMAIN" ...; the number of one that is not known.
std::string dns_rcode_text(uint8_t rcode);

// "flags", "qr", ... "opcode"
void write_dns_flags(JsonLine& line, const DnsMessage& message);
// "queries":[{"rrname","rrtype"}]
void write_dns_queries(JsonLine& line, const DnsMessage& message);
// KEY:[{"rrname","rrtype","ttl","rdata"}]; nothing if the section is empty.
void write_dns_section(JsonLine& line, const DnsMessage& message, DnsSection section,
                       std::string_view key);
// "grouped":{"A":["192.0.2.1"]}: the answers' data by their types; nothing if there is none.
void write_dns_grouped(JsonLine& line, const DnsMessage& message);

}  // namespace sluice::inspect
