#include "client/lists/text_decoder.h"

#include <iconv.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/lists/tenant_list.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr std::string_view kUtf8Mark = "\xEF\xBB\xBF";
constexpr std::string_view kUtf16LittleMark = "\xFF\xFE";
constexpr std::string_view kUtf16BigMark = "\xFE\xFF";

constexpr char kUtf8[] = "UTF-8";
constexpr char kUtf16Little[] = "UTF-16LE";
constexpr char kUtf16Big[] = "UTF-16BE";
constexpr char kWindows[] = "WINDOWS-1252";

constexpr size_t kBytesLookedAt = 4096;

absl::Status Refused(std::string_view message) {
  return MakeError(Reason::kInvalidArgument, message);
}

// Files that people take for lists.
absl::Status CheckIsText(std::string_view bytes) {
  if (bytes.starts_with("PK\x03\x04") || bytes.starts_with("\xD0\xCF\x11\xE0")) {
    return Refused(
        "The list is a workbook (Excel, LibreOffice) or an archive, not text; save it as CSV.");
  }
  if (bytes.starts_with("\x1F\x8B")) {
    return Refused("The list is compressed; unpack it first, e.g. with gunzip.");
  }
  return absl::OkStatus();
}

// Text has no zero bytes, once it is decoded.
absl::Status CheckNoZeroByte(std::string_view text) {
  const size_t zero = text.find('\0');
  if (zero == std::string_view::npos) {
    return absl::OkStatus();
  }
  const std::string_view before = text.substr(0, zero);
  return Refused(absl::StrCat("The list is no text: it has a zero byte in line ",
                              1 + std::count(before.begin(), before.end(), '\n'),
                              ". Give CSV, JSON lines or a tenant a line, or --encoding if it is "
                              "text in another one."));
}

// What of a text is UTF-8.
struct Utf8Scan {
  std::vector<int64_t> bad_lines;
  bool beyond_ascii = false;  // has well-formed characters of several bytes
};

Utf8Scan ScanUtf8(std::string_view text) {
  Utf8Scan scan;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  const auto size = static_cast<int32_t>(text.size());
  int64_t line = 1;
  for (int32_t offset = 0; offset < size;) {
    UChar32 code_point = 0;
    U8_NEXT(bytes, offset, size, code_point);
    if (code_point == '\n') {
      ++line;
    } else if (code_point < 0) {
      if (scan.bad_lines.empty() || scan.bad_lines.back() != line) {
        scan.bad_lines.push_back(line);
      }
    } else if (code_point > 0x7F) {
      scan.beyond_ascii = true;
    }
  }
  return scan;
}

absl::Status NotOfEncoding(const std::string& encoding, const std::vector<int64_t>& lines) {
  return Refused(absl::StrCat("The list is not ", encoding, " in ", LineNumbers(lines),
                              "; correct it, or give --encoding."));
}

// Where every second byte is zero most of the time: which half of a unit, or neither.
const char* Utf16ByZeros(std::string_view bytes) {
  std::array<size_t, 2> zeros = {0, 0};
  const size_t size = std::min(bytes.size(), kBytesLookedAt) / 2 * 2;
  for (size_t i = 0; i < size; ++i) {
    zeros[i % 2] += bytes[i] == '\0' ? 1 : 0;
  }
  // Of text in Latin letters nearly all upper bytes are zero, and no lower one.
  const size_t most = size / 2 - size / 8;
  if (size == 0 || std::max(zeros[0], zeros[1]) < most ||
      std::min(zeros[0], zeros[1]) > size / 16) {
    return nullptr;
  }
  return zeros[1] > zeros[0] ? kUtf16Little : kUtf16Big;
}

struct CloseConverter {
  void operator()(void* converter) const { iconv_close(converter); }
};

bool IsOpen(iconv_t converter) {
  return converter != reinterpret_cast<iconv_t>(-1);  // NOLINT(performance-no-int-to-ptr): POSIX
}

absl::Status NoSuchEncoding(const std::string& encoding) {
  return Refused(absl::StrCat("There is no encoding '", encoding,
                              "'; give e.g. utf-8, utf-16, windows-1252 or iso-8859-15."));
}

