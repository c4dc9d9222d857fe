#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/api/text_check.h"
#include "client/cli/command_tree.h"
#include "client/cli/csv_writer.h"
#include "client/cli/dump_lines.h"
#include "client/cli/humanize.h"
#include "client/cli/interrupt.h"
#include "client/cli/partial_file.h"
#include "client/cli/progress.h"
#include "client/cli/restore_views.h"
#include "proto/dump_parts.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct ExportOptions {
  std::string store;
  std::string tenant;
  std::string at;
  std::string to;
  bool force = false;
  std::string reason;
  std::vector<std::string> tables;
};

// Where the parts of an export go, in one format. What is not Completed looks incomplete.
class ExportWriter {
 public:
  virtual ~ExportWriter() = default;

  virtual absl::Status Header(const v1::DumpHeader& header) = 0;
  virtual absl::Status Labels(const v1::DumpLabels& labels) = 0;
  virtual absl::Status Row(int table, const v1::DumpRow& row) = 0;
  virtual absl::Status Complete(const v1::DumpEnd& end) = 0;
};

// A dump as JSON lines, to a file or to stdout. On stdout, what has no last line is incomplete.
class LinesWriter final : public ExportWriter {
 public:
  // To stdout if `file` is null.
  LinesWriter(std::unique_ptr<PartialFile> file, std::ostream* out)
      : file_(std::move(file)), out_(out) {}

  absl::Status Header(const v1::DumpHeader& header) override {
    header_ = header;
    return Line(DumpHeaderLine(header));
  }
  absl::Status Labels(const v1::DumpLabels& labels) override {
    return Line(DumpLabelsLine(labels));
  }
  absl::Status Row(int table, const v1::DumpRow& row) override {
    return Line(DumpRowLine(header_.tables(table), header_.tenant(), row));
  }
  absl::Status Complete(const v1::DumpEnd& end) override {
    RETURN_IF_ERROR(Line(DumpEndLine(header_, end)));
    if (file_ != nullptr) {
      return file_->Complete();
    }
    out_->flush();
    return CheckOut();
  }

 private:
  absl::Status Line(const std::string& line) {
    if (file_ != nullptr) {
      return file_->Write(absl::StrCat(line, "\n"));
    }
    *out_ << line << '\n';
    return CheckOut();
  }
  absl::Status CheckOut() const {
    return *out_ ? absl::OkStatus()
                 : MakeError(Reason::kNoSpace, "The standard output cannot be written.");
  }

  const std::unique_ptr<PartialFile> file_;
  std::ostream* const out_;
  v1::DumpHeader header_;
};

// A CSV file a table, in a folder that has its name only once it is complete. NULL is an empty
// field, an empty text is "". Bytes that are no UTF-8 are refused: CSV has no way to say them.
class CsvFolderWriter final : public ExportWriter {
 public:
  static absl::StatusOr<std::unique_ptr<ExportWriter>> Create(const std::string& path) {
    const std::string partial = absl::StrCat(path, ".partial");
    std::error_code error;
    if (std::filesystem::exists(path, error) ||
        !std::filesystem::create_directory(partial, error)) {
      return MakeError(Reason::kInvalidArgument,
                       absl::StrCat("The folder ", path, " cannot be made: it or ", partial,
                                    " is there already, or its parent is not."));
    }
    std::filesystem::permissions(partial, std::filesystem::perms::owner_all, error);
    return std::unique_ptr<ExportWriter>(new CsvFolderWriter(path, partial));
  }

  ~CsvFolderWriter() override {
    file_ = nullptr;
    if (!completed_) {
      std::error_code left_behind;
      std::filesystem::remove_all(partial_, left_behind);
    }
  }
  CsvFolderWriter(const CsvFolderWriter&) = delete;
  CsvFolderWriter& operator=(const CsvFolderWriter&) = delete;

  absl::Status Header(const v1::DumpHeader& header) override {
    header_ = header;
    return absl::OkStatus();
  }
  absl::Status Labels(const v1::DumpLabels& /*labels*/) override { return absl::OkStatus(); }
  absl::Status Row(int table, const v1::DumpRow& row) override {
    RETURN_IF_ERROR(OpenTables(table));
    std::vector<std::string> fields;
    if (header_.tables(table).columns_size() == 0) {
      ASSIGN_OR_RETURN(fields.emplace_back(), Field(row.key(0)));
    }
    for (const v1::DumpValue& value : row.values()) {
      fields.emplace_back();
      if (!value.null()) {
        ASSIGN_OR_RETURN(fields.back(), Field(value.value()));
      }
    }
    return file_->Write(absl::StrCat(absl::StrJoin(fields, ","), "\r\n"));
  }
  absl::Status Complete(const v1::DumpEnd& /*end*/) override {
    RETURN_IF_ERROR(OpenTables(header_.tables_size()));
    std::error_code error;
    std::filesystem::rename(partial_, path_, error);
    if (error) {
      return MakeError(
          Reason::kInvalidArgument,
          absl::StrCat("The folder ", partial_, " cannot be renamed: ", error.message(), "."));
    }
    completed_ = true;
    return absl::OkStatus();
  }

