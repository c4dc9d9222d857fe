#include "storage/live/postgres/row_codec.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

constexpr char kTab = '\t';
constexpr size_t kHashDigits = 32;
constexpr size_t kOrdinalDigits = 10;

absl::Status Malformed(std::string_view what) {
  return MakeError(Reason::kCorrupt,
                   absl::StrCat("A row that the server sent is not as COPY writes it: ",
                                std::string(what), "."));
}

// Takes the first field off `rest`. A line of n fields has n - 1 tabs, so the last one needs none.
std::string_view TakeField(std::string_view* rest) {
  const size_t tab = rest->find(kTab);
  const std::string_view field = rest->substr(0, tab);
  rest->remove_prefix(tab == std::string_view::npos ? rest->size() : tab + 1);
  return field;
}

// In pieces whose count fits into a byte: then the compiler compares and adds 16 bytes at once.
int64_t CountTabs(std::string_view line) {
  constexpr size_t kPieceBytes = 255;
  int64_t tabs = 0;
  while (!line.empty()) {
    const std::string_view piece = line.substr(0, kPieceBytes);
    uint8_t found = 0;
    for (const char byte : piece) {
      found = static_cast<uint8_t>(found + (byte == kTab ? 1 : 0));
    }
    tabs += found;
    line.remove_prefix(piece.size());
  }
  return tabs;
}

bool IsDigits(std::string_view text, std::string_view digits) {
  return text.find_first_not_of(digits) == std::string_view::npos;
}

}  // namespace

absl::Status RowCodec::AppendKeyOf(std::string_view payload, std::string* key) const {
  // Keys are nearly always the first columns in order: one pass, then again from the front if not.
  std::string value;
  std::string_view rest = payload;
  std::string_view field;
  int next = 0;  // the column at the front of `rest`
  for (const int column : layout_.key) {
    if (column < next) {
      rest = payload;
      next = 0;
    }
    for (; next <= column; ++next) {
      field = TakeField(&rest);
    }
    if (field == kCopyNull) {
      return Malformed("a column of the key is NULL");
    }
    value.clear();
    if (!AppendCopyValue(field, &value)) {
      return Malformed("a column of the key has an unknown escape");
    }
    AppendKeyPart(value, key);
  }
  return absl::OkStatus();
}

absl::Status RowCodec::AppendHashKey(std::string_view* line, std::string* key) const {
  const std::string_view hash = TakeField(line);
  const std::string_view ordinal = TakeField(line);
  if (hash.size() != kHashDigits || ordinal.size() != kOrdinalDigits ||
      !IsDigits(hash, "0123456789abcdef") || !IsDigits(ordinal, "0123456789")) {
    return Malformed("a row without a key has no hash and ordinal");
  }
  AppendKeyPart(hash, key);
  AppendKeyPart(ordinal, key);
  return absl::OkStatus();
}

absl::Status RowCodec::Decode(std::string_view line, Record* record) const {
  std::string key;
  if (!has_key()) {
    RETURN_IF_ERROR(AppendHashKey(&line, &key));
  }
  const int64_t tabs = CountTabs(line);
  if (tabs != std::max(layout_.columns - 1, 0)) {
    return Malformed(absl::StrCat("it has ", tabs + 1, " fields where the table has ",
                                  layout_.columns, " columns"));
  }
  if (has_key()) {
    RETURN_IF_ERROR(AppendKeyOf(line, &key));
  }
  record->key = RowKey(std::move(key));
  record->payload.assign(line);
  return absl::OkStatus();
}

absl::Status RowCodec::DecodeOwned(std::string_view line, std::string* owner,
                                   Record* record) const {
  const std::string_view field = TakeField(&line);
  owner->clear();
  if (field != kCopyNull) {
    if (!AppendCopyValue(field, owner)) {
      return Malformed("the owner has an unknown escape");
    }
    if (owner->empty()) {
      return MakeError(Reason::kTenantIdInvalid,
                       "A row is owned by the empty text, which is no tenant's id.");
    }
  }
  return Decode(line, record);
}

absl::StatusOr<RowKey> RowCodec::KeyOf(std::string_view payload) const {
  if (!has_key()) {
    return MakeError(Reason::kInternal, "The key of a row without a key is the server's to tell.");
  }
  std::string key;
  RETURN_IF_ERROR(AppendKeyOf(payload, &key));
  return RowKey(std::move(key));
}

absl::StatusOr<std::vector<std::string>> RowCodec::KeyTexts(const RowKey& key) const {
  const size_t parts = has_key() ? layout_.key.size() : 2;
  std::vector<std::string> texts(parts);
  std::string_view rest = key.bytes();
  for (std::string& text : texts) {
    if (!ConsumeKeyPart(&rest, &text)) {
      return Malformed("a key has too few parts");
    }
  }
  if (!rest.empty()) {
    return Malformed("a key has too many parts");
  }
  return texts;
}

}  // namespace reinstate
