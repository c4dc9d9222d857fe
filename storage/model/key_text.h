#pragma once

#include <string>
#include <string_view>

namespace reinstate {

// A key for a person: printable UTF-8 as it is, other bytes as \xNN, cut after about 256 bytes; of
// a relational store's key the texts of its columns, comma-separated.
std::string PrintableKey(std::string_view key);

}  // namespace reinstate
