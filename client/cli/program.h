#pragma once

#include <string>
#include <vector>

#include "client/cli/console.h"
#include "client/cli/exit_code.h"

namespace reinstate {

// The program `reinstate`: runs the command of `words` (those after the program's name) with
// `console`. Errors are said on its stderr as one line, "reinstate: what and what to do [REASON]".
ExitCode RunProgram(const std::vector<std::string>& words, const Console& console);

}  // namespace reinstate
