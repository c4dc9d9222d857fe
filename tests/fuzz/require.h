#pragma once

#include <cstdio>
#include <cstdlib>

namespace reinstate {

// Ends the process, which libFuzzer takes for a finding, unless `holds`. `what` must hold.
inline void Require(bool holds, const char* what) {
  if (!holds) {
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
  }
}

}  // namespace reinstate
