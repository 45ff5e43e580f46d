#include "core/node/zap.h"

#include <fmt/format.h>

#include <array>
#include <utility>
#include <vector>

#include "core/node/key_file.h"

namespace marram {

namespace {

constexpr const char* kAddress = "inproc://zeromq.zap.01";
constexpr int kAnswersARun = 256;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kFrames = 7;  // version id domain address identity mechanism key

enum Frame { kVersion, kId, kDomain, kFrom, kIdentity, kMechanism, kKey };

std::string z85(const std::string& bytes) {
  std::array<char, 41> text{};
  const auto* raw = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return zmq_z85_encode(text.data(), raw, bytes.size()) == nullptr ? "" : std::string(text.data());
}

std::vector<std::string> receive_all(zmq::socket_t& socket) {
  std::vector<std::string> frames;
  zmq::message_t part;
  do {
    if (!socket.recv(part, zmq::recv_flags::dontwait)) break;
    if (frames.size() <= kFrames) frames.push_back(part.to_string());
  } while (part.more());
  return frames;
}

}  // namespace

Result<std::unique_ptr<Zap>> Zap::open(zmq::context_t& context, const TrustList* trust,
                                       std::string own_key, OnRefused on_refused) {
  try {
    std::unique_ptr<Zap> zap(new Zap(context, trust, std::move(own_key), std::move(on_refused)));
    zap->socket_.set(zmq::sockopt::linger, 0);
    zap->socket_.bind(kAddress);
    return zap;
  } catch (const zmq::error_t& error) {
    return fail(Errc::Io, fmt::format("mesh: cannot answer for keys: {}", error.what()));
  }
}

Zap::Zap(zmq::context_t& context, const TrustList* trust, std::string own_key, OnRefused on_refused)
    : socket_(context, zmq::socket_type::rep),
      trust_(trust),
      own_key_(std::move(own_key)),
      on_refused_(std::move(on_refused)) {}

bool Zap::admits(const std::string& key) const {
  if (key.empty()) return false;
  return key == own_key_ || (trust_ != nullptr && trust_->admits(key));
}

std::string Zap::key_of(const std::string& node_id) const {
  const auto found = keys_.find(node_id);
  return found == keys_.end() ? "" : found->second;
}

bool Zap::run() {
  for (int i = 0; i < kAnswersARun; ++i) {
    if (!answer_one()) return false;
  }
  return true;
}

bool Zap::answer_one() {
  const std::vector<std::string> asked = receive_all(socket_);
  if (asked.empty()) return false;
  const bool curve = asked.size() == kFrames && asked[kVersion] == "1.0" &&
                     asked[kMechanism] == "CURVE" && asked[kKey].size() == kKeyBytes;
  const std::string key = curve ? z85(asked[kKey]) : "";
  const std::string id = admits(key) ? node_id_of_key(key) : "";
  if (id.empty()) {
    on_refused_(key, asked.size() > kFrom ? asked[kFrom] : "");
  } else {
    keys_[id] = key;
  }
  const std::array<std::string, 6> answer = {"1.0",
                                             asked.size() > kId ? asked[kId] : "",
                                             id.empty() ? "400" : "200",
                                             id.empty() ? "refused" : "welcome",
                                             id,
                                             ""};
  for (std::size_t i = 0; i < answer.size(); ++i) {
    const bool last = i + 1 == answer.size();
    const auto flags =
        last ? zmq::send_flags::dontwait : zmq::send_flags::dontwait | zmq::send_flags::sndmore;
    (void)socket_.send(zmq::buffer(answer[i]), flags);
  }
  return true;
}

}  // namespace marram
