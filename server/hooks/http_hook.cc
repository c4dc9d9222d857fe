#include "server/hooks/http_hook.h"

#include <curl/curl.h>

#include <array>
#include <memory>

#include "absl/strings/str_cat.h"
#include "server/hooks/output_tail.h"
#include "storage/base/error.h"
#include "storage/base/status_macros.h"

namespace reinstate {
namespace {

constexpr size_t kMaxAnswerBytes = size_t{1} << 20;
constexpr int kTickMs = 50;

// The library's own state, which its handles would else make at a first use that may be two.
bool PrepareLibrary() {
  static const bool kReady = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return kReady;
}

// One POST. Not thread-safe.
class Post {
 public:
  Post(const Hook& hook, const std::string& event) : hook_(hook), event_(event) {}
  ~Post() {
    if (multi_ != nullptr && easy_ != nullptr) {
      curl_multi_remove_handle(multi_, easy_);
    }
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
    curl_slist_free_all(headers_);
  }
  Post(const Post&) = delete;
  Post& operator=(const Post&) = delete;

  absl::Status Run(const ShouldEnd& should_end);

 private:
  static size_t OnAnswer(char* text, size_t size, size_t count, void* post);

  bool SetUp();
  void SetTarget();
  absl::Status OutcomeOf(CURLcode code) const;
  absl::Status WithAnswer(const std::string& what) const;

  const Hook& hook_;
  const std::string& event_;
  CURL* easy_ = nullptr;
  CURLM* multi_ = nullptr;
  curl_slist* headers_ = nullptr;
  std::array<char, CURL_ERROR_SIZE> error_ = {};
  OutputTail answer_;
  size_t answer_bytes_ = 0;
};

size_t Post::OnAnswer(char* text, size_t size, size_t count, void* post) {
  Post* const self = static_cast<Post*>(post);
  self->answer_.Append({text, size * count});
  self->answer_bytes_ += size * count;
  // Any other number ends the transfer.
  return self->answer_bytes_ > kMaxAnswerBytes ? 0 : size * count;
}

void Post::SetTarget() {
  curl_easy_setopt(easy_, CURLOPT_URL, hook_.url.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_POST, 1L);
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, event_.data());
  curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(event_.size()));
  headers_ = curl_slist_append(headers_, "Content-Type: application/json");
  headers_ = curl_slist_append(headers_, "Expect:");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, "reinstated");
}

bool Post::SetUp() {
  if (!PrepareLibrary()) {
    return false;
  }
  easy_ = curl_easy_init();
  multi_ = curl_multi_init();
  if (easy_ == nullptr || multi_ == nullptr) {
    return false;
  }
  SetTarget();
  curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS,
                   static_cast<long>(absl::ToInt64Milliseconds(hook_.timeout)));
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  // Not to wait for a name that is still being looked up.
  curl_easy_setopt(easy_, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_.data());
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &Post::OnAnswer);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  return curl_multi_add_handle(multi_, easy_) == CURLM_OK;
}

absl::Status Post::Run(const ShouldEnd& should_end) {
  if (!SetUp()) {
    return MakeError(Reason::kHookFailed, "could not be called: libcurl does not start");
  }
  int running = 1;
  while (curl_multi_perform(multi_, &running) == CURLM_OK && running > 0) {
    RETURN_IF_ERROR(should_end());
    curl_multi_poll(multi_, nullptr, 0, kTickMs, nullptr);
  }
  int left = 0;
  const CURLMsg* const message = curl_multi_info_read(multi_, &left);
  return OutcomeOf(message == nullptr ? CURLE_FAILED_INIT : message->data.result);
}

absl::Status Post::OutcomeOf(CURLcode code) const {
  const bool cut = code == CURLE_WRITE_ERROR && answer_bytes_ > kMaxAnswerBytes;
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return WithAnswer(absl::StrCat("did not answer within ", absl::FormatDuration(hook_.timeout)));
  }
  if (code != CURLE_OK && !cut) {
    return WithAnswer(absl::StrCat("could not be called: ", error_.front() == '\0'
                                                                ? curl_easy_strerror(code)
                                                                : error_.data()));
  }
  long answered = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &answered);
  if (answered >= 200 && answered < 300) {
    return absl::OkStatus();
  }
  return WithAnswer(absl::StrCat(
      "answered ", answered,
      answered >= 300 && answered < 400 ? ", a redirect, and these are not followed" : ""));
}

absl::Status Post::WithAnswer(const std::string& what) const {
  const std::string answer = answer_.Text();
  return MakeError(Reason::kHookFailed,
                   answer.empty() ? what : absl::StrCat(what, "; its answer: ", answer));
}

}  // namespace

absl::Status RunHttpHook(const Hook& hook, const std::string& event, const ShouldEnd& should_end) {
  return Post(hook, event).Run(should_end);
}

}  // namespace reinstate
