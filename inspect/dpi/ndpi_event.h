// SPDX-License-Identifier: Apache-2.0
// The "ndpi" object of EVE events.
#pragma once

namespace sluice::inspect {

class Classifier;
class FlowClassification;
class JsonLine;

// proto, category and breed always; of the rest what was seen: guessed, hostname, dns, http, tls,
// risks with their score. docs/features/dpi.md names the fields.
void write_ndpi(JsonLine& line, const Classifier& classifier, const FlowClassification& flow);

}  // namespace sluice::inspect
