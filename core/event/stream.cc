#include "core/event/stream.h"

#include <fmt/format.h>

#include "core/event/topic.h"

namespace marram {

namespace {

constexpr std::string_view kBuiltIn = "events";

Status check_stream(const StreamOptions& stream) {
  const Limits limits;
  if (auto status = check_name("stream", stream.name, limits); !status) return status;
  const bool built_in = stream.name == kBuiltIn;
  if (built_in != stream.topics.empty()) {
    return fail(Errc::Invalid,
                built_in
                    ? "stream: \"events\" takes what no other stream does (leave its topics out)"
                    : fmt::format("stream: \"{}\" has no topics (give it at least one filter)",
                                  stream.name));
  }
  for (const std::string& filter : stream.topics) {
    if (auto status = check_filter(filter, limits); !status) {
      return fail(status.error().code,
                  fmt::format("stream: \"{}\": {}", stream.name, status.error().message));
    }
  }
  return {};
}

}  // namespace

Result<Durability> parse_durability(std::string_view text) {
  if (text == "fsync") return Durability::Fsync;
  if (text == "os") return Durability::Os;
  if (text == "memory") return Durability::Memory;
  return fail(Errc::Invalid,
              fmt::format("durability: cannot read \"{}\" (write fsync, os or memory)", text));
}

std::string_view name(Durability durability) {
  switch (durability) {
    case Durability::Fsync:
      return "fsync";
    case Durability::Os:
      return "os";
    case Durability::Memory:
      return "memory";
  }
  return "";
}

Result<StreamTable> StreamTable::make(std::vector<StreamOptions> streams, Durability durability) {
  StreamTable table;
  StreamOptions rest{.name = std::string(kBuiltIn)};
  bool rest_given = false;
  for (StreamOptions& stream : streams) {
    if (auto status = check_stream(stream); !status) return tl::unexpected(status.error());
    if (!stream.durability) stream.durability = durability;
    bool again = stream.name == kBuiltIn && rest_given;
    for (const StreamOptions& other : table.streams_) again = again || other.name == stream.name;
    if (again) {
      return fail(Errc::Invalid, fmt::format("stream: \"{}\" is there twice", stream.name));
    }
    if (stream.name == kBuiltIn) {
      rest = std::move(stream);
      rest_given = true;
    } else {
      table.streams_.push_back(std::move(stream));
    }
  }
  if (!rest.durability) rest.durability = durability;
  table.streams_.push_back(std::move(rest));
  return table;
}

std::size_t StreamTable::find(std::string_view topic) const {
  for (std::size_t i = 0; i + 1 < streams_.size(); ++i) {
    for (const std::string& filter : streams_[i].topics) {
      if (matches(filter, topic)) return i;
    }
  }
  return streams_.empty() ? 0 : streams_.size() - 1;
}

}  // namespace marram
