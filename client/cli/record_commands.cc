#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "client/api/record_writer.h"
#include "client/cli/command_tree.h"
#include "client/cli/confirmation.h"
#include "client/cli/humanize.h"
#include "client/cli/input_file.h"
#include "client/cli/json_record.h"
#include "client/cli/progress.h"
#include "client/cli/words.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr int64_t kProgressEvery = 1'000;

struct RecordOptions {
  std::string store;
  std::string tenant;
  std::string table;
  std::string key;
  std::string payload;
  std::string file = "-";
  std::string start;
  std::string end;
  std::string confirm;
  int64_t limit = 100;
  bool keys_only = false;
  bool raw = false;
};

Fields<v1::Record> RecordFields(bool keys_only) {
  using Record = v1::Record;
  Fields<Record> fields = {
      {"TENANT", [](const Record& r) { return TextValue(r.tenant()); }},
      {"TABLE", [](const Record& r) { return TextValue(r.table()); }},
      {"KEY", [](const Record& r) { return TextValue(r.key()); }},
  };
  if (!keys_only) {
    fields.push_back(
        {"PAYLOAD", [](const Record& r) { return TextValue(r.payload()); }, Align::kLeft, true});
  }
  return fields;
}

void FillKey(const RecordOptions& options, v1::RecordKey* key) {
  key->set_tenant(options.tenant);
  key->set_table(options.table);
  key->set_key(options.key);
}

// The whole of a file, or of the standard input for "-".
absl::StatusOr<std::string> ReadAll(const std::string& path, const Console& console) {
  ASSIGN_OR_RETURN(const std::unique_ptr<InputFile> file, InputFile::Open(path, console));
  return std::string(std::istreambuf_iterator<char>(file->stream()),
                     std::istreambuf_iterator<char>());
}

absl::Status Put(const RecordOptions& options, bool has_payload, Session& session) {
  v1::PutRequest request;
  request.set_store(options.store);
  v1::Record* record = request.mutable_record();
  record->set_tenant(options.tenant);
  record->set_table(options.table);
  record->set_key(options.key);
  record->set_payload(options.payload);
  if (!has_payload) {
    ASSIGN_OR_RETURN(*record->mutable_payload(), ReadAll(options.file, session.console()));
  }
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->PutRecord(std::move(request));
}

absl::Status Get(const RecordOptions& options, Session& session) {
  v1::GetRequest request;
  request.set_store(options.store);
  FillKey(options, request.mutable_key());
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(const v1::GetResponse response, client->GetRecord(std::move(request)));
  if (options.raw) {
    session.output().Text(response.record().payload());
    return absl::OkStatus();
  }
  return session.output().One(response.record(), RecordFields(/*keys_only=*/false));
}

absl::Status Scan(const RecordOptions& options, Session& session) {
  v1::ScanRequest request;
  request.set_store(options.store);
  request.set_tenant(options.tenant);
  request.set_table(options.table);
  request.set_start_key(options.start);
  request.set_end_key(options.end);
  request.set_limit(options.limit);
  request.set_keys_only(options.keys_only);
  std::vector<v1::Record> records;
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  RETURN_IF_ERROR(client->ScanRecords(request, [&](const v1::Record& record) {
    records.push_back(record);
    return true;
  }));
  RETURN_IF_ERROR(session.output().List(records, RecordFields(options.keys_only),
                                        "The tenant has no records there."));
  if (options.limit > 0 && static_cast<int64_t>(records.size()) == options.limit) {
    session.Hint("There may be more; --limit 0 shows all.");
  }
  return absl::OkStatus();
}

absl::Status Delete(const RecordOptions& options, Session& session) {
  v1::DeleteRequest request;
  request.set_store(options.store);
  FillKey(options, request.mutable_key());
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  return client->DeleteRecord(std::move(request));
}

