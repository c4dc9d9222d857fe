#include "storage/live/rocksdb/generation_files.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "storage/rocks/rocksdb_status.h"
#include "storage/rocks/slices.h"

namespace reinstate {
namespace {

// Of keys and payloads in one file; as large as RocksDB makes its own.
constexpr size_t kFileBytes = 64 << 20;

// How much is handed over at once, how much of it may wait, and how much there must be before a
// thread is worth it.
constexpr size_t kChunkBytes = 256 << 10;
constexpr size_t kChunksWaiting = 8;
constexpr size_t kChunksWithoutThread = 32;

absl::Status FileStatus(const rocksdb::Status& status) {
  return FromRocksdb(status, "cannot write a file of the store");
}

}  // namespace

GenerationFiles::~GenerationFiles() {
  thread_ = nullptr;
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
  chunk_.bytes.append(key).append(payload);
  chunk_.records.push_back(
      {.key = static_cast<uint32_t>(key.size()), .payload = static_cast<uint32_t>(payload.size())});
  return chunk_.bytes.size() < kChunkBytes ? absl::OkStatus() : HandOver();
}

absl::Status GenerationFiles::HandOver() {
  if (thread_ == nullptr && ++chunks_ <= kChunksWithoutThread) {
    RETURN_IF_ERROR(Write(chunk_));
    chunk_.bytes.clear();
    chunk_.records.clear();
    return absl::OkStatus();
  }
  if (thread_ == nullptr) {
    thread_ = std::make_unique<SerialThread>(kChunksWaiting);
  }
  auto chunk = std::make_shared<const Chunk>(std::exchange(chunk_, Chunk()));
  return thread_->Add([this, chunk = std::move(chunk)] { return Write(*chunk); });
}

absl::Status GenerationFiles::Write(const Chunk& chunk) {
  std::string_view rest = chunk.bytes;
  for (const Chunk::Lengths& record : chunk.records) {
    const std::string_view key = rest.substr(0, record.key);
    const std::string_view payload = rest.substr(record.key, record.payload);
    RETURN_IF_ERROR(WriteRecord(key, payload));
    rest.remove_prefix(key.size() + payload.size());
  }
  return absl::OkStatus();
}

absl::Status GenerationFiles::WriteRecord(std::string_view key, std::string_view payload) {
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
  RETURN_IF_ERROR(HandOver());
  if (thread_ != nullptr) {
    RETURN_IF_ERROR(thread_->Finish());
  }
  if (writer_ != nullptr) {
    RETURN_IF_ERROR(CloseFile());
  }
  return db_->Ingest(files_);
}

}  // namespace reinstate
