#include "storage/live/postgres/sequence_mover.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
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

std::string NameOf(const PgSequence& sequence) {
  return QuoteQualified(sequence.schema, sequence.name);
}

absl::StatusOr<SequenceState> StateOf(const PgResult& found) {
  if (found.rows() == 0) {
    return MakeError(Reason::kLiveChanged, "a sequence of a table that was restored is gone");
  }
  return SequenceState{
      .last = found.GetInt(0, 0), .called = found.GetBool(0, 1), .increment = found.GetInt(0, 2)};
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

absl::StatusOr<SequenceState> Look(const PgSequence& sequence, PgConnection* connection) {
  ASSIGN_OR_RETURN(const PgResult now,
                   connection->Query("look at sequences", SequenceSql(sequence)));
  return StateOf(now);
}

absl::Status MovePast(const WrittenValues& written, PgConnection* connection) {
  while (true) {
    ASSIGN_OR_RETURN(const SequenceState state, Look(*written.sequence, connection));
    int64_t values = state.ValuesBefore(written.lowest, written.highest);
    if (values > kReach) {
      ASSIGN_OR_RETURN(
          values, ValuesWithinReach(*written.table, written.sequence->column, state, connection));
    }
    if (values == 0) {
      return absl::OkStatus();
    }
    RETURN_IF_ERROR(
        connection
            ->Query("move a sequence",
                    absl::StrCat("SELECT pg_catalog.count(pg_catalog.nextval(",
                                 CastLiteral(NameOf(*written.sequence), "pg_catalog.regclass"),
                                 ")) FROM pg_catalog.generate_series(1, ", std::min(values, kStep),
                                 ")"))
            .status());
  }
}

}  // namespace

std::string SequenceSql(const PgSequence& sequence) {
  return absl::StrCat("SELECT s.last_value, s.is_called, q.seqincrement FROM ", NameOf(sequence),
                      " s, pg_catalog.pg_sequence q WHERE q.seqrelid = s.tableoid");
}

absl::Status MoveSequencesPast(const std::vector<WrittenValues>& written,
                               std::span<const PgResult> states, PgConnection* connection) {
  for (size_t i = 0; i < written.size(); ++i) {
    ASSIGN_OR_RETURN(const SequenceState state, StateOf(states[i]));
    // That may be long ago: others have moved it, or we have for another table.
    if (state.ValuesBefore(written[i].lowest, written[i].highest) > 0) {
      RETURN_IF_ERROR(MovePast(written[i], connection));
    }
  }
  return absl::OkStatus();
}

}  // namespace reinstate
