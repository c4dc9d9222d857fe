#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/live/rocksdb/range_reader.h"
#include "storage/model/streams.h"

namespace reinstate {

// Changes that are not written yet: the new payload at each place (EmbeddedKeyCodec::Place), or
// nullopt where the record is deleted.
using Overlay = std::map<std::string, std::optional<std::string>, std::less<>>;

// A generation of a tenant as of a snapshot (null: as of each opening of an iterator).
struct GenerationView {
  const EmbeddedDb* db = nullptr;
  SnapshotPtr snapshot;
  TenantId tenant = TenantId::Ownerless();
  uint64_t generation = 0;

  // The payload at `place` (EmbeddedKeyCodec::Place), or nullopt.
  absl::StatusOr<std::optional<std::string>> Get(std::string_view place) const;
};

// What a generation holds, or a part of it, with an overlay on top, ascending by place. Not
// thread-safe.
class OverlaidReader {
 public:
  // Reads the places that begin with `place_prefix` (empty, or a TablePart), from `from` on, which
  // begins with it as well. The database and `overlay` (may be null) outlive the reader; the
  // overlay is not changed meanwhile.
  OverlaidReader(const GenerationView& view, const std::string& place_prefix,
                 const std::string& from, const Overlay* overlay);

  // Stands at a record; false at the end and after an error: look at status().
  bool Valid() const { return at_ != At::kEnd; }

  std::string_view place() const;
  std::string_view payload() const;
  void Next();
  absl::Status status() const { return base_.status(); }

 private:
  enum class At { kBase, kOverlay, kEnd };

  std::string_view BasePlace() const { return base_.key().substr(prefix_bytes_); }
  At BaseOrEnd() const { return base_.Valid() ? At::kBase : At::kEnd; }
  void Settle();

  const size_t prefix_bytes_;  // of what comes before the place in a key
  RangeReader base_;
  Overlay::const_iterator overlay_;
  Overlay::const_iterator overlay_end_;
  At at_ = At::kEnd;
};

// One table of a tenant as a stream of records.
class EmbeddedRecordStream final : public RecordStream {
 public:
  // `check`, if any, is asked before each record; its error ends the stream.
  EmbeddedRecordStream(std::unique_ptr<OverlaidReader> reader, size_t table_part_bytes,
                       std::function<absl::Status()> check);

  absl::StatusOr<bool> Next(Record* record) override;

 private:
  const std::unique_ptr<OverlaidReader> reader_;
  const size_t table_part_bytes_;
  const std::function<absl::Status()> check_;
  absl::Status failed_;
  bool started_ = false;
};

}  // namespace reinstate
