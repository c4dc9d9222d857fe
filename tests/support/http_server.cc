#include "tests/support/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace reinstate {
namespace {

const char kEndOfHead[] = "\r\n\r\n";

// The length that a head announces.
size_t BodyBytes(const std::string& head) {
  const std::string name = "content-length:";
  const size_t at = absl::AsciiStrToLower(head).find(name);
  size_t bytes = 0;
  if (at != std::string::npos) {
    const size_t begin = at + name.size();
    (void)absl::SimpleAtoi(head.substr(begin, head.find("\r\n", begin) - begin), &bytes);
  }
  return bytes;
}

void SendAll(int connection, const std::string& text) {
  size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t more = send(connection, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (more <= 0) {
      return;  // the peer has enough
    }
    sent += static_cast<size_t>(more);
  }
}

}  // namespace

HttpServer::HttpServer(Answer answer)
    : answer_(std::move(answer)),
      listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      stop_(eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { Serve(); });
}

HttpServer::~HttpServer() {
  const uint64_t one = 1;
  (void)!write(stop_, &one, sizeof one);
  thread_.join();
  for (const int connection : unanswered_) {
    close(connection);
  }
  close(listener_);
  close(stop_);
}

std::string HttpServer::url() const { return absl::StrCat("http://127.0.0.1:", port_); }

std::vector<HttpServer::Request> HttpServer::requests() const {
  MutexLock lock(&mu_);
  return requests_;
}

void HttpServer::Serve() {
  while (true) {
    std::array<pollfd, 2> waiting = {pollfd{.fd = listener_, .events = POLLIN, .revents = 0},
                                     pollfd{.fd = stop_, .events = POLLIN, .revents = 0}};
    poll(waiting.data(), waiting.size(), -1);
    if (waiting[1].revents != 0) {
      return;
    }
    const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection >= 0) {
      ServeOne(connection);
    }
  }
}

void HttpServer::ServeOne(int connection) {
  const timeval timeout = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  const Request request = Read(connection);
  {
    MutexLock lock(&mu_);
    requests_.push_back(request);
  }
  const std::string answer = answer_(request);
  if (answer.empty()) {
    unanswered_.push_back(connection);
    return;
  }
  SendAll(connection, answer);
  close(connection);
}

HttpServer::Request HttpServer::Read(int connection) const {
  std::string text;
  std::array<char, 16384> buffer;
  size_t end = std::string::npos;
  size_t wanted = 0;
  while (end == std::string::npos || text.size() < wanted) {
    const ssize_t got = recv(connection, buffer.data(), buffer.size(), 0);
    if (got <= 0) {
      break;
    }
    text.append(buffer.data(), static_cast<size_t>(got));
    end = text.find(kEndOfHead);
    if (end != std::string::npos) {
      end += sizeof kEndOfHead - 1;
      wanted = end + BodyBytes(text.substr(0, end));
    }
  }
  return end == std::string::npos ? Request{text, ""}
                                  : Request{text.substr(0, end), text.substr(end)};
}

std::string HttpAnswerText(const std::string& code, const std::string& body) {
  return absl::StrCat("HTTP/1.1 ", code, "\r\nContent-Length: ", body.size(),
                      "\r\nConnection: close\r\n\r\n", body);
}

}  // namespace reinstate
