#include "core/node/name_lookup.h"

#include <fmt/format.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <utility>

namespace marram {

struct NameLookup::Question {
  std::string host;
  std::string port;
  addrinfo hints{};
  gaicb block{};
  int failed = 0;  // to begin
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

}  // namespace

NameLookup::NameLookup(std::string host, std::uint16_t port)
    : question_(std::make_unique<Question>()) {
  Question& question = *question_;
  question.host = std::move(host);
  question.port = std::to_string(port);
  question.hints.ai_socktype = SOCK_STREAM;
  question.hints.ai_flags = AI_ADDRCONFIG;
  question.block.ar_name = question.host.c_str();
  question.block.ar_request = &question.hints;
  gaicb* list[] = {&question.block};
  question.failed = ::getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr);
}

// A look-up under way cannot be taken back: what it writes to is left to it.
NameLookup::~NameLookup() {
  const int state = question_->failed != 0 ? 0 : ::gai_error(&question_->block);
  if (state == EAI_INPROGRESS && ::gai_cancel(&question_->block) != EAI_CANCELED &&
      ::gai_error(&question_->block) == EAI_INPROGRESS) {
    (void)question_.release();
    return;
  }
  if (question_->block.ar_result != nullptr) ::freeaddrinfo(question_->block.ar_result);
}

std::optional<Result<std::vector<std::string>>> NameLookup::result() {
  const int state = question_->failed != 0 ? question_->failed : ::gai_error(&question_->block);
  if (state == EAI_INPROGRESS) return {};
  std::vector<std::string> all;
  if (state == 0) all = addresses(question_->block.ar_result, question_->port);
  if (!all.empty()) return all;
  return fail(Errc::Unreachable,
              fmt::format("mesh: cannot look up {}: {}", question_->host,
                          state == 0 ? "it has no address" : ::gai_strerror(state)));
}

}  // namespace marram
