// SPDX-License-Identifier: Apache-2.0
// Flows outlive the configuration that they began under: what they know by its place in a table
// stays what it was.
#include "gateway/control/reconciler_fixture.h"
#include "gateway/datapath/unrecorded.h"

namespace sluice::gateway {
namespace {

class ReconcilerFlows : public ReconcilerTest {
 protected:
  // Of a flow that begins now: its place in the settings' idle_ms.
  uint32_t idle_class(uint8_t protocol, uint16_t port) const {
    flow_key key{};
    key.protocol = protocol;
    key.port[1] = htons(port);
    return flow_idle_class(&tables, &key) >> kFlowIdleShift;
  }
  uint32_t idle_ms(uint32_t its_class) const { return tables.settings[0].idle_ms[its_class]; }
  void reconcile_with(std::vector<IdleTimeout> idle_timeouts) {
    config.gateway.idle_timeouts = std::move(idle_timeouts);
    reconcile();
  }

  uint16_t place_of(std::string_view attachment) const {
    for (uint16_t i = 0; i < kAttachmentsMax; i++)
      if (tables.attachments[i].in_use && reconciler.attachment_name(i) == attachment) return i;
    return kNone16;
  }
  flow_query query(uint16_t attachment, uint16_t port) const {
    tuple from{{}, {}, htons(port), htons(80), kProtocolUdp, 4, 0};
    flow_query out{};
    flow_query_from_tuple(&out, tables.settings, &from, attachment, 0);
    return out;
  }
  void begin_flow(uint16_t attachment, uint16_t port) {
    const flow_query one = query(attachment, port);
    const uint32_t index = flow_claim(&tables, one.hash, 0, 0);
    ASSERT_NE(index, uint32_t{kFlowNotFound});
    flow_record& record = tables.flow_buckets[index / kFlowWays].record[index % kFlowWays];
    record = {};
    record.key = one.key;
    record.attachment = static_cast<uint8_t>(attachment);
    flow_publish(&tables, index, one.hash, flow_mark(kFlowEstablished, 0));
  }
  bool has_flow(uint16_t attachment, uint16_t port) {
    flow_query one = query(attachment, port);
    return flow_find(&tables, &one) != kFlowNotFound;
  }
  Attachment another(std::string name, uint64_t endpoint_id) {
    Attachment out = *first;
    out.name = std::move(name);
    out.endpoint_id = endpoint_id;
    return out;
  }
  void reconcile_until_done() {
    reconcile();
    for (int turn = 0; turn < 1000 && reconciler.has_more_to_do(); turn++)
      ASSERT_TRUE(reconciler.reconcile(config, world));
    ASSERT_FALSE(reconciler.has_more_to_do());
  }

  const std::shared_ptr<const Attachment> first = config.attachments.shared(0);
};

constexpr IdleTimeout kSsh = {kProtocolTcp, 22, 86'400};
constexpr IdleTimeout kDns = {kProtocolUdp, 53, 2};
constexpr IdleTimeout kUdp = {kProtocolUdp, 0, 30};

TEST_F(ReconcilerFlows, AFlowKeepsItsIdleTimeoutWhenTheListChanges) {
  reconcile_with({kSsh, kDns});
  const uint32_t ssh = idle_class(kProtocolTcp, 22), dns = idle_class(kProtocolUdp, 53);
  reconcile_with({kDns});
  EXPECT_EQ(idle_ms(ssh), 86'400'000u) << "its rule is gone, it lives on";
  EXPECT_EQ(idle_ms(dns), 2'000u);
  EXPECT_EQ(idle_class(kProtocolTcp, 22), uint32_t{kIdleTcp});
  EXPECT_EQ(idle_class(kProtocolUdp, 53), dns);
  EXPECT_LE(86'400'000u >> tables.settings[0].epoch_shift, 31u) << "there are still such flows";
  reconcile_with({kDns, kUdp, kSsh});
  EXPECT_EQ(idle_class(kProtocolUdp, 53), dns) << "the first that fits";
  EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, 54)), 30'000u);
  EXPECT_EQ(idle_class(kProtocolTcp, 22), ssh);
  reconcile_with({kUdp, kDns});
  EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, 53)), 30'000u) << "the first that fits";
  EXPECT_EQ(idle_ms(dns), 2'000u);
}

TEST_F(ReconcilerFlows, AndWhenALaterProcessHasAnotherList) {
  reconcile_with({kSsh, kDns});
  const uint32_t ssh = idle_class(kProtocolTcp, 22), dns = idle_class(kProtocolUdp, 53);
  config.gateway.idle_timeouts = {kUdp, kDns};
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_EQ(idle_ms(ssh), 86'400'000u);
  EXPECT_EQ(idle_ms(dns), 2'000u);
  EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, 53)), 30'000u);
}

