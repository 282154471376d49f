// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/settings.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "appliances/ids/settings_for_test.h"

namespace sluice::ids {
namespace {

constexpr const char* kExample = R"(%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: "[10.0.0.0/8]"
    EXTERNAL_NET: "!$HOME_NET"
  port-groups:
    WEB: "[80,8080]"
outputs:
  - fast:
      enabled: no
  - eve-log:
      enabled: yes
      filename: eve.json
      community-id: true
      community-id-seed: 7
      ipv6-compress: yes
      types:
        - alert:
            payload: yes
            payload-printable: yes
            packet: yes
            metadata: no
        - drop:
            flows: all
        - dns:
        - files:
            force-hash: [md5]
        - anomaly
        - flow
packet-alert-max: 3
stream:
  midstream: true
  reassembly:
    depth: 2mb
    memcap: 64 MiB
)";

TEST_F(SettingsTest, TakesWhatItUnderstandsAndNamesTheRest) {
  EXPECT_EQ(apply(kExample),
            (std::vector<std::string>{config() +
                                      ":23: outputs.eve-log.types.alert: these events have the "
                                      "members that they have"}));
  EXPECT_EQ(options_.rules.variables.at("HOME_NET"), "[10.0.0.0/8]");
  EXPECT_EQ(options_.rules.variables.at("WEB"), "[80,8080]");
  const inspect::EventOptions& events = options_.inspection.events;
  EXPECT_TRUE(events.community_id && events.short_ipv6 && events.every_drop);
  EXPECT_TRUE(events.payload && events.payload_printable && events.packet);
  EXPECT_EQ(events.community_id_seed, 7);
  for (const char* type : {"alert", "drop", "dns", "fileinfo", "anomaly", "flow"})
    EXPECT_TRUE(events.types.has(type)) << type;
  for (const char* type : {"http", "stats"}) EXPECT_FALSE(events.types.has(type)) << type;
  EXPECT_TRUE(options_.inspection.file_hashes[0]);
  EXPECT_FALSE(options_.inspection.file_hashes[1]);
  EXPECT_EQ(options_.inspection.alerts_per_packet_max, 3u);
  EXPECT_EQ(options_.inspection.stream.depth, 2u << 20);
  EXPECT_EQ(options_.inspection.stream_memory_max, 64u << 20);
}

TEST_F(SettingsTest, RefusesValuesThatItCannotHonour) {
  for (const char* bad :
       {"stream:\n  midstream: false\n", "packet-alert-max: 0\n", "packet-alert-max: x\n",
        "stream:\n  reassembly:\n    depth: 1 parsec\n",
        "stream:\n  reassembly:\n    memcap: 99999999999999999999\n",
        "vars:\n  address-groups:\n    A: $NONE\n",
        "outputs:\n  - eve-log:\n      community-id: perhaps\n",
        "outputs:\n  - eve-log:\n      types:\n        - files: {force-hash: [crc32]}\n"}) {
    EXPECT_NE(refusal(bad), "") << bad;
  }
  EXPECT_FALSE(read("a: [b\n"));
  EXPECT_FALSE(read_settings("/nonexistent.yaml"));
}

// The parts of the file that Suricata comes with, each with a setting or two.
constexpr const char* kStock = R"(%YAML 1.1
---
vars:
  address-groups: {HOME_NET: "[10.0.0.0/8]", DNS_SERVERS: $HOME_NET}
  port-groups: {HTTP_PORTS: "80", SHELLCODE_PORTS: "!80", VXLAN_PORTS: 4789}
default-log-dir: /var/log/suricata/
stats: {enabled: yes, interval: 8}
outputs:
  - fast: {enabled: yes, filename: fast.log, append: yes}
  - eve-log:
      enabled: yes
      filetype: regular
      xff: {enabled: no, mode: extra-data}
      types:
        - alert: {tagged-packets: yes}
        - http: {extended: yes}
        - dns:
        - rdp
        - mqtt:
        - flow
  - pcap-log: {enabled: no, limit: 1000mb}
logging:
  outputs:
    - console: {enabled: yes}
af-packet:
  - {interface: eth0, cluster-id: 99}
  - interface: default
app-layer:
  protocols:
    rfb: {enabled: yes, detection-ports: {dp: "5900, 5901"}}
    tls: {enabled: yes, detection-ports: {dp: 443}}
    http2: {enabled: no, http1-rules: no}
    smtp: {enabled: yes, mime: {decode-mime: yes}}
    http:
      enabled: yes
      libhtp:
        default-config:
          personality: IDS
          request-body-limit: 100kb
          response-body-decompress-layer-limit: 2
          swf-decompression: {enabled: yes, type: both}
          double-decode-path: no
        server-config:
unix-command: {enabled: auto}
host-os-policy: {windows: [0.0.0.0/0], bsd: []}
defrag: {memcap: 32mb, timeout: 60}
flow-timeouts: {tcp: {new: 60}}
stream:
  memcap: 64mb
  checksum-validation: yes
  inline: auto
  reassembly: {depth: 1mb, toserver-chunk-size: 2560, urgent: {policy: oob, oob-limit-policy: drop}}
decoder:
  vxlan: {enabled: true, ports: $VXLAN_PORTS}
mpm-algo: auto
threading: {set-cpu-affinity: no}
nfq:
default-rule-path: /nonexistent/rules
rule-files: [suricata.rules]
classification-file: /nonexistent/classification.config
)";

