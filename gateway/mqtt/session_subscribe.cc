// SUBSCRIBE and UNSUBSCRIBE: requests are gathered while an earlier one is being
// made true, then applied in one change.
#include "core/event/topic.h"
#include "gateway/mqtt/session.h"

namespace marram::mqtt {

Reason Session::judge(const FilterRequest& request) const {
  if (request.filter.starts_with("$share/")) return Reason::SharedSubscriptionsNotSupported;
  if (!check_filter(request.filter, rules_.limits)) return Reason::FilterInvalid;
  if (!access_->may_subscribe(request.filter)) return Reason::NotAuthorized;
  return request.qos == 0 ? Reason::Success : Reason::GrantedQos1;
}

void Session::on_subscribe(const Frame& frame, Actions& out) {
  Subscribe packet;
  const Reason decoded = decode(frame, version_, packet);
  if (decoded != Reason::Success) return disconnect(decoded, "", out);
  const auto identifier = packet.properties.number(PropertyId::SubscriptionIdentifier).value_or(0);
  Request request{PacketType::SubAck, packet.packet_id, {}, {}};
  for (const FilterRequest& filter : packet.filters) {
    const Reason code = judge(filter);
    request.codes.push_back(code);
    if (is_error(code)) {
      out.refuse(code);
      continue;
    }
    request.edits.push_back({request.codes.size() - 1,
                             std::string(filter.filter),
                             {.qos = static_cast<std::uint8_t>(code),
                              .no_local = filter.no_local,
                              .retain_as_published = filter.retain_as_published,
                              .identifier = identifier}});
  }
  waiting_.push_back(std::move(request));
  apply_waiting(out);
}

void Session::on_unsubscribe(const Frame& frame, Actions& out) {
  Unsubscribe packet;
  const Reason decoded = decode(frame, version_, packet);
  if (decoded != Reason::Success) return disconnect(decoded, "", out);
  Request request{PacketType::UnsubAck, packet.packet_id, {}, {}};
  for (const std::string_view filter : packet.filters) {
    request.edits.push_back({request.codes.size(), std::string(filter), {}});
    request.codes.push_back(Reason::Success);
  }
  waiting_.push_back(std::move(request));
  apply_waiting(out);
}

void Session::edit(Request& request) {
  for (Request::Edit& change : request.edits) {
    Reason& code = request.codes[change.index];
    if (request.type == PacketType::UnsubAck) {
      if (!subscriptions_.erase(change.filter)) code = Reason::NoSubscriptionExisted;
    } else if (!subscriptions_.has(change.filter) &&
               subscriptions_.size() >= rules_.limits.filters_per_consumer_max) {
      code = Reason::QuotaExceeded;
    } else {
      subscriptions_.put(change.filter, change.options);
    }
  }
}

void Session::apply_waiting(Actions& out) {
  if (!applying_.empty() || waiting_.empty()) return;
  applying_.swap(waiting_);
  before_ = subscriptions_.table();
  for (Request& request : applying_) edit(request);

  if (subscriptions_.table() == before_) return answer_applied(out);
  if (subscriptions_.empty()) {
    if (open_) out.commands.push_back(Leave{.forget = durable_});
    open_ = durable_ = false;
    return answer_applied(out);
  }
  if (open_) {
    out.commands.push_back(
        Change{subscriptions_.filters(),
               durable_ ? to_attributes(expiry_s_, subscriptions_.table()) : std::string()});
    return;
  }
  open_ = true;
  durable_ = expiry_s_ > 0;
  out.commands.push_back(Open{subscribe_options()});
}

void Session::answer_applied(Actions& out) {
  for (Request& request : applying_) {
    encode(FilterAnswers{.type = request.type,
                         .packet_id = request.packet_id,
                         .codes = std::move(request.codes),
                         .properties = {}},
           version_, out.bytes);
  }
  applying_.clear();
  apply_waiting(out);
}

void Session::undo_applied(Reason reason, Actions& out) {
  subscriptions_.restore(std::move(before_));
  for (Request& request : applying_) {
    for (const Request::Edit& change : request.edits) request.codes[change.index] = reason;
    out.refuse(reason);
  }
  answer_applied(out);
}

void Session::on_opened(Actions& out) {
  if (state_ == State::Resuming) return accept(true, out);
  if (state_ == State::Connected) answer_applied(out);
}

void Session::on_changed(const Status& status, Actions& out) {
  if (state_ != State::Connected) return;
  if (status) return answer_applied(out);
  undo_applied(reason_of(status), out);
}

void Session::on_ended(const Error& error, Actions& out) {
  if (state_ == State::Over) return;
  open_ = false;
  const bool taken = error.code == Errc::Busy;
  if (state_ == State::Resuming) return refuse_connect(Reason::ServerUnavailable, {}, out);
  if (state_ == State::Connected && before_.empty() && !applying_.empty() && !taken) {
    durable_ = false;
    const bool too_many = error.code == Errc::TooLarge;
    return undo_applied(too_many ? Reason::QuotaExceeded : reason_of(tl::unexpected(error)), out);
  }
  disconnect(taken ? Reason::SessionTakenOver : Reason::ServerShuttingDown, "", out);
}

}  // namespace marram::mqtt
