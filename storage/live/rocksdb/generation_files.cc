#include "storage/live/rocksdb/generation_files.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "storage/rocks/rocksdb_status.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

// Of keys and payloads in one file; as large as RocksDB makes its own.
constexpr size_t kFileBytes = 64 << 20;

absl::Status FileStatus(const rocksdb::Status& status) {
  return FromRocksdb(status, "cannot write a file of the store");
}

}  // namespace

GenerationFiles::~GenerationFiles() {
  writer_ = nullptr;
  for (const BuiltFile& file : files_) {
    db_->RemoveBuiltFile(file);
  }
}

absl::Status GenerationFiles::OpenFile() {
  RETURN_IF_ERROR(db_->Fault("live.generation_batch"));
  files_.push_back({.path = db_->NewBuiltFilePath(), .checksum = "", .checksum_name = ""});
  writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), db_->built_options());
  file_bytes_ = 0;
  return FileStatus(writer_->Open(files_.back().path));
}

absl::Status GenerationFiles::CloseFile() {
  const std::unique_ptr<rocksdb::SstFileWriter> writer = std::move(writer_);
  rocksdb::ExternalSstFileInfo info;
  RETURN_IF_ERROR(FileStatus(writer->Finish(&info)));
  files_.back().checksum = std::move(info.file_checksum);
  files_.back().checksum_name = std::move(info.file_checksum_func_name);
  return absl::OkStatus();
}

absl::Status GenerationFiles::Put(std::string_view key, std::string_view payload) {
  if (writer_ != nullptr && file_bytes_ >= kFileBytes) {
    RETURN_IF_ERROR(CloseFile());
  }
  if (writer_ == nullptr) {
    RETURN_IF_ERROR(OpenFile());
  }
  file_bytes_ += key.size() + payload.size();
  return FileStatus(writer_->Put(ToSlice(key), ToSlice(payload)));
}

absl::Status GenerationFiles::Ingest() {
  if (writer_ != nullptr) {
    RETURN_IF_ERROR(CloseFile());
  }
  return db_->Ingest(files_);
}

}  // namespace reinstate
