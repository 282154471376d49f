// SPDX-License-Identifier: Apache-2.0
#include "appliances/ids/build_info.h"

#include <hs.h>
#include <htp/htp.h>
#include <ndpi/ndpi_api.h>

namespace sluice::ids {

std::string_view version() { return "sluice-ids " SLUICE_VERSION; }

std::string build_info() {
  return std::string(version()) + "\nHyperscan " + hs_version() + "\n" + htp_get_version() +
         "\nnDPI " + ndpi_revision();
}

}  // namespace sluice::ids
