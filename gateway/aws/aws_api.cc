// SPDX-License-Identifier: Apache-2.0
#include "gateway/aws/aws_api.h"

#include <sys/random.h>

#include <algorithm>
#include <array>

#include "gateway/aws/xml.h"

namespace sluice::gateway {
namespace {

constexpr int kForbidden = 403;

std::string new_request_id() {
  std::array<uint8_t, 16> random;
  SLUICE_CHECK(::getrandom(random.data(), random.size(), 0) == static_cast<ssize_t>(random.size()));
  random[6] = (random[6] & 0x0f) | 0x40;  // RFC 9562: version 4
  random[8] = (random[8] & 0x3f) | 0x80;
  std::string out;
  for (size_t i = 0; i < random.size(); i++) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    out += "0123456789abcdef"[random[i] >> 4];
    out += "0123456789abcdef"[random[i] & 15];
  }
  return out;
}

// A signature is another one a second later: clients that know the header wait for just that.
HttpResponse xml_response(int status, const std::string& id, const pugi::xml_document& document) {
  HttpResponse response{status, "text/xml", xml_text(document), {{"x-amzn-RequestId", id}}, {}};
  if (status == 429 || status == 503) response.headers.emplace_back("Retry-After", "1");
  return response;
}

HttpResponse error_response(const AwsError& error, const std::string& id,
                            const ServiceNames& service) {
  pugi::xml_document document;
  if (service.service == AwsService::kEc2) {
    auto root = add(document, "Response");
    auto one = add(add(root, "Errors"), "Error");
    add(one, "Code", error.code);
    add(one, "Message", error.message);
    add(root, "RequestID", id);
    return xml_response(error.status, id, document);
  }
  auto root = add(document, "ErrorResponse");
  root.append_attribute("xmlns").set_value(std::string(service.xml_names).c_str());
  auto one = add(root, "Error");
  add(one, "Type", error.status < 500 ? "Sender" : "Receiver");
  add(one, "Code", error.code);
  add(one, "Message", error.message);
  add(root, "RequestId", id);
  return xml_response(error.status, id, document);
}

bool is_loopback(const SocketAddress& address) {
  const std::string host = address.host();
  return host.starts_with("127.") || host == "::1";
}

// A web page that somebody on this machine looks at can make its browser send requests here, by the
// address or by a name that its owner points here. Such a request says where it comes from, or
// names a host that is not ours.
const char* forged_by_a_page(const HttpRequest& request) {
  if (request.header_count("origin") > 0 || request.header_count("sec-fetch-site") > 0)
    return "requests of web pages are refused";
  std::string host(request.host_name);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  if (host == "localhost" || SocketAddress::parse(host, 0)) return nullptr;
  return "Host must be an address or localhost where no key is asked for";
}

const ServiceNames* service_of_scope(std::string_view scope) {
  const auto all = aws_services();
  const auto at = std::ranges::find(all, scope, &ServiceNames::scope);
  return at == all.end() ? nullptr : &*at;
}

std::string value_of(const FormNode& form, std::string_view name) {
  const FormNode* node = form.child(name);
  if (node == nullptr || !node->is_set) return {};
  node->used = true;
  return node->value;
}

const ActionRow* find_action(AwsService service, std::string_view name) {
  const auto all = aws_actions();
  const auto at = std::ranges::find_if(
      all, [&](const ActionRow& row) { return row.service == service && row.name == name; });
  return at == all.end() ? nullptr : &*at;
}

AwsResult<FormNode> read_form(const HttpRequest& request) {
  const std::string_view type = request.header("content-type");
  const std::string_view kind = type.substr(0, type.find(';'));
  if (request.method == "POST" && !equals_ignore_case(kind, "application/x-www-form-urlencoded"))
    return refuse("MalformedQueryString",
                  "the body of a POST must be application/x-www-form-urlencoded");
  auto form = parse_form(request.method == "POST" ? request.body : request.query);
  if (!form) return refuse("MalformedQueryString", form.error().what);
  return *std::move(form);
}

}  // namespace

AwsApi::AwsApi(ControlPlane& plane, AwsSettings settings, std::function<int64_t()> unix_time)
    : plane_(plane),
      settings_(std::move(settings)),
      unix_time_(std::move(unix_time)),
      replays_(unix_time_()) {}

