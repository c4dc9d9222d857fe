#include "storage/state/acknowledged_file.h"

#include <rocksdb/env.h>

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/digest.h"
#include "storage/model/key_parts.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {
namespace {

constexpr std::string_view kMagic = "ackd";
constexpr size_t kChecksumBytes = 12;
constexpr size_t kSlotBytes = kMagic.size() + sizeof(uint64_t) + kChecksumBytes;
constexpr std::string_view kDoing = "recording the last acknowledged change";

std::string EncodeSlot(uint64_t number) {
  std::string slot(kMagic);
  AppendKeyPart64(number, &slot);
  return slot + Digest::Of(slot).substr(0, kChecksumBytes);
}

std::optional<uint64_t> DecodeSlot(std::string_view slot) {
  uint64_t number = 0;
  std::string_view rest = slot;
  rest.remove_prefix(kMagic.size());
  if (!ConsumeKeyPart64(&rest, &number) || EncodeSlot(number) != slot) {
    return std::nullopt;
  }
  return number;
}

absl::StatusOr<uint64_t> DecodeFile(const std::string& bytes, const std::string& path) {
  std::optional<uint64_t> newest;
  for (size_t at = 0; at + kSlotBytes <= bytes.size() && at < 2 * kSlotBytes; at += kSlotBytes) {
    const auto number = DecodeSlot(std::string_view(bytes).substr(at, kSlotBytes));
    if (number.has_value() && (!newest.has_value() || *number > *newest)) {
      newest = number;
    }
  }
  if (!newest.has_value()) {
    return MakeError(Reason::kCorrupt, absl::StrCat("the file ", path,
                                                    " is damaged, which says how much the state "
                                                    "must hold; bring it back from a copy"));
  }
  return *newest;
}

}  // namespace

AcknowledgedFile::AcknowledgedFile(std::unique_ptr<rocksdb::RandomRWFile> file, uint64_t number)
    : file_(std::move(file)), number_(number) {}

AcknowledgedFile::~AcknowledgedFile() = default;

absl::Status AcknowledgedFile::Create(rocksdb::Env* env, const std::string& path) {
  return FromRocksdb(
      rocksdb::WriteStringToFile(env, EncodeSlot(0) + EncodeSlot(0), path, /*should_sync=*/true),
      kDoing);
}

absl::StatusOr<std::unique_ptr<AcknowledgedFile>> AcknowledgedFile::Open(rocksdb::Env* env,
                                                                         const std::string& path) {
  std::string bytes;
  if (const auto status = rocksdb::ReadFileToString(env, path, &bytes); !status.ok()) {
    return MakeError(Reason::kCorrupt,
                     absl::StrCat("the file ", path, " cannot be read (", status.ToString(),
                                  "), which says how much the state must hold; bring it back from "
                                  "a copy"));
  }
  ASSIGN_OR_RETURN(const uint64_t number, DecodeFile(bytes, path));
  std::unique_ptr<rocksdb::RandomRWFile> file;
  RETURN_IF_ERROR(FromRocksdb(env->NewRandomRWFile(path, &file, rocksdb::EnvOptions()), kDoing));
  return std::unique_ptr<AcknowledgedFile>(new AcknowledgedFile(std::move(file), number));
}

absl::Status AcknowledgedFile::Record(uint64_t number) {
  RETURN_IF_ERROR(FromRocksdb(file_->Write((number % 2) * kSlotBytes, EncodeSlot(number)), kDoing));
  number_ = number;
  return absl::OkStatus();
}

}  // namespace reinstate