 private:
  CsvFolderWriter(std::string path, std::string partial)
      : path_(std::move(path)), partial_(std::move(partial)) {}

  // Begins the files up to that of `table`, so that tables without rows have one too; only the last
  // one stays open.
  absl::Status OpenTables(int table) {
    for (; open_ <= table; ++open_) {
      if (file_ != nullptr) {
        RETURN_IF_ERROR(file_->Complete());
        file_ = nullptr;
      }
      if (open_ == header_.tables_size()) {
        break;
      }
      const v1::DumpTable& begun = header_.tables(open_);
      if (begun.table().find('/') != std::string::npos) {
        return MakeError(Reason::kInvalidArgument,
                         absl::StrCat("Table ", begun.table(),
                                      " has a name that cannot be a "
                                      "file's; export it as JSON lines."));
      }
      ASSIGN_OR_RETURN(file_,
                       PartialFile::Create(absl::StrCat(partial_, "/", begun.table(), ".csv")));
      std::vector<std::string> titles;
      for (const v1::ColumnInfo& column : begun.columns()) {
        titles.push_back(column.name());
      }
      if (titles.empty()) {
        titles = {"key", "payload"};
      }
      RETURN_IF_ERROR(file_->Write(CsvLine(titles)));
    }
    return absl::OkStatus();
  }

  // What is not quoted is NULL if it is empty.
  static absl::StatusOr<std::string> Field(const std::string& text) {
    if (!IsWellFormedUtf8(text)) {
      return MakeError(Reason::kInvalidArgument,
                       "A value is no text, which CSV cannot hold; export as JSON lines.");
    }
    if (text.empty()) {
      return std::string("\"\"");
    }
    std::string line = CsvLine({text});
    line.resize(line.size() - 2);  // its end
    return line;
  }

  const std::string path_;
  const std::string partial_;
  v1::DumpHeader header_;
  std::unique_ptr<PartialFile> file_;
  int open_ = 0;  // tables whose files were begun
  bool completed_ = false;
};

// Takes the parts of an export, and counts.
class ExportReceiver {
 public:
  ExportReceiver(ExportWriter* writer, std::string what, const Console* console)
      : writer_(writer), what_(std::move(what)), reporter_(console), begin_(absl::Now()) {}

  absl::Status Take(const v1::ExportTenantResponse& part) {
    switch (part.part_case()) {
      case v1::ExportTenantResponse::kHeader:
        header_ = part.header();
        point_ = part.point();
        progress_.set_rows_total(header_.counts().rows());
        return writer_->Header(header_);
      case v1::ExportTenantResponse::kLabels:
        return writer_->Labels(part.labels());
      case v1::ExportTenantResponse::kRows:
        return TakeRows(part.rows());
      case v1::ExportTenantResponse::kEnd:
        end_ = part.end();
        return CheckCounts();
      default:
        return absl::OkStatus();
    }
  }

  // Once the daemon has said that all is well.
  absl::Status Complete() { return writer_->Complete(end_); }

  const v1::Point& point() const { return point_; }
  const v1::DumpHeader& header() const { return header_; }
  const v1::DumpEnd& end() const { return end_; }

 private:
  absl::Status TakeRows(const v1::DumpRows& rows) {
    if (rows.table() < 0 || rows.table() >= header_.tables_size()) {
      return MakeError(Reason::kInternal, "The daemon sent rows of a table that it did not name.");
    }
    counted_.resize(static_cast<size_t>(header_.tables_size()));
    for (const v1::DumpRow& part : rows.rows()) {
      if (joiner_.Add(part)) {
        RETURN_IF_ERROR(writer_->Row(rows.table(), joiner_.row()));
        ++counted_[static_cast<size_t>(rows.table())];
        progress_.set_rows_done(progress_.rows_done() + 1);
      }
    }
    const double seconds = absl::ToDoubleSeconds(absl::Now() - begin_);
    progress_.set_rows_per_second(static_cast<double>(progress_.rows_done()) /
                                  std::max(seconds, 0.001));
    reporter_.Show(
        {.what = what_, .state = header_.tables(rows.table()).table(), .progress = progress_});
    return absl::OkStatus();
  }

