// Events on their way in and out.
#include "gateway/mqtt/session.h"

namespace marram::mqtt {

void Session::on_publish(const Frame& frame, Now now, Actions& out) {
  Publish packet;
  const Reason decoded = decode(frame, version_, packet);
  if (decoded != Reason::Success) return disconnect(decoded, "", out);
  if (!check_publish(packet, out)) return;
  ++out.tally->received[packet.qos];

  EventView event;
  Reason reason = to_event(packet, now.wall, rules_.limits, out.scratch, event);
  if (reason == Reason::Success && !access_->may_publish(event.topic)) {
    reason = Reason::NotAuthorized;
  }
  if (reason != Reason::Success) return refuse_publish(packet, reason, out);
  event.client = client_id_;
  if (packet.qos == 1) acks_.push(packet.packet_id);
  out.take(event, packet.packet_id, now.wall);
}

// False: the connection has been ended.
bool Session::check_publish(const Publish& packet, Actions& out) {
  if (packet.qos == 2) {
    disconnect(Reason::QosNotSupported, "QoS 2 is not supported", out);
    return false;
  }
  if (packet.retain && version_ == Version::V5) {
    disconnect(Reason::RetainNotSupported, "retained messages are not supported", out);
    return false;
  }
  if (packet.retain) ++out.tally->retain_ignored;
  if (packet.qos == 1 && version_ == Version::V5 && acks_.size() >= rules_.mqtt.receive_maximum) {
    disconnect(Reason::ReceiveMaximumExceeded, "", out);
    return false;
  }
  return true;
}

void Session::refuse_publish(const Publish& packet, Reason reason, Actions& out) {
  // 3.1.1 cannot say no to a publish in any other way.
  const bool fatal = version_ == Version::V311 || reason == Reason::TopicAliasInvalid ||
                     reason == Reason::ProtocolError;
  if (fatal) return disconnect(reason, "", out);
  out.refuse(reason);
  if (packet.qos == 0) {
    ++out.tally->dropped;
    return;
  }
  acks_.push(packet.packet_id);
  acks_.answer(packet.packet_id, reason);
  acks_.flush(version_, out.bytes);
}

void Session::on_stored(std::span<const std::uint16_t> packet_ids, Reason reason, Actions& out) {
  if (over()) return;
  const bool good = reason == Reason::Success;
  // Without a PUBACK a 3.1.1 client keeps the message, and sends it again later.
  if (!good && version_ == Version::V311) return end(false, reason, out);
  for (const std::uint16_t packet_id : packet_ids) {
    if (!good) out.refuse(reason);
    if (packet_id == 0) {
      if (!good) ++out.tally->dropped;
      continue;
    }
    if (good) ++out.tally->acknowledged;
    acks_.answer(packet_id, reason);
  }
  acks_.flush(version_, out.bytes);
}

void Session::on_puback(const Frame& frame, Actions& out) {
  Ack packet;
  const Reason decoded = decode(frame, version_, packet);
  if (decoded != Reason::Success) return disconnect(decoded, "", out);
  // An error in it means that the client does not want the event again either.
  if (const auto position = out_window_.take(packet.packet_id)) out.settled.push_back(*position);
}

void Session::on_delivered(const Delivered& delivered, WallTime now, Actions& out) {
  if (state_ != State::Connected) return;
  for (const std::uint32_t index : delivered.indices) {
    send_event(delivered.batch->events()[index], delivered.attempt > 1, now, out);
  }
}

void Session::send_event(const EventView& event, bool again, WallTime now, Actions& out) {
  Outgoing& outgoing = out.outgoing;
  std::string& properties = out.scratch;
  subscriptions_.match(event.topic, event.client == client_id_, outgoing);
  const bool expired = event.expires != WallTime() && event.expires <= now;
  if (!outgoing.wanted || expired) {
    if (expired) ++out.tally->expired;
    out.settled.push_back(event.position);
    return;
  }
  properties.clear();
  if (version_ == Version::V5) put_properties(event, now, outgoing.identifiers, properties);
  Publish packet{.topic = event.topic,
                 .payload = event.payload,
                 .qos = outgoing.qos,
                 .dup = again && outgoing.qos > 0,
                 .properties = Properties(properties)};
  if (encoded_bytes(packet, version_) > sendable_bytes_max_) {
    ++out.tally->too_large;
    out.settled.push_back(event.position);
    return;
  }
  if (packet.qos == 1) {
    packet.packet_id = out_window_.add(event.position);
  } else {
    unsent_.push_back(event.position);
  }
  ++out.tally->sent[packet.qos];
  encode(packet, version_, out.bytes);
}

void Session::on_sent(Actions& out) {
  out.settled.insert(out.settled.end(), unsent_.begin(), unsent_.end());
  unsent_.clear();
}

}  // namespace marram::mqtt