// Writes the records of all lines of `file`, with progress. Returns the first line that is wrong as
// an error; false if the stream to the daemon broke.
absl::StatusOr<bool> WriteLines(InputFile& file, const Console& console, RecordWriter* writer) {
  ProgressReporter reporter(&console);
  const absl::Time begin = absl::Now();
  v1::Progress progress;
  int64_t number = 0;
  for (std::string line; std::getline(file.stream(), line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) {
      continue;
    }
    absl::StatusOr<v1::Record> record = RecordFromJson(line);
    if (!record.ok()) {
      return WithContext(record.status(), absl::StrCat(file.name(), ", line ", number));
    }
    progress.set_bytes_done(progress.bytes_done() + static_cast<int64_t>(record->payload().size()));
    if (!writer->Put(*std::move(record))) {
      return false;
    }
    progress.set_rows_done(progress.rows_done() + 1);
    if (progress.rows_done() % kProgressEvery == 0) {
      progress.set_rows_per_second(static_cast<double>(progress.rows_done()) /
                                   absl::ToDoubleSeconds(absl::Now() - begin));
      reporter.Show(
          {.what = absl::StrCat("Loading ", file.name()), .state = "", .progress = progress});
    }
  }
  if (file.stream().bad()) {
    return MakeError(Reason::kInvalidArgument,
                     absl::StrCat(file.name(), " cannot be read to its end."));
  }
  return true;
}

Fields<v1::WriteResponse> WriteFields() {
  using Response = v1::WriteResponse;
  return {
      {"records", [](const Response& r) { return CountValue(r.puts()); }},
      {"bytes", [](const Response& r) { return BytesValue(r.bytes_put()); }},
  };
}

absl::Status Load(const RecordOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const std::unique_ptr<InputFile> file,
                   InputFile::Open(options.file, session.console()));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const std::unique_ptr<RecordWriter> writer = client->WriteRecords(options.store);
  ASSIGN_OR_RETURN(const bool sent, WriteLines(*file, session.console(), writer.get()));
  const absl::StatusOr<v1::WriteResponse> response = writer->Finish();
  if (!response.ok()) {
    return WithContext(response.status(),
                       "Not all was loaded; load the whole file again, which is harmless");
  }
  if (!sent) {
    return MakeError(Reason::kInternal, "The daemon ended the stream before all was sent.");
  }
  return session.output().One(*response, WriteFields());
}

// The facts about the tenant that is to be deleted.
absl::StatusOr<std::vector<std::string>> DeletionFacts(const std::string& store,
                                                       const std::string& tenant,
                                                       ReinstateClient* client) {
  v1::GetStoreRequest get_store;
  get_store.set_store(store);
  ASSIGN_OR_RETURN(const v1::Store found_store, client->GetStore(get_store));
  std::vector<std::string> facts = {
      absl::StrCat("All records of the tenant are to be deleted from the live store ", store, "."),
      absl::StrCat("  where     ", found_store.address())};
  v1::GetTenantRequest get_tenant;
  get_tenant.set_store(store);
  get_tenant.set_tenant(tenant);
  get_tenant.set_count_live(true);
  // A tenant that no snapshot has seen, or a store without snapshots: it can be deleted all the
  // same, and then for ever.
  const absl::StatusOr<v1::Tenant> found = client->GetTenant(get_tenant);
  if (!found.ok()) {
    facts.push_back(absl::StrCat("  tenant    ", tenant));
    facts.emplace_back("  No snapshot has it: it could not be restored.");
    return facts;
  }
  facts.push_back(absl::StrCat("  tenant    ", NameOf(found->ref())));
  facts.push_back(absl::StrCat("  live      ", HumanNumber(found->live().rows(), "row")));
  facts.push_back(absl::StrCat("  kept      ", HumanNumber(found->at_point().rows(), "row"), " in ",
                               found->point().snapshot()));
  return facts;
}

Fields<v1::DeleteTenantResponse> DeletionFields() {
  return {{"deleted records",
           [](const v1::DeleteTenantResponse& r) { return CountValue(r.records()); }}};
}

absl::Status DeleteTenant(const RecordOptions& options, Session& session) {
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  const std::string store = options.store.empty() ? "main" : options.store;
  Confirmation confirmation{
      .facts = {}, .name = "the tenant's id", .expected = options.tenant, .given = options.confirm};
  if (options.confirm.empty()) {
    ASSIGN_OR_RETURN(confirmation.facts, DeletionFacts(store, options.tenant, client));
  }
  RETURN_IF_ERROR(Confirm(confirmation, session.console()));
  v1::DeleteTenantRequest request;
  request.set_store(store);
  request.set_tenant(options.tenant);
  ASSIGN_OR_RETURN(const v1::DeleteTenantResponse response, client->DeleteTenant(request));
  return session.output().One(response, DeletionFields());
}

