#include <memory>
#include <optional>
#include <string>

#include "client/cli/byte_size.h"
#include "client/cli/command_tree.h"
#include "client/cli/output.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

struct ThrottleOptions {
  std::string store;
  std::optional<int64_t> rows_per_second;
  std::string bytes_per_second;  // empty: not given
  std::optional<int32_t> max_running;
  bool off = false;
  std::string reason;

  bool changes() const {
    return off || rows_per_second.has_value() || !bytes_per_second.empty() ||
           max_running.has_value();
  }
};

Value Limit(int64_t limit, const Value& value, const char* none) {
  return limit == 0 ? Value{none, "0"} : value;
}

Fields<v1::Store> ThrottleFields() {
  return {
      {"store", [](const v1::Store& s) { return TextValue(s.name(), Style::kBold); }},
      {"rows per second",
       [](const v1::Store& s) {
         const int64_t rows = s.throttle().rows_per_second();
         return Limit(rows, CountValue(rows), "no limit");
       }},
      {"bytes per second",
       [](const v1::Store& s) {
         const int64_t bytes = s.throttle().bytes_per_second();
         return Limit(bytes, BytesValue(bytes), "no limit");
       }},
      {"restores at once",
       [](const v1::Store& s) {
         const int64_t restores = s.throttle().max_running();
         return Limit(restores, CountValue(restores), "as configured");
       }},
      {"holding back",
       [](const v1::Store& s) { return TextValue(s.holding_back(), Style::kWarning); }},
  };
}

// Puts what was given into `throttle`, which is the present one.
absl::Status Apply(const ThrottleOptions& options, v1::Throttle* throttle) {
  if (options.off) {
    throttle->Clear();
  }
  if (options.rows_per_second.has_value()) {
    throttle->set_rows_per_second(*options.rows_per_second);
  }
  if (!options.bytes_per_second.empty()) {
    ASSIGN_OR_RETURN(const int64_t bytes,
                     ParseByteSize("--bytes-per-second", options.bytes_per_second));
    throttle->set_bytes_per_second(bytes);
  }
  if (options.max_running.has_value()) {
    throttle->set_max_running(*options.max_running);
  }
  return absl::OkStatus();
}

absl::Status Throttle(const ThrottleOptions& options, Session& session) {
  v1::GetStoreRequest get;
  ASSIGN_OR_RETURN(*get.mutable_store(), session.StoreOrOnlyOne(options.store));
  ASSIGN_OR_RETURN(ReinstateClient * client, session.Client());
  ASSIGN_OR_RETURN(v1::Store store, client->GetStore(get));
  if (options.changes()) {
    v1::ThrottleStoreRequest request;
    request.set_store(store.name());
    request.set_reason(options.reason);
    *request.mutable_throttle() = store.throttle();
    RETURN_IF_ERROR(Apply(options, request.mutable_throttle()));
    ASSIGN_OR_RETURN(store, client->ThrottleStore(request));
  }
  return session.output().One(store, ThrottleFields());
}

}  // namespace

void AddStoreThrottleCommand(CommandTree* tree, CLI::App* noun) {
  const auto options = std::make_shared<ThrottleOptions>();
  CLI::App* throttle = tree->AddCommand(
      noun,
      {"throttle", "Sets how fast restores write into a store; without options, shows it",
       "reinstate store throttle main\n"
       "reinstate store throttle main --rows-per-second 20000 --max-running 2 "
       "--reason 'customers notice it, INC-77'\n"
       "reinstate store throttle main --bytes-per-second 8MiB\n"
       "reinstate store throttle main --off"},
      [options](Session& session) { return Throttle(*options, session); });
  throttle->add_option("STORE", options->store, "The store; may be left out if there is only one");
  throttle
      ->add_option(
          "--rows-per-second", options->rows_per_second,
          "Rows that restores may write, over all customers: one is one transaction at full speed, "
          "and paid for before the next begins; 0 for no limit")
      ->type_name("N");
  throttle
      ->add_option("--bytes-per-second", options->bytes_per_second,
                   "Bytes of keys and payloads that they may write, e.g. 8MiB; 0 for no limit")
      ->type_name("SIZE");
  throttle
      ->add_option("--max-running", options->max_running,
                   "Restores at once; 0 for what is configured")
      ->type_name("N");
  throttle->add_flag("--off", options->off, "No limit of all that is not given besides");
  throttle->add_option("--reason", options->reason, "Why, for the audit");
}

}  // namespace reinstate
