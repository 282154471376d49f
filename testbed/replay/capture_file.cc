// SPDX-License-Identifier: Apache-2.0
#include "testbed/replay/capture_file.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <cstdio>

#include "testbed/replay/link_header.h"

namespace sluice::testbed {

namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

// Both parts come from the file. In a handle opened with nanosecond precision tv_usec holds
// nanoseconds.
int64_t time_ns_of(const timeval& time) {
  const int64_t seconds = std::clamp<int64_t>(time.tv_sec, 0, kTimeNsMax / kNsPerSecond - 1);
  return seconds * kNsPerSecond + std::clamp<int64_t>(time.tv_usec, 0, kNsPerSecond - 1);
}

std::string link_type_text(int link_type) {
  const char* name = pcap_datalink_val_to_description(link_type);
  return std::to_string(link_type) + (name != nullptr ? std::string(" (") + name + ")" : "");
}

}  // namespace

void CaptureReader::Close::operator()(pcap* handle) const { pcap_close(handle); }

CaptureReader::CaptureReader(std::string path, std::unique_ptr<pcap, Close> handle, int link_type)
    : path_(std::move(path)), handle_(std::move(handle)), link_type_(link_type) {}

Result<CaptureReader> CaptureReader::open(const std::string& path) {
  char reason[PCAP_ERRBUF_SIZE] = "";
  std::unique_ptr<pcap, Close> handle(
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, reason));
  if (handle == nullptr) {
    const std::string text = reason;  // some begin with the path
    return fail(text.starts_with(path + ": ") ? text.substr(path.size() + 2)
                                              : "not a capture file: " + text,
                path);
  }
  const int link_type = pcap_datalink(handle.get());
  if (!link_type_is_known(link_type))
    return fail("frames of link type " + link_type_text(link_type) + " cannot be replayed", path);
  return CaptureReader(path, std::move(handle), link_type);
}

Result<bool> CaptureReader::next(CapturedFrame& frame) {
  for (;;) {
    pcap_pkthdr* header = nullptr;
    const u_char* bytes = nullptr;
    const int status = pcap_next_ex(handle_.get(), &header, &bytes);
    if (status == PCAP_ERROR_BREAK) return false;
    if (status != 1)
      return fail(std::string(pcap_geterr(handle_.get())) + ", after " +
                      std::to_string(counts_.frames) + " frames",
                  path_);
    counts_.frames++;
    if (header->caplen < header->len) counts_.truncated++;
    if (!convert_to_ethernet(link_type_, {bytes, header->caplen}, converted_)) {
      counts_.not_ethernet++;
    } else if (converted_.size() > kFrameLengthMax) {
      counts_.too_long++;
    } else {
      frame = {time_ns_of(header->ts), converted_};
      return true;
    }
  }
}

void CaptureWriter::Close::operator()(pcap* handle) const { pcap_close(handle); }
void CaptureWriter::Close::operator()(pcap_dumper* dumper) const { pcap_dump_close(dumper); }

CaptureWriter::CaptureWriter(std::string path, std::unique_ptr<pcap, Close> handle,
                             std::unique_ptr<pcap_dumper, Close> dumper)
    : path_(std::move(path)), handle_(std::move(handle)), dumper_(std::move(dumper)) {}

Result<CaptureWriter> CaptureWriter::create(const std::string& path) {
  constexpr int kSnapLength = 65535;
  std::unique_ptr<pcap, Close> handle(
      pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kSnapLength, PCAP_TSTAMP_PRECISION_NANO));
  if (handle == nullptr) return fail("no memory for a capture file", path);
  std::unique_ptr<pcap_dumper, Close> dumper(pcap_dump_open(handle.get(), path.c_str()));
  if (dumper == nullptr) return fail_errno("cannot write the capture file", path);
  return CaptureWriter(path, std::move(handle), std::move(dumper));
}

void CaptureWriter::write(int64_t time_ns, std::span<const uint8_t> frame) {
  pcap_pkthdr header{};
  header.ts.tv_sec = time_ns / kNsPerSecond;
  header.ts.tv_usec = time_ns % kNsPerSecond;
  header.caplen = header.len = static_cast<bpf_u_int32>(frame.size());
  pcap_dump(reinterpret_cast<u_char*>(dumper_.get()), &header, frame.data());
}

Result<> CaptureWriter::finish() {
  if (pcap_dump_flush(dumper_.get()) != 0 || std::ferror(pcap_dump_file(dumper_.get())) != 0)
    return fail_errno("cannot write the capture file", path_);
  return {};
}

}  // namespace sluice::testbed