// Flows can have 14 idle times of the list's. When a fifteenth comes, those of one that is no
// longer in the list get it: rather a longer one than they had.
TEST_F(ReconcilerFlows, TheIdleTimeoutNextToANewOneGivesWay) {
  constexpr uint16_t kTimes = kIdleClasses - kIdleRules;
  std::vector<IdleTimeout> list;
  for (uint16_t i = 1; i <= kTimes; i++) list.push_back({kProtocolUdp, i, i * 10u});
  reconcile_with(list);
  std::set<uint32_t> classes;
  for (uint16_t i = 1; i <= kTimes; i++) {
    classes.insert(idle_class(kProtocolUdp, i));
    EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, i)), i * 10'000u);
  }
  EXPECT_EQ(classes.size(), kTimes);
  const uint32_t of_40 = idle_class(kProtocolUdp, 4), of_50 = idle_class(kProtocolUdp, 5);
  const uint32_t of_60 = idle_class(kProtocolUdp, 6);
  list.erase(list.begin() + 3, list.begin() + 6);
  list.push_back({kProtocolUdp, 99, 59});
  reconcile_with(list);
  EXPECT_EQ(idle_class(kProtocolUdp, 99), of_50);
  EXPECT_EQ(idle_ms(of_50), 59'000u);
  EXPECT_EQ(idle_ms(of_40), 40'000u);
  EXPECT_EQ(idle_ms(of_60), 60'000u);
  for (IdleTimeout& idle : list) idle.seconds += 1'000;
  reconcile_with(list);
  for (const IdleTimeout& idle : list)
    EXPECT_EQ(idle_ms(idle_class(kProtocolUdp, idle.port)), idle.seconds * 1000);
}

TEST_F(ReconcilerFlows, AnEndpointDoesNotInheritTheFlowsOfOneThatIsGone) {
  reconcile();
  const uint16_t gone = place_of("front");
  begin_flow(gone, 1);
  config.attachments.clear();
  config.attachments.push_back(another("next", 8));
  reconcile();
  const uint16_t next = place_of("next");
  EXPECT_FALSE(has_flow(next, 1));
  begin_flow(next, 2);
  reconcile_until_done();
  EXPECT_FALSE(has_flow(gone, 1));
  EXPECT_TRUE(has_flow(next, 2));
}

TEST_F(ReconcilerFlows, NorDoesOneOfTheSameName) {
  reconcile();
  begin_flow(place_of("front"), 1);
  config.attachments[0].endpoint_id = 8;
  reconcile();
  EXPECT_FALSE(has_flow(place_of("front"), 1));
}

TEST_F(ReconcilerFlows, NorFlowsWithoutARecord) {
  reconcile();
  const uint16_t gone = place_of("front");
  const auto without_record = [&](uint16_t attachment) {
    return uint64_t{attachment} << kUnrecordedAttachmentShift | 1;
  };
  __u64& left = tables.unrecorded_buckets[3].flow[1].way = without_record(gone);
  config.attachments.clear();
  config.attachments.push_back(another("next", 8));
  reconcile();
  const uint64_t stays = without_record(place_of("next"));
  tables.unrecorded_buckets[3].flow[2].way = stays;
  reconcile_until_done();
  EXPECT_EQ(left, 0u);
  EXPECT_EQ(tables.unrecorded_buckets[3].flow[2].way, stays);
}

TEST_F(ReconcilerFlows, NorWhenAllPlacesAreTaken) {
  config.attachments.clear();
  for (uint32_t i = 0; i < kAttachmentsMax; i++)
    config.attachments.push_back(another("a" + std::to_string(i), i + 1));
  reconcile();
  const uint16_t gone = place_of("a77");
  begin_flow(gone, 1);
  begin_flow(place_of("a78"), 2);
  config.attachments.erase_if([](const Attachment& a) { return a.name == "a77"; });
  config.attachments.push_back(another("next", 1000));
  reconcile();
  ASSERT_EQ(place_of("next"), gone) << "there is no other";
  EXPECT_FALSE(has_flow(gone, 1));
  EXPECT_TRUE(has_flow(place_of("a78"), 2));
}

// Killed before the flows were gone.
TEST_F(ReconcilerFlows, NorThatOfALaterProcess) {
  reconcile();
  const uint16_t gone = place_of("front");
  begin_flow(gone, 1);
  config.attachments.clear();
  reconcile();
  config.attachments.push_back(another("next", 8));
  TakenOver later(*host);
  Reconciler again(later);
  ASSERT_TRUE(again.reconcile(config, world));
  for (uint16_t place = 0; place < kAttachmentsMax; place++)
    EXPECT_FALSE(has_flow(place, 1) && tables.attachments[place].in_use) << place;
  for (int turn = 0; turn < 1000 && again.has_more_to_do(); turn++)
    ASSERT_TRUE(again.reconcile(config, world));
  EXPECT_FALSE(has_flow(gone, 1));
}

TEST_F(ReconcilerFlows, TheirFlowsAreLookedForAPartAtATime) {
  const auto large = std::move(*ProcessHost::create({4 * kFlowBucketsPerTurnMax * kFlowWays}));
  Reconciler its_own(*large);
  ASSERT_TRUE(its_own.reconcile(config, world));
  config.attachments.clear();
  for (int turn = 0; turn < 4; turn++) {
    ASSERT_TRUE(its_own.reconcile(config, world));
    EXPECT_TRUE(its_own.has_more_to_do()) << turn;
  }
  ASSERT_TRUE(its_own.reconcile(config, world));
  EXPECT_FALSE(its_own.has_more_to_do());
}

// ---- connections that the tables do not know ----

// Tables of its own beside those of another size or layout.
class Forgets : public TakenOver {
 public:
  Forgets(ProcessHost& host, bool taken_over) : TakenOver(host), taken_over_(taken_over) {}
  bool taken_over() const override { return taken_over_; }
  bool forgets_flows() const override { return !taken_over_; }

 private:
  bool taken_over_;
};

TEST_F(ReconcilerFlows, ConnectionsOfTablesThatCannotBeReadAreSparedForAnIdleTime) {
  constexpr uint32_t kWanted = kAttachmentResets | kAttachmentDropsUnknown;
  config.load_balancers[0].listeners[0].attributes = {
      {"send_tcp_reset.on_idle_timeout.enabled", "true"}};
  config.gateway.idle_timeouts = {{kProtocolTcp, 22, 1000}};
  Forgets fresh(*host, false);
  Reconciler first_one(fresh);
  ASSERT_TRUE(first_one.reconcile(config, world));
  const auto flags = [&] { return uint32_t{tables.attachments[0].flags}; };
  EXPECT_EQ(flags(), uint32_t{kAttachmentResets});
  host->set_now_ms(host->now_ms() + 999'000);
  ASSERT_TRUE(first_one.reconcile(config, world));
  EXPECT_EQ(flags(), uint32_t{kAttachmentResets}) << "one that is silent for long may still live";

  Forgets next(*host, true);  // takes over what the first has begun
  Reconciler later(next);
  ASSERT_TRUE(later.reconcile(config, world));
  EXPECT_EQ(flags(), uint32_t{kAttachmentResets}) << "a restart does not end it";
  config.gateway.mss_clamp = true;
  ASSERT_TRUE(later.reconcile(config, world));
  EXPECT_EQ(flags(), uint32_t{kAttachmentResets}) << "nor does another configuration";
  host->set_now_ms(host->now_ms() + 1'000);
  ASSERT_TRUE(later.reconcile(config, world));
  EXPECT_EQ(flags(), kWanted);
  host->set_now_ms(host->now_ms() + 1'000'000);
  ASSERT_TRUE(later.reconcile(config, world));
  EXPECT_EQ(flags(), kWanted);
}

TEST_F(ReconcilerFlows, AFirstStartSparesNobody) {
  config.load_balancers[0].listeners[0].attributes = {{"sluice.unknown_tcp_flow", "drop"}};
  reconcile();
  EXPECT_TRUE(tables.attachments[0].flags & kAttachmentDropsUnknown);
}

}  // namespace
}  // namespace sluice::gateway
