// What a simulated node does for its mesh.
#include <type_traits>
#include <utility>

#include "tests/sim/world/sim_node.h"

namespace marram::sim {

namespace {

constexpr Duration kReadTakes(10);

}  // namespace

void SimNode::schedule(TimePoint at) {
  if (scheduled_ && *scheduled_ <= at) return;
  scheduled_ = at;
  const std::uint64_t run = run_;
  const Duration in = at > world_.time() ? at - world_.time() : Duration(0);
  world_.at(in, [this, run, at] {
    if (run != run_ || scheduled_ != at) return;
    scheduled_.reset();
    tick();
  });
}

void SimNode::tick() {
  if (!up()) return;
  mesh::Actions out;
  mesh_->on_tick(world_.now(index_), out);
  act(out);
  if (const auto at = mesh_->wake_at()) {
    // Virtual time must go on.
    schedule(std::max(*at, world_.time() + std::chrono::microseconds(100)));
  }
}

void SimNode::act(mesh::Actions& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) act(actions[i]);
  actions.clear();
}

void SimNode::act(mesh::Action& action) {
  if (auto* const send = std::get_if<mesh::SendFrame>(&action)) {
    world_.send(*this, send->session, std::move(send->frame));
  } else if (auto* const data = std::get_if<mesh::SendData>(&action)) {
    world_.send(*this, *data);
  } else if (auto* const dial = std::get_if<mesh::Dial>(&action)) {
    world_.dial(*this, *dial);
  } else if (auto* const up = std::get_if<mesh::HangUp>(&action)) {
    world_.hang_up(*this, *up);
  } else if (std::holds_alternative<mesh::StartEpochAgain>(action)) {
    world_.expect(false, "an epoch forked, and nobody resumed a snapshot");
  } else if (auto* const readable = std::get_if<mesh::Readable>(&action)) {
    places_[{readable->interest, readable->log}] = {readable->after, readable->upto};
    world_.trace(id_of(index_) + " reader " + std::to_string(readable->interest) +
                 " may read log " + std::to_string(readable->log) + " after " +
                 std::to_string(readable->after) + " upto " + std::to_string(readable->upto));
    read(readable->interest, readable->log);
  } else if (auto* const replicated = std::get_if<mesh::Replicated>(&action)) {
    std::vector<std::uint64_t>& stored = replicated_[replicated->log];
    stored.clear();
    for (const auto& copy : replicated->stored) stored.push_back(copy.upto);
    std::sort(stored.rbegin(), stored.rend());
  } else if (auto* const report = std::get_if<mesh::Report>(&action)) {
    world_.trace(id_of(index_) + " reports " + report->message);
    reports_.push_back(std::move(*report));
  } else {
    act_on_store(action);
  }
}

void SimNode::act_on_store(mesh::Action& action) {
  if (auto* const write = std::get_if<mesh::WriteCopy>(&action)) {
    enqueue(command_for(*write));
  } else if (auto* const reading = std::get_if<mesh::ReadEvents>(&action)) {
    answer(*reading);
  } else if (auto* const find = std::get_if<mesh::FindSeq>(&action)) {
    answer(*find);
  } else if (auto* const put = std::get_if<mesh::PutHold>(&action)) {
    auto saved = hold_saved(put->hold.peer, put->hold.stream);
    enqueue(store::PutHoldCommand{std::move(put->hold), std::move(saved)});
  } else if (auto* const remove = std::get_if<mesh::RemoveHold>(&action)) {
    auto saved = hold_saved(remove->peer, remove->stream);
    enqueue(store::RemoveHoldCommand{remove->peer, remove->stream, std::move(saved)});
  } else if (auto* const moves = std::get_if<mesh::MoveHolds>(&action)) {
    enqueue(store::MoveHoldsCommand{std::move(moves->moves), wall()});
  } else if (auto* const pins = std::get_if<mesh::SetPins>(&action)) {
    enqueue(store::SetPinsCommand{std::move(pins->pins)});
  } else if (auto* const facts = std::get_if<mesh::SaveFacts>(&action)) {
    enqueue(store::SaveFactsCommand{facts->facts});
  } else if (auto* const forget = std::get_if<mesh::ForgetLog>(&action)) {
    enqueue(store::ForgetLogCommand{forget->log, [](const Status&) {}});
  }
}

void SimNode::answer(mesh::ReadEvents& ask) {
  world_.at(kReadTakes, [this, run = run_, ask = std::move(ask)] {
    if (run != run_) return;
    Store::ReadRequest request{.log = ask.log,
                               .after = ask.after,
                               .filters = {},
                               .events_max = ask.events_max,
                               .bytes_max = ask.bytes_max};
    for (const std::string& filter : ask.filters) request.filters.push_back({filter, {}});
    mesh::Actions out;
    mesh_->on_read(ask.token, store_.read(request), world_.now(index_), out);
    act(out);
    tick();
  });
}

void SimNode::answer(mesh::FindSeq& ask) {
  world_.at(kReadTakes, [this, run = run_, ask = ask] {
    if (run != run_) return;
    mesh::Actions out;
    mesh_->on_time_found(ask.token, store_.find_time(ask.log, ask.time), world_.now(index_), out);
    act(out);
    tick();
  });
}

store::Command SimNode::command_for(mesh::WriteCopy& action) {
  CopyWrite& write = action.write;
  std::vector<std::pair<std::uint64_t, std::string>> events;
  if (write.events) {
    for (const EventView& event : write.events->events()) {
      events.emplace_back(event.position.seq(), event.id_text());
    }
  }
  const auto done = [this, token = action.token, log = write.log,
                     events = std::move(events)](const Result<std::uint32_t>& no) {
    if (!up()) return;
    if (!no) world_.trace(id_of(index_) + " does not write: " + no.error().message);
    if (no) {
      touched_.insert(*no);
      world_.copied += events.size();
      for (const auto& [seq, id] : events) world_.note_stored(log, seq, id);
    }
    // What follows a write that failed is not where the copy stands.
    world_.expect(no || no.error().code != Errc::Invalid || was_full_,
                  id_of(index_) + (no ? "" : " is refused a write: " + no.error().message));
    mesh_->on_written(token, no, world_.now(index_), out_);
  };
  return store::WriteCopyCommand{std::move(write), done};
}

std::function<void(Status)> SimNode::hold_saved(const std::string& peer,
                                                const std::string& stream) {
  return [this, peer, stream](const Status& status) {
    if (!status && up()) mesh_->on_hold_not_saved(peer, stream, world_.now(index_), out_);
  };
}

void SimNode::enqueue(store::Command command) {
  queue_.push_back(std::move(command));
  if (std::exchange(committing_, true)) return;
  const auto most = static_cast<std::uint64_t>(world_.options().commit_max.count());
  world_.at(Duration(static_cast<std::int64_t>(1 + world_.pick(most))), [this, run = run_] {
    if (run == run_) commit();
  });
}

void SimNode::commit() {
  committing_ = false;
  std::vector<store::Command> group = std::exchange(queue_, {});
  store_.run(group);
  after_store(store_.tend(true));
}

void SimNode::tend() { after_store(store_.tend(!committing_)); }

// The mesh hears of all that the store said, then the readers read.
void SimNode::after_store(std::optional<Duration> next) {
  if (next) {
    const auto in = std::max(*next, Duration(std::chrono::microseconds(100)));
    world_.at(in, [this, run = run_, number = ++tends_] {
      if (run == run_ && number == tends_) tend();
    });
  }
  mesh::Actions out = std::exchange(out_, {});
  act(out);
  read_touched();
  tick();
}

}  // namespace marram::sim
