#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "absl/time/clock.h"

namespace reinstate {
namespace {

constexpr size_t kReadBytes = 16 << 10;

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int MustSocket() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) {
    std::perror("TcpProxy: socket");
    std::abort();
  }
  return fd;
}

void NoDelay(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) {
      return false;
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

struct TcpProxy::Connection {
  int client = -1;
  int server = -1;
  // Guarded by the proxy's mutex:
  bool cut = false;
  bool marked = false;    // it has said the mark
  bool answered = false;  // what comes next from the server answers the text
  std::thread pumps[2];

  int From(Direction direction) const {
    return direction == Direction::kToServer ? client : server;
  }
  int To(Direction direction) const { return direction == Direction::kToServer ? server : client; }

  void Cut() {
    cut = true;
    shutdown(client, SHUT_RDWR);
    shutdown(server, SHUT_RDWR);
  }

  ~Connection() {
    for (std::thread& pump : pumps) {
      if (pump.joinable()) {
        pump.join();
      }
    }
    close(client);
    close(server);
  }
};

TcpProxy::TcpProxy(int server_port, MessageLength message_length)
    : server_port_(server_port),
      message_length_(std::move(message_length)),
      listener_(MustSocket()) {
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 64) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("TcpProxy: bind");
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

TcpProxy::~TcpProxy() {
  {
    MutexLock lock(&mu_);
    ending_ = true;
    for (const auto& connection : connections_) {
      connection->Cut();
    }
    changed_.SignalAll();
  }
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  std::list<std::unique_ptr<Connection>> last;
  {
    MutexLock lock(&mu_);
    last.swap(connections_);
  }
}

void TcpProxy::Accept() {
  while (true) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) {
      return;
    }
    const int server = MustSocket();
    const sockaddr_in address = Loopback(server_port_);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
      close(client);
      close(server);
      continue;
    }
    NoDelay(client);
    NoDelay(server);
    auto connection = std::make_unique<Connection>();
    connection->client = client;
    connection->server = server;
    Connection* const borrowed = connection.get();
    MutexLock lock(&mu_);
    if (ending_) {
      connection->Cut();
    }
    for (const Direction direction : {Direction::kToServer, Direction::kToClient}) {
      borrowed->pumps[static_cast<int>(direction)] =
          std::thread([this, borrowed, direction] { Pump(borrowed, direction); });
    }
    connections_.push_back(std::move(connection));
  }
}

void TcpProxy::Pump(Connection* connection, Direction direction) {
  std::string pending;
  std::string chunk(kReadBytes, '\0');
  while (true) {
    const ssize_t got = recv(connection->From(direction), chunk.data(), chunk.size(), 0);
    if (got <= 0) {
      break;
    }
    pending.append(chunk, 0, static_cast<size_t>(got));
    while (!pending.empty()) {
      const size_t length = message_length_ ? message_length_(pending) : pending.size();
      if (length == 0 || length > pending.size()) {
        break;
      }
      if (!Forward(connection, direction, std::string_view(pending).substr(0, length))) {
        return;
      }
      pending.erase(0, length);
    }
  }
  // The end of one side's bytes is passed on as well.
  shutdown(connection->To(direction), SHUT_WR);
}

const TcpProxy::Fault* TcpProxy::Due(Direction direction, int64_t* left) const {
  const auto index = static_cast<size_t>(direction);
  const Fault* due = nullptr;
  *left = std::numeric_limits<int64_t>::max();
  for (const Fault& fault : faults_) {
    if (fault.direction != direction) {
      continue;
    }
    const int64_t passed = fault.count_messages ? messages_[index] : bytes_[index];
    if (passed >= fault.after) {
      due = &fault;
    } else if (!fault.count_messages) {
      *left = std::min(*left, fault.after - passed);
    }
  }
  return due;
}

