#pragma once

#include <string>
#include <string_view>

namespace reinstate {

// `cell` without the white space around it: also that which only looks like it or is not seen at
// all (no-break and zero-width spaces, marks of direction), as comes along when people copy from
// mails and web pages. `cell` is well-formed UTF-8.
std::string_view TrimmedCell(std::string_view cell);

// TrimmedCell, with each no-break space inside as a plain one. `*altered` is set, and never reset,
// if anything but plain white space around it has changed.
std::string CleanCell(std::string_view cell, bool* altered);

}  // namespace reinstate
