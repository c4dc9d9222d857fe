#pragma once

#include <string>
#include <string_view>

namespace reinstate {

// The one place that writes names and values into SQL. Whatever the text is, the result is one
// token of the kind named, under any setting of standard_conforming_strings, as long as
// client_encoding is UTF8 (the server refuses what is not UTF-8 before it parses). PostgreSQL
// cannot hold a NUL: one is written as an escape that the server refuses, so that no statement is
// ever cut short by it.
//
// Values are parameters wherever the protocol has some; literals are for COPY and for statements
// that share a round trip, which have none.

// "name", in double quotes always.
std::string QuoteIdentifier(std::string_view name);

// "schema"."name".
std::string QuoteQualified(std::string_view schema, std::string_view name);

// 'text', or E'text' if it has backslashes or a NUL; of unknown type.
std::string QuoteLiteral(std::string_view text);

// 'text'::type. `type` is SQL as format_type(oid, -1) gives it, not a name to be quoted: without a
// length, since a cast to varchar(2) cuts its value silently.
std::string CastLiteral(std::string_view text, std::string_view type);

}  // namespace reinstate
