#include "storage/history/run_file.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/history_status.h"

namespace reinstate {
namespace {

constexpr size_t kBlockBytes = 256 << 10;
constexpr uint64_t kBytesBetweenPlaces = 1 << 20;

struct BlockHead {
  uint64_t bytes;
  uint64_t checksum;
};

struct RowHead {
  uint32_t group_bytes;
  uint32_t payload_bytes;
};

template <typename Head>
void AppendHead(const Head& head, std::string* out) {
  out->append(reinterpret_cast<const char*>(&head), sizeof(head));
}

uint64_t ChecksumOf(std::string_view rows) { return XXH3_64bits(rows.data(), rows.size()); }

absl::Status Damaged() {
  return MakeError(Reason::kCorrupt,
                   "A sorted run that was just written is damaged. Look at the disk of the "
                   "history's folder, then try again.");
}

}  // namespace

absl::StatusOr<std::unique_ptr<RunWriter>> RunWriter::Create(HistoryDb* db) {
  std::unique_ptr<RunWriter> writer(new RunWriter());
  writer->run_.file = db->NewStagingFile("run", "");
  RETURN_IF_ERROR(HistoryStatus(
      db->env()->NewWritableFile(writer->run_.file, &writer->file_, rocksdb::EnvOptions()),
      "create a sorted run"));
  return writer;
}

void RunWriter::BeginBlock(std::string_view group) {
  block_.append(sizeof(BlockHead), '\0');
  if (run_.places.empty() || run_.bytes - run_.places.back().offset >= kBytesBetweenPlaces) {
    run_.places.push_back({.group = std::string(group), .offset = run_.bytes});
  }
}

absl::Status RunWriter::WriteBlock() {
  const std::string_view rows = std::string_view(block_).substr(sizeof(BlockHead));
  const BlockHead head{.bytes = rows.size(), .checksum = ChecksumOf(rows)};
  std::memcpy(block_.data(), &head, sizeof(head));
  RETURN_IF_ERROR(HistoryStatus(file_->Append(block_), "write a sorted run"));
  run_.bytes += block_.size();
  block_.clear();
  return absl::OkStatus();
}

absl::Status RunWriter::Put(std::string_view group, std::string_view payload) {
  const size_t bytes = sizeof(RowHead) + group.size() + payload.size();
  if (!block_.empty() && block_.size() + bytes > kBlockBytes) {
    RETURN_IF_ERROR(WriteBlock());
  }
  if (block_.empty()) {
    BeginBlock(group);
  }
  AppendHead(RowHead{.group_bytes = static_cast<uint32_t>(group.size()),
                     .payload_bytes = static_cast<uint32_t>(payload.size())},
             &block_);
  block_.append(group).append(payload);
  ++run_.rows;
  return absl::OkStatus();
}

absl::StatusOr<SortedRun> RunWriter::Finish() {
  if (!block_.empty()) {
    RETURN_IF_ERROR(WriteBlock());
  }
  RETURN_IF_ERROR(HistoryStatus(file_->Close(), "finish a sorted run"));
  return std::move(run_);
}

absl::StatusOr<std::unique_ptr<RunReader>> RunReader::Open(const HistoryDb& db,
                                                           const SortedRun& run,
                                                           std::string_view begin,
                                                           std::string end) {
  std::unique_ptr<RunReader> reader(new RunReader(run, std::move(end)));
  RETURN_IF_ERROR(
      HistoryStatus(db.env()->NewRandomAccessFile(run.file, &reader->file_, rocksdb::EnvOptions()),
                    "open a sorted run"));
  // From the last place that is not after the begin.
  const auto after = std::ranges::upper_bound(
      run.places, begin, std::less<>(),
      [](const SortedRun::Place& place) -> std::string_view { return place.group; });
  reader->offset_ = after == run.places.begin() ? 0 : (after - 1)->offset;
  do {
    RETURN_IF_ERROR(reader->Next());
  } while (reader->Valid() && reader->group() < begin);
  return reader;
}

absl::Status RunReader::Read(uint64_t bytes, char* into) {
  if (bytes > run_.bytes - offset_) {
    return Damaged();
  }
  rocksdb::Slice got;
  RETURN_IF_ERROR(HistoryStatus(file_->Read(offset_, bytes, &got, into), "read a sorted run"));
  if (got.size() != bytes) {
    return Damaged();
  }
  if (got.data() != into) {
    std::memcpy(into, got.data(), bytes);
  }
  offset_ += bytes;
  return absl::OkStatus();
}

absl::Status RunReader::ReadBlock() {
  BlockHead head;  // NOLINT(cppcoreguidelines-pro-type-member-init): read next
  RETURN_IF_ERROR(Read(sizeof(head), reinterpret_cast<char*>(&head)));
  if (head.bytes == 0 || head.bytes > run_.bytes - offset_) {
    return Damaged();
  }
  block_.resize(head.bytes);
  RETURN_IF_ERROR(Read(head.bytes, block_.data()));
  if (ChecksumOf(block_) != head.checksum) {
    return Damaged();
  }
  rest_ = block_;
  return absl::OkStatus();
}

absl::Status RunReader::Next() {
  valid_ = false;
  if (rest_.empty()) {
    if (offset_ == run_.bytes) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(ReadBlock());
  }
  RowHead head;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled next
  if (rest_.size() < sizeof(head)) {
    return Damaged();
  }
  std::memcpy(&head, rest_.data(), sizeof(head));
  rest_.remove_prefix(sizeof(head));
  if (rest_.size() < size_t{head.group_bytes} + head.payload_bytes) {
    return Damaged();
  }
  group_ = rest_.substr(0, head.group_bytes);
  payload_ = rest_.substr(head.group_bytes, head.payload_bytes);
  rest_.remove_prefix(group_.size() + payload_.size());
  valid_ = group_ < end_;
  return absl::OkStatus();
}

}  // namespace reinstate
