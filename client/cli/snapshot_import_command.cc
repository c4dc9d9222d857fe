#include <istream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/api/dump_sender.h"
#include "client/cli/command_tree.h"
#include "client/cli/dump_lines.h"
#include "client/cli/input_file.h"
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

absl::StatusOr<v1::Job> Upload(InputFile& file, const Console& console, DumpUpload* upload) {
  ProgressReporter reporter(&console);
  v1::Progress progress;
  progress.set_bytes_total(file.bytes());
  int64_t number = 0;
  for (std::string line; std::getline(file.stream(), line);) {
    ++number;
    const absl::Status taken = upload->Line(line);
    if (!taken.ok()) {
      return upload->refused_by_daemon()
                 ? taken
                 : WithContext(taken, absl::StrCat(file.name(), ", line ", number));
    }
    progress.set_rows_done(number);
    progress.set_bytes_done(progress.bytes_done() + static_cast<int64_t>(line.size()) + 1);
    if (number % kLinesBetweenProgress == 0) {
      reporter.Show(
          {.what = absl::StrCat("Sending ", file.name()), .state = "", .progress = progress});
    }
  }
  if (file.stream().bad()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat(file.name(), " cannot be read to its end."));
  }
  absl::StatusOr<v1::Job> job = upload->Finish();
  return job.ok() ? job : WithContext(job.status(), file.name());
}

absl::Status Import(const ImportOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<InputFile> file,
                   InputFile::Open(options.file, session.console()));
  v1::ImportSnapshotRequest order;
  ASSIGN_OR_RETURN(*order.mutable_store(), session.StoreOrOnlyOne(options.store));
  order.set_lineage(options.lineage);
  order.set_reason(options.reason);
  order.set_validate_only(options.check);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const std::string what = absl::StrCat("Import for ", order.store());
  DumpUpload upload(client, std::move(order));
  ASSIGN_OR_RETURN(v1::Job job, Upload(*file, session.console(), &upload));
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
