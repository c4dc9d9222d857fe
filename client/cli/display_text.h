#pragma once

#include <string>
#include <string_view>

namespace reinstate {

// Text as a terminal shows it. Names of tenants and the like come from other people's data: they
// may hold anything, and must neither move the cursor nor break a table.

// `text` with control characters, line breaks and bytes that are no UTF-8 as \xNN.
std::string Printable(std::string_view text);

// The columns that `text` takes on a terminal; `text` is Printable. Wide characters (East Asian)
// take two, combining ones none.
int DisplayWidth(std::string_view text);

// `text` cut to at most `width` columns, ending with "…" if something is missing. `width` ≥ 1.
std::string CutToWidth(std::string_view text, int width);

}  // namespace reinstate
