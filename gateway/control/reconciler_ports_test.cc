// SPDX-License-Identifier: Apache-2.0
// Which entry each interface's packets are taken at.
#include "gateway/control/reconciler_fixture.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kOut = 5, kIn = 6, kGen = 9;

// Remembers who is attached where. Some interfaces have no XDP.
class Ports : public DataPathHost {
 public:
  explicit Ports(ProcessHost& host) : host_(host) {}
  Tables& tables() override { return host_.tables(); }
  Result<> attach(uint32_t index, Entry entry) override {
    calls++;
    if (entry == Entry::kXdp && without_xdp.contains(index)) return fail("no XDP");
    attached[index] = entry;
    return {};
  }
  Result<> detach(uint32_t index) override {
    attached.erase(index);
    return {};
  }
  uint64_t now_ms() const override { return host_.now_ms(); }

  std::set<uint32_t> without_xdp;
  std::map<uint32_t, Entry> attached;
  int calls = 0;

 private:
  ProcessHost& host_;
};

class FinishingWorld : public FakeWorld {
 public:
  Result<> finish_packets(const std::string& interface, bool finish) override {
    if (finish)
      finished.insert(interface);
    else
      finished.erase(interface);
    return {};
  }
  Result<> check_redirects(const std::string& interface) override {
    return without_redirects.contains(interface) ? fail("lost", interface) : Result<>();
  }
  std::set<std::string> finished;
  std::set<std::string> without_redirects;
};

class ReconcilerPorts : public testing::Test {
 protected:
  using At = std::map<uint32_t, Entry>;

  Result<> with(const char* entry, const char* tunnel = "xdp") {
    std::string yaml = kReconcilerYaml;
    const auto put = [&](const std::string& behind, const std::string& text) {
      yaml.insert(yaml.find(behind) + behind.size(), std::string(", entry: ") + text);
    };
    put("inside: in0", entry);
    put("address: 10.9.0.1", tunnel);
    return reconciler.reconcile(*parse_config(yaml, "f"), world);
  }

  std::unique_ptr<ProcessHost> host =
      std::move(*ProcessHost::create({.flows_max = 1024, .pins = {}}));
  Ports ports{*host};
  FinishingWorld world;
  Reconciler reconciler{ports};
};

TEST_F(ReconcilerPorts, EveryInterfaceIsAtTheEntryThatIsAskedFor) {
  ASSERT_TRUE(with("auto"));
  EXPECT_EQ(ports.attached, (At{{kOut, Entry::kXdp}, {kIn, Entry::kXdp}, {kGen, Entry::kXdp}}));
  ASSERT_TRUE(with("tc"));
  EXPECT_EQ(ports.attached, (At{{kOut, Entry::kTc}, {kIn, Entry::kTc}, {kGen, Entry::kXdp}}));
  EXPECT_EQ(reconciler.entry_of(kOut), Entry::kTc);
  EXPECT_EQ(reconciler.entry_of_attachment("front"), Entry::kTc);
  EXPECT_EQ(reconciler.entry_of_tunnel(0), Entry::kXdp);
  EXPECT_FALSE(reconciler.entry_of_attachment("nobody"));
  EXPECT_FALSE(reconciler.entry_of_tunnel(1));
  ASSERT_TRUE(with("xdp", "tc"));
  EXPECT_EQ(ports.attached, (At{{kOut, Entry::kXdp}, {kIn, Entry::kXdp}, {kGen, Entry::kTc}}));
  reconciler.detach_all();
  EXPECT_TRUE(ports.attached.empty());
}

TEST_F(ReconcilerPorts, AutoTakesTcWhereThereIsNoXdpAndStaysThere) {
  ports.without_xdp = {kIn};
  const auto refused = with("auto");
  ASSERT_FALSE(refused) << "what the tunnel sends there by XDP would be lost";
  EXPECT_NE(refused.error().text().find("no XDP; TC would do"), std::string::npos);
  ASSERT_TRUE(with("auto", "tc"));
  EXPECT_EQ(ports.attached, (At{{kOut, Entry::kTc}, {kIn, Entry::kTc}, {kGen, Entry::kTc}}));
  ports.without_xdp.clear();
  ASSERT_TRUE(with("auto", "tc"));
  EXPECT_EQ(ports.attached[kIn], Entry::kTc);
  ASSERT_TRUE(with("xdp"));
  EXPECT_EQ(ports.attached[kIn], Entry::kXdp);
}

TEST_F(ReconcilerPorts, XdpIsRefusedWhereThereIsNone) {
  ports.without_xdp = {kIn};
  const auto refused = with("xdp");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "no XDP");
  ports.without_xdp = {kGen};
  EXPECT_FALSE(with("auto")) << "the tunnel has no other entry unless it is said";
  EXPECT_TRUE(with("auto", "tc"));
}

TEST_F(ReconcilerPorts, TcIsRefusedWhereWhatTheTunnelSendsByXdpIsLost) {
  for (const char* device : {"out0", "in0"}) {
    world.without_redirects = {device};
    const auto refused = with("tc");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().text(), std::string(device) + ": lost");
    EXPECT_TRUE(with("tc", "tc"));
    EXPECT_TRUE(with("xdp")) << "its own program takes what comes";
    EXPECT_TRUE(with("auto"));
  }
  world.without_redirects = {"gen0"};
  EXPECT_TRUE(with("tc")) << "nothing is sent there by XDP";
}

TEST_F(ReconcilerPorts, TheTunnelMakesPacketsOfWhatTcSends) {
  ASSERT_TRUE(with("auto"));
  EXPECT_TRUE(world.finished.empty());
  ASSERT_TRUE(with("tc"));
  EXPECT_EQ(world.finished, (std::set<std::string>{"gen0"}));
  ASSERT_TRUE(with("tc", "tc"));
  EXPECT_TRUE(world.finished.empty());
  ASSERT_TRUE(with("tc"));
  ASSERT_TRUE(with("xdp"));
  EXPECT_TRUE(world.finished.empty());
}

}  // namespace
}  // namespace sluice::gateway
