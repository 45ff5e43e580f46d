#include "core/wire/link_split.h"

#include <fmt/format.h>

#include <type_traits>
#include <utility>

#include "core/wire/link_codec.h"

namespace marram::wire {

namespace {

using Halves = std::vector<LinkFrame>;

// Two frames with half of `list` each; none when it cannot be halved.
template <class Kind, class List>
Halves halves(const Kind& frame, List Kind::* list) {
  const List& all = frame.*list;
  if (all.size() < 2) return {};
  const auto middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
  Kind first = frame;
  Kind second = frame;
  first.*list = List(all.begin(), middle);
  second.*list = List(middle, all.end());
  Halves out;
  out.emplace_back(std::move(first));
  out.emplace_back(std::move(second));
  return out;
}

Halves split(const State& state) {
  Halves out;
  if (!state.known.empty() && !state.records.empty()) {
    out.emplace_back(State{state.known, {}});
    out.emplace_back(State{{}, state.records});
  } else if (state.records.empty()) {
    out = halves(state, &State::known);
    if (!out.empty()) out.pop_back();
  } else {
    out = halves(state, &State::records);
  }
  return out;
}

Halves split(const LinkFrame& frame) {
  return std::visit(
      []<class Kind>(const Kind& one) -> Halves {
        if constexpr (std::is_same_v<Kind, State>) {
          return split(one);
        } else if constexpr (std::is_same_v<Kind, Peers>) {
          return halves(one, &Peers::peers);
        } else if constexpr (std::is_same_v<Kind, Have> || std::is_same_v<Kind, Held> ||
                             std::is_same_v<Kind, Ack> || std::is_same_v<Kind, Release>) {
          return halves(one, &Kind::logs);
        } else {
          return {};
        }
      },
      frame);
}

Status encode_into(const LinkFrame& frame, std::vector<std::string>& out) {
  std::string bytes = encode_link(frame);
  if (bytes.size() <= kLinkFrameBytesMax) {
    out.push_back(std::move(bytes));
    return {};
  }
  const Halves parts = split(frame);
  if (parts.empty()) {
    return fail(Errc::TooLarge, fmt::format("link: a frame of {} bytes to send, at most {} may be",
                                            bytes.size(), kLinkFrameBytesMax));
  }
  for (const LinkFrame& part : parts) {
    if (auto status = encode_into(part, out); !status) return status;
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> encode_in_frames(const LinkFrame& frame) {
  std::vector<std::string> out;
  if (auto status = encode_into(frame, out); !status) return tl::unexpected(status.error());
  return out;
}

}  // namespace marram::wire
