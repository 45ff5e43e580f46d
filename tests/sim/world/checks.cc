// What is true of a world, always or in the end.
#include <fmt/format.h>

#include <algorithm>

#include "core/event/topic.h"
#include "tests/sim/world/sim_node.h"
#include "tests/sim/world/world.h"

namespace marram::sim {

void World::check_delivered() {
  for (const auto& node : nodes_) {
    if (!node->up()) continue;
    for (const auto& [reader, interest] : node->readers()) {
      if (!interest.durable || interest.filters.front().from.at != wire::Begin::At::Seq) continue;
      for (const auto& [id, event] : published) {
        if (event.seq < interest.filters.front().from.seq) continue;
        if (!event.acknowledged || node->delivered(reader).contains(id)) continue;
        const bool wanted =
            std::any_of(interest.filters.begin(), interest.filters.end(),
                        [&](const auto& filter) { return matches(filter.filter, event.topic); });
        if (!wanted || node->gap_covers(reader, event.log, event.seq)) continue;
        const bool somewhere = std::any_of(nodes_.begin(), nodes_.end(), [&](const auto& other) {
          return other->store().has(event.log, event.seq);
        });
        // What nobody has cannot be known, after a disk went back.
        expect(!somewhere,
               fmt::format("{} ({} {}) never came to reader {} at {}", id, event.log.text(),
                           event.seq, reader, SimNode::id_of(node->index())));
      }
    }
  }
}

void World::check_memory(SimNode& node) {
  if (!node.up()) return;
  const std::uint64_t window = mesh::MeshOptions().window_bytes;
  for (const auto& link : node.mesh().status().links) {
    expect(std::max(link.received_bytes, link.read_bytes) <= window,
           fmt::format("{} keeps {} bytes from and {} bytes for {}", SimNode::id_of(node.index()),
                       link.received_bytes, link.read_bytes, link.peer));
  }
}

namespace {

// Peers that have not had all of a log, as the store knows.
std::string owed(SimNode& node, const LogRecord& log) {
  std::string text;
  for (const HoldRecord& hold : node.store().mesh_records().holds) {
    const auto acked = hold.acked.find(log.no);
    if (acked == hold.acked.end() || acked->second >= log.head) continue;
    text += fmt::format(", {} had {}", hold.peer, acked->second);
  }
  return text;
}

}  // namespace

void World::check_nothing_kept() {
  for (const auto& node : nodes_) {
    if (!node->up()) continue;
    const std::string name = SimNode::id_of(node->index());
    for (const LogRecord& log : node->store().logs()) {
      const std::string to = owed(*node, log);
      expect(to.empty(), fmt::format("{} owes {}, up to {}{}", name, log.id.text(), log.head, to));
      expect(log.events == 0, fmt::format("{} keeps {} events of {}, from {} to {}", name,
                                          log.events, log.id.text(), log.first, log.head));
    }
    const auto status = node->mesh().status();
    for (const auto& hole : status.holes) {
      expect(false, fmt::format("{} waits for {} {} to {}: {}", name, hole.log.text(), hole.from,
                                hole.to, hole.waits_for));
    }
    expect(node->store().mesh_records().backfills.empty(), name + " has a backfill under way");
  }
}

}  // namespace marram::sim
