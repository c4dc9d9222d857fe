#include "storage/history/sst_sink.h"

#include <utility>

#include "storage/base/status_macros.h"
#include "storage/history/file_checksum.h"
#include "storage/history/history_status.h"

namespace reinstate {
namespace {

// Reading a file takes far less time than writing the next one.
constexpr size_t kMaxWaitingChecks = 4;

}  // namespace

SstSink::SstSink(HistoryDb* db, rocksdb::Options options, std::string label)
    : db_(db), options_(std::move(options)), label_(std::move(label)) {}

absl::Status SstSink::PrepareFor(int64_t input_bytes) {
  if (writer_ != nullptr && input_bytes_ >= kInputBytesPerFile) {
    RETURN_IF_ERROR(CloseFile());
    RETURN_IF_ERROR(CheckWhileWritingOn());
  }
  if (writer_ == nullptr) {
    files_.push_back({.path = db_->NewStagingFile(label_)});
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options_);
    RETURN_IF_ERROR(HistoryStatus(writer_->Open(files_.back().path), "create a table"));
  }
  input_bytes_ += input_bytes;
  return absl::OkStatus();
}

absl::Status SstSink::Put(std::string_view key, std::string_view value) {
  RETURN_IF_ERROR(PrepareFor(static_cast<int64_t>(key.size() + value.size())));
  return HistoryStatus(writer_->Put(key, value), "write a table");
}

absl::Status SstSink::Delete(std::string_view key) {
  RETURN_IF_ERROR(PrepareFor(static_cast<int64_t>(key.size())));
  return HistoryStatus(writer_->Delete(key), "write a table");
}

absl::Status SstSink::CloseFile() {
  rocksdb::ExternalSstFileInfo info;
  RETURN_IF_ERROR(HistoryStatus(writer_->Finish(&info), "finish a table"));
  files_.back().checksum = info.file_checksum;
  files_.back().checksum_function = info.file_checksum_func_name;
  file_bytes_ += static_cast<int64_t>(info.file_size);
  input_bytes_ = 0;
  writer_.reset();
  return absl::OkStatus();
}

absl::Status SstSink::CheckWhileWritingOn() {
  if (!checks_.has_value()) {
    checks_.emplace(kMaxWaitingChecks);
  }
  HistoryDb::StagedTable& file = files_.back();
  file.checked = true;  // or Finish fails
  return checks_->Add([env = db_->env(), file] {
    return CheckTableFile(env, file.path, file.checksum, file.checksum_function);
  });
}

absl::Status SstSink::Finish() {
  if (writer_ != nullptr) {
    RETURN_IF_ERROR(CloseFile());
  }
  return checks_.has_value() ? checks_->Finish() : absl::OkStatus();
}

}  // namespace reinstate
