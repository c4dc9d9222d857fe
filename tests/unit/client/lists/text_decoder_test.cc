#include "client/lists/text_decoder.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/base/error.h"

namespace reinstate {
namespace {

using namespace std::string_literals;  // NOLINT(google-build-using-namespace): for texts with zeros
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

DecodedText Decode(const std::string& bytes, const std::string& encoding = "") {
  const absl::StatusOr<DecodedText> decoded = DecodeText(bytes, encoding);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.value_or(DecodedText());
}

std::string Refusal(const std::string& bytes, const std::string& encoding = "") {
  const absl::Status status = DecodeText(bytes, encoding).status();
  EXPECT_EQ(ReasonOf(status), "INVALID_ARGUMENT") << bytes;
  return std::string(status.message());
}

TEST(TextDecoder, TakesUtf8WithAndWithoutAMark) {
  EXPECT_EQ(Decode("Zoë\n").text, "Zoë\n");
  EXPECT_EQ(Decode("\xEF\xBB\xBFZoë\n").text, "Zoë\n");
  EXPECT_EQ(Decode("\xEF\xBB\xBFZoë\n", "utf-8").text, "Zoë\n");
  EXPECT_EQ(Decode("Zoë\n").encoding, "UTF-8");
  EXPECT_EQ(Decode("Zoë\n").notice, "");
}

TEST(TextDecoder, TakesUtf16ByItsMark) {
  EXPECT_EQ(Decode("\xFF\xFEZ\0o\0\xEB\0\n\0"s).text, "Zoë\n");
  EXPECT_EQ(Decode("\xFE\xFF\0Z\0o\0\xEB\0\n"s).text, "Zoë\n");
  EXPECT_EQ(Decode("\xFF\xFEZ\0o\0\xEB\0\n\0"s, "utf-16le").text, "Zoë\n");
  EXPECT_EQ(Decode("\xFF\xFEZ\0o\0\xEB\0\n\0"s, "UTF-16").text, "Zoë\n");
}

TEST(TextDecoder, TakesUtf16WithoutAMarkByItsZeroBytesAndTells) {
  const DecodedText decoded = Decode("1\0000\0000\0001\0\n\0Z\0o\0\xEB\0"s);
  EXPECT_EQ(decoded.text, "1001\nZoë");
  EXPECT_THAT(decoded.notice, HasSubstr("UTF-16LE"));
}

TEST(TextDecoder, TakesWhatIsNotUtf8ForWindows1252AndTells) {
  const DecodedText decoded = Decode("Acme\nZo\xEB \x96 S\xF6hne \x80\n");
  EXPECT_EQ(decoded.text, "Acme\nZoë – Söhne €\n");
  EXPECT_THAT(decoded.notice, AllOf(HasSubstr("Windows-1252"), HasSubstr("line 2")));
}

TEST(TextDecoder, RefusesAMixtureOfEncodingsWithItsLines) {
  EXPECT_THAT(Refusal("Zoë\nZo\xEB\nAcme\nS\xF6hne\n"),
              AllOf(HasSubstr("not in lines 2 and 4"), HasSubstr("--encoding")));
}

TEST(TextDecoder, TellsTheLinesThatAreNotOfTheEncodingThatWasAskedFor) {
  EXPECT_THAT(Refusal("a\nb\xFF\nc\n\xC3\n", "utf-8"), HasSubstr("not UTF-8 in lines 2 and 4"));
  EXPECT_THAT(Refusal("a\nb\x81\n", "windows-1252"), HasSubstr("not windows-1252 in line 2"));
  EXPECT_THAT(Refusal("a\0\n\0b"s, "utf-16le"), HasSubstr("in line 2"));
}

TEST(TextDecoder, KnowsTheEncodingsOfTheSystem) {
  EXPECT_EQ(Decode("\xA4\n", "iso-8859-15").text, "€\n");
  EXPECT_EQ(Decode("\x83\x65\n", "shift_jis").text, "テ\n");
}

TEST(TextDecoder, RefusesEncodingsThatThereAreNotOrThatWouldDropCharacters) {
  EXPECT_THAT(Refusal("a", "klingon"), HasSubstr("no encoding 'klingon'"));
  EXPECT_THAT(Refusal("a\xFF", "utf-8//IGNORE"), HasSubstr("no encoding 'utf-8//IGNORE'"));
}

TEST(TextDecoder, RefusesWhatIsNoText) {
  EXPECT_THAT(Refusal("PK\x03\x04rest"), HasSubstr("save it as CSV"));
  EXPECT_THAT(Refusal("\x1F\x8B\x08rest"), HasSubstr("compressed"));
  EXPECT_THAT(Refusal("a\nb\0c\n"s), HasSubstr("zero byte in line 2"));
  // As a program: well-formed characters of several bytes, and bytes that are none, among zeros.
  EXPECT_THAT(Refusal("\x7F"
                      "ELF\x02\0\xC3\xA9\n\xFF\0\xFF\n"s),
              AllOf(HasSubstr("The list is no text: it has a zero byte in line 1."),
                    HasSubstr("CSV, JSON lines or a tenant a line"), Not(HasSubstr("UTF-8"))));
}

TEST(TextDecoder, DecodesLongTextsWhole) {
  std::string bytes;
  std::string expected;
  for (int i = 0; i < 50'000; ++i) {
    bytes += "Zo\xEB\n";
    expected += "Zoë\n";
  }
  EXPECT_EQ(Decode(bytes).text, expected);
}

}  // namespace
}  // namespace reinstate
