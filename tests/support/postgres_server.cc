#include "tests/support/postgres_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>  // kill: POSIX
#include <stdlib.h>  // mkdtemp: POSIX
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/base/status_macros.h"
#include "storage/base/strings.h"

namespace reinstate {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrograms = "/usr/lib/postgresql/15/bin/";
constexpr const char* kUser = "postgres";
constexpr absl::Duration kPatience = absl::Seconds(60);
constexpr int kPortsTried = 5;

// The user that the server runs as: we, or `postgres` if we are root.
struct Account {
  bool change = false;
  uid_t uid = 0;
  gid_t gid = 0;
};

absl::StatusOr<Account> ServerAccount() {
  if (!fs::exists(absl::StrCat(kPrograms, "postgres"))) {
    return absl::NotFoundError(
        "this test needs PostgreSQL 15: apt-get install postgresql-15 (deploy/install-dependencies "
        "does)");
  }
  if (geteuid() != 0) {
    return Account{};
  }
  const passwd* const user = getpwnam(kUser);
  if (user == nullptr) {
    return absl::NotFoundError("there is no user `postgres`, which root needs to run a server");
  }
  return Account{.change = true, .uid = user->pw_uid, .gid = user->pw_gid};
}

// Runs a program as `account`, its output to `log`. It gets SIGQUIT when our thread dies.
pid_t Spawn(const Account& account, const std::vector<std::string>& words, const std::string& log) {
  std::vector<char*> argv;
  for (const std::string& word : words) {
    argv.push_back(const_cast<char*>(word.c_str()));
  }
  argv.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid != 0) {
    return pid;
  }
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(out, STDOUT_FILENO);
  dup2(out, STDERR_FILENO);
  if (account.change &&
      (setgroups(0, nullptr) != 0 || setgid(account.gid) != 0 || setuid(account.uid) != 0)) {
    _exit(126);
  }
  // After the change of user, which would lift it.
  prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (getppid() != parent) {
    _exit(126);
  }
  execv(argv[0], argv.data());
  _exit(127);
}

