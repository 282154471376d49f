// SPDX-License-Identifier: Apache-2.0
// What a suricata.yaml says that has no effect here, and why, part by part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliances/ids/settings.h"

namespace sluice::ids {

// "file:12: af-packet (4 settings), pcap: packets come through the gateway, or from -r"
class SettingNotes {
 public:
  // One that was not taken; those of one part are told as one, parts of one reason together.
  void add(const Setting& setting);
  // Why one that is understood is not followed.
  void add(const Setting& setting, std::string why);

  // In the order of the file.
  std::vector<std::string> texts(std::string_view file) const;

 private:
  struct Part {
    std::string name;
    size_t settings = 0;
  };
  struct Note {
    int line;
    std::string why;
    std::vector<Part> parts;
  };
  void add(int line, std::string_view part, std::string why);
  std::vector<Note> notes_;
};

// Of a setting that is not followed though rules would then see less than it asks for: what to do
// about it. Empty: it is not one of those.
std::string_view remedy_for(std::string_view name, std::string_view value);

}  // namespace sluice::ids
