// What sessions ask for.
#include <fmt/format.h>

#include <boost/asio/post.hpp>

#include "core/base/utf8.h"
#include "gateway/mqtt/server.h"

namespace marram::mqtt {

namespace {

// A round that takes in more than this does not wait for its end.
constexpr std::size_t kBatchBytes = 1 << 20;

}  // namespace

// Sessions append to the connection's own bytes, or to an empty buffer that the
// connection takes over when there is something in it.
void Server::begin(Connection& connection) {
  if (!connection.unsent.empty()) actions_.bytes.swap(connection.unsent);
  actions_.events = connection.held ? connection.held->later.events.get() : batch_.get();
}

void Server::collect(Connection& connection) {
  if (!actions_.bytes.empty()) actions_.bytes.swap(connection.unsent);
  if (actions_.bytes.capacity() <= sizeof(std::string) && !spares_.empty()) {
    actions_.bytes = std::move(spares_.back());
    spares_.pop_back();
  }
  if (std::vector<std::uint16_t>& taken = actions_.packet_ids; !taken.empty()) {
    auto& ids = connection.held ? connection.held->later.packet_ids : next_flight_.packet_ids;
    ids.insert(ids.end(), taken.begin(), taken.end());
    if (!connection.held) {
      const auto count = static_cast<std::uint32_t>(taken.size());
      next_flight_.runs.push_back({connection.handle, count});
      connection.in_air += count;
    }
    taken.clear();
  }
  settle(connection);
  for (Command& command : actions_.commands) {
    tasks_.push_back({connection.handle, std::move(command)});
  }
  actions_.commands.clear();
  if (connection.paused && connection.session.takes_packets()) {
    connection.paused = false;
    tasks_.push_back({connection.handle, {}});
  }
  const auto at = connection.session.wake_at();
  if (at && *at < connection.looked_at) {
    connection.looked_at = *at;
    deadlines_.add(*at, connection.handle);
  }
  if (batch_->bytes() >= kBatchBytes) submit();
}

void Server::settle(Connection& connection) {
  if (actions_.settled.empty()) return;
  if (connection.subscription != 0) {
    bus_.settle(connection.subscription, actions_.settled, Settle::Ack);
  }
  actions_.settled.clear();
}

// Tasks make more tasks.
void Server::run_tasks() {
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    Task task = std::move(tasks_[i]);
    Connection* const connection = find(task.who);
    if (connection == nullptr) continue;
    if (!task.command) {
      parse_unfinished(*connection);
      continue;
    }
    std::visit([&](auto& command) { act(*connection, std::move(command)); }, *task.command);
  }
  tasks_.clear();
}

void Server::act(Connection& connection, Authenticate&& command) {
  const auto answer = [&](AccessPtr access, Reason refusal) {
    with(connection,
         [&](Session& session) { session.on_authenticated(std::move(access), refusal, actions_); });
  };
  if (!command.user || !users_) {
    // Without a users file there is nothing to hold a name against.
    answer(connection.anonymous_ok ? everything_ : nullptr, Reason::NotAuthorized);
    return;
  }
  if (passwords_->known(*command.user, command.password)) {
    const User* const user = users_->find(*command.user);
    answer(access_of(*user, *command.user, command.client_id), Reason::Success);
    return;
  }
  if (!passwords_->ask(connection.handle, std::move(command.client_id), std::move(*command.user),
                       std::move(command.password))) {
    answer(nullptr, Reason::ServerBusy);
  }
}

void Server::on_password(const PasswordChecker::Answer& answer) {
  if (answer.right) passwords_->remember(answer);
  Connection* const connection = find(answer.who);
  if (connection == nullptr) return;
  const User* const user = answer.right ? users_->find(answer.user) : nullptr;
  with(*connection, [&](Session& session) {
    session.on_authenticated(user ? access_of(*user, answer.user, answer.client_id) : nullptr,
                             Reason::BadUserOrPassword, actions_);
  });
}

Status Server::reload_users() {
  if (options_.users_file.empty()) return {};
  auto users = Users::load(options_.users_file);
  if (!users) return tl::unexpected(users.error());
  boost::asio::post(io_, [this, users = std::move(*users)] { set_users(users); });
  return {};
}

// A new checker has nothing remembered.  What the old one was asked goes without an
// answer: that connection is told to try again when its time is over.
void Server::set_users(Users users) {
  passwords_.reset();
  users_ = std::move(users);
  passwords_.emplace(*users_, [this](PasswordChecker::Answer answer) {
    boost::asio::post(io_, [this, answer = std::move(answer)] {
      look_at_clock();
      on_password(answer);
    });
  });
}

void Server::take_over(const std::string& client_id) {
  const auto found = clients_.find(client_id);
  if (found == clients_.end()) return;
  Connection* const old = find(found->second);
  if (old == nullptr) return;
  with(*old, [&](Session& session) { session.on_taken_over(actions_); });
  release(*old);
}