int WaitFor(pid_t pid) {
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

absl::Status GiveTo(const Account& account, const std::string& folder) {
  if (!account.change) {
    return absl::OkStatus();
  }
  if (chown(folder.c_str(), account.uid, account.gid) != 0) {
    return absl::InternalError(absl::StrCat("cannot give away ", folder));
  }
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (lchown(entry.path().c_str(), account.uid, account.gid) != 0) {
      return absl::InternalError(absl::StrCat("cannot give away ", entry.path().string()));
    }
  }
  return absl::OkStatus();
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// `name` in the system's temporary folder: the path of a socket must be short.
std::string NewFolder() {
  std::string path = fs::temp_directory_path().string() + "/reinstate_pg_XXXXXX";
  return mkdtemp(path.data()) == nullptr ? "" : path;
}

absl::Status MakeCluster(const Account& account, const std::string& folder) {
  RETURN_IF_ERROR(GiveTo(account, folder));
  const std::string log = folder + "/initdb.log";
  std::ofstream(log).close();
  RETURN_IF_ERROR(GiveTo(account, folder));
  const pid_t pid =
      Spawn(account,
            {absl::StrCat(kPrograms, "initdb"), "-D", folder + "/data", "-U", kUser, "-A", "trust",
             "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1"},
            log);
  if (pid < 0 || WaitFor(pid) != 0) {
    return absl::InternalError(absl::StrCat("initdb failed: ", ReadFile(log)));
  }
  return absl::OkStatus();
}

// A cluster that was made once is copied from then on, which is ten times as fast.
absl::Status CopyCluster(const Account& account, const std::string& to) {
  const std::string model = POSTGRES_MODEL_FOLDER;
  const int lock = open((model + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  flock(lock, LOCK_EX);
  absl::Status status;
  if (!fs::exists(model)) {
    const std::string folder = NewFolder();
    status = MakeCluster(account, folder);
    if (status.ok()) {
      fs::copy(folder + "/data", model + ".new", fs::copy_options::recursive);
      fs::rename(model + ".new", model);
    }
    fs::remove_all(folder);
  }
  close(lock);
  RETURN_IF_ERROR(status);
  fs::copy(model, to + "/data", fs::copy_options::recursive);
  fs::permissions(to + "/data", fs::perms::owner_all);
  return GiveTo(account, to);
}

// A port that was free a moment ago; the server is started again if it has been taken.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  const bool bound = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<PostgresServer>> PostgresServer::Start(const Options& options) {
  std::unique_ptr<PostgresServer> server(new PostgresServer());
  server->settings_ = {"shared_buffers=32MB", "max_connections=200", "wal_level=replica",
                       absl::StrCat("fsync=", options.fsync ? "on" : "off"),
                       "max_prepared_transactions=10"};
  server->settings_.insert(server->settings_.end(), options.settings.begin(),
                           options.settings.end());
  RETURN_IF_ERROR(server->Prepare());
  absl::Status status;
  for (int attempt = 0; attempt < kPortsTried; ++attempt) {
    server->port_ = FreePort();
    status = server->Run();
    if (status.ok()) {
      return server;
    }
  }
  return status;
}

PostgresServer* PostgresServer::Shared() {
  static const std::unique_ptr<PostgresServer> server = [] {
    auto started = Start({.fsync = false, .settings = {}});
    if (!started.ok()) {
      std::fprintf(stderr, "%s\n", started.status().ToString().c_str());
      std::abort();
    }
    return *std::move(started);
  }();
  return server.get();
}

PostgresServer::~PostgresServer() {
  Signal(SIGQUIT);
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

absl::Status PostgresServer::Prepare() {
  ASSIGN_OR_RETURN(const Account account, ServerAccount());
  folder_ = NewFolder();
  if (folder_.empty()) {
    return absl::InternalError("no temporary folder");
  }
  return CopyCluster(account, folder_);
}

absl::Status PostgresServer::Run() {
  ASSIGN_OR_RETURN(const Account account, ServerAccount());
  std::vector<std::string> words = {absl::StrCat(kPrograms, "postgres"),
                                    "-D",
                                    folder_ + "/data",
                                    "-k",
                                    folder_,
                                    "-h",
                                    "127.0.0.1",
                                    "-p",
                                    absl::StrCat(port_)};
  for (const std::string& setting : settings_) {
    words.emplace_back("-c");
    words.push_back(setting);
  }
  pid_ = Spawn(account, words, folder_ + "/log");
  return WaitUntilReady();
}

absl::Status PostgresServer::WaitUntilReady() {
  const absl::Time until = absl::Now() + kPatience;
  while (PQping(OnSocket("postgres").c_str()) != PQPING_OK) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return absl::InternalError(absl::StrCat("PostgreSQL did not start:\n", LogTail()));
    }
    if (absl::Now() >= until) {
      return absl::DeadlineExceededError(absl::StrCat("PostgreSQL is not ready:\n", LogTail()));
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::OkStatus();
}

void PostgresServer::Signal(int number) {
  if (pid_ > 0) {
    kill(pid_, number);
    WaitFor(pid_);
    pid_ = 0;
  }
}

void PostgresServer::Crash() { Signal(SIGQUIT); }

void PostgresServer::Stop() { Signal(SIGINT); }

absl::Status PostgresServer::Resume() { return Run(); }

absl::Status PostgresServer::ResumeAsStandby() {
  std::ofstream(folder_ + "/data/standby.signal").close();
  return Run();
}

std::string PostgresServer::OnSocket(std::string_view database) const {
  return absl::StrCat("host=", folder_, " port=", port_, " user=", kUser,
                      " dbname=", Absl(database));
}

std::string PostgresServer::OnTcp(std::string_view database) const {
  return absl::StrCat("host=127.0.0.1 port=", port_, " user=", kUser, " dbname=", Absl(database));
}

std::string PostgresServer::MakeDatabase() {
  const std::string name = absl::StrCat("test_", ++databases_);
  PGconn* const connection = PQconnectdb(OnSocket("postgres").c_str());
  PGresult* const result = PQexec(
      connection,
      absl::StrCat("CREATE DATABASE ", name, " TEMPLATE template0 STRATEGY file_copy").c_str());
  if (PQresultStatus(result) != PGRES_COMMAND_OK) {
    std::fprintf(stderr, "cannot make a database: %s\n", PQerrorMessage(connection));
    std::abort();
  }
  PQclear(result);
  PQfinish(connection);
  return name;
}

std::string PostgresServer::LogTail() const {
  constexpr size_t kTail = 3000;
  const std::string log = ReadFile(folder_ + "/log");
  return log.size() > kTail ? log.substr(log.size() - kTail) : log;
}

}  // namespace reinstate
