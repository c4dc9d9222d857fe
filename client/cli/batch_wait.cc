#include "client/cli/batch_wait.h"

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/batch_events.h"
#include "client/cli/batch_live_view.h"
#include "client/cli/batch_problems.h"
#include "client/cli/batch_views.h"
#include "client/cli/interrupt.h"
#include "client/cli/partial_file.h"
#include "client/cli/restore_views.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

// The lines that were not restored, or that a required hook failed after.
absl::StatusOr<std::vector<v1::BatchLine>> ProblemLines(const v1::Batch& batch, Session& session) {
  v1::ListBatchLinesRequest request;
  request.set_batch(batch.id());
  for (const v1::BatchLineState state :
       {v1::BATCH_LINE_STATE_NOT_RESTORED, v1::BATCH_LINE_STATE_FAILED,
        v1::BATCH_LINE_STATE_CANCELLED, v1::BATCH_LINE_STATE_IN_DOUBT}) {
    request.add_states(state);
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->ListBatchLines(request);
}

void HintNext(const v1::Batch& batch, bool retry_may_help, const Session& session) {
  if (batch.dry_run()) {
    return;
  }
  session.Hint(absl::StrCat("  One line a customer: reinstate batch summary ", batch.id()));
  if (retry_may_help) {
    session.Hint(absl::StrCat("  What failed, again:  reinstate batch retry ", batch.id()));
  }
  if (batch.lines().succeeded() > 0 && batch.kind() != v1::RESTORE_KIND_UNDO) {
    session.Hint(absl::StrCat("  To take it back:     reinstate batch undo ", batch.id()));
  }
}

// That not all of the list is restored is known from the start.
absl::Status LeftOut(const v1::Batch& batch) {
  const int64_t left_out = batch.lines().not_restored();
  return left_out == 0
             ? absl::OkStatus()
             : MakeErrorFromName(
                   absl::StatusCode::kUnknown, kPartlyFailedReason,
                   absl::StrCat(left_out, " of ", batch.lines().total(), " lines of the batch ",
                                batch.id(), " are left out; it goes on with the others."));
}

absl::Status SummaryError(const std::string& path) {
  return MakeError(Reason::kInvalidArgument,
                   absl::StrCat("The summary cannot be written to ", path, "."));
}

// The summary of all lines, as CSV.
absl::Status WriteSummary(const std::string& batch, const std::string& path, Session& session) {
  ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, AllLines(batch, session));
  std::ofstream file(path, std::ios::binary);
  Console console;
  console.out = &file;
  RETURN_IF_ERROR(Output(&console, OutputFormat::kCsv).List(lines, BatchSummaryFields(), ""));
  file.close();
  return file ? absl::OkStatus() : SummaryError(path);
}

}  // namespace

absl::StatusOr<v1::Batch> WaitForBatch(const std::string& id, bool stream, Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  BatchLiveView view(&session.console());
  BatchEvents events(&session);
  absl::Status written;
  ReinstateClient::WaitObserver<v1::Batch> observer;
  observer.on_update = [&](const v1::Batch& batch) {
    if (stream) {
      written.Update(events.Write(batch));
    } else {
      view.Show(batch);
    }
  };
  observer.on_connection = [&](const absl::Status& status) {
    view.Say(status.ok() ? "The daemon answers again."
                         : "The daemon does not answer; waiting for it to come back. The batch "
                           "goes on by itself then.");
  };
  const InterruptGuard guard([client] { client->InterruptWaits(); });
  absl::StatusOr<v1::Batch> batch = client->WaitForBatch(id, observer);
  if (!batch.ok()) {
    return Session::WithWayBack(batch.status(),
                                absl::StrCat("reinstate batch watch ", ShellWord(id)));
  }
  RETURN_IF_ERROR(written);
  return batch;
}

absl::StatusOr<std::vector<v1::BatchLine>> AllLines(const std::string& batch, Session& session) {
  v1::ListBatchLinesRequest request;
  request.set_batch(batch);
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->ListBatchLines(request);
}

absl::Status ReportBatchOutcome(const v1::Batch& batch, Session& session) {
  absl::Status outcome = OutcomeOf(batch);
  if (!session.for_people()) {
    return outcome;
  }
  bool retry_may_help = false;
  if (!outcome.ok() && !batch.dry_run()) {
    ASSIGN_OR_RETURN(const std::vector<v1::BatchLine> lines, ProblemLines(batch, session));
    *session.console().err << RenderProblems(lines, ContextOf(batch));
    retry_may_help = std::any_of(lines.begin(), lines.end(), RetryMayHelp);
  }
  HintNext(batch, retry_may_help, session);
  return outcome;
}

void AddFollowOptions(CLI::App* command, FollowOptions* options) {
  AddWaitOption(command, &options->wait);
  CLI::Option* summary =
      command
          ->add_option("--summary", options->summary,
                       "With --wait: write one line a customer to this file at the end, as CSV")
          ->type_name("FILE");
  command->add_flag("--force", options->force, "Overwrite the file of --summary")->needs(summary);
}

absl::Status CheckSummaryFile(const FollowOptions& options) {
  if (options.summary.empty()) {
    return absl::OkStatus();
  }
  if (!options.wait) {
    return MakeError(Reason::kInvalidArgument, "--summary is written at the end: add --wait.");
  }
  RETURN_IF_ERROR(CheckMayWrite(options.summary, options.force));
  return std::ofstream(options.summary, std::ios::app) ? absl::OkStatus()
                                                       : SummaryError(options.summary);
}

absl::Status ShowBegunBatch(v1::Batch batch, const FollowOptions& options, Session& session) {
  if (!options.wait) {
    RETURN_IF_ERROR(PrintBatch(batch, session));
    session.Hint(absl::StrCat("It goes on by itself. To follow it: reinstate batch watch ",
                              ShellWord(batch.id())));
    return LeftOut(batch);
  }
  session.Hint(absl::StrCat("Batch ", batch.id(), ". It goes on by itself, also without this."));
  ASSIGN_OR_RETURN(batch, WaitForBatch(batch.id(), /*stream=*/false, session));
  RETURN_IF_ERROR(PrintBatch(batch, session));
  if (!options.summary.empty()) {
    RETURN_IF_ERROR(WriteSummary(batch.id(), options.summary, session));
  }
  return ReportBatchOutcome(batch, session);
}

}  // namespace reinstate
