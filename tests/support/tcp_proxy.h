#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "storage/base/mutex.h"

namespace reinstate {

// Stands between a client and a server on this machine and makes the network misbehave: cuts,
// stalls or delays connections, at once or after some bytes or messages.
//
// Thread-safe. Its threads end with it.
class TcpProxy {
 public:
  enum class Direction { kToServer = 0, kToClient = 1 };
  enum class Action {
    kCut,    // the connection ends, on both sides
    kStall,  // nothing more gets through in this direction, though the connection stays
    kDelay,  // everything is held up for `delay`
  };

  // What happens in one direction once `after` bytes, or messages, got through.
  struct Fault {
    Direction direction = Direction::kToServer;
    Action action = Action::kCut;
    int64_t after = 0;
    bool count_messages = false;
    absl::Duration delay = absl::ZeroDuration();
  };

  // Where a connection is cut around something that the client says.
  enum class Place { kBeforeText, kAfterText, kBeforeAnswer, kAfterAnswer };

  // How many bytes the message has that `bytes` begin with; 0 if that cannot be said yet. Such
  // messages are passed on whole, so that a fault never falls into one.
  using MessageLength = std::function<size_t(std::string_view bytes)>;

  // Listens on a free port of the loopback interface. Without `message_length`, what arrives
  // together is a message.
  explicit TcpProxy(int server_port, MessageLength message_length = nullptr);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }

  // Adds a fault. It is counted from the last Reset, over all connections.
  void Inject(const Fault& fault);

  // Cuts, once, the first connection that from now on says `mark` to the server, then `text` (each
  // in one message): before or after `text` got through, or before or after what the server says
  // next.
  void CutAt(const std::string& mark, const std::string& text, Place place);

  // Whether that has happened.
  bool has_cut() const;

  // Lifts all faults, lets go what is stalled, and counts from 0 again.
  void Reset();

  // Ends all connections that there are now.
  void CutAll();

  // What got through since the last Reset.
  int64_t bytes(Direction direction) const;
  int64_t messages(Direction direction) const;

 private:
  struct Connection;

  void Accept();
  void Pump(Connection* connection, Direction direction);
  bool Forward(Connection* connection, Direction direction, std::string_view piece);
  // Looks at a message before it is passed on, or after that (`passed`): whether a cut is wanted
  // there; makes it. The latter is true also if the connection was cut before.
  bool IsPlace(Connection* connection, Direction direction, std::string_view piece, bool passed)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool CutIfPlace(Connection* connection, Direction direction, std::string_view piece, bool passed);
  bool WaitWhileHeldUp(Connection* connection, Direction direction)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The fault that is due in this direction, or nullptr; `*left` is how many bytes may still pass.
  const Fault* Due(Direction direction, int64_t* left) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const int server_port_;
  const MessageLength message_length_;
  int listener_ = -1;
  int port_ = 0;

  mutable Mutex mu_;
  CondVar changed_;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  int epoch_ ABSL_GUARDED_BY(mu_) = 0;  // counts Resets
  std::vector<Fault> faults_ ABSL_GUARDED_BY(mu_);
  std::string mark_ ABSL_GUARDED_BY(mu_);
  std::string text_ ABSL_GUARDED_BY(mu_);  // empty: no cut is wanted, or it has happened
  Place place_ ABSL_GUARDED_BY(mu_) = Place::kBeforeText;
  bool has_cut_ ABSL_GUARDED_BY(mu_) = false;
  int64_t bytes_[2] ABSL_GUARDED_BY(mu_) = {0, 0};
  int64_t messages_[2] ABSL_GUARDED_BY(mu_) = {0, 0};
  std::list<std::unique_ptr<Connection>> connections_ ABSL_GUARDED_BY(mu_);
  std::thread acceptor_;
};

}  // namespace reinstate
