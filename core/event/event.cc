#include "core/event/event.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/utf8.h"
#include "core/event/topic.h"

namespace marram {

namespace {

constexpr std::size_t kBlockBytes = 64 << 10;

struct Field {
  std::string_view what;
  std::string_view text;
  std::size_t most;
  std::string_view key;
};

Status check_size(std::string_view what, std::size_t size, std::size_t most, std::string_view key) {
  if (size <= most) return {};
  return fail(Errc::TooLarge, fmt::format("event: the {} has {} bytes, over the limit of {} (raise "
                                          "limits.{})",
                                          what, size, most, key));
}

Status check_headers(std::string_view packed, const Limits& limits) {
  if (auto status =
          check_size("headers", packed.size(), limits.headers_bytes_max, "headers_bytes_max");
      !status) {
    return status;
  }
  HeaderReader reader(packed);
  std::size_t count = 0;
  while (const auto header = reader.next()) {
    ++count;
    if (!is_utf8(header->first) || !is_utf8(header->second)) {
      return fail(Errc::Invalid, fmt::format("event: the header \"{}\" is no UTF-8 (encode binary "
                                             "values, as in base64)",
                                             printable(header->first)));
    }
  }
  if (!reader.ok()) return fail(Errc::Invalid, "event: the headers are not packed as they must be");
  if (count <= limits.headers_max) return {};
  return fail(Errc::TooLarge,
              fmt::format("event: there are {} headers, over the limit of {} (raise "
                          "limits.headers_max)",
                          count, limits.headers_max));
}

}  // namespace

std::size_t EventView::bytes() const {
  return topic.size() + payload.size() + id.size() + key.size() + content_type.size() +
         client.size() + headers.size() + 64;
}

Event EventView::to_event() const {
  return {.topic = std::string(topic),
          .payload = std::string(payload),
          .id = id_text(),
          .key = std::string(key),
          .content_type = std::string(content_type),
          .client = std::string(client),
          .headers = unpack_headers(headers),
          .time = time,
          .expires = expires};
}

Status check_event(const EventView& event, const Limits& limits) {
  if (auto status = check_topic(event.topic, limits); !status) return status;
  if (event.topic.front() == '$') {
    return fail(
        Errc::Refused,
        fmt::format("event: topic \"{}\" begins with $, which is Marram's own", event.topic));
  }
  if (auto status = check_size("payload", event.payload.size(), limits.payload_bytes_max,
                               "payload_bytes_max");
      !status) {
    return status;
  }
  const std::size_t name_max = limits.name_bytes_max;
  for (const auto& [what, text, most, key] : {
           Field{"key", event.key, limits.key_bytes_max, "key_bytes_max"},
           Field{"id", event.id, limits.id_bytes_max, "id_bytes_max"},
           Field{"client", event.client, name_max, "name_bytes_max"},
           Field{"content type", event.content_type, name_max, "name_bytes_max"},
       }) {
    if (text.empty()) continue;
    if (auto status = check_size(what, text.size(), most, key); !status) return status;
    if (find_unprintable(text)) {
      return fail(Errc::Invalid, fmt::format("event: the {} \"{}\" has a byte that is no printable "
                                             "UTF-8",
                                             what, printable(text)));
    }
  }
  return event.headers.empty() ? Status() : check_headers(event.headers, limits);
}

EventBatch::EventBatch() = default;
EventBatch::~EventBatch() = default;
EventBatch::EventBatch(EventBatch&&) noexcept = default;
EventBatch& EventBatch::operator=(EventBatch&&) noexcept = default;

std::string_view EventBatch::copy(std::string_view bytes) {
  if (bytes.empty()) return {};
  if (bytes.size() > free_bytes_) {
    // A value of a good part of a block gets one of its own; the open block stays.
    if (bytes.size() > kBlockBytes / 4) {
      blocks_.push_back(std::make_unique_for_overwrite<char[]>(bytes.size()));
      std::memcpy(blocks_.back().get(), bytes.data(), bytes.size());
      return {blocks_.back().get(), bytes.size()};
    }
    // The first block fits one small event; a batch that grows gets large ones.
    free_bytes_ = blocks_.empty() ? std::max<std::size_t>(1024, bytes.size()) : kBlockBytes;
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(free_bytes_));
    free_ = blocks_.back().get();
  }
  std::memcpy(free_, bytes.data(), bytes.size());
  const std::string_view kept(free_, bytes.size());
  free_ += bytes.size();
  free_bytes_ -= bytes.size();
  return kept;
}

EventView& EventBatch::add(const EventView& event, WallTime now, UuidMaker& ids) {
  const std::string_view last = events_.empty() ? std::string_view() : events_.back().topic;
  EventView& kept = events_.emplace_back(event);
  kept.topic = same_text(event.topic, last) ? last : copy(event.topic);
  kept.payload = copy(event.payload);
  kept.key = copy(event.key);
  kept.content_type = copy(event.content_type);
  kept.client = copy(event.client);
  kept.headers = copy(event.headers);
  auto canonical = event.id.empty() ? std::nullopt : Uuid::parse(event.id);
  if (canonical && canonical->is_nil()) canonical.reset();  // as bytes it would mean: no id
  kept.id = canonical ? std::string_view() : copy(event.id);
  if (canonical) {
    kept.uuid = *canonical;
  } else if (event.id.empty() && event.uuid.is_nil()) {
    kept.uuid = ids.make(now);
  }
  if (event.time == WallTime()) kept.time = now;
  bytes_ += kept.bytes();
  return kept;
}

void EventBatch::add(const Event& event, std::string_view packed_headers, WallTime now,
                     UuidMaker& ids) {
  EventView view;
  view.topic = event.topic;
  view.payload = event.payload;
  view.id = event.id;
  view.key = event.key;
  view.content_type = event.content_type;
  view.client = event.client;
  view.headers = packed_headers;
  view.time = event.time;
  view.expires = event.expires;
  add(view, now, ids);
}

}  // namespace marram