AwsResult<AwsApi::Caller> AwsApi::authenticate(const HttpRequest& request) const {
  if (request.over_unix()) return Caller{"unix", true, {}};
  if (settings_.keyless) {
    if (const char* why = forged_by_a_page(request)) return refuse("AccessDenied", why, kForbidden);
    return Caller{"aws", true, {}};
  }
  SLUICE_TRY(const Signer signer, verify_signature(request, settings_.keys, unix_time_()));
  return Caller{"aws:" + signer.key->id, signer.key->may_write, signer};
}

std::optional<HttpResponse> AwsApi::guard(const HttpRequest& request) const {
  if (request.over_unix()) return std::nullopt;
  if (settings_.keyless || is_loopback(request.peer)) {
    const char* why = forged_by_a_page(request);
    if (why == nullptr) return std::nullopt;
    return json_error(kForbidden, why);
  }
  const auto key = verify_signature(request, settings_.keys, unix_time_());
  if (key) return std::nullopt;
  return json_error(key.error().status, key.error().code + ": " + key.error().message);
}

HttpResponse AwsApi::error(int status, std::string_view message) {
  AwsError error{"ValidationError", std::string(message), status};
  if (status == 408 || status == 503) error.code = status == 408 ? "RequestTimeout" : "Throttling";
  if (status == 413) error.code = "RequestEntityTooLarge";
  return error_response(error, new_request_id(), aws_services().front());
}

HttpResponse AwsApi::answer(const HttpRequest& request) {
  const std::string id = new_request_id();
  // What the service is decides how an error looks, so it is found out first.
  const auto signed_by = parse_authorization(request.header("authorization"));
  const ServiceNames* service = signed_by ? service_of_scope(signed_by->service) : nullptr;
  const ServiceNames& for_errors = service != nullptr ? *service : aws_services().front();
  const auto caller = authenticate(request);
  if (!caller) return error_response(caller.error(), id, for_errors);
  if (signed_by && service == nullptr)
    return error_response(
        {"InvalidAction", "there is no service '" + std::string(signed_by->service) + "' here"}, id,
        for_errors);
  const auto form = read_form(request);
  if (!form) return error_response(form.error(), id, for_errors);
  const std::string version = value_of(*form, "Version");
  if (service == nullptr) {
    const auto all = aws_services();
    const auto at = std::ranges::find(all, version, &ServiceNames::version);
    if (at != all.end()) service = &*at;
  }
  const std::string name = value_of(*form, "Action");
  const ActionRow* action = service != nullptr && version == service->version
                                ? find_action(service->service, name)
                                : nullptr;
  if (action == nullptr)
    return error_response(
        {"InvalidAction", "Could not find operation " + name + " for version " + version}, id,
        service != nullptr ? *service : for_errors);
  pugi::xml_document document;
  auto root = add(document, (name + "Response").c_str());
  root.append_attribute("xmlns").set_value(std::string(service->xml_names).c_str());
  const bool ec2 = service->service == AwsService::kEc2;
  if (ec2) add(root, "requestId", id);
  const auto done =
      run(*action, *service, *form, *caller, ec2 ? root : add(root, (name + "Result").c_str()));
  if (!done) return error_response(done.error(), id, *service);
  if (!ec2) add(add(root, "ResponseMetadata"), "RequestId", id);
  return xml_response(200, id, document);
}

// A client that means the same change twice within a second signs it alike: it gets an answer that
// clients take as a reason to try again, signed anew.
AwsResult<> AwsApi::check_writer(const ActionRow& action, const ServiceNames& service,
                                 const Caller& caller) {
  if (!caller.may_write)
    return refuse("AccessDenied",
                  "the access key may only read; " + std::string(action.name) + " is a change",
                  kForbidden);
  if (!caller.signer ||
      replays_.is_first(caller.signer->signature, caller.signer->signed_s, unix_time_()))
    return {};
  const std::string message = "this signature was used already, or may have been; sign again";
  if (service.service == AwsService::kEc2) return refuse("RequestLimitExceeded", message, 503);
  return refuse("PriorRequestNotComplete", message, 429);
}

AwsResult<> AwsApi::run(const ActionRow& action, const ServiceNames& service, const FormNode& form,
                        const Caller& caller, pugi::xml_node out) {
  if (action.writes) SLUICE_TRY_VOID(check_writer(action, service, caller));
  std::optional<AwsError> error;
  Params params(form, service.codes, error);
  Call call{params, out, plane_, settings_.place, caller.name};
  if (service.service == AwsService::kEc2) call.dry_run = params.boolean("DryRun").value_or(false);
  return action.answer(call);
}

}  // namespace sluice::gateway
