#include "server/rpc/page_query.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <memory>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/deterministic.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"
#include "storage/model/key_parts.h"

namespace reinstate {
namespace {

using google::protobuf::Message;

constexpr size_t kDigestBytes = 12;
constexpr size_t kMaxTokenBytes = 8192;
constexpr char kSizeField[] = "page_size";
constexpr char kTokenField[] = "page_token";

absl::Status BadToken() {
  return FieldError(kTokenField,
                    "is not a token of this list with this filter; begin again with an empty one.",
                    Reason::kPageTokenInvalid);
}

const google::protobuf::FieldDescriptor* Field(const Message& message, const char* name) {
  return message.GetDescriptor()->FindFieldByName(name);
}

// Of everything that decides which entries the list has.
std::string FilterDigest(const Message& request) {
  std::unique_ptr<Message> filter(request.New());
  filter->CopyFrom(request);
  filter->GetReflection()->ClearField(filter.get(), Field(*filter, kSizeField));
  filter->GetReflection()->ClearField(filter.get(), Field(*filter, kTokenField));
  Digest digest;
  digest.Add(request.GetTypeName());
  digest.Add(SerializeDeterministically(*filter));
  return digest.Finish().substr(0, kDigestBytes);
}

absl::StatusOr<std::vector<std::string>> ParsePosition(std::string_view bytes, size_t parts) {
  std::vector<std::string> position(parts);
  for (std::string& part : position) {
    if (!ConsumeKeyPart(&bytes, &part)) {
      return BadToken();
    }
  }
  return bytes.empty() ? absl::StatusOr<std::vector<std::string>>(std::move(position)) : BadToken();
}

}  // namespace

absl::StatusOr<PageQuery> PageQuery::Parse(const Message& request, size_t parts) {
  PageQuery query;
  const auto* reflection = request.GetReflection();
  const int64_t size = reflection->GetInt32(request, Field(request, kSizeField));
  if (size < 0 || size > kMaxSize) {
    return FieldError(kSizeField, absl::StrCat("is ", size, "; 1 to ", kMaxSize,
                                               " are allowed, and 0 means ", kDefaultSize, "."));
  }
  query.size_ = size == 0 ? kDefaultSize : size;
  query.filter_digest_ = FilterDigest(request);

  const std::string token = reflection->GetString(request, Field(request, kTokenField));
  if (token.empty()) {
    return query;
  }
  std::string bytes;
  if (token.size() > kMaxTokenBytes || !absl::WebSafeBase64Unescape(token, &bytes) ||
      bytes.substr(0, kDigestBytes) != query.filter_digest_) {
    return BadToken();
  }
  ASSIGN_OR_RETURN(query.position_,
                   ParsePosition(std::string_view(bytes).substr(kDigestBytes), parts));
  return query;
}

std::string PageQuery::Token(const std::vector<std::string>& position) const {
  std::string bytes = filter_digest_;
  for (const std::string& part : position) {
    AppendKeyPart(part, &bytes);
  }
  return absl::WebSafeBase64Escape(bytes);
}

}  // namespace reinstate