// `bytes` from `encoding` in UTF-8, by iconv.
absl::StatusOr<std::string> Convert(std::string_view bytes, const std::string& encoding) {
  // A slash would let iconv drop or replace what it cannot read.
  if (encoding.find('/') != std::string::npos) {
    return NoSuchEncoding(encoding);
  }
  const iconv_t opened = iconv_open(kUtf8, encoding.c_str());
  if (!IsOpen(opened)) {
    return NoSuchEncoding(encoding);
  }
  const std::unique_ptr<void, CloseConverter> converter(opened);
  std::string result;
  std::array<char, 16 << 10> chunk = {};
  char* in = const_cast<char*>(bytes.data());  // iconv's type; it reads only
  size_t in_left = bytes.size();
  while (in_left > 0) {
    char* out = chunk.data();
    size_t out_left = chunk.size();
    const size_t converted = iconv(converter.get(), &in, &in_left, &out, &out_left);
    const int error = converted == static_cast<size_t>(-1) ? errno : 0;
    result.append(chunk.data(), chunk.size() - out_left);
    if (error != 0 && error != E2BIG) {
      return NotOfEncoding(encoding, {1 + std::count(result.begin(), result.end(), '\n')});
    }
  }
  return result;
}

absl::StatusOr<DecodedText> AsUtf8(std::string_view bytes) {
  const Utf8Scan scan = ScanUtf8(bytes);
  if (!scan.bad_lines.empty()) {
    return NotOfEncoding(kUtf8, scan.bad_lines);
  }
  return DecodedText{.text = std::string(bytes), .encoding = kUtf8, .notice = ""};
}

// `mark` bytes of a byte order mark are left out.
absl::StatusOr<DecodedText> As(const std::string& encoding, std::string_view bytes, size_t mark,
                               std::string notice) {
  DecodedText decoded{.text = "", .encoding = encoding, .notice = std::move(notice)};
  ASSIGN_OR_RETURN(decoded.text, Convert(bytes.substr(mark), encoding));
  return decoded;
}

absl::StatusOr<DecodedText> DecodeByContent(std::string_view bytes) {
  if (bytes.starts_with(kUtf8Mark)) {
    return AsUtf8(bytes.substr(kUtf8Mark.size()));
  }
  if (bytes.starts_with(kUtf16LittleMark)) {
    return As(kUtf16Little, bytes, kUtf16LittleMark.size(), "");
  }
  if (bytes.starts_with(kUtf16BigMark)) {
    return As(kUtf16Big, bytes, kUtf16BigMark.size(), "");
  }
  if (const char* utf16 = Utf16ByZeros(bytes); utf16 != nullptr) {
    return As(utf16, bytes, 0,
              absl::StrCat("Read as ", utf16,
                           ", as every second byte is zero; --encoding says "
                           "otherwise."));
  }
  RETURN_IF_ERROR(CheckNoZeroByte(bytes));
  const Utf8Scan scan = ScanUtf8(bytes);
  if (scan.bad_lines.empty()) {
    return DecodedText{.text = std::string(bytes), .encoding = kUtf8, .notice = ""};
  }
  if (scan.beyond_ascii) {
    return Refused(absl::StrCat("The list is UTF-8, but not in ", LineNumbers(scan.bad_lines),
                                "; correct it, or give --encoding."));
  }
  return As(kWindows, bytes, 0,
            absl::StrCat("Read as Windows-1252, as it is not UTF-8 in ",
                         LineNumbers(scan.bad_lines), "; --encoding says otherwise."));
}

absl::StatusOr<DecodedText> DecodeAs(std::string_view bytes, const std::string& encoding) {
  const std::string name = absl::AsciiStrToUpper(encoding);
  if (name == "UTF-8" || name == "UTF8") {
    return AsUtf8(bytes.substr(bytes.starts_with(kUtf8Mark) ? kUtf8Mark.size() : 0));
  }
  const bool marked = (name == kUtf16Little && bytes.starts_with(kUtf16LittleMark)) ||
                      (name == kUtf16Big && bytes.starts_with(kUtf16BigMark));
  return As(encoding, bytes, marked ? kUtf16BigMark.size() : 0, "");
}

}  // namespace

absl::StatusOr<DecodedText> DecodeText(std::string_view bytes, const std::string& encoding) {
  RETURN_IF_ERROR(CheckIsText(bytes));
  ASSIGN_OR_RETURN(DecodedText decoded,
                   encoding.empty() ? DecodeByContent(bytes) : DecodeAs(bytes, encoding));
  RETURN_IF_ERROR(CheckNoZeroByte(decoded.text));
  return decoded;
}

}  // namespace reinstate
