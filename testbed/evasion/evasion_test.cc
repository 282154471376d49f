// SPDX-License-Identifier: Apache-2.0
// Tricks against inspection, each as a capture: the rule fires, or the packet that carries the
// trick is dropped; with another word in the same trick nothing fires.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "appliances/ids/ids_appliance.h"
#include "appliances/sdk/capture.h"

namespace sluice::testbed {
namespace {

using Numbers = std::vector<int>;

const std::string kFolder = SLUICE_SOURCE_DIR "/testbed/evasion/";

struct Trick {
  const char* name;
  Numbers alerts;   // sids in the order of the events
  Numbers dropped;  // frames, from 1
};

const Trick kTricks[] = {
    // TCP
    {"tiny_segments", {2}, {}},
    {"segments_backwards", {1}, {}},
    {"overlap_same_bytes", {1}, {}},
    {"overlap_decoy_last", {1}, {5}},
    {"overlap_decoy_first", {}, {5}},
    {"overlap_early", {1}, {5}},
    {"out_of_window", {1}, {6, 7}},
    {"short_ttl", {100}, {5, 6}},
    {"beyond_the_window", {1}, {6}},
    {"middle_decoy_ahead", {2}, {}},
    {"middle_decoy_before", {1}, {2}},
    {"middle_backwards", {1}, {}},
    {"turned_round", {2}, {}},
    {"bad_checksum", {1}, {4}},
    {"urgent_byte", {1}, {}},
    {"urgent_in_fragments", {}, {5}},
    {"reset_outside", {1}, {}},
    {"reset_outside_http", {2}, {}},
    {"reset_then_syn", {2}, {}},
    {"second_syn", {1}, {}},
    {"rst_ttl", {2}, {}},
    {"rst_bad_checksum", {2}, {8}},
    {"fin_ttl", {}, {7}},
    {"fin_bad_checksum", {2}, {6}},
    {"fin_with_other_bytes", {2}, {5}},
    {"fin_out_of_window", {2}, {}},
    {"rst_syn_ttl", {}, {8}},
    {"port_again", {2}, {}},
    {"data_with_the_syn", {1}, {}},
    {"gap", {2, 4}, {}},
    // Fragments
    {"tiny_fragments", {5}, {}},
    {"fragments_backwards", {5}, {}},
    {"fragments_of_a_tcp_header", {1}, {}},
    {"fragments_overlap", {}, {3, 4, 5}},
    {"fragments_overlap_same", {5}, {}},
    {"fragments_behind_a_datagram", {101}, {5}},
    {"fragments_with_two_ends", {}, {4}},
    {"fragments_of_two_protocols", {}, {2, 3}},
    {"fragments_ipv6", {5, 5}, {}},
    // HTTP: where a message ends
    {"chunks", {4}, {}},
    {"chunks_odd", {4}, {}},
    {"codings_of_a_request", {2, 2, 2}, {}},
    {"until_the_end", {4}, {}},
    {"pipelined", {2, 4}, {}},
    {"pipelined_by_hundreds", {2, 4}, {}},
    {"behind_connect", {2, 4}, {}},
    {"http2_before_it_may", {2, 4}, {}},
    {"http2_streams_by_hundreds", {2, 4}, {}},
    {"interim_answers", {6, 4}, {}},
    {"ranges", {4}, {}},
    {"two_lengths", {2}, {}},
    // HTTP: coded bodies
    {"gzipped", {4}, {}},
    {"gzipped_in_chunks", {4}, {}},
    {"gzipped_twice", {4}, {}},
    {"deflated", {4, 4}, {}},
    {"not_gzipped", {4}, {}},
    {"wide_characters", {7, 7, 8}, {}},
    {"zero_bytes", {2, 3, 4}, {}},
    // HTTP: spellings
    {"escaped_paths", {2, 2, 2, 2, 2, 2}, {}},
    {"folded_header", {3}, {}},
    {"odd_lines", {2, 3}, {}},
    // What parsers could take for something else
    {"gzip_headers", {4, 4}, {}},
    {"empty_blocks", {4, 4}, {}},
    {"odd_method", {2, 2, 2}, {}},
    {"junk_before_http", {2}, {}},
    {"empty_lines_before_http", {2}, {}},
    {"greetings_before_http", {2, 2, 2, 2}, {}},
    {"header_of_a_proxy", {2, 2}, {}},
    {"junk_before_dns", {20}, {}},
    {"ftp_without_a_name", {22}, {}},
    {"lines_before_ssh", {23}, {}},
    {"odd_hellos", {21, 21, 21, 21}, {}},
};

// Which frames the appliance drops.
class Watched : public sdk::Appliance {
 public:
  explicit Watched(std::unique_ptr<ids::IdsAppliance> ids) : ids_(std::move(ids)) {}
  sdk::Answer handle(sdk::Packet& packet, sdk::Injector& injector) override {
    const sdk::Answer answer = ids_->handle(packet, injector);
    if (answer == sdk::Answer::kDrop) dropped.push_back(static_cast<int>(packet.frame->number));
    return answer;
  }
  void finish(int64_t time_us) override { ids_->finish(time_us); }

  Numbers dropped;

 private:
  std::unique_ptr<ids::IdsAppliance> ids_;
};

struct Seen {
  Numbers alerts, dropped;
};

Seen seen_in(const std::string& capture) {
  ids::IdsOptions options;
  options.rules.rule_files = {kFolder + "evasion.rules"};
  inspect::MemorySink events;
  auto ids = ids::make_ids(options, events);
  EXPECT_TRUE(ids) << ids.error().text();
  Watched watched(std::move(*ids));
  const auto ran = sdk::run_capture(kFolder + capture, watched);
  EXPECT_TRUE(ran) << ran.error().text();
  Seen seen{{}, watched.dropped};
  std::istringstream lines(events.text());
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    if (event["event_type"] == "alert") seen.alerts.push_back(event["alert"]["signature_id"]);
  }
  return seen;
}

class Evasion : public testing::TestWithParam<Trick> {};

TEST_P(Evasion, IsSeenOrStopped) {
  const Seen seen = seen_in(GetParam().name + std::string(".pcap"));
  EXPECT_EQ(seen.alerts, GetParam().alerts);
  EXPECT_EQ(seen.dropped, GetParam().dropped);
}

TEST_P(Evasion, OfAnotherWordIsNoAttack) {
  Seen seen = seen_in(GetParam().name + std::string(".harmless.pcap"));
  std::erase_if(seen.alerts, [](int sid) { return sid >= 100; });
  EXPECT_EQ(seen.alerts, Numbers{});
  EXPECT_EQ(seen.dropped, GetParam().dropped);
}

INSTANTIATE_TEST_SUITE_P(Tricks, Evasion, testing::ValuesIn(kTricks),
                         [](const auto& trick) { return std::string(trick.param.name); });

}  // namespace
}  // namespace sluice::testbed
