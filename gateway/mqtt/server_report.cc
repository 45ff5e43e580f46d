// What `marram status` shows of the listener.
#include <boost/asio/post.hpp>
#include <nlohmann/json.hpp>

#include "core/base/mailbox.h"
#include "gateway/mqtt/server.h"

namespace marram::mqtt {

namespace {

using Json = nlohmann::json;

Json by_qos(const std::array<std::uint64_t, 2>& counts) {
  return {{"qos0", counts[0]}, {"qos1", counts[1]}};
}

Json by_reason(const std::array<std::uint64_t, 256>& counts) {
  Json out = Json::object();
  for (std::size_t code = 0; code < counts.size(); ++code) {
    if (counts[code] == 0) continue;
    const std::string reason(name(static_cast<Reason>(code)));
    out[reason] = out.value(reason, std::uint64_t{0}) + counts[code];
  }
  return out;
}

}  // namespace

std::string Server::make_report() const {
  const Json report = {{"listen", endpoints_},
                       {"connections", slots_.size() - free_slots_.size()},
                       {"clients", clients_.size()},
                       {"sessions", book_.size()},
                       {"connects", tally_.connects},
                       {"turned_away", turned_away_},
                       {"received", by_qos(tally_.received)},
                       {"acknowledged", tally_.acknowledged},
                       {"sent", by_qos(tally_.sent)},
                       {"bytes", {{"received", bytes_received_}, {"sent", bytes_sent_}}},
                       {"refused", by_reason(tally_.refused)},
                       {"dropped",
                        {{"qos0", tally_.dropped},
                         {"expired", tally_.expired},
                         {"too_large", tally_.too_large},
                         {"skipped", skipped_}}},
                       {"retain_ignored", tally_.retain_ignored},
                       {"held_back", holding_.size()}};
  return report.dump();
}

std::string Server::report_json() {
  using Answer = Handoff<std::string>;
  const auto answer = std::make_shared<Answer>();
  if (!stopped_) {
    boost::asio::post(io_, [this, answer] { answer->set(make_report()); });
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    if (auto report = answer->wait_until(until)) return std::move(*report);
  }
  return R"({"listen":[]})";
}

}  // namespace marram::mqtt