TEST_F(SettingsTest, TheFileThatSuricataComesWithIsTakenAndTheRestExplained) {
  const std::vector<std::string> notes = apply(kStock);
  for (const char* wanted :
       {":6: default-log-dir: -l DIR", ":9: outputs.fast (3 settings): only eve-log is written",
        ":13: outputs.eve-log.xff (2 settings): ",
        ":18: outputs.eve-log.types.rdp, outputs.eve-log.types.mqtt: there are no such events",
        ":26: af-packet (3 settings): packets come through the gateway",
        ":30: app-layer.protocols.rfb (2 settings): not understood here",
        ":32: app-layer.protocols.http2 (2 settings): inspected in any case",
        ":41: app-layer.protocols.http.libhtp.default-config.swf-decompression (2 settings): Flash",
        ":45: host-os-policy: of what overlaps the first copy counts",
        ":52: stream.reassembly.urgent (2 settings): urgent data",
        ":59: rule-files.0: there is no /nonexistent/rules/suricata.rules",
        ":60: classification-file: there is no /nonexistent/classification.config"})
    EXPECT_TRUE(std::ranges::any_of(notes, [&](const std::string& n) {
      return n.starts_with(config() + wanted);
    })) << wanted;
  for (const std::string& note : notes) {
    EXPECT_EQ(note.find("not known here"), std::string::npos) << note;
    EXPECT_EQ(note.find("pcap-log"), std::string::npos) << "it is off: " << note;
  }
  EXPECT_TRUE(options_.rules.rule_files.empty());
  EXPECT_EQ(options_.rules.variables.at("DNS_SERVERS"), "$HOME_NET");
}

TEST_F(SettingsTest, WhatIsNotKnownIsSaidToBe) {
  EXPECT_EQ(apply("strem: {midstream-policy: drop-flow}\n"),
            std::vector<std::string>{config() + ":1: strem.midstream-policy: not known here"});
}