  // What came is what the daemon counted.
  absl::Status CheckCounts() {
    counted_.resize(static_cast<size_t>(header_.tables_size()));
    if (joiner_.open() || joiner_.failed() ||
        !std::equal(counted_.begin(), counted_.end(), end_.rows().begin(), end_.rows().end())) {
      return MakeError(Reason::kShortfall, "What came is not what the daemon says that it sent.");
    }
    return absl::OkStatus();
  }

  ExportWriter* const writer_;
  const std::string what_;
  ProgressReporter reporter_;
  const absl::Time begin_;
  v1::DumpHeader header_;
  v1::Point point_;
  v1::DumpEnd end_;
  v1::Progress progress_;
  DumpRowJoiner joiner_;
  std::vector<int64_t> counted_;
};

absl::StatusOr<std::unique_ptr<ExportWriter>> MakeWriter(const ExportOptions& options,
                                                         const Session& session) {
  if (session.output().format() == OutputFormat::kCsv) {
    if (options.to.empty()) {
      return MakeError(Reason::kInvalidArgument,
                       "CSV is a file a table: name the folder for them with --to.");
    }
    return CsvFolderWriter::Create(options.to);
  }
  std::unique_ptr<PartialFile> file;
  if (!options.to.empty()) {
    RETURN_IF_ERROR(CheckMayWrite(options.to, options.force));
    ASSIGN_OR_RETURN(file, PartialFile::Create(options.to));
  }
  return std::make_unique<LinesWriter>(std::move(file), session.console().out);
}

void SaySummary(const ExportReceiver& received, const std::string& store, const std::string& to,
                const Session& session) {
  const v1::DumpEnd& end = received.end();
  const Console& console = session.console();
  console.Say(absl::StrCat("Exported tenant ", received.header().tenant(), " of ", store,
                           to.empty() ? "" : absl::StrCat(" to ", to), ": ",
                           HumanNumber(end.counts().rows(), "row"), " of ",
                           HumanNumber(received.header().tables_size(), "table"), ", ",
                           HumanBytes(end.counts().bytes()), ", sum ", end.sum(), "."));
  console.Say(PointSentence(received.point(), session.now()));
}

absl::Status Export(const ExportOptions& options, Session& session) {
  v1::ExportTenantRequest request;
  ASSIGN_OR_RETURN(*request.mutable_store(), session.StoreOrOnlyOne(options.store));
  request.set_tenant(options.tenant);
  request.set_at(options.at);
  request.mutable_tables()->Assign(options.tables.begin(), options.tables.end());
  request.set_reason(options.reason);
  ASSIGN_OR_RETURN(const std::unique_ptr<ExportWriter> writer, MakeWriter(options, session));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  std::optional<ExportReceiver> receiver;
  receiver.emplace(writer.get(), absl::StrCat("Exporting ", options.tenant), &session.console());
  absl::Status exported;
  {
    const InterruptGuard guard([client] { client->InterruptWaits(); });
    exported = client->ExportTenant(
        request, [&](const v1::ExportTenantResponse& part) { return receiver->Take(part); });
  }
  if (!exported.ok()) {
    return WithCandidates(session, exported, request.store(), options.tenant);
  }
  RETURN_IF_ERROR(receiver->Complete());
  SaySummary(*receiver, request.store(), options.to, session);
  return absl::OkStatus();
}

}  // namespace

void AddTenantExportCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<ExportOptions>();
  CLI::App* command = tree->AddCommand(
      noun,
      {"export", "Writes the rows that a tenant had at a point, out of the history",
       "reinstate tenant export 1001 --at latest --to 1001.jsonl --reason 'access request 17'\n"
       "reinstate tenant export 1001 --at 2h --table issue\n"
       "reinstate tenant export 1001 --at 2h -o csv --to 1001-csv"},
      [options](Session& session) { return Export(*options, session); });
  command->add_option("TENANT", options->tenant, "The tenant's id")->required();
  AddStoreOption(command, &options->store);
  command->add_option("--at", options->at, "The point")->type_name("POINT")->required();
  command->add_option("--table", options->tables, "Only this table; may be repeated")
      ->type_name("TABLE")
      ->expected(1)
      ->take_all();
  CLI::Option* to =
      command
          ->add_option("--to", options->to,
                       "The file to write, with -o csv the folder; else JSON lines on stdout")
          ->type_name("FILE");
  command->add_flag("--force", options->force, "Overwrite the file of --to; never a folder")
      ->needs(to);
  command->add_option("--reason", options->reason, "Why, for the audit");
}

}  // namespace reinstate