using Options = std::shared_ptr<RecordOptions>;

void AddPlace(CLI::App* command, const Options& options, bool with_key) {
  command->add_option("TENANT", options->tenant, "The tenant's id")->required();
  command->add_option("TABLE", options->table, "The table")->required();
  if (with_key) {
    command->add_option("KEY", options->key, "The record's key")->required();
  }
  command->add_option("-s,--store", options->store, "The embedded store; default main")
      ->type_name("NAME");
}

void AddSingleCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  // The action must know whether a payload was given, which only the option itself can say.
  const auto payload = std::make_shared<CLI::Option*>(nullptr);
  CLI::App* put = tree->AddCommand(noun,
                                   {"put", "Puts one record",
                                    "reinstate record put 1001 issue 17 '{\"title\":\"Broken\"}'\n"
                                    "reinstate record put 1001 file logo.png --file logo.png"},
                                   [options, payload](Session& session) {
                                     return Put(*options, !(*payload)->empty(), session);
                                   });
  AddPlace(put, options, /*with_key=*/true);
  *payload = put->add_option("PAYLOAD", options->payload, "What it holds; else read from --file");
  put->add_option("-f,--file", options->file, "Where the payload is; - for the standard input")
      ->type_name("FILE")
      ->capture_default_str()
      ->excludes(*payload);

  CLI::App* get =
      tree->AddCommand(noun, {"get", "Shows one record", "reinstate record get 1001 issue 17"},
                       [options](Session& session) { return Get(*options, session); });
  AddPlace(get, options, /*with_key=*/true);
  get->add_flag("--raw", options->raw, "Write the payload and nothing else");

  AddPlace(tree->AddCommand(
               noun, {"delete", "Deletes one record", "reinstate record delete 1001 issue 17"},
               [options](Session& session) { return Delete(*options, session); }),
           options, /*with_key=*/true);
}

void AddManyCommands(CommandTree* tree, CLI::App* noun, const Options& options) {
  CLI::App* scan = tree->AddCommand(
      noun,
      {"scan", "Lists the records of a tenant in a table", "reinstate record scan 1001 issue"},
      [options](Session& session) { return Scan(*options, session); });
  AddPlace(scan, options, /*with_key=*/false);
  scan->add_option("--start", options->start, "Only keys from this one on")->type_name("KEY");
  scan->add_option("--end", options->end, "Only keys before this one")->type_name("KEY");
  scan->add_option("--limit", options->limit, "At most so many; 0 for all")->capture_default_str();
  scan->add_flag("--keys-only", options->keys_only, "Without payloads");

  CLI::App* load =
      tree->AddCommand(noun,
                       {"load", "Puts many records from JSON lines: {tenant, table, key, payload}",
                        "reinstate record load records.jsonl"},
                       [options](Session& session) { return Load(*options, session); });
  load->add_option("FILE", options->file, "The file; - for the standard input")
      ->type_name("FILE")
      ->capture_default_str();
  load->add_option("-s,--store", options->store, "The embedded store; default main")
      ->type_name("NAME");

  CLI::App* remove =
      tree->AddCommand(noun,
                       {"delete-tenant", "Deletes all records of a tenant, as an application would",
                        "reinstate record delete-tenant 1001 --confirm 1001"},
                       [options](Session& session) { return DeleteTenant(*options, session); });
  remove->add_option("TENANT", options->tenant, "The tenant's id")->required();
  remove->add_option("-s,--store", options->store, "The embedded store; default main")
      ->type_name("NAME");
  AddConfirmOption(remove, &options->confirm, "the tenant's id");
}

}  // namespace

void AddRecordCommands(CommandTree* tree) {
  CLI::App* noun = tree->AddNoun("record", "The records of the embedded store, to try it out");
  const auto options = std::make_shared<RecordOptions>();
  AddSingleCommands(tree, noun, options);
  AddManyCommands(tree, noun, options);
}

}  // namespace reinstate
