// SPDX-License-Identifier: Apache-2.0
// A start that fails, at whichever step, beside the path that a former process has left pinned:
// programs, links and tables are as that left them. In a namespace of its own, with real programs.
#include <bpf/bpf.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>

#include "gateway/control/control_plane.h"
#include "gateway/control/hops_for_test.h"
#include "gateway/control/links.h"
#include "gateway/control/reconciler_fixture.h"
#include "gateway/datapath/kernel_host.h"
#include "gateway/store/store.h"

namespace sluice::gateway {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kFlows = 4096;

// One sluiced, as far as the path goes.
struct Daemon {
  Daemon(std::unique_ptr<KernelHost> with, NextHops& hops, Controller::Senders senders = {},
         ControlPlane::Also also = {}, std::unique_ptr<Store> store = {})
      : loop(std::move(*EventLoop::create())),
        host(std::move(with)),
        controller(*loop, *host, hops, events, {}, std::move(senders)),
        plane(controller, std::move(also), std::move(store)) {}

  Result<std::vector<Error>> start(const std::string& yaml) {
    return plane.start(*parse_config(yaml, "f"));
  }

  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<KernelHost> host;
  EventBus events;
  Controller controller;
  ControlPlane plane;
};

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

// The next configuration: another target, listener and attachment, and what makes it fail.
std::string other_yaml() {
  std::string yaml = replaced(kReconcilerYaml, "10.9.0.12", "10.9.0.22");
  yaml = replaced(yaml, "port: 7000, default", "port: 7070, default");
  return replaced(yaml, "load_balancer: inspect}\n",
                  "load_balancer: inspect}\n"
                  "  - {name: next, endpoint_id: 7, outside: out1, inside: in1, load_balancer: "
                  "inspect}\n");
}

std::string with_a_bridge(std::string yaml) {
  return replaced(std::move(yaml), "target_groups:",
                  "  - {name: last, endpoint_id: 8, outside: br0, inside: br1, load_balancer: "
                  "inspect, entry: xdp}\ntarget_groups:");
}

// The attachment that was at XDP is to be at TC.
std::string at_tc(std::string yaml) {
  return replaced(std::move(yaml), "load_balancer: inspect}\n  - {name: next",
                  "load_balancer: inspect, entry: tc}\n  - {name: next");
}

class FailedStart : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIP: needs root";
    const Result<> created = create_namespace(name_);
    if (!created) GTEST_SKIP() << "SKIP: " << created.error().text();
    scope_.emplace(std::move(*NamespaceScope::enter(*Namespace::open(name_))));
    getrlimit(RLIMIT_FSIZE, &file_size_);
    make_interfaces();
    former_ = run(kFlows);
    ASSERT_TRUE(former_);
    const auto started = former_->start(kReconcilerYaml);
    ASSERT_TRUE(started) << started.error().text();
    ASSERT_TRUE(former_->host->settle());
    programs_ = programs();
    ASSERT_EQ(programs_.size(), 3u);
    tables_ = written(former_->host->tables());
  }
  void TearDown() override {
    former_.reset();
    (void)KernelHost::remove_pins(pins_);
    scope_.reset();
    (void)delete_namespace(name_);
  }

  void make_interfaces() {
    auto socket = RouteSocket::open(*Namespace::current());
    ASSERT_TRUE(socket);
    for (const std::string name : {"out0", "in0", "gen0", "out1", "in1"}) {
      ASSERT_TRUE(create_veth(*socket, {.name = name}, {.name = name + "far"}));
      ASSERT_TRUE(set_up(*socket, name, true));
    }
    for (const std::string name : {"br0", "br1"}) ASSERT_TRUE(create_bridge(*socket, name, 1500));
    const auto links = list_links(*socket);
    ASSERT_TRUE(links);
    for (const Link& link : *links) hops_.interfaces[link.name] = static_cast<uint32_t>(link.index);
  }

  std::unique_ptr<Daemon> run(uint32_t flows_max, Controller::Senders senders = {},
                              ControlPlane::Also also = {}, std::unique_ptr<Store> store = {}) {
    auto host = KernelHost::create({.flows_max = flows_max, .pins = pins_});
    EXPECT_TRUE(host) << host.error().text();
    if (!host) return {};
    return std::make_unique<Daemon>(std::move(*host), hops_, std::move(senders), std::move(also),
                                    std::move(store));
  }

  // What is attached by which pin: the program's number.
  std::map<std::string, uint32_t> programs() const {
    std::map<std::string, uint32_t> out;
    std::error_code none;
    for (const auto& file : fs::directory_iterator(pins_, none)) {
      if (file.is_directory()) continue;
      const int link = bpf_obj_get(file.path().c_str());
      bpf_link_info info{};
      uint32_t size = sizeof(info);
      EXPECT_EQ(bpf_obj_get_info_by_fd(link, &info, &size), 0);
      close(link);
      out[file.path().filename()] = info.prog_id;
    }
    return out;
  }
  size_t tables_kept() const {
    size_t out = 0;
    for (const auto& file : fs::directory_iterator(pins_)) out += file.is_directory() ? 1 : 0;
    return out;
  }
  static uint32_t xdp_at(const std::string& name) {
    auto socket = RouteSocket::open(*Namespace::current());
    return find_link(*socket, name)->xdp_program;
  }

  // Starts and fails, over the former tables and with others.
  void expect_nothing_changed(const std::string& yaml, const std::string& trouble,
                              const Controller::Senders& senders = {},
                              const ControlPlane::Also& also = {}, const std::string& store = {}) {
    for (const uint32_t flows_max : {kFlows, 2 * kFlows}) {
      SCOPED_TRACE(flows_max);
      {
        auto opened = store.empty() ? nullptr : std::move(*Store::open(store));
        const auto next = run(flows_max, senders, also, std::move(opened));
        ASSERT_TRUE(next);
        EXPECT_EQ(next->host->taken_over(), flows_max == kFlows);
        const auto started = next->start(yaml);
        setrlimit(RLIMIT_FSIZE, &file_size_);
        ASSERT_FALSE(started);
        EXPECT_NE(started.error().text().find(trouble), std::string::npos)
            << started.error().text();
      }
      EXPECT_EQ(programs(), programs_);
      EXPECT_TRUE(written(former_->host->tables()) == tables_);
      EXPECT_EQ(tables_kept(), 1u);
      EXPECT_EQ(xdp_at("out1"), 0u) << "what the failed start has attached";
    }
  }

  std::string name_ = "lab-start-" + std::to_string(getpid());
  std::string pins_ = "/sys/fs/bpf/sluice-failed-start-test-" + std::to_string(getpid());
  std::optional<NamespaceScope> scope_;
  rlimit file_size_{};
  MadeUpHops hops_;
  std::unique_ptr<Daemon>
      former_;  // whose process has ended: it does no more, but shows its tables
  std::map<std::string, uint32_t> programs_;
  std::string tables_;
};

