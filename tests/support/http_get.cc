#include "tests/support/http_get.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

absl::Status NoAnswer(const std::string& address) {
  return absl::UnavailableError(absl::StrCat(address, " does not answer"));
}

absl::Status ConnectTo(const std::string& address, int socket) {
  const size_t colon = address.rfind(':');
  uint32_t port = 0;
  sockaddr_in peer = {};
  peer.sin_family = AF_INET;
  if (colon == std::string::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &peer.sin_addr) != 1) {
    return absl::InvalidArgumentError(absl::StrCat(address, " is no address"));
  }
  peer.sin_port = htons(static_cast<uint16_t>(port));
  const timeval timeout = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  return connect(socket, reinterpret_cast<const sockaddr*>(&peer), sizeof peer) == 0
             ? absl::OkStatus()
             : NoAnswer(address);
}

// All that comes until the peer closes.
absl::StatusOr<std::string> Exchange(const std::string& address, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const absl::Cleanup close_it = [fd] { close(fd); };
  RETURN_IF_ERROR(ConnectTo(address, fd));
  if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return NoAnswer(address);
  }
  std::string answer;
  std::array<char, 16384> buffer;
  ssize_t got = 0;
  while ((got = recv(fd, buffer.data(), buffer.size(), 0)) > 0) {
    answer.append(buffer.data(), static_cast<size_t>(got));
  }
  return got == 0 ? absl::StatusOr<std::string>(std::move(answer)) : NoAnswer(address);
}

// The value of a header, whose name is given in lower case, in `head`.
std::string Header(const std::string& head, std::string_view name) {
  const std::string lower = absl::AsciiStrToLower(head);
  const size_t at = lower.find(absl::StrCat("\r\n", std::string(name), ":"));
  if (at == std::string::npos) {
    return "";
  }
  const size_t begin = at + name.size() + 3;
  return std::string(
      absl::StripAsciiWhitespace(head.substr(begin, head.find("\r\n", begin) - begin)));
}

}  // namespace

absl::StatusOr<HttpAnswer> HttpGet(const std::string& address, const std::string& path) {
  // HTTP/1.0: the answer ends with the connection.
  ASSIGN_OR_RETURN(
      const std::string answer,
      Exchange(address, absl::StrCat("GET ", path, " HTTP/1.0\r\nHost: ", address, "\r\n\r\n")));
  const size_t end = answer.find("\r\n\r\n");
  HttpAnswer parsed;
  if (end == std::string::npos || answer.size() < 12 || answer.rfind("HTTP/1.", 0) != 0 ||
      !absl::SimpleAtoi(answer.substr(9, 3), &parsed.code)) {
    return absl::DataLossError(absl::StrCat("no HTTP: ", answer.substr(0, 200)));
  }
  const std::string head = answer.substr(0, end + 2);
  parsed.content_type = Header(head, "content-type");
  parsed.body = answer.substr(end + 4);
  return parsed;
}

}  // namespace reinstate
