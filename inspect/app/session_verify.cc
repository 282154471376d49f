// SPDX-License-Identifier: Apache-2.0
// The part of AppSession that asks whether both directions speak the protocol that was found.
#include <algorithm>

#include "inspect/app/session.h"

namespace sluice::inspect {

// The first bytes of a direction of which the protocol is known already.
void AppSession::verify(Direction direction, std::span<const uint8_t> bytes,
                        TransactionSink& sink) {
  auto& early = of(verifying_->early, direction);
  std::span<const uint8_t> known = bytes;
  if (!early.empty()) {
    early.insert(early.end(), bytes.begin(), bytes.end());
    known = early;
  }
  const Probe answer = verifying_->entry->probe(direction, known, server_port_);
  if (answer == Probe::kMore && known.size() < kProbeBytesMax) {
    if (early.empty()) early.assign(bytes.begin(), bytes.end());
    return;
  }
  const bool expected = answer == Probe::kYes;
  if (!expected) tell_other_protocol(direction, known, sink);
  if (!expected && verifying_->announced)
    verifying_.reset();
  else
    verified(direction);
}

void AppSession::verified(Direction direction) {
  if (!verifying_) return;
  of(verifying_->early, direction) = {};
  verifying_->left &= static_cast<uint8_t>(~bit_of(direction));
  if (verifying_->left == 0) verifying_.reset();
}

void AppSession::tell_other_protocol(Direction direction, std::span<const uint8_t> bytes,
                                     TransactionSink& sink) {
  if (verifying_->announced) {
    sink.event(nullptr, direction, "applayer_unexpected_protocol");
    if (protocol_ == AppProtocol::kTls)
      sink.event(nullptr, direction, "applayer_no_tls_after_starttls");
    return;
  }
  const bool another = std::ranges::any_of(protocols_, [&](const ProtocolEntry& entry) {
    return entry.tcp && entry.probe(direction, bytes, server_port_) == Probe::kYes;
  });
  sink.event(nullptr, direction,
             another ? "applayer_mismatch_protocol_both_directions"
                     : "applayer_detect_protocol_only_one_direction");
}

}  // namespace sluice::inspect