TEST_F(SettingsTest, WhatWouldShowRulesLessIsRefusedWithLineAndRemedy) {
  const struct {
    std::string text, error;
  } kTable[] = {
      {"a: 1\ninclude: other.yaml\n",
       ":2: 'include=other.yaml' is not supported: other files are not read: write here what they "
       "say"},
      {"app-layer: {protocols: {http: {libhtp: {default-config: {double-decode-path: yes}}}}}\n",
       ":1: 'app-layer.protocols.http.libhtp.default-config.double-decode-path=yes' is not "
       "supported: nothing is decoded twice: say no, and let rules ask for %25"},
      {"vars: {port-groups: {VXLAN_PORTS: 8472}}\n",
       ":1: 'vars.port-groups.VXLAN_PORTS=8472' is not supported: VXLAN is opened at 4789 only"},
      {"vars: 5\n",
       ":1: 'vars=5' is not supported: address-groups and port-groups have names with values"},
      {"rule-files: a.rules\n",
       ":1: 'rule-files=a.rules' is not supported: it is a list: say [FILE] or .0=FILE"},
      {"decoder: {geneve: {ports: \"[6081, 1]\"}}\n",
       ":1: 'decoder.geneve.ports=[6081, 1]' is not supported: GENEVE is opened at 6081 only"},
      {"stream:\n  inline: no\n",
       ":2: 'stream.inline=no' is not supported: it is inline, also over a capture: take the line "
       "out"},
      {"vlan:\n  use-for-tracking: false\n",
       ":2: 'vlan.use-for-tracking=false' is not supported: flows of other VLANs are other flows: "
       "say true"},
      {"app-layer: {protocols: {smtp: {raw-extraction: yes}}}\n",
       ":1: 'app-layer.protocols.smtp.raw-extraction=yes' is not supported: rules see the parts of "
       "a mail, decoded: say no"},
      {"app-layer: {protocols: {ssh: {encryption-handling: full}}}\n",
       ":1: 'app-layer.protocols.ssh.encryption-handling=full' is not supported: what is encrypted "
       "is tracked and not searched: say track-only"},
      {"multi-detect: {enabled: yes}\n",
       ":1: 'multi-detect.enabled=yes' is not supported: start one sluice-ids for each tenant"},
  };
  for (const auto& row : kTable) EXPECT_EQ(refusal(row.text), config() + row.error);
}

TEST_F(SettingsTest, RuleFilesAreLoadedByTheirPatterns) {
  const std::string directory = file("").substr(0, file("").size() - 1);
  for (const char* name : {"a.rules", "b.rules", "c.txt", "classification.config"})
    std::ofstream(file(name)) << "#\n";
  EXPECT_EQ(apply("rule-files: [\"*.rules\", " + file("c.txt") + "]\ndefault-rule-path: " +
                  directory + "\nclassification-file: " + file("classification.config") + "\n"),
            None{});
  EXPECT_EQ(options_.rules.rule_files,
            (std::vector<std::string>{file("a.rules"), file("b.rules"), file("c.txt")}));
  EXPECT_EQ(options_.rules.classification_file, file("classification.config"));
}

TEST_F(SettingsTest, OneByOneEachMustBeUnderstood) {
  EXPECT_TRUE(apply_setting("outputs.1.eve-log.community-id=yes", options_));
  EXPECT_TRUE(options_.inspection.events.community_id);
  EXPECT_TRUE(apply_setting("stream.inline=true", options_));
  EXPECT_FALSE(apply_setting("stream.inline=no", options_));
  EXPECT_TRUE(apply_setting("app-layer.protocols.http2.enabled=true", options_));
  EXPECT_FALSE(apply_setting("app-layer.protocols.http2.enabled=false", options_));
  EXPECT_FALSE(apply_setting("outputs.0.fast.enabled=no", options_));
  EXPECT_FALSE(apply_setting("nonsense", options_));
  EXPECT_TRUE(apply_setting("stream.checksum-validation=no", options_));
  EXPECT_FALSE(options_.inspection.verify_checksums);
  EXPECT_FALSE(apply_setting("stream.checksum-validation=auto", options_));
  EXPECT_TRUE(apply_setting("stream.midstream-policy=drop-flow", options_));
  EXPECT_FALSE(apply_setting("stream.midstream-policy=drop-packet", options_));
  EXPECT_TRUE(apply_setting("outputs.0.eve-log.types.0.dns.version=3", options_));
  EXPECT_EQ(options_.inspection.events.dns_version, 3);
  EXPECT_FALSE(apply_setting("outputs.0.eve-log.types.0.dns.version=1", options_));
  EXPECT_TRUE(apply_setting("outputs.0.eve-log.types.0.alert.verdict=yes", options_));
  EXPECT_TRUE(options_.inspection.events.verdict);
  EXPECT_TRUE(apply_setting("stream.async-oneside=true", options_));
  EXPECT_TRUE(options_.inspection.one_sided);
  const std::string layers =
      "app-layer.protocols.http.libhtp.default-config.response-body-decompress-layer-limit=";
  EXPECT_TRUE(apply_setting(layers + "2", options_));
  EXPECT_FALSE(apply_setting(layers + "4", options_));
  EXPECT_TRUE(options_.inspection.events.types.has("http")) << "an option chooses no types";
}

