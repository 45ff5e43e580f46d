#include "gateway/mqtt/password_checker.h"

#include <sodium.h>

#include <csignal>
#include <vector>

#include "core/base/assert.h"

namespace marram::mqtt {

namespace {

// As many as can be verified in the minute that a connection waits for it.  Who asks may
// have gone, and come again to ask more: what waits is bounded by itself.
constexpr std::size_t kWaitingMax = 2000;
constexpr std::size_t kWaitingBytesMax = 8 << 20;

}  // namespace

PasswordChecker::PasswordChecker(const Users& users, std::function<void(Answer)> done)
    : users_(users), done_(std::move(done)), key_(crypto_generichash_KEYBYTES, '\0') {
  MARRAM_ASSERT(sodium_init() >= 0, "libsodium finds a source of randomness");
  randombytes_buf(key_.data(), key_.size());
  thread_ = std::jthread([this] { run(); });
}

PasswordChecker::~PasswordChecker() { questions_.close(); }

std::string PasswordChecker::digest(std::string_view password) const {
  std::string out(crypto_generichash_BYTES, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(),
                     reinterpret_cast<const unsigned char*>(password.data()), password.size(),
                     reinterpret_cast<const unsigned char*>(key_.data()), key_.size());
  return out;
}

bool PasswordChecker::known(const std::string& user, std::string_view password) const {
  const auto found = right_.find(user);
  if (found == right_.end()) return false;
  const std::string now = digest(password);
  return sodium_memcmp(now.data(), found->second.data(), now.size()) == 0;
}

bool PasswordChecker::ask(Handle who, std::string client_id, std::string user,
                          std::string password) {
  Question question{who, std::move(client_id), std::move(user), std::move(password)};
  const std::size_t bytes = question.bytes();
  if (waiting_ >= kWaitingMax || waiting_bytes_ + bytes > kWaitingBytesMax) return false;
  ++waiting_;
  waiting_bytes_ += bytes;
  return questions_.post(std::move(question));
}

void PasswordChecker::run() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  nobodys_hash_ = hash_password(key_).value_or(std::string());
  std::vector<Question> batch;
  while (!questions_.closed()) {
    while (questions_.take(batch)) {
      for (Question& question : batch) {
        if (!questions_.closed()) check(question);
      }
    }
    questions_.wait({});
  }
}

void PasswordChecker::check(Question& question) {
  --waiting_;
  waiting_bytes_ -= question.bytes();
  const User* user = users_.find(question.user);
  const bool right =
      verify_password(user != nullptr ? user->password_hash : nobodys_hash_, question.password);
  Answer answer{question.who, std::move(question.user), std::move(question.client_id), {}, false};
  answer.right = right && user != nullptr;
  if (answer.right) answer.digest = digest(question.password);
  sodium_memzero(question.password.data(), question.password.size());
  done_(std::move(answer));
}

}  // namespace marram::mqtt
