// The properties of MQTT 5.0 packets: checked once, then read in place.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/mqtt/protocol.h"
#include "gateway/mqtt/reader.h"
#include "gateway/mqtt/writer.h"

namespace marram::mqtt {

enum class PropertyId : std::uint8_t {
  PayloadFormat = 0x01,
  MessageExpiry = 0x02,
  ContentType = 0x03,
  ResponseTopic = 0x08,
  CorrelationData = 0x09,
  SubscriptionIdentifier = 0x0B,
  SessionExpiry = 0x11,
  AssignedClientId = 0x12,
  ServerKeepAlive = 0x13,
  AuthenticationMethod = 0x15,
  AuthenticationData = 0x16,
  RequestProblemInformation = 0x17,
  WillDelay = 0x18,
  RequestResponseInformation = 0x19,
  ResponseInformation = 0x1A,
  ServerReference = 0x1C,
  ReasonString = 0x1F,
  ReceiveMaximum = 0x21,
  TopicAliasMaximum = 0x22,
  TopicAlias = 0x23,
  MaximumQos = 0x24,
  RetainAvailable = 0x25,
  UserProperty = 0x26,
  MaximumPacketSize = 0x27,
  WildcardAvailable = 0x28,
  SubscriptionIdentifierAvailable = 0x29,
  SharedAvailable = 0x2A,
};

struct Property {
  PropertyId id{};
  std::uint32_t number = 0;
  std::string_view text;   // a user property's name
  std::string_view value;  // a user property's value
};

// A checked block of properties, without its length.  Borrows the packet's bytes.
class Properties {
 public:
  Properties() = default;
  explicit Properties(std::string_view checked) : raw_(checked) {}

  std::optional<std::uint32_t> number(PropertyId id) const;
  std::optional<std::string_view> text(PropertyId id) const;
  bool has(PropertyId id) const { return find(id).has_value(); }
  bool empty() const { return raw_.empty(); }
  std::string_view raw() const { return raw_; }

 private:
  std::optional<Property> find(PropertyId id) const;
  std::string_view raw_;
};

// Walks through a block; ends at its end and at bytes that are no property.
class PropertyReader {
 public:
  explicit PropertyReader(std::string_view raw) : reader_(raw) {}
  explicit PropertyReader(const Properties& properties) : reader_(properties.raw()) {}
  std::optional<Property> next();
  bool ok() const { return reader_.ok(); }

 private:
  Reader reader_;
};

// Properties stand in a packet, or before the will of a CONNECT.
enum class PropertyPlace : std::uint8_t { Packet, Will };

// Takes a block with its length off `reader`.  Success, or why the packet is
// refused: MalformedPacket, ProtocolError (a property twice, in the wrong packet,
// or with a value that is not allowed).
Reason take_properties(Reader& reader, PacketType type, PropertyPlace place, Properties& out);

// Appends properties; the caller keeps to what the packet may have.
class PropertyWriter {
 public:
  explicit PropertyWriter(std::string& out) : writer_(out) {}
  PropertyWriter& number(PropertyId id, std::uint32_t value);
  PropertyWriter& text(PropertyId id, std::string_view value);
  PropertyWriter& user(std::string_view name, std::string_view value);

 private:
  Writer writer_;
};

}  // namespace marram::mqtt