// Two outputs, of which the first is off, and what would be another one's.
constexpr const char* kTwoOutputs = R"(
outputs:
  - eve-log:
      enabled: no
      community-id: yes
      filename: off.json
      rotate-interval: nonsense
      types: [http, dns]
  - eve-log:
      filetype: syslog
      filename: /dev/log
      types: [flow]
  - eve-log:
      enabled: yes
      filetype: regular
      filename: eve-%Y-%m-%d.json
      rotate-interval: day
      types: [alert]
  - eve-log:
      filename: another.json
)";

TEST_F(SettingsTest, AnOutputThatIsOffChoosesNothing) {
  EXPECT_EQ(apply(kTwoOutputs),
            (std::vector<std::string>{
                config() + ":4: outputs.eve-log.enabled: as if it were not there: --events says "
                           "which events are written",
                config() + ":10: outputs.eve-log.filetype, outputs.eve-log.filename: all events go "
                           "to one file"}));
  const inspect::EventOptions& events = options_.inspection.events;
  for (const char* type : {"alert", "flow"}) EXPECT_TRUE(events.types.has(type)) << type;
  for (const char* type : {"http", "dns"}) EXPECT_FALSE(events.types.has(type)) << type;
  EXPECT_FALSE(events.community_id);
  EXPECT_EQ(options_.eve.path, "eve-%Y-%m-%d.json");
  EXPECT_TRUE(options_.eve.rotation.is_wanted());
}

TEST_F(SettingsTest, WhereAllOutputsAreOffItIsAsIfThereWereNone) {
  apply("outputs:\n  - eve-log: {enabled: no, types: [alert]}\n");
  EXPECT_TRUE(options_.inspection.events.types.has("http"));
  EXPECT_EQ(options_.eve.path, kEveFileName);
}

TEST_F(SettingsTest, RotationIsRefusedWithItsForms) {
  EXPECT_EQ(
      refusal("outputs:\n  - eve-log:\n      rotate-interval: weekly\n"),
      config() +
          ":3: 'rotate-interval=weekly' is not supported: 'weekly' is no interval: it can be "
          "minute, hour, day, or a number of seconds or with s, m, h, d or w behind it, up to "
          "366d");
  EXPECT_NE(refusal("outputs:\n  - eve-log: {filename: }\n"), "");
  EXPECT_TRUE(apply_setting("outputs.0.eve-log.rotate-interval=30m", options_));
  EXPECT_EQ(options_.eve.rotation.end_of_file(100), 1900);
}

TEST_F(SettingsTest, OrderThresholdsAndReputation) {
  EXPECT_EQ(apply("threshold-file: /etc/threshold.config\n"
                  "action-order: [drop, pass, reject, alert]\n"
                  "reputation-categories-file: /etc/categories.txt\n"
                  "reputation-files: [hosts.list, /other.list]\n"
                  "default-reputation-path: /etc/iprep\n"),
            None{});
  EXPECT_EQ(options_.rules.threshold_file, "/etc/threshold.config");
  EXPECT_EQ(options_.rules.order.rank(inspect::Action::kDrop), 0u);
  EXPECT_EQ(options_.rules.reputation.categories_file, "/etc/categories.txt");
  EXPECT_EQ(options_.rules.reputation.files,
            (std::vector<std::string>{"/etc/iprep/hosts.list", "/other.list"}));
  EXPECT_TRUE(apply_setting("threshold-file=x", options_));
  EXPECT_EQ(options_.rules.threshold_file, "x");
  EXPECT_FALSE(apply_setting("action-order.0=pass", options_));
}

}  // namespace
}  // namespace sluice::ids
