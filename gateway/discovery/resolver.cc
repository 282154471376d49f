// SPDX-License-Identifier: Apache-2.0
#include "gateway/discovery/resolver.h"

#include <ares.h>
#include <arpa/nameser.h>

namespace sluice::gateway {
namespace {

struct Question {
  Resolver* resolver;
  const bool* ending;
  DnsRecord record;
  Resolver::Answered answered;
};

int type_of(DnsRecord record) {
  if (record == DnsRecord::kSrv) return ns_t_srv;
  return record == DnsRecord::kAaaa ? ns_t_aaaa : ns_t_a;
}

std::string servers_text(const std::vector<Target>& servers) {
  std::string out;
  for (const Target& server : servers) out += (out.empty() ? "" : ",") + server.text();
  return out;
}

}  // namespace

Resolver::Resolver(EventLoop& loop)
    : loop_(loop), timer_(loop, [this] {
        ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
        set_timer();
      }) {}

Result<std::unique_ptr<Resolver>> Resolver::create(EventLoop& loop,
                                                   const std::vector<Target>& servers) {
  static const int kLibrary = ares_library_init(ARES_LIB_INIT_ALL);
  SLUICE_CHECK(kLibrary == ARES_SUCCESS);
  std::unique_ptr<Resolver> out(new Resolver(loop));
  ares_options options{};
  options.timeout = kDnsTimeoutMs;
  options.tries = kDnsTries;
  options.sock_state_cb = socket_state;
  options.sock_state_cb_data = out.get();
  int status = ares_init_options(&out->channel_, &options,
                                 ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB);
  if (status == ARES_SUCCESS && !servers.empty())
    status = ares_set_servers_ports_csv(out->channel_, servers_text(servers).c_str());
  if (status != ARES_SUCCESS)
    return fail(std::string("cannot ask DNS servers: ") + ares_strerror(status));
  return out;
}

Resolver::~Resolver() {
  ending_ = true;
  if (channel_ != nullptr) ares_destroy(channel_);
}

void Resolver::ask(const std::string& name, DnsRecord record, Answered answered) {
  auto* question = new Question{this, &ending_, record, std::move(answered)};
  ares_query(channel_, name.c_str(), ns_c_in, type_of(record), done, question);
  set_timer();
}

void Resolver::done(void* argument, int status, int, unsigned char* bytes, int size) {
  const std::unique_ptr<Question> question(static_cast<Question*>(argument));
  if (*question->ending) return;
  if (status == ARES_ENODATA || status == ARES_ENOTFOUND) return question->answered(DnsAnswer{});
  if (status != ARES_SUCCESS)
    return question->answered(fail(std::string("DNS: ") + ares_strerror(status)));
  question->answered(parse_dns_answer({bytes, static_cast<size_t>(size)}, question->record));
}

void Resolver::socket_state(void* self, int fd, int readable, int writable) {
  auto& watches = static_cast<Resolver*>(self)->watches_;
  watches.erase(fd);
  if (!readable && !writable) return;
  auto watch = std::make_unique<Watch>();
  const uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  const auto started =
      watch->start(static_cast<Resolver*>(self)->loop_, fd, events,
                   [self, fd](uint32_t ready) { static_cast<Resolver*>(self)->ready(fd, ready); });
  if (started) watches[fd] = std::move(watch);  // without it the question times out
}

void Resolver::ready(int fd, uint32_t events) {
  const bool readable = events & (EPOLLIN | EPOLLERR | EPOLLHUP);
  const bool writable = events & (EPOLLOUT | EPOLLERR | EPOLLHUP);
  ares_process_fd(channel_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  set_timer();
}

void Resolver::set_timer() {
  timeval left;
  if (ares_timeout(channel_, nullptr, &left) == nullptr) return timer_.cancel();
  timer_.set_after(static_cast<uint64_t>(left.tv_sec) * 1000 +
                   static_cast<uint64_t>(left.tv_usec) / 1000 + 1);
}

}  // namespace sluice::gateway