bool TcpProxy::WaitWhileHeldUp(Connection* connection, Direction direction) {
  int64_t left = 0;
  const absl::Time since = absl::Now();
  const int epoch = epoch_;
  while (!connection->cut && epoch == epoch_) {
    const Fault* const due = Due(direction, &left);
    if (due == nullptr) {
      break;
    }
    if (due->action == Action::kCut) {
      connection->Cut();
      changed_.SignalAll();
      break;
    }
    if (due->action == Action::kStall) {
      changed_.Wait(&mu_);
      continue;
    }
    const absl::Duration rest = due->delay - (absl::Now() - since);
    if (rest <= absl::ZeroDuration()) {
      break;
    }
    changed_.WaitFor(&mu_, rest);
  }
  return !connection->cut;
}

bool TcpProxy::IsPlace(Connection* connection, Direction direction, std::string_view piece,
                       bool passed) {
  if (text_.empty()) {
    return false;
  }
  if (direction == Direction::kToClient) {
    return connection->answered && place_ == (passed ? Place::kAfterAnswer : Place::kBeforeAnswer);
  }
  connection->marked = connection->marked || piece.find(mark_) != std::string_view::npos;
  if (!connection->marked || piece.find(text_) == std::string_view::npos) {
    return false;
  }
  connection->answered = true;
  return place_ == (passed ? Place::kAfterText : Place::kBeforeText);
}

bool TcpProxy::CutIfPlace(Connection* connection, Direction direction, std::string_view piece,
                          bool passed) {
  MutexLock lock(&mu_);
  if (IsPlace(connection, direction, piece, passed)) {
    text_.clear();
    has_cut_ = true;
    connection->Cut();
    changed_.SignalAll();
  }
  return connection->cut;
}

bool TcpProxy::Forward(Connection* connection, Direction direction, std::string_view piece) {
  const auto index = static_cast<size_t>(direction);
  const std::string_view whole = piece;
  if (CutIfPlace(connection, direction, whole, /*passed=*/false)) {
    return false;
  }
  while (!piece.empty()) {
    size_t length = 0;
    {
      MutexLock lock(&mu_);
      if (!WaitWhileHeldUp(connection, direction)) {
        return false;
      }
      int64_t left = 0;
      Due(direction, &left);
      length = static_cast<size_t>(std::min<int64_t>(left, static_cast<int64_t>(piece.size())));
      bytes_[index] += static_cast<int64_t>(length);
    }
    if (!SendAll(connection->To(direction), piece.substr(0, length))) {
      return false;
    }
    piece.remove_prefix(length);
  }
  if (CutIfPlace(connection, direction, whole, /*passed=*/true)) {
    return false;
  }
  // At once, not only when more comes: what is cut after the last byte is cut.
  MutexLock lock(&mu_);
  ++messages_[index];
  int64_t left = 0;
  const Fault* const due = Due(direction, &left);
  if (due != nullptr && due->action == Action::kCut) {
    connection->Cut();
    changed_.SignalAll();
  }
  return !connection->cut;
}

void TcpProxy::Inject(const Fault& fault) {
  MutexLock lock(&mu_);
  faults_.push_back(fault);
  changed_.SignalAll();
}

void TcpProxy::CutAt(const std::string& mark, const std::string& text, Place place) {
  MutexLock lock(&mu_);
  mark_ = mark;
  text_ = text;
  place_ = place;
  has_cut_ = false;
  for (const auto& connection : connections_) {
    connection->marked = false;
    connection->answered = false;
  }
}

bool TcpProxy::has_cut() const {
  MutexLock lock(&mu_);
  return has_cut_;
}

void TcpProxy::Reset() {
  MutexLock lock(&mu_);
  faults_.clear();
  text_.clear();
  ++epoch_;
  for (const int index : {0, 1}) {
    bytes_[index] = 0;
    messages_[index] = 0;
  }
  changed_.SignalAll();
}

void TcpProxy::CutAll() {
  MutexLock lock(&mu_);
  for (const auto& connection : connections_) {
    connection->Cut();
  }
  changed_.SignalAll();
}

int64_t TcpProxy::bytes(Direction direction) const {
  MutexLock lock(&mu_);
  return bytes_[static_cast<size_t>(direction)];
}

int64_t TcpProxy::messages(Direction direction) const {
  MutexLock lock(&mu_);
  return messages_[static_cast<size_t>(direction)];
}

}  // namespace reinstate
