// SPDX-License-Identifier: Apache-2.0
// What a packet can do to its TCP stream, by Suricata's names (`stream-event:reassembly_seq_gap`).
#pragma once

#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

namespace sluice::inspect {

enum class StreamEvent : uint8_t {
  // By the bytes; see reassembly.h.
  kOverlap,       // other bytes for a place in the stream
  kGap,           // shows that bytes passed elsewhere
  kDepthReached,  // the stream is inspected no further
  kNoMemory,      // for its bytes
  kBeforeWindow,  // brings bytes of which none are kept any more, to compare them
  // By the flags and numbers; see tcp_watch.h.
  kBrokenAck,
  kRetransmission,
  kInvalidAck,
  kInvalidTimestamp,
  kBadWindowUpdate,
  kSpuriousRetransmission,
  kResetNoSession,
  kFinNoSession,
  kFinSyn,
  kHandshakeAckInWrongDirection,
  kHandshakeAckWithData,
  kHandshakeRightSequenceWrongAck,
  kHandshakeWrongSequenceWrongAck,
  kHandshakeSynAckInWrongDirection,
  kHandshakeSynAckWrongAck,
  kHandshakeSynAckToServer,
  kHandshakeSynAckOtherAck,
  kHandshakeSynAckOtherSequence,
  kHandshakeSynAckFlood,
  kHandshakeFastOpenIgnored,
  kHandshakeSynOtherSequence,
  kHandshakeSynToClient,
  kOneSidedWrongSequence,
  kSplitSynAckWrongAck,
  kSplitSynAckWrongSequence,
  kSplitWrongSequence,
  kSplitInvalidAck,
  kEstablishedInvalidAck,
  kEstablishedOutOfWindow,
  kEstablishedBeforeLastAck,
  kEstablishedSynAckToServer,
  kEstablishedSynAckOtherAck,
  kEstablishedSynAckOtherSequence,
  kEstablishedSynAck,
  kEstablishedSynToClient,
  kEstablishedSynOtherSequence,
  kEstablishedSyn,
  kFinInvalidAck,
  kFinOutOfWindow,
  kFinWait1WrongAck,
  kFinWait1WrongFin,
  kFinWait1InvalidAck,
  kFinWait2WrongAck,
  kFinWait2WrongFin,
  kFinWait2InvalidAck,
  kCloseWaitAckOutOfWindow,
  kCloseWaitFinOutOfWindow,
  kCloseWaitBeforeLastAck,
  kCloseWaitInvalidAck,
  kClosingWrongAck,
  kClosingInvalidAck,
  kLastAckWrongAck,
  kLastAckInvalidAck,
  kTimeWaitWrongAck,
  kTimeWaitInvalidAck,
  kShutdownSyn,
  kResetInvalidAck,
  kResetSuspected,
  kResetWithData,
  kCount,
};

// A set of them, as bits.
using StreamEvents = uint64_t;
static_assert(static_cast<size_t>(StreamEvent::kCount) <= 64);

constexpr StreamEvents bit_of(StreamEvent event) {
  return StreamEvents{1} << static_cast<int>(event);
}

// Those with two names are Suricata's of today, then of before.
inline constexpr std::pair<std::string_view, StreamEvent> kStreamEvents[] = {
    {"reassembly_overlap_different_data", StreamEvent::kOverlap},
    {"reassembly_seq_gap", StreamEvent::kGap},
    {"reassembly_depth_reached", StreamEvent::kDepthReached},
    {"reassembly_insert_memcap", StreamEvent::kNoMemory},
    {"reassembly_no_segment", StreamEvent::kNoMemory},
    {"reassembly_segment_before_base_seq", StreamEvent::kBeforeWindow},
    {"pkt_broken_ack", StreamEvent::kBrokenAck},
    {"pkt_retransmission", StreamEvent::kRetransmission},
    {"pkt_invalid_ack", StreamEvent::kInvalidAck},
    {"pkt_invalid_timestamp", StreamEvent::kInvalidTimestamp},
    {"pkt_bad_window_update", StreamEvent::kBadWindowUpdate},
    {"pkt_spurious_retransmission", StreamEvent::kSpuriousRetransmission},
    {"rst_but_no_session", StreamEvent::kResetNoSession},
    {"fin_but_no_session", StreamEvent::kFinNoSession},
    {"fin_syn", StreamEvent::kFinSyn},
    {"3whs_ack_in_wrong_dir", StreamEvent::kHandshakeAckInWrongDirection},
    {"3whs_ack_data_inject", StreamEvent::kHandshakeAckWithData},
    {"3whs_right_seq_wrong_ack_evasion", StreamEvent::kHandshakeRightSequenceWrongAck},
    {"3whs_wrong_seq_wrong_ack", StreamEvent::kHandshakeWrongSequenceWrongAck},
    {"3whs_synack_in_wrong_direction", StreamEvent::kHandshakeSynAckInWrongDirection},
    {"3whs_synack_with_wrong_ack", StreamEvent::kHandshakeSynAckWrongAck},
    {"3whs_synack_toserver_on_syn_recv", StreamEvent::kHandshakeSynAckToServer},
    {"3whs_synack_resend_with_different_ack", StreamEvent::kHandshakeSynAckOtherAck},
    {"3whs_synack_resend_with_diff_ack", StreamEvent::kHandshakeSynAckOtherAck},
    {"3whs_synack_resend_with_diff_seq", StreamEvent::kHandshakeSynAckOtherSequence},
    {"3whs_synack_flood", StreamEvent::kHandshakeSynAckFlood},
    {"3whs_synack_tfo_data_ignored", StreamEvent::kHandshakeFastOpenIgnored},
    {"3whs_syn_resend_diff_seq_on_syn_recv", StreamEvent::kHandshakeSynOtherSequence},
    {"3whs_syn_toclient_on_syn_recv", StreamEvent::kHandshakeSynToClient},
    {"3whs_async_wrong_seq", StreamEvent::kOneSidedWrongSequence},
    {"4whs_synack_with_wrong_ack", StreamEvent::kSplitSynAckWrongAck},
    {"4whs_synack_with_wrong_syn", StreamEvent::kSplitSynAckWrongSequence},
    {"4whs_wrong_seq", StreamEvent::kSplitWrongSequence},
    {"4whs_invalid_ack", StreamEvent::kSplitInvalidAck},
    {"est_invalid_ack", StreamEvent::kEstablishedInvalidAck},
    {"est_packet_out_of_window", StreamEvent::kEstablishedOutOfWindow},
    {"est_pkt_before_last_ack", StreamEvent::kEstablishedBeforeLastAck},
    {"est_synack_toserver", StreamEvent::kEstablishedSynAckToServer},
    {"est_synack_resend_with_different_ack", StreamEvent::kEstablishedSynAckOtherAck},
    {"est_synack_resend_with_diff_ack", StreamEvent::kEstablishedSynAckOtherAck},
    {"est_synack_resend_with_diff_seq", StreamEvent::kEstablishedSynAckOtherSequence},
    {"est_synack_resend", StreamEvent::kEstablishedSynAck},
    {"est_syn_toclient", StreamEvent::kEstablishedSynToClient},
    {"est_syn_resend_diff_seq", StreamEvent::kEstablishedSynOtherSequence},
    {"est_syn_resend", StreamEvent::kEstablishedSyn},
    {"fin_invalid_ack", StreamEvent::kFinInvalidAck},
    {"fin_out_of_window", StreamEvent::kFinOutOfWindow},
    {"fin1_ack_wrong_seq", StreamEvent::kFinWait1WrongAck},
    {"fin1_fin_wrong_seq", StreamEvent::kFinWait1WrongFin},
    {"fin1_invalid_ack", StreamEvent::kFinWait1InvalidAck},
    {"fin2_ack_wrong_seq", StreamEvent::kFinWait2WrongAck},
    {"fin2_fin_wrong_seq", StreamEvent::kFinWait2WrongFin},
    {"fin2_invalid_ack", StreamEvent::kFinWait2InvalidAck},
    {"closewait_ack_out_of_window", StreamEvent::kCloseWaitAckOutOfWindow},
    {"closewait_fin_out_of_window", StreamEvent::kCloseWaitFinOutOfWindow},
    {"closewait_pkt_before_last_ack", StreamEvent::kCloseWaitBeforeLastAck},
    {"closewait_invalid_ack", StreamEvent::kCloseWaitInvalidAck},
    {"closing_ack_wrong_seq", StreamEvent::kClosingWrongAck},
    {"closing_invalid_ack", StreamEvent::kClosingInvalidAck},
    {"lastack_ack_wrong_seq", StreamEvent::kLastAckWrongAck},
    {"lastack_invalid_ack", StreamEvent::kLastAckInvalidAck},
    {"timewait_ack_wrong_seq", StreamEvent::kTimeWaitWrongAck},
    {"timewait_invalid_ack", StreamEvent::kTimeWaitInvalidAck},
    {"shutdown_syn_resend", StreamEvent::kShutdownSyn},
    {"rst_invalid_ack", StreamEvent::kResetInvalidAck},
    {"suspected_rst_inject", StreamEvent::kResetSuspected},
    {"rst_with_data", StreamEvent::kResetWithData},
};

}  // namespace sluice::inspect
