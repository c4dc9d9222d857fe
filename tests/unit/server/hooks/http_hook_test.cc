#include "server/hooks/http_hook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // setenv: POSIX

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/base/error.h"
#include "tests/support/http_server.h"
#include "tests/support/status_matchers.h"

namespace reinstate {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class HttpHookTest : public testing::Test {
 protected:
  void Serve(HttpServer::Answer answer) { server_ = std::make_unique<HttpServer>(answer); }
  void ServeText(const std::string& text) {
    Serve([text](const auto&) { return text; });
  }

  absl::Status Run(const std::string& event = "{}") {
    return RunHttpHook({.name = "h", .url = server_->url() + "/hook?a=b", .timeout = timeout_},
                       event, should_end_);
  }

  static std::string MessageOf(const absl::Status& status) {
    EXPECT_THAT(status, FailsWith(Reason::kHookFailed));
    return std::string(status.message());
  }

  std::unique_ptr<HttpServer> server_;
  absl::Duration timeout_ = absl::Seconds(60);
  ShouldEnd should_end_ = [] { return absl::OkStatus(); };
};

TEST_F(HttpHookTest, PostsTheEventAsJson) {
  ServeText(HttpAnswerText("204 No Content"));
  const std::string event = absl::StrCat(R"({"reason": ")", std::string(1 << 20, 'r'), R"("})");
  EXPECT_THAT(Run(event), IsOk());
  ASSERT_EQ(server_->requests().size(), 1);
  EXPECT_THAT(server_->requests()[0].head,
              AllOf(StartsWith("POST /hook?a=b HTTP/1.1\r\n"),
                    HasSubstr("\r\nContent-Type: application/json\r\n")));
  EXPECT_EQ(server_->requests()[0].body, event);
}

TEST_F(HttpHookTest, FailsWithTheCodeAndTheAnswer) {
  ServeText(HttpAnswerText("500 Oh No", "the index\nis closed"));
  EXPECT_EQ(MessageOf(Run()), "answered 500; its answer: the index is closed");
  ServeText(HttpAnswerText("404 Not Found"));
  EXPECT_EQ(MessageOf(Run()), "answered 404");
}

TEST_F(HttpHookTest, FollowsNoRedirect) {
  ServeText("HTTP/1.1 307 Elsewhere\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(MessageOf(Run()), "answered 307, a redirect, and these are not followed");
  EXPECT_EQ(server_->requests().size(), 1);
}

TEST_F(HttpHookTest, FailsIfNobodyListens) {
  ServeText(HttpAnswerText("200 OK"));
  const std::string url = server_->url();
  server_.reset();
  EXPECT_THAT(MessageOf(RunHttpHook({.name = "h", .url = url}, "{}", should_end_)),
              StartsWith("could not be called: "));
}

TEST_F(HttpHookTest, FailsIfItIsNotAnswered) {
  ServeText("");
  timeout_ = absl::Milliseconds(300);
  const absl::Time begin = absl::Now();
  EXPECT_EQ(MessageOf(Run()), "did not answer within 300ms");
  EXPECT_LT(absl::Now() - begin, absl::Seconds(30));
}

TEST_F(HttpHookTest, FailsIfTheAnswerIsCutShortOrNoHttp) {
  ServeText("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort");
  EXPECT_THAT(MessageOf(Run()),
              AllOf(StartsWith("could not be called: "), EndsWith("its answer: short")));
  ServeText("hello\r\n\r\n");
  EXPECT_THAT(MessageOf(Run()), StartsWith("could not be called: "));
}

TEST_F(HttpHookTest, ReadsLittleOfAnAnswerOfFiftyMegabytes) {
  const std::string body = std::string(50'000'000, 'x') + " the end";
  ServeText(HttpAnswerText("200 OK", body));
  EXPECT_THAT(Run(), IsOk());
  ServeText(HttpAnswerText("503 Busy", body));
  const std::string message = MessageOf(Run());
  EXPECT_THAT(message, StartsWith("answered 503; its answer: …xxx"));
  EXPECT_LT(message.size(), 2200);
}

TEST_F(HttpHookTest, EndsWhenItIsToldTo) {
  ServeText("");
  should_end_ = [this] {
    return server_->requests().empty() ? absl::OkStatus() : MakeError(Reason::kCancelled, "stop");
  };
  EXPECT_THAT(Run(), FailsWith(Reason::kCancelled));
}

TEST_F(HttpHookTest, UsesNoProxyOfTheEnvironment) {
  ServeText(HttpAnswerText("200 OK"));
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  const absl::Status status = Run();
  unsetenv("http_proxy");
  EXPECT_THAT(status, IsOk());
}

}  // namespace
}  // namespace reinstate
