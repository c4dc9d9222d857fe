#include "server/snapshot/dump_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/model/block_file.h"
#include "storage/model/key_parts.h"

// The file: blocks (block_file.h), then the offset of the first block after the rows (8 bytes) and
// kMagic. A block holds items. An item is a part (key_parts.h). The first block is the header; the
// last ones are the counts, and an item a tenant with labels.

namespace reinstate {
namespace {

constexpr std::string_view kMagic = "dump0001";
constexpr size_t kTrailerBytes = 16;
constexpr size_t kBlockBytes = 1 << 20;

BlockFile FileOf(int fd) {
  return {.fd = fd, .what = "The file of the dump that is imported", .remedy = "import it again"};
}

absl::Status Damaged() { return FileOf(-1).Damaged(); }

// Reads the items of the blocks of a range.
class ItemReader {
 public:
  ItemReader(int fd, int64_t begin, int64_t end) : fd_(fd), offset_(begin), end_(end) {}

  // False at the end.
  absl::StatusOr<bool> Next(std::string* item) {
    while (at_ == block_.size()) {
      if (offset_ == end_) {
        return false;
      }
      RETURN_IF_ERROR(NextBlock());
    }
    std::string_view rest = std::string_view(block_).substr(at_);
    if (!ConsumeKeyPart(&rest, item)) {
      return Damaged();
    }
    at_ = block_.size() - rest.size();
    return true;
  }

 private:
  absl::Status NextBlock() {
    RETURN_IF_ERROR(FileOf(fd_).ReadBlock(&offset_, end_, &block_));
    at_ = 0;
    return absl::OkStatus();
  }

  const int fd_;
  int64_t offset_;
  const int64_t end_;
  std::string block_;
  size_t at_ = 0;  // of the next item in the block
};

void AppendColumn(const Column& column, std::string* item) {
  AppendKeyPart(column.name, item);
  AppendKeyPart(column.type, item);
  AppendKeyPart32(column.in_key ? 1 : 0, item);
}

std::string EncodeHeader(const DumpHeader& header) {
  std::string item;
  AppendKeyPart64(static_cast<uint64_t>(absl::ToUnixMicros(header.instant)), &item);
  AppendKeyPart(header.position, &item);
  AppendKeyPart32(static_cast<uint32_t>(header.map.tables.size()), &item);
  for (const MappedTable& table : header.map.tables) {
    AppendKeyPart(table.schema.identity, &item);
    AppendKeyPart(table.schema.name, &item);
    AppendKeyPart(table.how, &item);
    AppendKeyPart32(static_cast<uint32_t>(table.schema.columns.size()), &item);
    for (const Column& column : table.schema.columns) {
      AppendColumn(column, &item);
    }
  }
  return item;
}

bool DecodeColumn(std::string_view* item, Column* column) {
  uint32_t in_key = 0;
  if (!ConsumeKeyPart(item, &column->name) || !ConsumeKeyPart(item, &column->type) ||
      !ConsumeKeyPart32(item, &in_key)) {
    return false;
  }
  column->in_key = in_key != 0;
  return true;
}

bool DecodeTable(std::string_view* item, MappedTable* table) {
  uint32_t columns = 0;
  if (!ConsumeKeyPart(item, &table->schema.identity) ||
      !ConsumeKeyPart(item, &table->schema.name) || !ConsumeKeyPart(item, &table->how) ||
      !ConsumeKeyPart32(item, &columns)) {
    return false;
  }
  table->relation = Relation::kOwned;
  for (uint32_t i = 0; i < columns; ++i) {
    if (!DecodeColumn(item, &table->schema.columns.emplace_back())) {
      return false;
    }
  }
  return true;
}

bool DecodeHeader(std::string_view item, CutInfo* info) {
  uint64_t instant_us = 0;
  uint32_t tables = 0;
  if (!ConsumeKeyPart64(&item, &instant_us) || !ConsumeKeyPart(&item, &info->position) ||
      !ConsumeKeyPart32(&item, &tables)) {
    return false;
  }
  info->instant = absl::FromUnixMicros(static_cast<int64_t>(instant_us));
  for (uint32_t i = 0; i < tables; ++i) {
    if (!DecodeTable(&item, &info->map.tables.emplace_back())) {
      return false;
    }
  }
  return item.empty();
}

class RowStream final : public TenantRowStream {
 public:
  RowStream(ItemReader reader, size_t tables) : reader_(std::move(reader)), tables_(tables) {}