TEST_F(FailedStart, AtAnInterfaceThatTakesNoProgram) {
  expect_nothing_changed(with_a_bridge(other_yaml()), "cannot attach native XDP");
}

TEST_F(FailedStart, AtAnInterfaceThatTakesNoProgramAfterAChangeOfEntry) {
  expect_nothing_changed(at_tc(with_a_bridge(other_yaml())), "cannot attach native XDP");
}

TEST_F(FailedStart, AtOffloadsThatDoNotChange) {
  Controller::Senders senders;
  senders.finish = [](const std::string&, bool) -> Result<> { return fail("no such offload"); };
  expect_nothing_changed(at_tc(other_yaml()), "no such offload", senders);
}

TEST_F(FailedStart, AtAnInterfaceThatXdpCannotSendTo) {
  Controller::Senders senders;
  senders.redirects = [](const std::string&) -> Result<> { return fail("cannot send there"); };
  expect_nothing_changed(at_tc(other_yaml()), "cannot send there", senders);
}

TEST_F(FailedStart, AtAddressesThatCannotBeSet) {
  expect_nothing_changed(other_yaml(), "no such address", {},
                         [](const Config&, auto) -> Result<> { return fail("no such address"); });
}

// All that a start does has been done then, but for the last word to the store.
TEST_F(FailedStart, AtAStoreThatTakesNoMore) {
  signal(SIGXFSZ, SIG_IGN);
  char name[] = "/tmp/sluice-start-XXXXXX";
  const std::string folder = mkdtemp(name);
  const auto full = [&](const Config&, auto) -> Result<> {
    const rlimit none{0, file_size_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &none);
    return {};
  };
  expect_nothing_changed(other_yaml(), "the store", {}, full, folder + "/state.db");
  fs::remove_all(folder);
}

// Nothing is in force before all of it is.
TEST_F(FailedStart, ProgramsChangeWhenAStartHasSucceeded) {
  const auto next = run(2 * kFlows);
  ASSERT_TRUE(next->start(at_tc(other_yaml())));
  const auto meanwhile = programs();
  for (const auto& [pin, program] : programs_) EXPECT_EQ(meanwhile.at(pin), program) << pin;
  former_.reset();  // its descriptors would keep the links
  ASSERT_TRUE(next->host->settle());
  const auto after = programs();
  EXPECT_EQ(after.size(), 5u);
  const std::string gen0 = "link-" + std::to_string(hops_.interfaces["gen0"]);
  EXPECT_NE(after.at(gen0), programs_.at(gen0));
  EXPECT_EQ(xdp_at("out0"), 0u) << "it is at TC now";
  EXPECT_NE(xdp_at("out1"), 0u);
  EXPECT_EQ(tables_kept(), 1u);
}

// The kernel ends a link whose pin goes a while later; another program may want the place now.
TEST_F(FailedStart, AProgramIsOffWhenItIsDetached) {
  const uint32_t out1 = hops_.interfaces["out1"];
  for (int round = 0; round < 50; ++round) {
    for (const Entry entry : {Entry::kXdp, Entry::kTc, Entry::kXdp})
      ASSERT_TRUE(former_->host->attach(out1, entry));
    ASSERT_NE(xdp_at("out1"), 0u);
    ASSERT_TRUE(former_->host->attach(out1, Entry::kTc));
    ASSERT_EQ(xdp_at("out1"), 0u) << "it is at TC now, round " << round;
    ASSERT_TRUE(former_->host->attach(out1, Entry::kXdp));
    ASSERT_TRUE(former_->host->detach(out1));
    ASSERT_EQ(xdp_at("out1"), 0u) << "round " << round;
  }
}

TEST_F(FailedStart, EveryProgramIsOffWhenThePathHasEnded) {
  former_.reset();
  ASSERT_NE(xdp_at("out0"), 0u) << "its pin keeps it";
  ASSERT_TRUE(KernelHost::remove_pins(pins_));
  EXPECT_EQ(xdp_at("out0"), 0u);
}

TEST_F(FailedStart, AStartThatKeepsNothingTakesOverAndEndsThePath) {
  {
    const auto next = run(kFlows);
    EXPECT_TRUE(next->host->taken_over());
    ASSERT_TRUE(next->start(kReconcilerYaml));
    former_.reset();
    ASSERT_TRUE(next->host->settle(false));
    EXPECT_FALSE(fs::exists(pins_));
    EXPECT_NE(xdp_at("out0"), 0u);
  }
  EXPECT_EQ(xdp_at("out0"), 0u);
}

}  // namespace
}  // namespace sluice::gateway
