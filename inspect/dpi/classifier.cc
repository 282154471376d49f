// SPDX-License-Identifier: Apache-2.0
#include "inspect/dpi/classifier.h"

#include <ndpi/ndpi_api.h>

#include <cstring>
#include <mutex>

namespace sluice::inspect {

namespace {

bool has_payload(std::span<const uint8_t> ip, const tunnels::packet& packet) {
  if (packet.tuple.protocol != tunnels::kProtocolTcp) return true;
  if (!(packet.flags & tunnels::kPacketHasPorts)) return true;
  const uint32_t header_length = (ip[packet.l4_offset + 12] >> 4) * 4u;
  return packet.l4_offset + header_length < packet.l3_length;
}

ndpi_protocol as_ndpi(const Application& application) {
  ndpi_protocol protocol{};
  protocol.master_protocol = application.master;
  protocol.app_protocol = application.application;
  protocol.category = static_cast<ndpi_protocol_category_t>(application.category);
  return protocol;
}

Application from_ndpi(const ndpi_protocol& protocol) {
  return {protocol.master_protocol, protocol.app_protocol,
          static_cast<uint16_t>(protocol.category)};
}

}  // namespace

void FlowClassification::Free::operator()(ndpi_flow_struct* flow) const { ndpi_free_flow(flow); }

const Findings& FlowClassification::findings() const {
  static const Findings kNothing;
  return findings_ == nullptr ? kNothing : *findings_;
}

void FlowClassification::set_ja4(std::string ja4, bool encrypted_hello) {
  if (findings_ == nullptr) findings_ = std::make_unique<Findings>();
  findings_->ja4 = std::move(ja4);
  findings_->encrypted_hello = encrypted_hello;
}

// True if there is something new.
bool FlowClassification::note(const Application& found) {
  const uint8_t texts = texts_seen(*flow_);
  if (found == application_ && texts == texts_seen_ && flow_->risk == risks_seen_) return false;
  application_ = found;
  texts_seen_ = texts;
  risks_seen_ = flow_->risk;
  if (findings_ == nullptr) findings_ = std::make_unique<Findings>();
  read_findings(*flow_, *findings_);
  return true;
}

Result<std::unique_ptr<Classifier>> Classifier::create() {
  if (ndpi_detection_get_sizeof_ndpi_flow_struct() != sizeof(ndpi_flow_struct))
    return fail("the nDPI library is not the version that this program was built for",
                ndpi_revision());
  static std::mutex initialisation;  // nDPI: must not run in parallel with itself
  const std::lock_guard lock(initialisation);
  ndpi_detection_module_struct* module = ndpi_init_detection_module(ndpi_no_prefs);
  if (module == nullptr) return fail("cannot initialise nDPI");
  std::unique_ptr<Classifier> classifier(new Classifier(module));
  NDPI_PROTOCOL_BITMASK all;
  NDPI_BITMASK_SET_ALL(all);
  ndpi_set_protocol_detection_bitmask2(module, &all);
  ndpi_finalize_initialization(module);
  classifier->load_names();
  return classifier;
}

Classifier::~Classifier() { ndpi_exit_detection_module(module_); }

void Classifier::load_names() {
  const unsigned applications = ndpi_get_num_supported_protocols(module_);
  for (unsigned i = 0; i < applications; i++)
    names_.applications.emplace_back(ndpi_get_proto_name(module_, static_cast<uint16_t>(i)));
  for (int i = 0; i < NDPI_PROTOCOL_NUM_CATEGORIES; i++) {
    const char* name = ndpi_category_get_name(module_, static_cast<ndpi_protocol_category_t>(i));
    names_.categories.emplace_back(name == nullptr ? "" : name);
  }
  names_.risks.emplace_back();  // risk 0 is none
  for (int i = 1; i < NDPI_MAX_RISK; i++)
    names_.risks.emplace_back(ndpi_risk2str(static_cast<ndpi_risk_enum>(i)));
}

bool Classifier::feed(FlowClassification& flow, std::span<const uint8_t> ip,
                      const tunnels::packet& packet, int64_t time_us) {
  if (flow.final_) return false;
  const bool tcp = packet.tuple.protocol == tunnels::kProtocolTcp;
  const bool enough = ++flow.packets_ > (tcp ? kDpiTcpPacketsMax : kDpiOtherPacketsMax);
  if (flow.flow_ == nullptr) {
    // A handshake tells nothing, and a flood of them must not cost nDPI's 700 bytes each.
    if (!has_payload(ip, packet)) return enough && finish(flow);
    auto* raw = static_cast<ndpi_flow_struct*>(ndpi_flow_malloc(sizeof(ndpi_flow_struct)));
    SLUICE_CHECK(raw != nullptr);
    std::memset(raw, 0, sizeof(*raw));
    flow.flow_.reset(raw);
  }
  const ndpi_protocol found = ndpi_detection_process_packet(module_, flow.flow_.get(), ip.data(),
                                                            static_cast<uint16_t>(packet.l3_length),
                                                            static_cast<uint64_t>(time_us / 1000));
  const bool changed = flow.note(from_ndpi(found));
  const bool known = found.app_protocol != NDPI_PROTOCOL_UNKNOWN;
  if (enough || (known && !ndpi_extra_dissection_possible(module_, flow.flow_.get())))
    return finish(flow);
  return changed;
}

bool Classifier::finish(FlowClassification& flow) {
  if (flow.final_) return false;
  flow.final_ = true;
  if (flow.flow_ == nullptr) return true;
  uint8_t guessed = 0;
  Application found = flow.application_;
  if (found.application == NDPI_PROTOCOL_UNKNOWN)
    found = from_ndpi(ndpi_detection_giveup(module_, flow.flow_.get(), 1, &guessed));
  flow.note(found);
  if (flow.findings_ != nullptr) {
    read_findings(*flow.flow_, *flow.findings_);
    flow.findings_->guessed = guessed != 0;
  }
  flow.flow_.reset();
  return true;
}

std::string Classifier::name(const Application& application) const {
  char text[64];
  return ndpi_protocol2name(module_, as_ndpi(application), text, sizeof(text));
}

std::string_view Classifier::category_name(const Application& application) const {
  return application.category < names_.categories.size()
             ? std::string_view(names_.categories[application.category])
             : std::string_view();
}

uint16_t Classifier::usual_category(const Application& application) const {
  return static_cast<uint16_t>(ndpi_get_proto_category(module_, as_ndpi(application)));
}

std::string_view Classifier::breed_name(const Application& application) const {
  const uint16_t id = application.application != 0 ? application.application : application.master;
  return ndpi_get_proto_breed_name(module_, ndpi_get_proto_breed(module_, id));
}

std::vector<std::string_view> Classifier::risk_names(uint64_t risks) {
  std::vector<std::string_view> names;
  for (int i = 1; i < NDPI_MAX_RISK; i++)
    if (risks >> i & 1) names.emplace_back(ndpi_risk2str(static_cast<ndpi_risk_enum>(i)));
  return names;
}

}  // namespace sluice::inspect
