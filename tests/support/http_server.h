#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "storage/base/mutex.h"

namespace reinstate {

// A server of HTTP on a free port of the loopback interface, one request a connection and one
// connection after the other. Ended with this object.
class HttpServer {
 public:
  struct Request {
    std::string head;  // with the empty line that ends it
    std::string body;
  };

  // Gives all that is sent back, or nothing: then the request is never answered. Called by the
  // server's thread.
  using Answer = std::function<std::string(const Request&)>;

  explicit HttpServer(Answer answer);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // http://127.0.0.1:<port>
  std::string url() const;

  std::vector<Request> requests() const;

 private:
  void Serve();
  void ServeOne(int connection);
  Request Read(int connection) const;

  const Answer answer_;
  int listener_ = -1;
  int port_ = 0;
  int stop_ = -1;  // becomes readable
  std::vector<int> unanswered_;
  mutable Mutex mu_;
  std::vector<Request> requests_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;  // after all that it uses
};

// An answer with a code, e.g. "200 OK", and a body.
std::string HttpAnswerText(const std::string& code, const std::string& body = "");

}  // namespace reinstate
