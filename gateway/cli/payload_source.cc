#include "gateway/cli/payload_source.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

namespace marram::cli {

Result<std::optional<std::string>> RepeatedPayload::next() {
  if (left_ == 0) return std::nullopt;
  --left_;
  return payload_;
}

Result<std::optional<std::string>> LinePayloads::next() {
  if (auto line = take_line()) return line;
  pollfd ready{fd_, POLLIN, 0};
  if (closed_ || ::poll(&ready, 1, 0) <= 0) return std::nullopt;
  if (auto status = read_more(); !status) return tl::unexpected(status.error());
  return take_line();
}

Status LinePayloads::read_more() {
  std::array<char, 64 << 10> block;
  const ssize_t got = ::read(fd_, block.data(), block.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (got < 0) {
    closed_ = true;
    return fail(Errc::Io, fmt::format("pub: cannot read lines: {}", std::strerror(errno)));
  }
  closed_ = got == 0;
  buffer_.erase(0, at_);
  searched_ -= at_;
  at_ = 0;
  buffer_.append(block.data(), static_cast<std::size_t>(got));
  return {};
}

std::optional<std::string> LinePayloads::take_line() {
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched_);
    const bool whole = end != std::string::npos;
    searched_ = whole ? end + 1 : buffer_.size();
    // Of a longer one the beginning is handed on, which the check of its event refuses.
    const bool too_long = !whole && buffer_.size() - at_ > line_bytes_max_;
    if (!whole && !too_long && (!closed_ || at_ == buffer_.size())) return {};
    std::string line = buffer_.substr(at_, (whole ? end : buffer_.size()) - at_);
    at_ = searched_;
    const bool rest = std::exchange(skipping_, too_long || (skipping_ && !whole));
    if (rest) continue;
    if (line.ends_with('\r')) line.pop_back();
    return line;
  }
}

}  // namespace marram::cli
