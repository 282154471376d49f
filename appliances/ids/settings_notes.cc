// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/settings_notes.h"

#include <algorithm>
#include <array>
#include <utility>

#include "appliances/ids/setting_value.h"
#include "inspect/eve/event_types.h"
#include "inspect/match/transaction_inspection.h"
#include "inspect/rules/regex.h"

namespace sluice::ids {
namespace {

struct KnownPart {
  std::string_view name;  // without the numbers of list elements; of a name below it, too
  std::string_view why;
};

constexpr std::string_view kCapture = "packets come through the gateway, or from -r";
constexpr std::string_view kThreads = "--workers says how many threads, each with flows of its own";
constexpr std::string_view kSearch = "rules are found by Hyperscan, in groups of its own";
constexpr std::string_view kProcess = "whoever starts the program sees to that";
constexpr std::string_view kTables = "what is remembered has limits of its own, all counted";
constexpr std::string_view kInspected = "found by content at any port, and inspected in any case";

constexpr std::string_view kTypes = "outputs.eve-log.types";
constexpr std::string_view kMembers = "these events have the members that they have";
constexpr std::string_view kUnknown = "not known here";

// The first that fits.
constexpr KnownPart kParts[] = {
    {"suricata-version", "asks for nothing"},
    {"default-log-dir", "-l DIR or --eve FILE say where events go"},
    {"stats", "counters are in `stats` events, at the control socket and for Prometheus"},
    {"plugins", "there are none"},
    {kTypes, "there are no such events"},
    {"outputs.eve-log.filename", "all events go to one file"},
    {"outputs.eve-log.enabled", "as if it were not there: --events says which events are written"},
    {"outputs.eve-log.filetype", "all events go to one file"},
    {"outputs.eve-log", "events are written without it"},
    {"outputs", "only eve-log is written"},
    {"logging", "the program speaks on standard error"},
    {"af-packet", kCapture},
    {"af-xdp", kCapture},
    {"dpdk", kCapture},
    {"pcap", kCapture},
    {"netmap", kCapture},
    {"pfring", kCapture},
    {"ipfw", kCapture},
    {"napatech", kCapture},
    {"nfq", kCapture},
    {"nflog", kCapture},
    {"windivert", kCapture},
    {"capture", kCapture},
    {"pcap-file", "-k says whether checksums are verified"},
    {"app-layer.protocols.http.libhtp.default-config.personality",
     "requests are read by the personality IDS"},
    {"app-layer.protocols.http.libhtp.default-config.swf-decompression",
     "Flash files are not unpacked"},
    {"app-layer.protocols.http.libhtp", "bodies are looked at as they come, for every server"},
    {"app-layer.protocols.http", kInspected},
    {"app-layer.protocols.http2", "inspected in any case, by rules about http, too"},
    {"app-layer.protocols.tls", kInspected},
    {"app-layer.protocols.dns", kInspected},
    {"app-layer.protocols.ssh", kInspected},
    {"app-layer.protocols.ftp", kInspected},
    {"app-layer.protocols.smtp", "inspected in any case, with all that its mails carry"},
    {"app-layer.protocols", "not understood here: rules that ask for it are refused"},
    {"asn1-max-frames", "rules with asn1 are refused"},
    {"datasets", "rules say what a set is; --data-dir is where files of sets are"},
    {"security", kProcess},
    {"coredump", kProcess},
    {"run-as", kProcess},
    {"pid-file", kProcess},
    {"daemon-directory", kProcess},
    {"umask", kProcess},
    {"host-mode", "a reject goes back through the gateway, to both sides"},
    {"max-pending-packets", kThreads},
    {"default-packet-size", kThreads},
    {"runmode", kThreads},
    {"autofp-scheduler", kThreads},
    {"threading", kThreads},
    {"unix-command", "--socket PATH opens the control socket"},
    {"magic-file", "rules with filemagic are refused"},
    {"geoip-database", "rules with geoip are refused"},
    {"legacy", "uricontent is understood in any case"},
    {"engine-analysis", "`sluice-ids rules` says which rules load, and `--profile` what they cost"},
    {"profiling", "`sluice-ids rules --profile CAPTURE` says what rules cost"},
    {"pcre", "a regular expression is given up after 50000 steps"},
    {"host-os-policy", "of what overlaps the first copy counts, and no other one passes"},
    {"defrag", "memory for fragments is taken as they come"},
    {"flow-timeouts", "a flow is known for longer than the gateway knows it"},
    {"flow", "--flows-max says how many are known at once"},
    {"vlan", "flows of other VLANs are other flows"},
    {"livedev", "there is one way in"},
    {"host", kTables},
    {"ippair", kTables},
    {"stream.reassembly.urgent", "urgent data are made like any other: all are inspected"},
    {"stream", "each byte of a stream is searched once, as it comes"},
    {"decoder.teredo", "Teredo is not opened"},
    {"decoder", "tunnels are opened at the ports of their standards"},
    {"detect", kSearch},
    {"mpm-algo", kSearch},
    {"spm-algo", kSearch},
    {"luajit", "rules with lua are refused"},
    {"reference-config-file", "events have references as rules write them"},
};

// Where rules would see less than these ask for.
constexpr struct {
  std::string_view ending;                   // of the name
  std::array<std::string_view, 3> harmless;  // values; "" too
  std::string_view remedy;
} kRefused[] = {
    {"rule-files", {}, "it is a list: say [FILE] or .0=FILE"},
    {"include", {}, "other files are not read: write here what they say"},
    {"multi-detect.enabled", {"no", "false"}, "start one sluice-ids for each tenant"},
    {"firewall.enabled", {"no", "false"}, "--default-action drop drops what no rule passes"},
    {".double-decode-path",
     {"no", "false"},
     "nothing is decoded twice: say no, and let rules ask for %25"},
    {".double-decode-query",
     {"no", "false"},
     "nothing is decoded twice: say no, and let rules ask for %25"},
    {".lzma-enabled", {"no", "false"}, "LZMA is not unpacked: say no"},
    {"decoder.vxlan.ports", {"4789", "[4789]", "$VXLAN_PORTS"}, "VXLAN is opened at 4789 only"},
    {"decoder.geneve.ports", {"6081", "[6081]", "$GENEVE_PORTS"}, "GENEVE is opened at 6081 only"},
    {"vars.port-groups.VXLAN_PORTS", {"4789", "[4789]"}, "VXLAN is opened at 4789 only"},
    {"vars.port-groups.GENEVE_PORTS", {"6081", "[6081]"}, "GENEVE is opened at 6081 only"},
    {"vlan.use-for-tracking", {"yes", "true"}, "flows of other VLANs are other flows: say true"},
    {"app-layer.protocols.smtp.raw-extraction",
     {"no", "false"},
     "rules see the parts of a mail, decoded: say no"},
    {"app-layer.protocols.ssh.encryption-handling",
     {"track-only", "default"},
     "what is encrypted is tracked and not searched: say track-only"},
};

// ... if they ask for more, or for no limit (0).
constexpr struct {
  std::string_view name;
  uint64_t most;
  std::string_view remedy;
} kMost[] = {
    {"app-layer.protocols.smtp.inspected-tracker.content-limit", inspect::kBodyBytesMax,
     "128 KB of an attachment are looked at: say 128kb at most"},
    {"pcre.match-limit", inspect::kRegexMatchLimit, "say 50000 at most"},
    {"pcre.match-limit-recursion", inspect::kRegexDepthLimit, "say 1500 at most"},
};
static_assert(inspect::kBodyBytesMax == 128 << 10 && inspect::kRegexMatchLimit == 50000 &&
              inspect::kRegexDepthLimit == 1500);

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

// Without the places in lists.
std::string without_numbers(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    const std::string_view word = name.substr(0, dot);
    if (!is_number(word)) out.append(out.empty() ? "" : ".").append(word);
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  return out;
}

bool is_in(std::string_view name, std::string_view part) {
  return name.starts_with(part) && (name.size() == part.size() || name[part.size()] == '.');
}

// The part with one more word, where each of those stands for itself.
std::string_view with_next_word(std::string_view name, std::string_view part) {
  const size_t dot = name.find('.', std::min(part.size() + 1, name.size()));
  return name.substr(0, dot);
}

bool is_event(std::string_view type) {
  return inspect::EventTypes::parse(std::string(type == "files" ? "fileinfo" : type)).has_value();
}

KnownPart part_of(std::string_view name) {
  const auto* const found =
      std::ranges::find_if(kParts, [&](const KnownPart& part) { return is_in(name, part.name); });
  if (found == std::end(kParts)) return {name, kUnknown};
  constexpr std::string_view kOfMany[] = {
      "outputs", "outputs.eve-log", kTypes, "app-layer.protocols", "stream", "flow", "defrag"};
  if (std::ranges::find(kOfMany, found->name) == std::end(kOfMany)) return *found;
  const std::string_view part = with_next_word(name, found->name);
  const bool member = found->name == kTypes && is_event(part.substr(part.rfind('.') + 1));
  return {part, member ? kMembers : found->why};
}

}  // namespace

std::string_view remedy_for(std::string_view name, std::string_view value) {
  for (const auto& [ending, harmless, remedy] : kRefused) {
    const bool named = ending.starts_with('.') ? name.ends_with(ending) : is_in(name, ending);
    if (named && std::ranges::find(harmless, value) == harmless.end()) return remedy;
  }
  for (const auto& [limited, most, remedy] : kMost)
    if (name == limited && size(value).value_or(0) - 1 >= most) return remedy;
  return {};
}

void SettingNotes::add(const Setting& setting) {
  std::string name = without_numbers(setting.name);
  // An element of a list that is a word only: it names the part.
  if (name == kTypes || name == "outputs") name.append(".").append(setting.value);
  // What has no value asks for nothing, unless it is an event.
  if (setting.value.empty() && !is_in(name, kTypes)) return;
  const KnownPart part = part_of(name);
  add(setting.line, part.name, std::string(part.why));
}

void SettingNotes::add(const Setting& setting, std::string why) {
  add(setting.line, setting.name, std::move(why));
}

void SettingNotes::add(int line, std::string_view part, std::string why) {
  auto note = std::ranges::find(notes_, why, &Note::why);
  if (note == notes_.end()) note = notes_.insert(note, {line, std::move(why), {}});
  auto found = std::ranges::find(note->parts, part, &Part::name);
  if (found == note->parts.end()) found = note->parts.insert(found, {std::string(part), 0});
  found->settings++;
}

std::vector<std::string> SettingNotes::texts(std::string_view file) const {
  std::vector<Note> notes = notes_;
  std::ranges::stable_sort(notes, {}, &Note::line);
  std::vector<std::string> out;
  for (const Note& note : notes) {
    std::string text(file);
    if (note.line != 0) text.append(":").append(std::to_string(note.line));
    for (const Part& part : note.parts) {
      text.append(&part == note.parts.data() ? ": " : ", ").append(part.name);
      if (part.settings > 1) text.append(" (" + std::to_string(part.settings) + " settings)");
    }
    out.push_back(text.append(": ").append(note.why));
  }
  return out;
}

}  // namespace sluice::ids
