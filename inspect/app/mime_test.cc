// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/mime.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "inspect/app/mime_header.h"

namespace sluice::inspect {
namespace {

using Texts = std::vector<std::string>;

struct File {
  std::string name, content;
  bool ended = true;
  bool operator==(const File&) const = default;
};

void PrintTo(const File& file, std::ostream* out) { *out << file.name << ": " << file.content; }

class FileSink final : public MimeSink {
 public:
  std::vector<File> files;
  Texts headers, faults;

  void mail_header(std::string_view name, std::string_view value) override {
    headers.push_back(std::string(name) + "=" + std::string(value));
  }
  bool file_begins(std::string_view name) override {
    EXPECT_TRUE(files.empty() || files.back().ended);
    files.push_back({std::string(name), "", false});
    return true;
  }
  void file_content(std::string_view bytes, bool begins) override {
    EXPECT_EQ(begins, files.back().content.empty());
    EXPECT_FALSE(bytes.empty());
    files.back().content += bytes;
  }
  void file_ends() override { files.back().ended = true; }
  void mime_fault(std::string_view event) override { faults.emplace_back(event); }
};

FileSink read(std::string_view mail, size_t piece = SIZE_MAX) {
  FileSink sink;
  MimeParser mime;
  LinePartReader lines(kMimeLinePartMax);
  std::span<const uint8_t> all(reinterpret_cast<const uint8_t*>(mail.data()), mail.size());
  while (!all.empty()) {
    auto bytes = all.first(std::min(piece, all.size()));
    all = all.subspan(bytes.size());
    while (!bytes.empty())
      if (const auto part = lines.next(bytes); part)
        mime.line(part->text, part->begins, part->end, sink);
    mime.flush(sink);
  }
  if (const auto rest = lines.rest(); rest) mime.line(rest->text, rest->begins, rest->end, sink);
  mime.finish(sink);
  return sink;
}

std::vector<File> files(std::string_view mail) { return read(mail).files; }

std::vector<File> attachment(const std::string& headers, const std::string& body) {
  return files("Content-Type: application/zip\r\n" + headers + "\r\n\r\n" + body);
}

// As mail programs read them.
TEST(Mime, EncodingsInOtherSpellings) {
  const std::vector<File> hello = {{"", "hello"}};
  for (const std::string encoding :
       {"base64 (a comment)", "\"base64\"", "Base64; x=y", "base64(c)"})
    EXPECT_EQ(attachment("Content-Transfer-Encoding: " + encoding, "aGVsbG8="), hello) << encoding;
  const std::string quoted = "Content-Transfer-Encoding: quoted-printable";
  for (const std::string soft : {"=\r\n", "= \r\n", "=\t \r\n", "=   \n"})
    EXPECT_EQ(attachment(quoted, "hel" + soft + "lo"), hello);
  EXPECT_EQ(attachment(quoted, "hel= lo"), (std::vector<File>{{"", "hel= lo"}}));
  const auto bounded = attachment(quoted, "=" + std::string(1 << 20, ' ') + "x");
  EXPECT_LT(bounded[0].content.size(), 100u);
}

TEST(Mime, EncodedWordsInFileNames) {
  const struct {
    const char *written, *name;
  } cases[] = {
      {"=?utf-8?Q?evil=2Eexe?=", "evil.exe"},
      {"=?utf-8?b?ZXZpbC5leGU=?=", "evil.exe"},
      {"=?utf-8?Q?an_evil?= =?utf-8?Q?_name?=.exe", "an evil name.exe"},
      {"a =?us-ascii?q?b?= c", "a b c"},
      {"=?utf-8?x?ev?=", "=?utf-8?x?ev?="},
      {"=?utf-8?Q?open", "=?utf-8?Q?open"},
      {"=?=?=?", "=?=?=?"},
      {"=?\?Q?\?=x", "x"},
      {"=?", "=?"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(mime_words(c.written), c.name);
    const auto file = attachment(
        "Content-Disposition: attachment; filename=\"" + std::string(c.written) + "\"", "x");
    ASSERT_EQ(file.size(), 1u);
    EXPECT_EQ(file[0].name, c.name);
  }
}

TEST(Mime, AFileByEachEncoding) {
  const std::string mail =
      "From: a\r\nContent-Type: multipart/mixed;\r\n boundary=\"b b\"\r\n\r\nFor old programs.\r\n"
      "--b b\r\n\r\na text\r\n"
      "--b b\r\nContent-Type: application/zip; name=one.zip\r\n"
      "Content-Transfer-Encoding: BASE64\r\n\r\naGVs\r\nbG8=\r\n\r\n"
      "--b b\r\nContent-Disposition: attachment; filename=\"t\\\"wo;.txt\"\r\n"
      "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db =\r\njoined\r\nlast=20\r\n"
      "--b b  \r\nContent-Type: application/octet-stream\r\n\r\nraw\r\n--b\r\nbytes\n\n"
      "--b b--\r\nContent-Disposition: attachment\r\n\r\nafter the end\r\n";
  const std::vector<File> expected = {
      {"one.zip", "hello"}, {"t\"wo;.txt", "a=b joined\r\nlast "}, {"", "raw\r\n--b\r\nbytes\n"}};
  EXPECT_EQ(files(mail), expected);
  EXPECT_EQ(read(mail).headers,
            (Texts{"from=a", "content-type=multipart/mixed; boundary=\"b b\""}));
  EXPECT_TRUE(read(mail).faults.empty());
  for (size_t piece = 1; piece < 100; piece++)
    EXPECT_EQ(read(mail, piece).files, expected) << piece;
}

TEST(Mime, AMailThatIsAFile) {
  EXPECT_EQ(files("Content-Type: application/pdf\n\nbytes\n"),
            (std::vector<File>{{"", "bytes\n"}}));
  EXPECT_EQ(files("Subject: x\n\nonly text\n"), std::vector<File>{});
  EXPECT_EQ(files("Content-Disposition: attachment; filename=a\r\n\r\nx"),
            (std::vector<File>{{"a", "x"}}));
}

TEST(Mime, PartsAndMailsWithinParts) {
  const std::string inner =
      "Content-Type: multipart/alternative; boundary=in\n\n"
      "--in\nContent-Disposition: attachment; filename=1\n\none\n--in--\nepilogue\n";
  const std::string mail =
      "Content-Type: multipart/mixed; boundary=out\n\n"
      "--out\n" +
      inner + "--out\nContent-Type: message/rfc822\n\nSubject: in\n" + inner +
      "--out\nContent-Disposition: attachment; filename=2\n\ntwo\n--out--\n";
  EXPECT_EQ(files(mail), (std::vector<File>{{"1", "one"}, {"1", "one"}, {"2", "two"}}));
  // A part that ends before its own parts do.
  EXPECT_EQ(files("Content-Type: multipart/mixed; boundary=out\n\n--out\n"
                  "Content-Type: multipart/mixed; boundary=in\n\n--in\n"
                  "Content-Disposition: attachment; filename=1\n\none\n--out\n"
                  "Content-Disposition: attachment; filename=2\n\ntwo\n--out--\n"),
            (std::vector<File>{{"1", "one"}, {"2", "two"}}));
}

TEST(Mime, DepthIsBounded) {
  std::string mail;
  for (size_t i = 0; i < 100; i++) {
    const std::string name = "b" + std::to_string(i) + ".";
    for (const std::string& text : {std::string("Content-Type: multipart/mixed; boundary="), name,
                                    std::string("\n\n--"), name, std::string("\n")})
      mail += text;
  }
  const FileSink sink = read(mail);
  EXPECT_EQ(sink.faults, Texts{"mime_malformed_msg"});
  ASSERT_EQ(sink.files.size(), 1u);  // what is deeper is one file, as it is
  EXPECT_NE(sink.files[0].content.find("b99."), std::string::npos);

  std::string mails;
  for (size_t i = 0; i < 100; i++) mails += "Content-Type: message/rfc822\n\n";
  EXPECT_EQ(read(mails).files.size(), 1u);
}

TEST(Mime, MailsSideBySideAreNotDeep) {
  std::string mail = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (size_t i = 0; i < 50; i++)
    mail += "--b\nContent-Type: message/rfc822\n\nContent-Type: image/gif\n\nx\n";
  EXPECT_EQ(files(mail + "--b--\n").size(), 50u);
}

TEST(Mime, WhatIsBroken) {
  const struct {
    const char* name;
    std::string mail;
    Texts faults;
  } cases[] = {
      {"no boundary", "Content-Type: multipart/mixed\n\nx\n", {"mime_malformed_msg"}},
      {"base64",
       "Content-Type: a/b\nContent-Transfer-Encoding: base64\n\na#GVsbG8=\n$\n",
       {"mime_invalid_base64"}},
      {"quoted",
       "Content-Type: a/b\nContent-Transfer-Encoding: quoted-printable\n\n=XY=1Z\n=4\n",
       {"mime_invalid_qp"}},
      {"a long name", std::string(80, 'x') + ": x\n\n", {"mime_long_header_name"}},
      {"a long boundary",
       "Content-Type: multipart/mixed; boundary=" + std::string(300, 'b') + "\n\nx\n",
       {"mime_long_boundary"}},
      {"a long header",
       "Subject: " + std::string(9000, 'x') + "\n\n",
       {"mime_long_line", "mime_long_header_value"}},
      {"a header of many lines",
       "Subject: x\n" +
           [] {
             std::string folded;
             for (size_t i = 0; i < 9000; i++) folded += " x\n";
             return folded;
           }(),
       {"mime_long_header_value"}},
      {"no end of the headers", "Subject: x", {}},
      {"nothing", "", {}},
  };
  for (const auto& c : cases) EXPECT_EQ(read(c.mail).faults, c.faults) << c.name;
  EXPECT_EQ(files(cases[1].mail)[0].content, "hello");
  EXPECT_EQ(files(cases[2].mail)[0].content, "=XY=1Z\n=4\n");
}

TEST(Mime, ALongLineKeepsAllItsBytes) {
  const std::string line(100'000, 'x');
  for (const size_t piece : {size_t{1000}, size_t{1024}, SIZE_MAX}) {
    const FileSink sink = read("Content-Type: a/b\n\n" + line + "\r\nend", piece);
    EXPECT_EQ(sink.files[0].content, line + "\r\nend");
    EXPECT_EQ(sink.faults, Texts{"mime_long_line"});
  }
}

TEST(MimeHeader, Parameters) {
  const struct {
    const char *header, *name, *value;
  } cases[] = {
      {"a; filename=x.txt", "filename", "x.txt"},
      {"a;FILENAME = \"x y\" ; b=c", "filename", "x y"},
      {"a; x=\"filename=no;\"; filename=yes", "filename", "yes"},
      {"a; filename*0=one; filename*1=\"two\"", "filename", "onetwo"},
      {"a; filename*1=two; filename*0=one", "filename", "onetwo"},
      {"a; filename*=UTF-8''%e2%82%ac%20x", "filename", "\xe2\x82\xac x"},
      {"a; filename*0*=UTF-8''%41; filename*1=%41", "filename", "A%41"},
      {"a; filename*99=x", "filename", ""},
      {"a; filenames=x; filename", "filename", ""},
      {"a; filename=\"open", "filename", "open"},
      {"a; filename*=%4", "filename", "%4"},
      {"filename=x", "filename", ""},
      {"", "filename", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(mime_parameter(c.header, c.name), c.value) << c.header;
  EXPECT_EQ(mime_parameter("a; n=" + std::string(5000, 'x'), "n").size(), kMimeValueMax);
  EXPECT_EQ(mime_value(" Text/HTML ; charset=x"), "text/html");
}

TEST(Base64, Vectors) {  // RFC 4648, 10
  const char* const cases[][2] = {{"", ""},
                                  {"Zg==", "f"},
                                  {"Zm8=", "fo"},
                                  {"Zm9v", "foo"},
                                  {"Zm9vYg==", "foob"},
                                  {"Zm9vYmE=", "fooba"},
                                  {"Zm9vYmFy", "foobar"},
                                  {"Zg==Zg==", "ff"}};
  for (const auto& [text, bytes] : cases) {
    Base64Decoder whole;
    std::string out;
    EXPECT_TRUE(whole.decode(text, out));
    EXPECT_EQ(out, bytes);
    Base64Decoder pieces;
    out.clear();
    for (const char& c : std::string_view(text)) pieces.decode({&c, 1}, out);
    EXPECT_EQ(out, bytes);
  }
}

}  // namespace
}  // namespace sluice::inspect
