// SPDX-License-Identifier: Apache-2.0
// Capture files in and out (libpcap: pcap and pcapng), always as Ethernet frames.
//
// A file of raw IP, Linux cooked or loopback frames is given Ethernet headers; other link types are
// refused by name. The file's content is not trusted.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tunnels/result.h"

struct pcap;
struct pcap_dumper;

namespace sluice::testbed {

// Longer frames are counted and left out; jumbo frames fit, an offloading card's super-packets do
// not.
inline constexpr size_t kFrameLengthMax = 9216;
// Times are kept within the years 1970 to 9999.
inline constexpr int64_t kTimeNsMax = INT64_C(9'223'372'036'000'000'000);

struct CapturedFrame {
  int64_t time_ns = 0;             // since 1970
  std::span<const uint8_t> bytes;  // an Ethernet frame; valid until the next one is read
};

// What a file held, whether or not it could be used.
struct CaptureCounts {
  uint64_t frames = 0;     // read from the file
  uint64_t truncated = 0;  // of them: shorter in the file than on the wire, passed on as they are
  uint64_t too_long = 0;   // of them: longer than kFrameLengthMax, left out
  uint64_t not_ethernet =
      0;  // of them: with a link header that has no Ethernet counterpart, left out
};

class CaptureReader {
 public:
  // "-" is standard input.
  static Result<CaptureReader> open(const std::string& path);

  // False at the end of the file. A file that ends inside a frame or contradicts itself is an
  // error; the frames before it were good.
  Result<bool> next(CapturedFrame& frame);

  const CaptureCounts& counts() const { return counts_; }

 private:
  struct Close {
    void operator()(pcap* handle) const;
  };
  CaptureReader(std::string path, std::unique_ptr<pcap, Close> handle, int link_type);

  std::string path_;
  std::unique_ptr<pcap, Close> handle_;
  int link_type_;
  CaptureCounts counts_;
  std::vector<uint8_t> converted_;
};

// Writes a pcap file of Ethernet frames with nanosecond times.
class CaptureWriter {
 public:
  static Result<CaptureWriter> create(const std::string& path);
  void write(int64_t time_ns, std::span<const uint8_t> frame);
  // Whether everything is in the file. Call it last.
  Result<> finish();

 private:
  struct Close {
    void operator()(pcap* handle) const;
    void operator()(pcap_dumper* dumper) const;
  };
  CaptureWriter(std::string path, std::unique_ptr<pcap, Close> handle,
                std::unique_ptr<pcap_dumper, Close> dumper);

  std::string path_;
  std::unique_ptr<pcap, Close> handle_;
  std::unique_ptr<pcap_dumper, Close> dumper_;
};

}  // namespace sluice::testbed
