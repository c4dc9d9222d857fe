#pragma once

#include <string>
#include <vector>

#include "server/config/toml_section.h"
#include "server/hooks/hook.h"

namespace reinstate {

// Reads each [[hook]] of the file. `stores` are the names that a hook can be limited to.
void ReadHooks(TomlSection* top, const std::vector<std::string>& stores, std::vector<Hook>* hooks);

}  // namespace reinstate
