#include "gateway/mqtt/property.h"

#include <array>

namespace marram::mqtt {

namespace {

enum class Kind : std::uint8_t { None, Byte, Two, Four, Varint, Text, Binary, Pair };

constexpr std::uint32_t bit(PacketType type) { return 1U << static_cast<unsigned>(type); }

constexpr std::uint32_t kWill = 1;  // packet type 0 does not exist
constexpr std::uint32_t kConnect = bit(PacketType::Connect);
constexpr std::uint32_t kConnAck = bit(PacketType::ConnAck);
constexpr std::uint32_t kPublish = bit(PacketType::Publish);
constexpr std::uint32_t kSubscribe = bit(PacketType::Subscribe);
constexpr std::uint32_t kDisconnect = bit(PacketType::Disconnect);
constexpr std::uint32_t kAuth = bit(PacketType::Auth);
constexpr std::uint32_t kAnswers = bit(PacketType::PubAck) | bit(PacketType::PubRec) |
                                   bit(PacketType::PubRel) | bit(PacketType::PubComp) |
                                   bit(PacketType::SubAck) | bit(PacketType::UnsubAck);
constexpr std::uint32_t kAll = 0xFFFFFFFF;

struct Rule {
  Kind kind = Kind::None;
  std::uint32_t packets = 0;
};

constexpr std::size_t kIds = 0x2B;

// MQTT 5.0, table 2-4.
constexpr std::array<Rule, kIds> make_rules() {
  std::array<Rule, kIds> rules{};
  const auto set = [&](PropertyId id, Kind kind, std::uint32_t packets) {
    rules[static_cast<std::size_t>(id)] = {kind, packets};
  };
  set(PropertyId::PayloadFormat, Kind::Byte, kPublish | kWill);
  set(PropertyId::MessageExpiry, Kind::Four, kPublish | kWill);
  set(PropertyId::ContentType, Kind::Text, kPublish | kWill);
  set(PropertyId::ResponseTopic, Kind::Text, kPublish | kWill);
  set(PropertyId::CorrelationData, Kind::Binary, kPublish | kWill);
  set(PropertyId::SubscriptionIdentifier, Kind::Varint, kPublish | kSubscribe);
  set(PropertyId::SessionExpiry, Kind::Four, kConnect | kConnAck | kDisconnect);
  set(PropertyId::AssignedClientId, Kind::Text, kConnAck);
  set(PropertyId::ServerKeepAlive, Kind::Two, kConnAck);
  set(PropertyId::AuthenticationMethod, Kind::Text, kConnect | kConnAck | kAuth);
  set(PropertyId::AuthenticationData, Kind::Binary, kConnect | kConnAck | kAuth);
  set(PropertyId::RequestProblemInformation, Kind::Byte, kConnect);
  set(PropertyId::WillDelay, Kind::Four, kWill);
  set(PropertyId::RequestResponseInformation, Kind::Byte, kConnect);
  set(PropertyId::ResponseInformation, Kind::Text, kConnAck);
  set(PropertyId::ServerReference, Kind::Text, kConnAck | kDisconnect);
  set(PropertyId::ReasonString, Kind::Text, kConnAck | kAnswers | kDisconnect | kAuth);
  set(PropertyId::ReceiveMaximum, Kind::Two, kConnect | kConnAck);
  set(PropertyId::TopicAliasMaximum, Kind::Two, kConnect | kConnAck);
  set(PropertyId::TopicAlias, Kind::Two, kPublish);
  set(PropertyId::MaximumQos, Kind::Byte, kConnAck);
  set(PropertyId::RetainAvailable, Kind::Byte, kConnAck);
  set(PropertyId::UserProperty, Kind::Pair, kAll);
  set(PropertyId::MaximumPacketSize, Kind::Four, kConnect | kConnAck);
  set(PropertyId::WildcardAvailable, Kind::Byte, kConnAck);
  set(PropertyId::SubscriptionIdentifierAvailable, Kind::Byte, kConnAck);
  set(PropertyId::SharedAvailable, Kind::Byte, kConnAck);
  return rules;
}

constexpr std::array<Rule, kIds> kRules = make_rules();

Rule rule_of(std::uint32_t id) { return id < kIds ? kRules[id] : Rule(); }

bool may_repeat(PropertyId id, PacketType type) {
  return id == PropertyId::UserProperty ||
         (id == PropertyId::SubscriptionIdentifier && type == PacketType::Publish);
}

bool value_is_allowed(const Property& property, Kind kind) {
  switch (property.id) {
    case PropertyId::ReceiveMaximum:
    case PropertyId::MaximumPacketSize:
    case PropertyId::SubscriptionIdentifier:
      return property.number != 0;
    case PropertyId::ResponseTopic:
      return !property.text.empty() && property.text.find_first_of("+#") == std::string_view::npos;
    default:
      return kind != Kind::Byte || property.number <= 1;
  }
}

Reason check(std::string_view raw, PacketType type, std::uint32_t place) {
  std::uint64_t seen = 0;
  PropertyReader properties(raw);
  while (const auto property = properties.next()) {
    const Rule rule = rule_of(static_cast<std::uint32_t>(property->id));
    if ((rule.packets & place) == 0) return Reason::ProtocolError;
    const std::uint64_t mark = std::uint64_t{1} << static_cast<unsigned>(property->id);
    if ((seen & mark) != 0 && !may_repeat(property->id, type)) return Reason::ProtocolError;
    seen |= mark;
    if (!value_is_allowed(*property, rule.kind)) return Reason::ProtocolError;
  }
  return properties.ok() ? Reason::Success : Reason::MalformedPacket;
}

}  // namespace

std::optional<Property> PropertyReader::next() {
  if (reader_.at_end()) return {};
  Property property;
  const std::uint32_t id = reader_.varint();
  property.id = static_cast<PropertyId>(id);
  switch (rule_of(id).kind) {
    case Kind::None:
      reader_.fail();
      break;
    case Kind::Byte:
      property.number = reader_.u8();
      break;
    case Kind::Two:
      property.number = reader_.u16();
      break;
    case Kind::Four:
      property.number = reader_.u32();
      break;
    case Kind::Varint:
      property.number = reader_.varint();
      break;
    case Kind::Text:
      property.text = reader_.text();
      break;
    case Kind::Binary:
      property.text = reader_.binary();
      break;
    case Kind::Pair:
      property.text = reader_.text();
      property.value = reader_.text();
      break;
  }
  if (!reader_.ok()) return {};
  return property;
}

std::optional<Property> Properties::find(PropertyId id) const {
  PropertyReader reader(raw_);
  while (const auto property = reader.next()) {
    if (property->id == id) return property;
  }
  return {};
}

std::optional<std::uint32_t> Properties::number(PropertyId id) const {
  const auto property = find(id);
  return property ? std::optional(property->number) : std::nullopt;
}

std::optional<std::string_view> Properties::text(PropertyId id) const {
  const auto property = find(id);
  return property ? std::optional(property->text) : std::nullopt;
}

Reason take_properties(Reader& reader, PacketType type, PropertyPlace place, Properties& out) {
  const std::size_t size = reader.varint();
  const std::string_view raw = reader.raw(size);
  if (!reader.ok()) return Reason::MalformedPacket;
  out = Properties(raw);
  if (raw.empty()) return Reason::Success;
  return check(raw, type, place == PropertyPlace::Will ? kWill : bit(type));
}

PropertyWriter& PropertyWriter::number(PropertyId id, std::uint32_t value) {
  writer_.u8(static_cast<std::uint8_t>(id));
  switch (rule_of(static_cast<std::uint32_t>(id)).kind) {
    case Kind::Byte:
      writer_.u8(static_cast<std::uint8_t>(value));
      break;
    case Kind::Two:
      writer_.u16(static_cast<std::uint16_t>(value));
      break;
    case Kind::Varint:
      writer_.varint(value);
      break;
    default:
      writer_.u32(value);
      break;
  }
  return *this;
}

PropertyWriter& PropertyWriter::text(PropertyId id, std::string_view value) {
  writer_.u8(static_cast<std::uint8_t>(id));
  writer_.text(value);
  return *this;
}

PropertyWriter& PropertyWriter::user(std::string_view name, std::string_view value) {
  writer_.u8(static_cast<std::uint8_t>(PropertyId::UserProperty));
  writer_.text(name);
  writer_.text(value);
  return *this;
}

}  // namespace marram::mqtt
