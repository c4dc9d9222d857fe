#pragma once

#include "absl/status/statusor.h"
#include "storage/live/postgres/pg_connection.h"
#include "storage/live/tenant_session.h"

namespace reinstate {

// Tokens of commits name the transaction and the life of the server that it is in. After a crash or
// a failover the number of a transaction can belong to somebody else, so that it says something
// only as long as the server has not been restarted since: its system identifier, its timeline and
// the start of its checkpointer, which does not outlive a crash, are the same.

// The token of the transaction of `connection`, after its last write. Empty if it wrote nothing, or
// if the role may not see when the checkpointer started (pg_read_all_stats).
absl::StatusOr<CommitToken> MakeCommitToken(PgConnection* connection);

// What became of the commit that `token` names, which has ended: kNotKnown if the server was
// restarted since, if it is a standby, or if it is no token.
absl::StatusOr<CommitOutcome> ResolveCommitToken(const CommitToken& token,
                                                 PgConnection* connection);

}  // namespace reinstate
