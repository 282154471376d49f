// SPDX-License-Identifier: Apache-2.0
// Which application a flow belongs to, found by nDPI.
//
// A classifier is one nDPI module: it belongs to one thread, and all flows that shall help to
// identify each other (a DNS answer names the address of a later connection) must go to the same
// one. Application and category numbers are those of the nDPI that is installed; write down names.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "inspect/dpi/findings.h"
#include "tunnels/packet.h"
#include "tunnels/result.h"

struct ndpi_detection_module_struct;
struct ndpi_flow_struct;

namespace sluice::inspect {

// Packets of a flow after which nDPI must have made up its mind.
inline constexpr uint32_t kDpiTcpPacketsMax = 80;
inline constexpr uint32_t kDpiOtherPacketsMax = 24;

// "TLS.YouTube" is master TLS, application YouTube. "TLS" alone is application TLS, master 0.
struct Application {
  uint16_t master = 0;
  uint16_t application = 0;  // 0: unknown
  uint16_t category = 0;
  bool operator==(const Application&) const = default;
};

// One flow's part. Costs memory beyond itself only from the first payload to the final answer.
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
  struct Free {
    void operator()(ndpi_flow_struct* flow) const;
  };
  bool note(const Application& found);

  std::unique_ptr<ndpi_flow_struct, Free> flow_;
  Application application_;
  uint32_t packets_ = 0;
  bool final_ = false;
  uint8_t texts_seen_ = 0;  // at the last change
  uint64_t risks_seen_ = 0;
  std::unique_ptr<Findings> findings_;
};

// By number; a number without a name has an empty string.
struct DpiNames {
  std::vector<std::string> applications;
  std::vector<std::string> categories;
  std::vector<std::string> risks;
};

class Classifier {
 public:
  // About 20 ms and 5 MB. Any thread, one at a time (held by a lock inside).
  static Result<std::unique_ptr<Classifier>> create();
  ~Classifier();
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;

  // Shows the next packet of the flow, any direction; `packet` is what parse_ip_packet made of
  // `ip`. True if something that a policy may ask for changed: the application, the risks, a name
  // or a fingerprint that was not there before, or that the answer is final.
  bool feed(FlowClassification& flow, std::span<const uint8_t> ip, const tunnels::packet& packet,
            int64_t time_us);
  // Ends the search: takes nDPI's best guess if it does not know. True as above.
  bool finish(FlowClassification& flow);

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

 private:
  explicit Classifier(ndpi_detection_module_struct* module) : module_(module) {}
  void load_names();

  ndpi_detection_module_struct* module_;
  DpiNames names_;
};

}  // namespace sluice::inspect
