#include "storage/history/record_codec.h"

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/sealed_value.h"

namespace reinstate {
namespace {

constexpr char kLive = 0;
constexpr char kTombstone = 1;

void AppendVarint(uint32_t number, std::string* out) {
  while (number >= 0x80) {
    out->push_back(static_cast<char>(number | 0x80));
    number >>= 7;
  }
  out->push_back(static_cast<char>(number));
}

bool ConsumeVarint(std::string_view* in, uint32_t* number) {
  *number = 0;
  for (int shift = 0; shift < 35 && !in->empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in->front());
    in->remove_prefix(1);
    *number |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      return true;
    }
  }
  return false;
}

}  // namespace

void RecordCodec::Encode(std::string_view key, const StoredRecord& record, std::string* value) {
  value->assign(1, record.tombstone ? kTombstone : kLive);
  if (!record.tombstone) {
    AppendVarint(record.schema_id, value);
    value->append(record.payload);
  }
  Seal(key, value);
}

absl::StatusOr<StoredRecord> RecordCodec::Decode(std::string_view key, std::string_view value) {
  ASSIGN_OR_RETURN(std::string_view body, Unseal(key, value));
  if (body == std::string_view(&kTombstone, 1)) {
    return StoredRecord{.tombstone = true};
  }
  StoredRecord record;
  if (body.empty() || body.front() != kLive) {
    return MakeError(Reason::kCorrupt, "A record of the history has flags that are not known.");
  }
  body.remove_prefix(1);
  if (!ConsumeVarint(&body, &record.schema_id)) {
    return MakeError(Reason::kCorrupt, "A record of the history has a malformed schema id.");
  }
  record.payload = body;
  return record;
}

}  // namespace reinstate
