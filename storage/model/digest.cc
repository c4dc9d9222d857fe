#include "storage/model/digest.h"

#include <openssl/evp.h>

#include "storage/model/key_parts.h"

namespace reinstate {

struct Digest::Context {
  Context() : md(EVP_MD_CTX_new()) { EVP_DigestInit_ex(md, EVP_sha256(), nullptr); }
  ~Context() { EVP_MD_CTX_free(md); }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  EVP_MD_CTX* const md;
};

Digest::Digest() : context_(std::make_unique<Context>()) {}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

void Digest::Add(std::string_view part) {
  Add(static_cast<uint64_t>(part.size()));
  EVP_DigestUpdate(context_->md, part.data(), part.size());
}

void Digest::Add(uint64_t number) {
  std::string bytes;
  AppendKeyPart64(number, &bytes);
  EVP_DigestUpdate(context_->md, bytes.data(), bytes.size());
}

std::string Digest::Finish() {
  std::string out(kBytes, '\0');
  EVP_DigestFinal_ex(context_->md, reinterpret_cast<unsigned char*>(out.data()), nullptr);
  return out;
}

std::string Digest::Of(std::string_view bytes) {
  std::string out(kBytes, '\0');
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(out.data()), nullptr,
             EVP_sha256(), nullptr);
  return out;
}

}  // namespace reinstate
