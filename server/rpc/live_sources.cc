#include "server/rpc/live_sources.h"

#include <functional>
#include <string>
#include <utility>

#include "reinstate/v1/live_store_service.pb.h"
#include "server/rpc/live_wire.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// A stream of which nothing has to be waited for.
class ReadySource : public StreamSource {
 public:
  absl::Status Start(std::function<void()> /*wake*/) override { return absl::OkStatus(); }
};

class TenantCountSource final : public ReadySource {
 public:
  explicit TenantCountSource(std::unique_ptr<TenantCountStream> counts)
      : counts_(std::move(counts)) {}

  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override {
    auto* response = static_cast<v1::CountTenantsResponse*>(message);
    TenantCount count;
    for (size_t bytes = 0; bytes < kLiveBatchBytes;) {
      ASSIGN_OR_RETURN(const bool found, counts_->Next(&count));
      if (!found) {
        break;
      }
      v1::TenantRowCount& entry = *response->add_tenants();
      entry.set_tenant(count.tenant.value());
      entry.set_rows(count.rows);
      bytes += entry.tenant().size() + sizeof(count.rows);
    }
    return response->tenants().empty() ? Produced::kEnd : Produced::kMessage;
  }

 private:
  const std::unique_ptr<TenantCountStream> counts_;
};

class ShardSource final : public ReadySource {
 public:
  ShardSource(LiveCuts::Use use, std::unique_ptr<TenantRowStream> rows)
      : use_(std::move(use)), rows_(std::move(rows)) {}

  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override {
    auto* response = static_cast<v1::ReadCutShardResponse*>(message);
    RETURN_IF_ERROR(use_.Run([&] { return Fill(response); }));
    return response->rows().empty() ? Produced::kEnd : Produced::kMessage;
  }

 private:
  absl::Status Fill(v1::ReadCutShardResponse* response) {
    for (size_t bytes = 0; bytes < kLiveBatchBytes;) {
      if (!parts_.has_part()) {
        ASSIGN_OR_RETURN(const bool found, rows_->Next(&row_));
        if (!found) {
          break;
        }
        parts_.Begin();
      }
      v1::CutRow& entry = *response->add_rows();
      if (parts_.is_first()) {
        entry.set_tenant(row_.tenant);
        entry.set_table(row_.table);
        entry.set_key(row_.record.key.bytes());
      }
      entry.set_more(parts_.Take(&row_.record.payload, entry.mutable_payload()));
      bytes += entry.tenant().size() + entry.key().size() + entry.payload().size();
    }
    return absl::OkStatus();
  }

  const LiveCuts::Use use_;  // outlives the rows
  const std::unique_ptr<TenantRowStream> rows_;
  TenantRow row_;
  RowSplitter parts_;
};

class LabelsSource final : public ReadySource {
 public:
  LabelsSource(LiveCuts::Use use, std::unique_ptr<TenantLabelsStream> labels)
      : use_(std::move(use)), labels_(std::move(labels)) {}

  absl::StatusOr<Produced> Next(google::protobuf::Message* message) override {
    auto* response = static_cast<v1::ReadCutLabelsResponse*>(message);
    RETURN_IF_ERROR(use_.Run([&] { return Fill(response); }));
    return response->tenants().empty() ? Produced::kEnd : Produced::kMessage;
  }

 private:
  absl::Status Fill(v1::ReadCutLabelsResponse* response) {
    TenantLabels labels;
    for (size_t bytes = 0; bytes < kLiveBatchBytes;) {
      ASSIGN_OR_RETURN(const bool found, labels_->Next(&labels));
      if (!found) {
        break;
      }
      v1::TenantLabels& entry = *response->add_tenants();
      entry.set_tenant(labels.tenant.value());
      bytes += entry.tenant().size();
      for (std::string& label : labels.labels) {
        bytes += label.size();
        entry.add_labels(std::move(label));
      }
    }
    return absl::OkStatus();
  }

  const LiveCuts::Use use_;  // outlives the labels
  const std::unique_ptr<TenantLabelsStream> labels_;
};

}  // namespace

std::unique_ptr<StreamSource> MakeTenantCountSource(std::unique_ptr<TenantCountStream> counts) {
  return std::make_unique<TenantCountSource>(std::move(counts));
}

std::unique_ptr<StreamSource> MakeShardSource(const LiveCuts::Use& use,
                                              std::unique_ptr<TenantRowStream> rows) {
  return std::make_unique<ShardSource>(use, std::move(rows));
}

std::unique_ptr<StreamSource> MakeLabelsSource(const LiveCuts::Use& use,
                                               std::unique_ptr<TenantLabelsStream> labels) {
  return std::make_unique<LabelsSource>(use, std::move(labels));
}

}  // namespace reinstate
