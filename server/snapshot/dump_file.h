#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/live/cut.h"

namespace reinstate {

// What a dump says of itself.
struct DumpHeader {
  absl::Time instant;
  std::string position;  // of its source, for people
  TenantMap map;         // its tables; TenantRow::table is an index into them
};

// Writes a dump that arrives into a file, which DumpCut reads again, perhaps after a restart. The
// file is removed with the writer unless it was kept. Not thread-safe.
class DumpFileWriter {
 public:
  // Creates `path`, whose folder must exist, for its owner only. NO_SPACE; INTERNAL for other
  // errors of the file system. After an error of any call the file is useless.
  static absl::StatusOr<std::unique_ptr<DumpFileWriter>> Create(const std::string& path,
                                                                const DumpHeader& header);
  ~DumpFileWriter();
  DumpFileWriter(const DumpFileWriter&) = delete;
  DumpFileWriter& operator=(const DumpFileWriter&) = delete;

  absl::Status Add(const TenantRow& row);

  // Labels are held in memory, as they have to be in order. INVALID_ARGUMENT if the tenant has some
  // already.
  absl::Status AddLabels(const TenantLabels& labels);

  // Completes the file, durably. `rows`: of each table, as the source of the dump counted them.
  absl::Status Finish(const std::vector<int64_t>& rows);

  // Leaves the file to somebody else.
  void Keep() { kept_ = true; }

 private:
  DumpFileWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  absl::Status Append(std::string_view item);
  absl::Status WriteBlock();

  const std::string path_;
  const int fd_;
  bool kept_ = false;
  int64_t file_bytes_ = 0;
  std::string block_;
  std::map<std::string, std::vector<std::string>> labels_;  // by tenant
};

// A cut that comes from a file: what the snapshotter reads in the place of a store's. Counts are
// those that the dump came with. Thread-safe.
class DumpCut final : public Cut {
 public:
  // Opens what DumpFileWriter has finished. CORRUPT if it is something else; every stream checks
  // what it reads in the same way.
  static absl::StatusOr<std::unique_ptr<DumpCut>> Open(const std::string& path);
  ~DumpCut() override;
  DumpCut(const DumpCut&) = delete;
  DumpCut& operator=(const DumpCut&) = delete;

  const CutInfo& info() const override { return info_; }
  int shards() const override { return 1; }
  absl::StatusOr<std::unique_ptr<TenantRowStream>> OpenShard(int shard) override;
  absl::StatusOr<int64_t> CountRows(uint32_t table) override;
  absl::StatusOr<std::unique_ptr<TenantLabelsStream>> OpenLabels() override;

 private:
  explicit DumpCut(int fd) : fd_(fd) {}

  absl::Status ReadHeader();
  absl::Status ReadCounts();

  const int fd_;
  CutInfo info_;
  std::vector<int64_t> rows_;
  int64_t tail_begin_ = 0;  // where counts and labels are
  int64_t tail_end_ = 0;
};

}  // namespace reinstate
