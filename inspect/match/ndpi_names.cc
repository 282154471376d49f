// SPDX-License-Identifier: Apache-2.0
#include "inspect/match/ndpi_names.h"

#include "inspect/dpi/names.h"

namespace sluice::inspect {

Result<> NdpiNames::begin() {
  if (classifier_) return {};
  SLUICE_TRY(classifier_, Classifier::create());
  return {};
}

Result<ApplicationNames::Found> NdpiNames::application(std::string_view name) {
  SLUICE_TRY_VOID(begin());
  const auto found = application_named(name, classifier_->names());
  if (!found) return fail(unknown_application(name, classifier_->names()));
  return Found{found->master, found->application};
}

Result<uint8_t> NdpiNames::risk(std::string_view name) {
  SLUICE_TRY_VOID(begin());
  const auto& names = classifier_->names().risks;
  const auto number = number_of(name, names);
  if (!number || *number > 63) return fail(unknown_name("risk", name, names));
  return static_cast<uint8_t>(*number);
}

}  // namespace sluice::inspect
