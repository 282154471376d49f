// SPDX-License-Identifier: Apache-2.0
// The kernel host: the packet path as an XDP program in the drivers and as a TC program behind
// them, its tables as maps that this process has in its memory. Needs root (CAP_BPF, CAP_NET_ADMIN)
// and a kernel of 6.1 or later; of 6.6 for TC.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gateway/datapath/former_tables.h"
#include "gateway/datapath/host.h"

struct bpf_object;

namespace sluice::gateway {

class KernelHost final : public DataPathHost {
 public:
  // With the gateway's own program, or with another object file that has the same tables (a
  // benchmark).
  static Result<std::unique_ptr<KernelHost>> create(const HostOptions& options);
  static Result<std::unique_ptr<KernelHost>> create(const HostOptions& options,
                                                    std::span<const uint8_t> object_file);
  ~KernelHost() override;
  KernelHost(const KernelHost&) = delete;
  KernelHost& operator=(const KernelHost&) = delete;

  Tables& tables() override { return tables_; }
  uint64_t now_ms() const override;
  bool taken_over() const override { return taken_over_; }
  bool forgets_flows() const override { return forgets_flows_; }
  std::vector<uint32_t> left_attached() const override;
  // This process does the work from now on: its programs take the places of those that an earlier
  // one has left, and what that has left and nobody uses goes. A process that gives up before
  // leaves all as it was: the former programs, and what the former tables said. Without `keep`
  // nothing is pinned any more: all ends with this process.
  Result<> settle(bool keep = true);

  // XDP is native XDP; an interface that cannot do it, or has another program, is an error.
  Result<> attach(uint32_t interface_index, Entry entry) override;
  Result<> detach(uint32_t interface_index) override;

  // What the path hands over from now on (slow_path.h): a frame that came in at `interface_index`,
  // to be cut for `mtu` or, with 0, to wait. One process can listen, for one path.
  using TakeHandedOver =
      std::function<void(uint32_t interface_index, uint32_t mtu, std::span<const uint8_t> frame)>;
  Result<std::unique_ptr<Rings>> handed_over(TakeHandedOver taker);
  Result<std::unique_ptr<Rings>> sightings(TakeSighting taker) override;
  // What it hands over from now on for mirrors (mirror.h), by the same terms.
  using TakeMirrored = std::function<void(const mirror_head& head, std::span<const uint8_t> frame)>;
  Result<std::unique_ptr<Rings>> mirrored(TakeMirrored taker);

  // Ends the path that is kept in `pins`, whoever made it. Nothing there is no error.
  static Result<> remove_pins(const std::string& pins);

  // Runs a program of the object, or the TC entry's, on a frame (BPF_PROG_TEST_RUN), `repeat` times
  // without restoring it.
  struct TestRun {
    int action = 0;  // XDP_PASS, XDP_DROP, XDP_REDIRECT; TC_ACT_...
    std::vector<uint8_t> bytes;
    std::chrono::nanoseconds duration{};  // mean of one repetition
  };
  Result<TestRun> test_run(std::span<const uint8_t> bytes, const char* program = "sluice_xdp",
                           uint32_t repeat = 1);
  // The memory of a further array map of the object, one that is no table.
  Result<void*> map_memory(const char* map_name);

 private:
  KernelHost() = default;
  Result<> pin_tables(const std::string& pins, uint32_t buckets);
  void give_up();
  using Place = std::pair<uint32_t, Entry>;  // an interface's
  int former_link(const Place& at);
  Result<int> take_over_link(const Place& at, int program);
  Result<int> make_link(const Place& at, int program);
  std::string link_path(const Place& at) const;
  void end_pinned(const Place& at);
  // The descriptor of an entry's program. That of TC is loaded when it is first asked for.
  Result<int> program_of(Entry entry);
  Result<> load_tc();
  void detach(uint32_t interface_index, Entry entry);
  Result<std::unique_ptr<Rings>> rings(const char* map_name, size_t pages,
                                       std::function<void(std::span<const uint8_t>)> taker);
  Result<void*> map_table(const char* map_name, size_t entry_size);

  Tables tables_;
  bpf_object* object_ = nullptr;
  bpf_object* tc_object_ = nullptr;  // on the same maps
  std::vector<std::pair<void*, size_t>> regions_;
  std::string pins_;    // empty: nothing is pinned
  std::string folder_;  // in it, of the tables
  bool taken_over_ = false;
  bool forgets_flows_ = false;
  bool settled_ = false;
  std::optional<FormerTables> former_tables_;  // until this process has settled
  // Descriptors; closing one detaches, if it is not pinned.
  std::map<Place, int> links_;
  // Until this process has settled, of an earlier one: those of links_ that still have its program,
  // and those that are to go.
  std::set<Place> former_, leaving_;
};

}  // namespace sluice::gateway
