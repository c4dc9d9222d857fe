#include "storage/live/postgres/sequence_mover.h"

#include <algorithm>
#include <span>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/live/postgres/key_batch.h"
#include "storage/live/postgres/sql_text.h"

namespace reinstate {
namespace {

constexpr int64_t kStep = 10000;        // values a statement
constexpr int64_t kReach = 20'000'000;  // values

struct SequenceState {
  int64_t last = 0;
  bool called = false;
  int64_t increment = 1;

  // How many values have to be taken for the next one to be past `highest` or `lowest`.
  int64_t ValuesBefore(int64_t lowest, int64_t highest) const {
    const __int128 next = static_cast<__int128>(last) + (called ? increment : 0);
    const __int128 distance = increment > 0 ? static_cast<__int128>(highest) - next
                                            : next - static_cast<__int128>(lowest);
    if (distance < 0) {
      return 0;
    }
    const __int128 width = increment > 0 ? increment : -static_cast<__int128>(increment);
    return static_cast<int64_t>(std::min<__int128>(distance / width + 1, INT64_MAX));
  }
};

std::string NameOf(const WrittenValues& written) {
  return QuoteQualified(written.sequence->schema, written.sequence->name);
}

// The states of these sequences, in one round trip. As values of one row: the planner may give the
// parts of a UNION to parallel workers, which take longer to start than all else.
absl::StatusOr<std::vector<SequenceState>> Look(std::span<const WrittenValues> written,
                                                PgConnection* connection) {
  std::vector<std::string> values;
  for (const WrittenValues& one : written) {
    const std::string from = absl::StrCat(" FROM ", NameOf(one), " s");
    values.push_back(absl::StrCat("(SELECT s.last_value", from, ")"));
    values.push_back(absl::StrCat("(SELECT s.is_called", from, ")"));
    values.push_back(absl::StrCat("(SELECT q.seqincrement", from,
                                  ", pg_catalog.pg_sequence q WHERE q.seqrelid = s.tableoid)"));
  }
  ASSIGN_OR_RETURN(
      const PgResult result,
      connection->Query("look at sequences", absl::StrCat("SELECT ", absl::StrJoin(values, ", "))));
  std::vector<SequenceState> states;
  for (int column = 0; column < result.columns(); column += 3) {
    if (result.IsNull(0, column + 2)) {
      return MakeError(Reason::kLiveChanged, "a sequence of a table that was restored is gone");
    }
    states.push_back({.last = result.GetInt(0, column),
                      .called = result.GetBool(0, column + 1),
                      .increment = result.GetInt(0, column + 2)});
  }
  return states;
}

// How many values have to be taken for the next one to be past the rows that are within reach.
absl::StatusOr<int64_t> ValuesWithinReach(const PgTable& table, PgAttnum column,
                                          const SequenceState& state, PgConnection* connection) {
  const __int128 end =
      static_cast<__int128>(state.last) + static_cast<__int128>(state.increment) * kReach;
  const auto far = static_cast<int64_t>(std::clamp<__int128>(end, INT64_MIN, INT64_MAX));
  const std::string name = absl::StrCat("t.", QuoteIdentifier(table.Column(column)->name));
  ASSIGN_OR_RETURN(const PgResult result,
                   connection->Query("look for rows that a sequence would run into",
                                     absl::StrCat("SELECT min(", name, "), max(", name, ") FROM ",
                                                  OnlyTable(table), " t WHERE ", name, " BETWEEN ",
                                                  std::min(state.last, far), " AND ",
                                                  std::max(state.last, far))));
  return result.IsNull(0, 0) ? 0 : state.ValuesBefore(result.GetInt(0, 0), result.GetInt(0, 1));
}

absl::Status MovePast(const WrittenValues& written, SequenceState state, PgConnection* connection) {
  while (true) {
    int64_t values = state.ValuesBefore(written.lowest, written.highest);
    if (values > kReach) {
      ASSIGN_OR_RETURN(
          values, ValuesWithinReach(*written.table, written.sequence->column, state, connection));
    }
    if (values == 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(connection
                        ->Query("move a sequence",
                                absl::StrCat("SELECT pg_catalog.count(pg_catalog.nextval(",
                                             CastLiteral(NameOf(written), "pg_catalog.regclass"),
                                             ")) FROM pg_catalog.generate_series(1, ",
                                             std::min(values, kStep), ")"))
                        .status());
    ASSIGN_OR_RETURN(const std::vector<SequenceState> now, Look({&written, 1}, connection));
    state = now.front();
  }
}

}  // namespace

absl::Status MoveSequencesPast(const std::vector<WrittenValues>& written,
                               PgConnection* connection) {
  if (written.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<SequenceState> states, Look(written, connection));
  for (size_t i = 0; i < written.size(); ++i) {
    RETURN_IF_ERROR(MovePast(written[i], states[i], connection));
  }
  return absl::OkStatus();
}

}  // namespace reinstate
