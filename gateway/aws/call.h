// SPDX-License-Identifier: Apache-2.0
// One call of an action: its parameters, where its answer goes, and the gateway that it is about.
#pragma once

#include <functional>
#include <optional>
#include <pugixml.hpp>
#include <string>

#include "gateway/aws/aws_error.h"
#include "gateway/aws/params.h"
#include "gateway/control/control_plane.h"

namespace sluice::gateway {

// Where the gateway says it is, in every ARN.
struct Place {
  std::string region;
  std::string account;
};

struct Call {
  Params& params;
  pugi::xml_node out;  // ELBv2, STS: the result; EC2: the response
  ControlPlane& plane;
  const Place& place;
  const std::string& author;  // "aws:KEY"
  bool dry_run = false;       // EC2

  const Config& config() const { return plane.config(); }

  // Runs `change` on a copy of the state and puts the copy into effect, or tells why not; what the
  // change itself refuses is told in its own words. A dry run ends in the error DryRunOperation.
  using Change = std::function<AwsResult<>(Config& next)>;
  AwsResult<> commit(const Change& change);
};

// A page of what a Describe action tells: the items of `all` (sorted by key) that come behind the
// marker. Writes NextMarker (or what `token` says) if there are more.
struct PageNames {
  const char* marker = "Marker";
  const char* size = "PageSize";
  const char* next = "NextMarker";
  uint64_t size_least = 1;
  uint64_t size_most = 400;
};
class Page {
 public:
  // Asks for the parameters; before finish().
  Page(Params& params, const PageNames& names = {});

  // `key(item)` is a unique text. Sorts the items by it and leaves those of the page.
  template <class Item, class Key>
  void cut(std::vector<Item>& items, pugi::xml_node out, const Key& key) const;

 private:
  PageNames names_;
  std::string marker_;
  uint64_t size_;
};

template <class Item, class Key>
void Page::cut(std::vector<Item>& items, pugi::xml_node out, const Key& key) const {
  std::sort(items.begin(), items.end(),
            [&](const Item& a, const Item& b) { return key(a) < key(b); });
  const auto begin = std::find_if(items.begin(), items.end(),
                                  [&](const Item& item) { return marker_ < key(item); });
  items.erase(items.begin(), begin);
  if (items.size() <= size_) return;
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(size_), items.end());
  out.append_child(names_.next).text().set(std::string(key(items.back())).c_str());
}

}  // namespace sluice::gateway
