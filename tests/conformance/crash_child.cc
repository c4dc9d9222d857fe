// A process that restores one tenant again and again while its application writes, until it is
// killed. What it is about to do and what was acknowledged it notes in a journal before and after:
//
//   P <state> <token in hexadecimal>   about to commit this state
//   C <state>                          that commit was acknowledged, or it was found at the start
//   A <number>                         the application's write was acknowledged
//
// Usage: crash_child ADAPTER FOLDER FAULTS

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/conformance/adapter.h"
#include "tests/conformance/crash_state.h"

namespace reinstate {
namespace {

template <typename Result>
void Require(const Result& result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", StatusOf(result).ToString().c_str());
    std::_Exit(2);
  }
}

class Journal {
 public:
  explicit Journal(const std::string& folder)
      : file_(
            open((folder + "/journal").c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640)) {}

  void Note(const std::string& line) const {
    if (write(file_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) {
      std::_Exit(2);
    }
  }

 private:
  const int file_;
};

// Which state the store is in.
int FindState(RecordStore* application) {
  const auto scan = application->Scan(TenantId::FromStored(kCrashTenant), kStateTable, RowKey());
  Require(scan);
  const Rows rows = ReadAll(scan->get());
  for (int number = 0; number < 1000; ++number) {
    if (rows == CrashState(number)) {
      return number;
    }
  }
  std::fprintf(stderr, "the store is in none of the states\n");
  std::_Exit(2);
}

void WriteForEver(RecordStore* application, const Journal& journal) {
  for (int number = 0;; ++number) {
    const std::string name = absl::StrCat(getpid(), "/", number);
    const RecordWrite write{.tenant = TenantId::FromStored(kCrashTenant),
                            .table = kLogTable,
                            .key = RowKey(name),
                            .payload = "written"};
    Require(application->Write({&write, 1}, /*sync=*/true));
    journal.Note(absl::StrCat("A ", name, "\n"));
    // What is written is read again after each crash: where processes are slow, as under a
    // sanitizer, it must not grow faster than that.
    absl::SleepFor(absl::Milliseconds(1));
  }
}

void RestoreForEver(LiveStore* live, int state, const Journal& journal) {
  const auto session = live->OpenTenant(TenantId::FromStored(kCrashTenant), {});
  Require(session);
  while (true) {
    Require((*session)->Begin());
    for (const Change& change : ChangesFrom(state)) {
      Require((*session)->Apply(change));
    }
    const auto token = (*session)->Seal();
    Require(token);
    journal.Note(absl::StrCat("P ", state + 1, " ", absl::BytesToHexString(token->bytes), "\n"));
    Require((*session)->Commit(absl::Now() + absl::Minutes(1)));
    ++state;
    journal.Note(absl::StrCat("C ", state, "\n"));
  }
}

int Run(const std::string& adapter, const std::string& folder, const std::string& faults_text) {
  FaultPoints faults;
  Require(faults.ArmFromText(faults_text));
  const auto store = AdapterNamed(adapter).open({.folder = folder, .faults = &faults});
  Require(store);
  // A table exists once it was written to.
  const RecordWrite write{.tenant = TenantId::FromStored("another"),
                          .table = kStateTable,
                          .key = RowKey("1"),
                          .payload = "untouched"};
  Require((*store)->application()->Write({&write, 1}, /*sync=*/true));
  const Journal journal(folder);
  const int state = FindState((*store)->application());
  journal.Note(absl::StrCat("C ", state, "\n"));
  std::thread writer([&] { WriteForEver((*store)->application(), journal); });
  RestoreForEver((*store)->live(), state, journal);
  return 0;
}

}  // namespace
}  // namespace reinstate

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: crash_child ADAPTER FOLDER FAULTS\n");
    return 2;
  }
  return reinstate::Run(argv[1], argv[2], argv[3]);
}
