#include "storage/state/disk_reserve.h"

#include <rocksdb/env.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "storage/base/status_macros.h"
#include "storage/rocks/rocksdb_status.h"

namespace reinstate {
namespace {

constexpr std::string_view kDoing = "setting disk space aside for the state";
constexpr int64_t kPieceBytes = 1 << 20;

}  // namespace

DiskReserve::DiskReserve(rocksdb::Env* env, std::string path, int64_t bytes)
    : env_(env), path_(std::move(path)), bytes_(bytes) {}

absl::Status DiskReserve::Fill() {
  if (bytes_ <= 0 || IsFull()) {
    return absl::OkStatus();
  }
  absl::Status written = Write();
  if (!written.ok()) {
    Release();
  }
  return written;
}

bool DiskReserve::Release() { return env_->DeleteFile(path_).ok(); }

bool DiskReserve::IsFull() const {
  uint64_t size = 0;
  return env_->GetFileSize(path_, &size).ok() && size >= static_cast<uint64_t>(bytes_);
}

absl::Status DiskReserve::Write() {
  rocksdb::EnvOptions options;
  options.allow_fallocate = false;
  std::unique_ptr<rocksdb::WritableFile> file;
  RETURN_IF_ERROR(FromRocksdb(env_->NewWritableFile(path_, &file, options), kDoing));
  // Written, not only allocated: not every file system keeps what fallocate promises.
  const std::string piece(kPieceBytes, '\0');
  for (int64_t left = bytes_; left > 0; left -= kPieceBytes) {
    const auto size = static_cast<size_t>(std::min(left, kPieceBytes));
    RETURN_IF_ERROR(FromRocksdb(file->Append(rocksdb::Slice(piece.data(), size)), kDoing));
  }
  RETURN_IF_ERROR(FromRocksdb(file->Sync(), kDoing));
  return FromRocksdb(file->Close(), kDoing);
}

}  // namespace reinstate
