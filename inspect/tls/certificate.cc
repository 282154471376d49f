// SPDX-License-Identifier: Apache-2.0
#include "inspect/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <memory>
#include <string_view>

namespace sluice::inspect::tls {
namespace {

constexpr std::string_view kUpperHex = "0123456789ABCDEF";
constexpr std::string_view kLowerHex = "0123456789abcdef";

template <auto kFree>
struct Freed {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using NameOwner = std::unique_ptr<X509_NAME, Freed<X509_NAME_free>>;
using TimeOwner = std::unique_ptr<ASN1_TIME, Freed<ASN1_TIME_free>>;
using ExtensionsOwner = std::unique_ptr<X509_EXTENSIONS, decltype([](X509_EXTENSIONS* list) {
                                          sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
                                        })>;
using BioOwner = std::unique_ptr<BIO, Freed<BIO_free>>;
using NamesOwner = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;

std::string hex(std::span<const uint8_t> bytes, std::string_view digits) {
  std::string text;
  for (const uint8_t byte : bytes) {
    if (!text.empty()) text += ':';
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// DER, one value after another.
class DerReader {
 public:
  explicit DerReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  struct Value {
    int tag = -1;  // with its class; -1: there is none
    std::span<const uint8_t> content;
    std::span<const uint8_t> whole;  // with tag and length
  };

  Value next() {
    const uint8_t* at = bytes_.data();
    long length = 0;
    int tag = 0;
    int tag_class = 0;
    const int kind =
        ASN1_get_object(&at, &length, &tag, &tag_class, static_cast<long>(bytes_.size()));
    if ((kind & (kFailed | kIndefinite)) != 0) {
      bytes_ = {};
      return {};
    }
    const size_t size = static_cast<size_t>(at - bytes_.data()) + static_cast<size_t>(length);
    const Value value{tag | tag_class, {at, static_cast<size_t>(length)}, bytes_.first(size)};
    bytes_ = bytes_.subspan(size);
    return value;
  }

 private:
  static constexpr int kFailed = 0x80;
  static constexpr int kIndefinite = 1;

  std::span<const uint8_t> bytes_;
};

constexpr int kContext = V_ASN1_CONTEXT_SPECIFIC;

// What OpenSSL makes of one value; nothing: it is broken.
template <auto kDecode>
auto decode(const DerReader::Value& value) {
  const uint8_t* at = value.whole.data();
  return kDecode(nullptr, &at, static_cast<long>(value.whole.size()));
}

std::string name_text(const X509_NAME* name) {
  const BioOwner bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), name, 0,
                     XN_FLAG_SEP_CPLUS_SPC | XN_FLAG_FN_SN | ASN1_STRFLGS_UTF8_CONVERT);
  char* text = nullptr;
  const long length = BIO_get_mem_data(bio.get(), &text);
  return length <= 0 ? std::string() : std::string(text, static_cast<size_t>(length));
}

std::string time_text(const ASN1_TIME* time) {
  std::tm parts{};
  char text[32];
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return {};
  return {text, std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts)};
}

std::string alt_name_text(const GENERAL_NAME* name) {
  switch (name->type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI: {
      const ASN1_IA5STRING* const value = name->d.ia5;
      return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
              static_cast<size_t>(ASN1_STRING_length(value))};
    }
    case GEN_IPADD: {
      const ASN1_OCTET_STRING* const value = name->d.iPAddress;
      const uint8_t* const bytes = ASN1_STRING_get0_data(value);
      const auto length = static_cast<size_t>(ASN1_STRING_length(value));
      if (length != 4) return hex({bytes, length}, kLowerHex);
      std::string text = std::to_string(bytes[0]);
      for (size_t i = 1; i < length; i++) text += "." + std::to_string(bytes[i]);
      return text;
    }
    default:
      return {};
  }
}

std::vector<std::string> alt_names(const X509_EXTENSIONS* extensions) {
  std::vector<std::string> texts;
  const NamesOwner names(static_cast<GENERAL_NAMES*>(
      X509V3_get_d2i(extensions, NID_subject_alt_name, nullptr, nullptr)));
  if (!names) return texts;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); i++) {
    std::string text = alt_name_text(sk_GENERAL_NAME_value(names.get(), i));
    if (!text.empty()) texts.push_back(std::move(text));
    if (texts.size() == kSubjectAltNamesMax) break;
  }
  return texts;
}

std::string fingerprint_of(std::span<const uint8_t> der) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  SLUICE_CHECK(EVP_Digest(der.data(), der.size(), digest, &length, EVP_sha1(), nullptr) == 1);
  return hex({digest, length}, kLowerHex);
}

// RFC 5280, 4.1: TBSCertificate. d2i_X509 would also make a key of the subject's, which costs ten
// times as much as all that is wanted here.
Result<Certificate> read_fields(DerReader fields) {
  DerReader::Value value = fields.next();
  if (value.tag == (kContext | 0)) value = fields.next();  // version
  const DerReader::Value serial = value;
  fields.next();  // signature
  const NameOwner issuer(decode<d2i_X509_NAME>(fields.next()));
  DerReader validity(fields.next().content);
  const TimeOwner not_before(decode<d2i_ASN1_TIME>(validity.next()));
  const TimeOwner not_after(decode<d2i_ASN1_TIME>(validity.next()));
  const NameOwner subject(decode<d2i_X509_NAME>(fields.next()));
  if (serial.tag != V_ASN1_INTEGER || !issuer || !subject) return fail("not a certificate");
  Certificate certificate{
      .subject = name_text(subject.get()),
      .issuer = name_text(issuer.get()),
      .serial = hex(serial.content, kUpperHex),
      .not_before = time_text(not_before.get()),
      .not_after = time_text(not_after.get()),
  };
  for (value = fields.next(); value.tag != -1; value = fields.next()) {
    if (value.tag != (kContext | 3)) continue;
    const ExtensionsOwner extensions(decode<d2i_X509_EXTENSIONS>(DerReader(value.content).next()));
    certificate.alt_names = alt_names(extensions.get());
  }
  return certificate;
}

}  // namespace

Result<Certificate> read_certificate(std::span<const uint8_t> der) {
  DerReader certificate(DerReader(der).next().content);
  auto read = read_fields(DerReader(certificate.next().content));
  if (read) read->fingerprint = fingerprint_of(der);
  ERR_clear_error();  // of this thread; others look there too
  return read;
}

}  // namespace sluice::inspect::tls
