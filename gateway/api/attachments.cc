// SPDX-License-Identifier: Apache-2.0
#include "gateway/api/attachments.h"

#include <nlohmann/json.hpp>
#include <optional>

#include "gateway/control/controller.h"

namespace sluice::gateway {
namespace {

using nlohmann::json;

std::string_view entry_text(std::optional<Entry> entry) {
  if (!entry) return {};
  return *entry == Entry::kTc ? "tc" : "xdp";
}

std::string_view choice_text(EntryChoice choice) {
  if (choice == EntryChoice::kAuto) return "auto";
  return choice == EntryChoice::kTc ? "tc" : "xdp";
}

json text_or_null(std::string_view text) { return text.empty() ? json(nullptr) : json(text); }

}  // namespace

std::vector<TakenInterface> taken_interfaces(const Controller& controller) {
  std::vector<TakenInterface> out;
  const Reconciler& reconciler = controller.reconciler();
  for (const Attachment& attachment : controller.config().attachments) {
    const std::string_view entry = entry_text(reconciler.entry_of_attachment(attachment.name));
    out.push_back({attachment.outside, "outside", attachment.name, entry});
    out.push_back({attachment.inside, "inside", attachment.name, entry});
  }
  const auto& tunnels = controller.config().gateway.tunnel_interfaces;
  for (size_t i = 0; i < tunnels.size(); i++)
    out.push_back({tunnels[i], "tunnel", {}, entry_text(reconciler.entry_of_tunnel(i))});
  return out;
}

json describe_attachments(const Controller& controller) {
  json attachments = json::array(), tunnel = json::array();
  for (const Attachment& attachment : controller.config().attachments)
    attachments.push_back(
        {{"name", attachment.name},
         {"endpoint_id", attachment.endpoint_id},
         {"outside", attachment.outside},
         {"inside", attachment.inside},
         {"load_balancer", attachment.load_balancer},
         {"entry", choice_text(attachment.entry)},
         {"taken_at",
          text_or_null(entry_text(controller.reconciler().entry_of_attachment(attachment.name)))}});
  for (const TakenInterface& one : taken_interfaces(controller))
    if (one.attachment.empty())
      tunnel.push_back({{"interface", one.name}, {"taken_at", text_or_null(one.entry)}});
  return {{"attachments", std::move(attachments)}, {"tunnel", std::move(tunnel)}};
}

}  // namespace sluice::gateway
