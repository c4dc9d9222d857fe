#include "storage/state/job_state_words.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_replace.h"

namespace reinstate {

std::string JobStateWords(state::JobState state) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(state::JobState_Name(state)), {{"_", " "}});
}

}  // namespace reinstate