  absl::StatusOr<bool> Next(TenantRow* row) override {
    RETURN_IF_ERROR(failed_);
    absl::StatusOr<bool> found = Read(row);
    failed_ = found.status();
    return found;
  }

 private:
  absl::StatusOr<bool> Read(TenantRow* row) {
    ASSIGN_OR_RETURN(const bool found, reader_.Next(&item_));
    if (!found) {
      return false;
    }
    std::string_view rest = item_;
    if (!ConsumeKeyPart32(&rest, &row->table) || row->table >= tables_) {
      return Damaged();
    }
    if (!ConsumeKeyPart(&rest, &row->tenant) || !ConsumeKeyPart(&rest, &key_)) {
      return Damaged();
    }
    row->record.key.Assign(key_);
    row->record.payload.assign(rest);
    return true;
  }

  ItemReader reader_;
  const size_t tables_;
  std::string item_;
  std::string key_;
  absl::Status failed_;
};

class LabelsStream final : public TenantLabelsStream {
 public:
  explicit LabelsStream(ItemReader reader) : reader_(std::move(reader)) {}

  absl::StatusOr<bool> Next(TenantLabels* labels) override {
    ASSIGN_OR_RETURN(const bool found, reader_.Next(&item_));
    if (!found) {
      return false;
    }
    std::string_view rest = item_;
    std::string tenant;
    if (!ConsumeKeyPart(&rest, &tenant)) {
      return Damaged();
    }
    labels->tenant = TenantId::FromStored(std::move(tenant));
    labels->labels.clear();
    while (!rest.empty()) {
      if (!ConsumeKeyPart(&rest, &labels->labels.emplace_back())) {
        return Damaged();
      }
    }
    return true;
  }