void Server::act(Connection& connection, Claim&& command) {
  take_over(command.client_id);
  const SessionBook::Entry* kept = book_.find(command.client_id);
  if (command.persistent && kept == nullptr && book_.size() >= rules_.mqtt.sessions_max) {
    with(connection,
         [&](Session& session) { session.on_claim_refused(Reason::QuotaExceeded, actions_); });
    return;
  }
  clients_[command.client_id] = connection.handle;
  connection.owns_id = true;
  const bool remove = command.clean_start && kept != nullptr && kept->durable;
  std::optional<StoredSession> stored;
  if (kept != nullptr && !command.clean_start) {
    stored = kept->session;
  } else {
    book_.forget(command.client_id);
  }
  if (command.persistent || stored) book_.attach(command.client_id);
  if (remove) {
    remove_consumer(command.client_id, connection.handle);  // answered by Removed
    return;
  }
  with(connection, [&](Session& session) { session.on_claimed(std::move(stored), actions_); });
}

void Server::act(Connection& connection, Open&& command) {
  const auto removal = removals_.find(connection.session.client_id());
  if (removal != removals_.end() && !command.options.name.empty()) {
    removal->second.opener = connection.handle;
    removal->second.open = std::move(command.options);
    return;
  }
  connection.subscription = bus_.open(std::move(command.options), inbox_);
  subscriptions_[connection.subscription] = connection.handle;
}

void Server::act(Connection& connection, Change&& command) {
  if (connection.subscription == 0) return;
  bus_.change(connection.subscription, std::move(command.filters), std::move(command.attributes));
}

void Server::act(Connection& connection, const Leave& command) {
  if (connection.subscription == 0) return;
  bus_.close_subscription(connection.subscription);
  subscriptions_.erase(connection.subscription);
  connection.subscription = 0;
  if (command.forget) remove_consumer(connection.session.client_id(), {});
}

void Server::act(Connection& connection, const Close& command) {
  if (is_error(command.reason)) log_end(connection, command.reason);
  connection.closing = true;
  connection.linger = command.linger;
  // A side that neither reads nor ends is left after this.
  connection.linger_until = now_.steady + std::chrono::seconds(2);
  connection.looked_at = connection.linger_until;
  deadlines_.add(connection.linger_until, connection.handle);
  release(connection);
  mark_dirty(connection);
}

// Strangers can cause these lines, so there are at most ten a second.
void Server::log_end(const Connection& connection, Reason reason) {
  constexpr std::size_t kLinesMax = 10;
  if (now_.steady >= log_again_at_) {
    if (unlogged_ > 0) {
      log_.info("mqtt", "more connections were ended", {{"count", std::to_string(unlogged_)}});
    }
    log_again_at_ = now_.steady + std::chrono::seconds(1);
    logged_ = unlogged_ = 0;
  }
  if (logged_ == kLinesMax) {
    ++unlogged_;
    return;
  }
  ++logged_;
  log_.info("mqtt", "a connection is ended",
            {{"client", printable(connection.session.client_id())},
             {"address", connection.address.to_string()},
             {"reason", std::string(name(reason))}});
}

// The connection gives up its subscription and its client id; what is to be kept
// stands in the book.
void Server::release(Connection& connection) {
  if (connection.subscription != 0) {
    bus_.close_subscription(connection.subscription);
    subscriptions_.erase(connection.subscription);
    connection.subscription = 0;
  }
  if (!connection.owns_id) return;
  connection.owns_id = false;
  const Session& session = connection.session;
  clients_.erase(session.client_id());
  if (session.expiry_s() == 0) {
    book_.forget(session.client_id());
    if (session.durable()) remove_consumer(session.client_id(), {});
    return;
  }
  book_.keep(session.client_id(), {session.expiry_s(), session.subscriptions().table()},
             session.durable(), now_.steady + std::chrono::seconds(session.expiry_s()));
}

void Server::remove_consumer(const std::string& client_id, Handle claimant) {
  const auto [at, fresh] = removals_.try_emplace(client_id);
  if (claimant != Handle()) at->second.claimant = claimant;
  if (fresh) ask_to_remove(client_id, at->second);
}

void Server::ask_to_remove(const std::string& client_id, Removal& removal) {
  removal.token = ++last_token_;
  removal.again_at = TimePoint::max();
  ++removal.tries;
  bus_.remove_consumer(consumer_name(client_id), inbox_, removal.token);
}

void Server::remove_again() {
  remove_again_at_ = TimePoint::max();
  for (auto& [client_id, removal] : removals_) {
    if (removal.again_at <= now_.steady) ask_to_remove(client_id, removal);
    remove_again_at_ = std::min(remove_again_at_, removal.again_at);
  }
}

void Server::finish_removal(Removal& removal, bool gone) {
  if (Connection* const claimant = find(removal.claimant)) {
    with(*claimant, [&](Session& session) {
      if (gone) return session.on_claimed({}, actions_);
      session.on_claim_refused(Reason::ServerUnavailable, actions_);
    });
  }
  Connection* const opener = find(removal.opener);
  if (opener != nullptr && removal.open) {
    tasks_.push_back({removal.opener, Open{std::move(*removal.open)}});
  }
}

void Server::expire_sessions() {
  for (const SessionBook::Expired& expired : book_.take_expired(now_.steady)) {
    if (expired.durable) remove_consumer(expired.client_id, {});
  }
}

}  // namespace marram::mqtt
