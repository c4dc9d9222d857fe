#include "storage/live/postgres/conninfo.h"

#include <libpq-fe.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <memory>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

using Words = std::map<std::string, std::string>;

absl::StatusOr<Words> Parse(const std::string& conninfo) {
  char* complaint = nullptr;
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> parsed(
      PQconninfoParse(conninfo.c_str(), &complaint), &PQconninfoFree);
  PQfreemem(complaint);  // It quotes what may be a password.
  if (parsed == nullptr) {
    return MakeError(Reason::kConfigInvalid, "conninfo is no connection string of libpq.");
  }
  Words words;
  for (const PQconninfoOption* option = parsed.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) {
      words[option->keyword] = option->val;
    }
  }
  if (words.contains("password") || words.contains("sslpassword")) {
    return MakeError(Reason::kConfigInvalid,
                     "conninfo has a password in it. Put it into password_file, a service file or "
                     "the environment (PGPASSWORD).");
  }
  return words;
}

absl::Status CheckPasswordFile(const std::string& path) {
  struct stat found = {};
  if (stat(path.c_str(), &found) != 0 || access(path.c_str(), R_OK) != 0) {
    return MakeError(Reason::kConfigInvalid,
                     absl::StrCat("The password file ", path, " cannot be read."));
  }
  if (!S_ISREG(found.st_mode) || (found.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return MakeError(Reason::kConfigInvalid,
                     absl::StrCat("The password file ", path,
                                  " must be a file that its owner alone may read: chmod 600."));
  }
  return absl::OkStatus();
}

// In quotes, in which \ and ' are escaped: "Connection Strings" of libpq's manual.
std::string Quoted(std::string_view value) {
  std::string quoted = "'";
  for (const char c : value) {
    if (c == '\\' || c == '\'') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + "'";
}

}  // namespace

absl::StatusOr<std::string> MakeConninfo(const PgAddress& address) {
  ASSIGN_OR_RETURN(Words words, Parse(address.conninfo));
  const auto set = [&words](const std::string& keyword, const std::string& value) {
    if (!value.empty()) {
      words[keyword] = value;
    }
  };
  set("service", address.service);
  set("host", address.host);
  set("port", address.port == 0 ? "" : absl::StrCat(address.port));
  set("dbname", address.database);
  set("user", address.user);
  if (!address.password_file.empty()) {
    RETURN_IF_ERROR(CheckPasswordFile(address.password_file));
    set("passfile", address.password_file);
  }
  std::string conninfo;
  for (const auto& [keyword, value] : words) {
    absl::StrAppend(&conninfo, conninfo.empty() ? "" : " ", keyword, "=", Quoted(value));
  }
  return conninfo;
}

}  // namespace reinstate
