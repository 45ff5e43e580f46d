#include "core/node/name_lookup.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <system_error>
#include <thread>
#include <utility>

#include "core/base/mailbox.h"

namespace marram {

struct NameLookup::Question {
  std::string host;
  std::string port;
  Mailbox<Result<std::vector<std::string>>> answer;
};

namespace {

std::vector<std::string> addresses(const addrinfo* list, const std::string& port) {
  std::vector<std::string> all;
  for (const addrinfo* one = list; one != nullptr; one = one->ai_next) {
    std::array<char, NI_MAXHOST> text{};
    if (::getnameinfo(one->ai_addr, one->ai_addrlen, text.data(), text.size(), nullptr, 0,
                      NI_NUMERICHOST) != 0) {
      continue;
    }
    const char* const form = one->ai_family == AF_INET6 ? "tcp://[{}]:{}" : "tcp://{}:{}";
    std::string address = fmt::format(fmt::runtime(form), text.data(), port);
    if (std::ranges::find(all, address) == all.end()) all.push_back(std::move(address));
  }
  return all;
}

// May take as long as the system's resolver likes.
Result<std::vector<std::string>> look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found);
  std::vector<std::string> all;
  if (failed == 0) {
    all = addresses(found, port);
    ::freeaddrinfo(found);
  }
  if (!all.empty()) return all;
  return fail(Errc::Unreachable,
              fmt::format("mesh: cannot look up {}: {}", host,
                          failed == 0 ? "it has no address" : ::gai_strerror(failed)));
}

}  // namespace

NameLookup::NameLookup(const std::string& host, std::uint16_t port)
    : question_(std::make_shared<Question>()) {
  question_->host = host;
  question_->port = std::to_string(port);
  try {
    std::thread([question = question_] {
      (void)question->answer.post(look_up(question->host, question->port));
    }).detach();
  } catch (const std::system_error& error) {
    const std::string what = fmt::format("mesh: cannot look up {}: {}", host, error.what());
    (void)question_->answer.post(fail(Errc::Io, what));
  }
}

std::optional<Result<std::vector<std::string>>> NameLookup::result() {
  std::vector<Result<std::vector<std::string>>> answers;
  if (!question_->answer.take(answers)) return {};
  return std::move(answers.front());
}

}  // namespace marram
