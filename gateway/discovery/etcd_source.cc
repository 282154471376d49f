// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/etcd_source.h"

#include "gateway/discovery/etcd_messages.h"
#include "gateway/discovery/http_call.h"
#include "gateway/proxy/wakeup.h"

namespace sluice::gateway {
namespace {

constexpr uint32_t kAnswerS = 10;     // for a list, and for the beginning of a watch
constexpr uint64_t kSpacingMs = 200;  // between a change and the list: more will have come by then

}  // namespace

EtcdSource::EtcdSource(EventLoop& loop, DiscoverSettings settings, Heard heard, uint32_t second_ms)
    : loop_(loop), settings_(std::move(settings)), heard_(std::move(heard)), second_ms_(second_ms) {
  loop_.spawn(run(), this);
}

EtcdSource::~EtcdSource() { loop_.cancel_tasks_of(this); }

uint64_t EtcdSource::after_s(uint32_t seconds) const {
  return loop_.now_ms() + uint64_t{seconds} * second_ms_;
}

const Target& EtcdSource::endpoint() const {
  return settings_.endpoints[endpoint_ % settings_.endpoints.size()];
}

Task<> EtcdSource::run() {
  co_await sleep_until(loop_, loop_.now_ms());  // nothing is heard from within the creation
  while (true) {
    auto revision = co_await list();
    Result<> watched;
    if (revision) watched = co_await watch(*revision + 1);
    if (revision && watched) {
      backoff_.reset();
      co_await sleep_until(loop_, loop_.now_ms() + kSpacingMs);
      continue;
    }
    Error error = revision ? watched.error() : revision.error();
    error.where = "http://" + endpoint().text();
    heard_(tl::make_unexpected(std::move(error)));
    endpoint_++;
    co_await sleep_until(loop_, after_s(backoff_.next_s()));
  }
}

Task<Result<int64_t>> EtcdSource::list() {
  const auto to = SocketAddress::parse(endpoint().address.text(), endpoint().port);
  if (!to) co_return Failure(to.error());
  auto call = co_await HttpCall::post(loop_, *to, "/v3/kv/range",
                                      etcd_list_request(settings_.prefix), after_s(kAnswerS));
  if (!call) co_return Failure(call.error());
  const auto body = co_await (*call)->read_all(kEtcdBytesMax);
  if (!body) co_return Failure(body.error());
  if ((*call)->status() != 200) co_return fail(etcd_complaint((*call)->status(), *body));
  auto list = parse_etcd_list(*body);
  if (!list) co_return Failure(list.error());
  heard_(std::move(list->found));
  co_return list->revision;
}

// Until something has changed, or it is time for a list anyway.
Task<Result<>> EtcdSource::watch(int64_t from_revision) {
  const auto to = SocketAddress::parse(endpoint().address.text(), endpoint().port);
  if (!to) co_return Failure(to.error());
  auto call = co_await HttpCall::post(loop_, *to, "/v3/watch",
                                      etcd_watch_request(settings_.prefix, from_revision),
                                      after_s(kAnswerS));
  if (!call) co_return Failure(call.error());
  if ((*call)->status() != 200) co_return fail(etcd_complaint((*call)->status(), ""));
  (*call)->set_deadline(after_s(kEtcdListS));
  std::string lines;
  while (true) {
    const auto piece = co_await (*call)->read();
    if (!piece && piece.error().code.value() == ETIMEDOUT) co_return Result<>();
    if (!piece) co_return Failure(piece.error());
    if (piece->empty()) co_return fail("the watch has ended");
    lines += *piece;
    if (lines.size() > kEtcdBytesMax) co_return fail("a word of the watch is too long");
    for (size_t end; (end = lines.find('\n')) != std::string::npos; lines.erase(0, end + 1)) {
      const auto word = parse_etcd_word(std::string_view(lines).substr(0, end));
      if (!word) co_return Failure(word.error());
      if (*word == EtcdWord::kChanged) co_return Result<>();
    }
  }
}

}  // namespace sluice::gateway
