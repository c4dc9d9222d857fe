#include <stdlib.h>  // setenv: POSIX

#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "client/cli/console.h"
#include "client/cli/exit_code.h"
#include "client/cli/program.h"

int main(int argc, char** argv) {
  // gRPC's own messages are no sentences for people; who wants them sets the variable.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);  // NOLINT(concurrency-mt-unsafe): one thread
  std::ios::sync_with_stdio(false);
  const std::vector<std::string> words(argv + 1, argv + argc);
  try {
    return static_cast<int>(reinstate::RunProgram(words, reinstate::Console::OfProcess()));
  } catch (const std::exception& error) {
    // Nothing of ours throws; what a library throws here is a fault.
    std::cerr << "reinstate: " << error.what() << " [INTERNAL]\n";
    return static_cast<int>(reinstate::ExitCode::kFailed);
  }
}
