// SPDX-License-Identifier: Apache-2.0
#include "inspect/app/tracked_file.h"

#include "inspect/app/recording_sink_for_test.h"

namespace sluice::inspect {
namespace {

std::string written(const TrackedFile& file) {
  JsonLine line;
  line.begin();
  file.write(line, 3);
  return std::string(line.finish());
}

TEST(TrackedFile, TellsOfAWholeFile) {
  TrackedFile file("a.txt", FileHashes{true, true, true});
  file.content(bytes_of("a"));
  file.content(bytes_of("bc"));
  file.end(FileEnd::kClosed);
  // The vectors of RFC 1321 and of FIPS 180-2.
  EXPECT_EQ(written(file),
            R"({"fileinfo":{"filename":"a.txt","gaps":false,"state":"CLOSED",)"
            R"("md5":"900150983cd24fb0d6963f7d28e17f72",)"
            R"("sha1":"a9993e364706816aba3e25717850c26c9cd0d89d",)"
            R"("sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",)"
            R"("stored":false,"size":3,"tx_id":3}})"
            "\n");
}

TEST(TrackedFile, AFileWithAGapIsNotWhole) {
  TrackedFile file("b", FileHashes{true, false, true});
  file.gap(700);
  file.content(bytes_of("abc"));
  file.end(FileEnd::kClosed);
  EXPECT_EQ(written(file),
            R"({"fileinfo":{"filename":"b","gaps":true,"state":"TRUNCATED",)"
            R"("sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",)"
            R"("stored":false,"size":703,"tx_id":3}})"
            "\n");
}

TEST(TrackedFile, MakesNoDigestThatNobodyWants) {
  TrackedFile file("c", FileHashes{});
  file.content(bytes_of("abc"));
  file.end(FileEnd::kTruncated);
  EXPECT_EQ(file.digest(FileHash::kMd5), "");
  EXPECT_EQ(written(file),
            R"({"fileinfo":{"filename":"c","gaps":false,"state":"TRUNCATED","stored":false,)"
            R"("size":3,"tx_id":3}})"
            "\n");
}

}  // namespace
}  // namespace sluice::inspect
