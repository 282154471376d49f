// SPDX-License-Identifier: Apache-2.0
// Which application a flow belongs to, found by nDPI.
//
// A classifier is one nDPI module: it belongs to one thread, and all flows that shall help to
// identify each other (a DNS answer names the address of a later connection) must go to the same
// one. Application and category numbers are those of the nDPI that is installed; write down names.
//
// nDPI sees a flow's packets as its receiver uses them: TCP in order and each byte once, from the
// first payload on. What it knew of the handshake it learns then, so that a flood of handshakes
// costs none of its memory. Datagrams in fragments and tunnels are put together and opened before
// (inspect/stream).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inspect/dpi/findings.h"
#include "inspect/dpi/list_files.h"
#include "inspect/dpi/segment_order.h"
#include "tunnels/packet.h"
#include "tunnels/result.h"

struct ndpi_detection_module_struct;

namespace sluice::inspect {

// Packets of a flow after which nDPI must have made up its mind.
inline constexpr uint32_t kDpiTcpPacketsMax = 80;
inline constexpr uint32_t kDpiOtherPacketsMax = 24;
// And those of them that nDPI looks at: later ones change nothing.
inline constexpr uint32_t kDpiPacketsShownMax = 32;

// "TLS.YouTube" is master TLS, application YouTube. "TLS" alone is application TLS, master 0.
struct Application {
  uint16_t master = 0;
  uint16_t application = 0;  // 0: unknown
  uint16_t category = 0;
  bool operator==(const Application&) const = default;
};

// What was seen of a TCP handshake before the first payload.
struct Handshake {
  uint32_t syn = 0;
  uint32_t syn_ack = 0;
  bool way = false;  // of the SYN
  bool syn_seen = false;
  bool syn_ack_seen = false;
  bool ack_seen = false;

  void note(const Segment& segment);
};

// One flow's part. Costs memory beyond itself only from the first payload to the final answer, and
// after that for what was found.
class FlowClassification {
 public:
  const Application& application() const { return application_; }
  // The answer will not change any more.
  bool final() const { return final_; }
  // As far as known at the last change; empty before the first.
  const Findings& findings() const;
  // A fingerprint that was read elsewhere, kept with the rest.
  void set_ja4(std::string ja4, bool encrypted_hello = false);

 private:
  friend class Classifier;
  struct Search;  // nDPI's part
  struct Free {
    void operator()(Search* search) const;
  };
  bool note(const Application& found);

  std::unique_ptr<Search, Free> search_;
  std::unique_ptr<Findings> findings_;
  Handshake handshake_;
  Application application_;
  uint8_t packets_ = 0;
  bool final_ = false;
};

// By number; a number without a name has an empty string.
struct DpiNames {
  std::vector<std::string> applications;
  std::vector<std::string> categories;
  std::vector<std::string> risks;
};

struct ClassifierCounters {
  uint64_t packets = 0;     // that nDPI looked at
  uint64_t searches = 0;    // flows that nDPI looked at
  uint64_t repeated = 0;    // TCP segments that were there before
  uint64_t early = 0;       // TCP segments that waited for others
  uint64_t early_full = 0;  // that should have waited, but there was no room
  uint64_t gave_up = 0;     // flows that were not known after all packets that are allowed
};

class Classifier {
 public:
  // About 20 ms and 5 MB. Any thread, one at a time (held by a lock inside). A list file that
  // cannot be read, or that nDPI would not understand, is an error that names file and line.
  static Result<std::unique_ptr<Classifier>> create(const ListFiles& lists = {});
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  // Shows the next packet of the flow, any direction; `packet` is what parse_ip_packet made of
  // `ip`. True if something that a policy may ask for changed: the application, the risks, a name
  // or a fingerprint that was not there before, or that the answer is final.
  bool feed(FlowClassification& flow, std::span<const uint8_t> ip, const tunnels::packet& packet,
            int64_t time_us) {
    return !flow.final_ && feed_undecided(flow, ip, packet, time_us);
  }
  // The flow has ended: takes nDPI's best guess if it does not know. `tuple` is that of any of its
  // packets. True as above.
  bool finish(FlowClassification& flow, const tunnels::tuple& tuple);

  // "TLS.YouTube", as nDPI prints it; "Unknown" if it is not known.
  std::string name(const Application& application) const;
  std::string_view category_name(const Application& application) const;
  // The category of an application for which nDPI sees no better one.
  uint16_t usual_category(const Application& application) const;
  // "Safe", "Acceptable", "Fun", "Unsafe" ...
  std::string_view breed_name(const Application& application) const;
  // One sentence for each risk of the mask, lowest number first.
  static std::vector<std::string_view> risk_names(uint64_t risks);
  const DpiNames& names() const { return names_; }
  const ClassifierCounters& counters() const { return counters_; }
  // Bytes of early segments that wait now.
  size_t early_bytes() const { return early_budget_.used; }
  // Of one flow that is being looked at, without what nDPI allocates itself.
  static size_t search_size();

 private:
  explicit Classifier(ndpi_detection_module_struct* module) : module_(module) {}
  void load_names();
  bool feed_undecided(FlowClassification& flow, std::span<const uint8_t> ip,
                      const tunnels::packet& packet, int64_t time_us);
  bool feed_tcp(FlowClassification& flow, std::span<const uint8_t> ip,
                const tunnels::packet& packet);
  bool feed_other(FlowClassification& flow, std::span<const uint8_t> ip);
  void begin_search(FlowClassification& flow);
  bool show_handshake(FlowClassification& flow, const tunnels::tuple& tuple);
  bool show_segment(FlowClassification& flow, std::span<const uint8_t> ip, const Segment& segment);
  bool show_held(FlowClassification& flow);
  bool show(FlowClassification& flow, std::span<const uint8_t> ip);
  bool conclude(FlowClassification& flow, bool guess);

  ndpi_detection_module_struct* module_;
  DpiNames names_;
  int64_t now_us_ = 0;
  EarlyBudget early_budget_;
  ClassifierCounters counters_;
  std::vector<uint8_t> held_;     // the early packet whose turn has come
  std::vector<uint8_t> trimmed_;  // a packet without the bytes that were there before
};

}  // namespace sluice::inspect
