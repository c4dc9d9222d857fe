#include "server/rpc/call.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>
#include <string_view>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/deterministic.h"
#include "server/rpc/request_checks.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"

namespace reinstate {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kActorMetadata[] = "reinstate-actor";
constexpr char kNobody[] = "unknown";

const FieldDescriptor* TextField(const Message& message, const std::string& name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  const bool is_text = field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_STRING &&
                       !field->is_repeated();
  return is_text ? field : nullptr;
}

// The text of the field, or empty if the message has no such field.
absl::StatusOr<std::string> ReadText(const Message& message, const std::string& name,
                                     size_t max_bytes) {
  const FieldDescriptor* field = TextField(message, name);
  if (field == nullptr) {
    return std::string();
  }
  std::string text = message.GetReflection()->GetString(message, field);
  RETURN_IF_ERROR(CheckLength(name, text, max_bytes));
  return text;
}

// The same request with another id is the same request.
std::string RequestDigest(const Message& request) {
  std::unique_ptr<Message> copy(request.New());
  copy->CopyFrom(request);
  if (const FieldDescriptor* id = TextField(*copy, "request_id"); id != nullptr) {
    copy->GetReflection()->ClearField(copy.get(), id);
  }
  return Digest::Of(SerializeDeterministically(*copy));
}

std::string CertificateSubject(const grpc::ServerContextBase& context) {
  const auto auth = context.auth_context();
  if (auth == nullptr || !auth->IsPeerAuthenticated()) {
    return "";
  }
  const auto subject = auth->FindPropertyValues("x509_subject");
  const auto names = subject.empty() ? auth->GetPeerIdentity() : subject;
  return names.empty() ? "" : std::string(names.front().data(), names.front().size());
}

absl::StatusOr<std::string> ClaimedActor(const grpc::ServerContextBase& context,
                                         const std::string& field) {
  if (!field.empty()) {
    return field;
  }
  const auto& metadata = context.client_metadata();
  const auto found = metadata.find(kActorMetadata);
  if (found == metadata.end() || found->second.empty()) {
    return std::string(kNobody);
  }
  std::string name(found->second.data(), found->second.size());
  RETURN_IF_ERROR(CheckLength(kActorMetadata, name, kMaxShortTextBytes));
  return Printable(name, kMaxShortTextBytes);
}

std::string MethodName(const Message& request) {
  std::string name = request.GetDescriptor()->name();
  return name.substr(0, name.rfind("Request"));
}

}  // namespace

absl::Status DecodeRequest(const grpc::ByteBuffer& bytes, Message* request) {
  if (!bytes.Valid() || bytes.Length() > kMaxRequestBytes) {
    return MakeError(Reason::kTooLarge,
                     absl::StrCat("The message is larger than ", kMaxRequestBytes,
                                  " bytes, the most that is accepted; send it in parts."));
  }
  std::vector<grpc::Slice> slices;
  std::string text;
  if (!bytes.Dump(&slices).ok()) {
    return MakeError(Reason::kInvalidArgument, "The message could not be decompressed.");
  }
  text.reserve(bytes.Length());
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  if (!request->ParseFromString(text)) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("The message is no valid ", request->GetTypeName(),
                                  ": it is damaged, or a text in it is not UTF-8."));
  }
  return absl::OkStatus();
}

grpc::ByteBuffer EncodeResponse(const Message& response) {
  grpc::Slice slice(response.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<Call> ReadCall(const grpc::ServerContextBase& context, const Message& request) {
  Call call;
  ASSIGN_OR_RETURN(const std::string claimed, ReadText(request, "actor", kMaxShortTextBytes));
  ASSIGN_OR_RETURN(call.reason, ReadText(request, "reason", kMaxReasonBytes));
  RETURN_IF_ERROR(ReadText(request, "reference", kMaxShortTextBytes).status());

  const std::string subject = CertificateSubject(context);
  call.actor.set_verified(!subject.empty());
  if (subject.empty()) {
    ASSIGN_OR_RETURN(*call.actor.mutable_name(), ClaimedActor(context, claimed));
  } else {
    call.actor.set_name(Printable(subject, kMaxReasonBytes));
  }

  ASSIGN_OR_RETURN(call.request.id, ReadText(request, "request_id", kMaxShortTextBytes));
  call.request.method = MethodName(request);
  call.changes = TextField(request, "actor") != nullptr;
  if (!call.request.id.empty()) {
    call.request.request_digest = RequestDigest(request);
  }
  return call;
}

}  // namespace reinstate