 private:
  ItemReader reader_;
  std::string item_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<DumpFileWriter>> DumpFileWriter::Create(const std::string& path,
                                                                       const DumpHeader& header) {
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) {
    return FileOf(-1).Failed("create");
  }
  std::unique_ptr<DumpFileWriter> writer(new DumpFileWriter(path, fd));
  RETURN_IF_ERROR(writer->Append(EncodeHeader(header)));
  return writer;
}

DumpFileWriter::~DumpFileWriter() {
  close(fd_);
  if (!kept_) {
    unlink(path_.c_str());
  }
}

absl::Status DumpFileWriter::Append(std::string_view item) {
  AppendKeyPart(item, &block_);
  return block_.size() < kBlockBytes ? absl::OkStatus() : WriteBlock();
}

absl::Status DumpFileWriter::WriteBlock() {
  if (block_.empty()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(FileOf(fd_).WriteBlock(block_, &file_bytes_));
  block_.clear();
  return absl::OkStatus();
}

absl::Status DumpFileWriter::Add(const TenantRow& row) {
  std::string item;
  AppendKeyPart32(row.table, &item);
  AppendKeyPart(row.tenant, &item);
  AppendKeyPart(row.record.key.bytes(), &item);
  item.append(row.record.payload);
  return Append(item);
}

absl::Status DumpFileWriter::AddLabels(const TenantLabels& labels) {
  if (!labels_.emplace(labels.tenant.value(), labels.labels).second) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat("The dump has labels of tenant ",
                                  Printable(labels.tenant.value()), " twice."));
  }
  return absl::OkStatus();
}

absl::Status DumpFileWriter::Finish(const std::vector<int64_t>& rows) {
  RETURN_IF_ERROR(WriteBlock());
  std::string trailer;
  AppendKeyPart64(static_cast<uint64_t>(file_bytes_), &trailer);
  trailer.append(kMagic);
  std::string counts;
  for (const int64_t count : rows) {
    AppendKeyPart64(static_cast<uint64_t>(count), &counts);
  }
  RETURN_IF_ERROR(Append(counts));
  for (const auto& [tenant, labels] : labels_) {
    std::string item;
    AppendKeyPart(tenant, &item);
    for (const std::string& label : labels) {
      AppendKeyPart(label, &item);
    }
    RETURN_IF_ERROR(Append(item));
  }
  RETURN_IF_ERROR(WriteBlock());
  RETURN_IF_ERROR(FileOf(fd_).Write(trailer));
  if (fsync(fd_) != 0) {
    return FileOf(-1).Failed("sync");
  }
  const int folder =
      open(std::filesystem::path(path_).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder < 0) {
    return FileOf(-1).Failed("open its folder");
  }
  const bool synced = fsync(folder) == 0;
  close(folder);
  return synced ? absl::OkStatus() : FileOf(-1).Failed("sync its folder");
}

absl::StatusOr<std::unique_ptr<DumpCut>> DumpCut::Open(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    return FileOf(-1).Failed("open");
  }
  std::unique_ptr<DumpCut> cut(new DumpCut(fd));
  struct stat file = {};
  if (fstat(fd, &file) != 0) {
    return FileOf(-1).Failed("look at its size");
  }
  cut->tail_end_ = file.st_size - static_cast<int64_t>(kTrailerBytes);
  if (cut->tail_end_ < 0) {
    return Damaged();
  }
  std::string trailer;
  RETURN_IF_ERROR(FileOf(fd).Read(cut->tail_end_, kTrailerBytes, &trailer));
  std::string_view rest = trailer;
  uint64_t tail_begin = 0;
  ConsumeKeyPart64(&rest, &tail_begin);
  if (rest != kMagic || tail_begin > static_cast<uint64_t>(cut->tail_end_)) {
    return Damaged();
  }
  cut->tail_begin_ = static_cast<int64_t>(tail_begin);
  RETURN_IF_ERROR(cut->ReadHeader());
  RETURN_IF_ERROR(cut->ReadCounts());
  return cut;
}

DumpCut::~DumpCut() { close(fd_); }

absl::Status DumpCut::ReadHeader() {
  ItemReader reader(fd_, 0, tail_begin_);
  std::string item;
  ASSIGN_OR_RETURN(const bool found, reader.Next(&item));
  return found && DecodeHeader(item, &info_) ? absl::OkStatus() : Damaged();
}

absl::Status DumpCut::ReadCounts() {
  ItemReader reader(fd_, tail_begin_, tail_end_);
  std::string item;
  ASSIGN_OR_RETURN(const bool found, reader.Next(&item));
  std::string_view rest = item;
  rows_.resize(info_.map.tables.size());
  for (int64_t& count : rows_) {
    uint64_t number = 0;
    if (!ConsumeKeyPart64(&rest, &number)) {
      return Damaged();
    }
    count = static_cast<int64_t>(number);
  }
  return found && rest.empty() ? absl::OkStatus() : Damaged();
}

absl::StatusOr<std::unique_ptr<TenantRowStream>> DumpCut::OpenShard(int /*shard*/) {
  ItemReader reader(fd_, 0, tail_begin_);
  std::string header;
  RETURN_IF_ERROR(reader.Next(&header).status());
  return std::make_unique<RowStream>(std::move(reader), info_.map.tables.size());
}

absl::StatusOr<int64_t> DumpCut::CountRows(uint32_t table) {
  if (table >= rows_.size()) {
    return MakeError(Reason::kTableNotFound, absl::StrCat("the cut has no table ", table));
  }
  return rows_[table];
}

absl::StatusOr<std::unique_ptr<TenantLabelsStream>> DumpCut::OpenLabels() {
  ItemReader reader(fd_, tail_begin_, tail_end_);
  std::string counts;
  RETURN_IF_ERROR(reader.Next(&counts).status());
  return std::make_unique<LabelsStream>(std::move(reader));
}

}  // namespace reinstate
