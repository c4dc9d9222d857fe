#include "storage/history/labels_file.h"

#include <utility>

#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/history/history_status.h"
#include "storage/history/key_codec.h"
#include "storage/history/sst_sink.h"
#include "storage/model/key_parts.h"

namespace reinstate {

absl::StatusOr<LabelsFile> LabelsFile::Write(HistoryDb* db, uint32_t lineage,
                                             TenantLabelsStream* stream) {
  const std::string file = db->NewStagingFile("labels");
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db->TableOptions(Family::kManifests));
  TenantLabels labels;
  std::string last;
  while (true) {
    ASSIGN_OR_RETURN(const bool found, stream->Next(&labels));
    if (!found) {
      break;
    }
    std::string key = KeyCodec::TenantPrefix(lineage, labels.tenant.value());
    if (labels.tenant.is_ownerless() || key <= last) {
      return MakeError(Reason::kInternal,
                       "The store gave the labels of its tenants in a wrong order.");
    }
    std::string value;
    for (const std::string& label : labels.labels) {
      AppendKeyPart(label, &value);
    }
    if (last.empty()) {
      RETURN_IF_ERROR(HistoryStatus(writer.Open(file), "create a file of labels"));
    }
    RETURN_IF_ERROR(HistoryStatus(writer.Put(key, value), "write labels"));
    last = std::move(key);
  }
  if (last.empty()) {
    return LabelsFile(db, "");
  }
  RETURN_IF_ERROR(HistoryStatus(writer.Finish(), "write labels"));
  return LabelsFile(db, file);
}

LabelsFile::Cursor::Cursor(const LabelsFile& file, std::string begin, std::string end)
    : file_(file.file_),
      begin_(std::move(begin)),
      end_(std::move(end)),
      upper_bound_(end_),
      reader_(file.db_->TableOptions(Family::kManifests)) {}

absl::Status LabelsFile::Cursor::Open() {
  if (file_.empty()) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(HistoryStatus(reader_.Open(file_), "open a file of labels"));
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &upper_bound_;
  it_.reset(reader_.NewIterator(options));
  it_->Seek(begin_);
  return HistoryStatus(it_->status(), "read labels");
}

absl::StatusOr<std::vector<std::string>> LabelsFile::Cursor::labels() const {
  std::vector<std::string> labels;
  std::string_view rest = it_->value().ToStringView();
  while (!rest.empty()) {
    if (!ConsumeKeyPart(&rest, &labels.emplace_back())) {
      return MakeError(Reason::kCorrupt, "A file of labels that was just written is damaged.");
    }
  }
  return labels;
}

absl::Status LabelsFile::Cursor::Next() {
  it_->Next();
  return HistoryStatus(it_->status(), "read labels");
}

}  // namespace reinstate
