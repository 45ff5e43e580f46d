// Verifies passwords on a thread of its own: a hash takes as long as thousands of
// messages, and the listener must not stand still for it.
//
// A password that was right once is known again by a keyed digest, so that a
// thousand devices that come back after a power cut do not wait in line.
//
// Threads: ask() and known() from the listener's, `done` runs on the checker's.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <thread>

#include "core/base/mailbox.h"
#include "gateway/mqtt/deadlines.h"
#include "gateway/mqtt/users.h"

namespace marram::mqtt {

class PasswordChecker {
 public:
  struct Answer {
    Handle who;
    std::string user;
    std::string client_id;
    std::string digest;  // of the password, for remember()
    bool right = false;
  };

  // `users` outlives the checker.
  PasswordChecker(const Users& users, std::function<void(Answer)> done);
  ~PasswordChecker();
  PasswordChecker(const PasswordChecker&) = delete;
  PasswordChecker& operator=(const PasswordChecker&) = delete;

  // Whether this password of the user has been right before.
  bool known(const std::string& user, std::string_view password) const;
  void remember(const Answer& answer) { right_[answer.user] = answer.digest; }
  // An unknown user takes as long as a wrong password.  False: so many wait already that
  // the answer would come too late; nothing was taken.
  bool ask(Handle who, std::string client_id, std::string user, std::string password);

 private:
  struct Question {
    Handle who;
    std::string client_id;
    std::string user;
    std::string password;

    std::size_t bytes() const { return client_id.size() + user.size() + password.size(); }
  };
  void run();
  void check(Question& question);
  std::string digest(std::string_view password) const;

  const Users& users_;
  std::function<void(Answer)> done_;
  std::string key_;  // random, of this process
  std::string nobodys_hash_;
  std::map<std::string, std::string> right_;  // user: digest
  Mailbox<Question> questions_;
  std::atomic<std::size_t> waiting_ = 0;  // questions
  std::atomic<std::size_t> waiting_bytes_ = 0;
  std::jthread thread_;
};

}  // namespace marram::mqtt
