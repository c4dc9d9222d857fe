#include <filesystem>
#include <fstream>
#include <istream>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/api/dump_sender.h"
#include "client/cli/command_tree.h"
#include "client/cli/dump_lines.h"
#include "client/cli/job_views.h"
#include "client/cli/progress.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kLinesBetweenProgress = 10'000;

struct ImportOptions {
  std::string file;
  std::string store;
  std::string lineage;
  std::string reason;
  bool wait = false;
  bool check = false;
};

// Sends the lines of a dump to the daemon as they are read.
class DumpUpload {
 public:
  DumpUpload(ReinstateClient* client, v1::ImportSnapshotRequest order)
      : client_(client),
        order_(std::move(order)),
        parser_(
            {.header = [this](const v1::DumpHeader& header) { return Begin(header); },
             .labels =
                 [this](v1::DumpLabels labels) { return Sent(sender_->Labels(std::move(labels))); },
             .row =
                 [this](const std::string& tenant, int table, v1::DumpRow row) {
                   return Sent(sender_->Row(tenant, table, std::move(row)));
                 },
             .end =
                 [this](v1::DumpEnd end) {
                   end_ = std::move(end);
                   return absl::OkStatus();
                 }}) {}

  absl::Status Line(const std::string& line) { return parser_.Line(line); }

  // Whether the last error is the daemon's, which knows no lines.
  bool refused_by_daemon() const { return refused_by_daemon_; }

  absl::StatusOr<v1::Job> Finish() {
    RETURN_IF_ERROR(parser_.Finish());
    return sender_->Finish(std::move(end_));
  }

 private:
  absl::Status Begin(const v1::DumpHeader& header) {
    *order_.mutable_header() = header;
    sender_ = client_->ImportSnapshot(std::move(order_));
    return absl::OkStatus();
  }

  absl::Status Sent(bool sent) {
    if (sent) {
      return absl::OkStatus();
    }
    refused_by_daemon_ = true;
    return sender_->Why();
  }

  ReinstateClient* const client_;
  v1::ImportSnapshotRequest order_;
  std::unique_ptr<DumpSender> sender_;
  v1::DumpEnd end_;
  bool refused_by_daemon_ = false;
  DumpLineParser parser_;
};

absl::StatusOr<v1::Job> Upload(std::istream& in, const std::string& name, int64_t total_bytes,
                               const Console& console, DumpUpload* upload) {
  ProgressReporter reporter(&console);
  v1::Progress progress;
  progress.set_bytes_total(total_bytes);
  int64_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const absl::Status taken = upload->Line(line);
    if (!taken.ok()) {
      return upload->refused_by_daemon()
                 ? taken
                 : WithContext(taken, absl::StrCat(name, ", line ", number));
    }
    progress.set_rows_done(number);
    progress.set_bytes_done(progress.bytes_done() + static_cast<int64_t>(line.size()) + 1);
    if (number % kLinesBetweenProgress == 0) {
      reporter.Show({.what = absl::StrCat("Sending ", name), .state = "", .progress = progress});
    }
  }
  if (in.bad()) {
    return MakeError(Reason::kInvalidArgument, absl::StrCat(name, " cannot be read to its end."));
  }
  absl::StatusOr<v1::Job> job = upload->Finish();
  return job.ok() ? job : WithContext(job.status(), name);
}

absl::Status Import(const ImportOptions& options, Session& session) {
  std::ifstream file;
  std::istream* in = session.console().in;
  std::string name = "the standard input";
  int64_t bytes = 0;
  if (options.file != "-") {
    name = options.file;
    file.open(options.file);
    if (!file) {
      return MakeError(Reason::kInvalidArgument,
                       absl::StrCat("The file ", name, " cannot be read."));
    }
    in = &file;
    std::error_code unknown;
    const uintmax_t size = std::filesystem::file_size(options.file, unknown);
    bytes = unknown ? 0 : static_cast<int64_t>(size);
  }
  v1::ImportSnapshotRequest order;
  ASSIGN_OR_RETURN(*order.mutable_store(), session.StoreOrOnlyOne(options.store));
  order.set_lineage(options.lineage);
  order.set_reason(options.reason);
  order.set_validate_only(options.check);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const std::string what = absl::StrCat("Import for ", order.store());
  DumpUpload upload(client, std::move(order));
  ASSIGN_OR_RETURN(v1::Job job, Upload(*in, name, bytes, session.console(), &upload));
  if (options.check) {
    session.Hint("The dump is complete and could be imported. Nothing was.");
    return absl::OkStatus();
  }
  return ShowBegunJob(session, std::move(job), options.wait, what);
}

}  // namespace

void AddSnapshotImportCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<ImportOptions>();
  CLI::App* command = tree->AddCommand(
      noun,
      {"import", "Takes a dump into the history, as a snapshot of a lineage of imported dumps",
       "reinstate snapshot import monday.jsonl --wait\n"
       "zcat nightly.jsonl.gz | reinstate snapshot import - --lineage nightly"},
      [options](Session& session) { return Import(*options, session); });
  command->add_option("FILE", options->file, "The dump as JSON lines; - for the standard input")
      ->type_name("FILE")
      ->required();
  AddStoreOption(command, &options->store);
  command
      ->add_option("--lineage", options->lineage,
                   "The lineage that it continues or begins; default imported")
      ->type_name("NAME");
  AddWaitOption(command, &options->wait);
  command->add_flag("--check", options->check, "Only check the dump; import nothing");
  command->add_option("--reason", options->reason, "Why, for the audit");
}

}  // namespace reinstate
