#include "core/node/beacon_socket.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>
#include <tuple>
#include <utility>

#include "core/node/key_file.h"
#include "core/wire/address.h"
#include "core/wire/beacon.h"

namespace marram {

namespace {

constexpr int kDatagramsARun = 64;
constexpr Duration kRest = std::chrono::milliseconds(100);
constexpr int kReceiveBytes = 64 << 10;
constexpr std::size_t kComplaintsMax = 64;
constexpr Duration kLookEvery = std::chrono::seconds(5);
// Untrusted nodes of one address that are told of by name, and such addresses.
constexpr std::size_t kStrangersMax = 8;
constexpr std::size_t kStrangePlacesMax = 1024;

std::string cause(int error) { return std::generic_category().message(error); }

std::optional<std::uint32_t> parse_ipv4(const std::string& text) {
  in_addr address{};
  if (::inet_pton(AF_INET, text.c_str(), &address) != 1) return {};
  return ntohl(address.s_addr);
}

std::string text_of(std::uint32_t address) {
  return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255,
                     address & 255);
}

bool is_loopback(std::uint32_t address) { return address >> 24 == 127; }

std::uint32_t address_of(const sockaddr* address) {
  if (address == nullptr || address->sa_family != AF_INET) return 0;
  sockaddr_in in{};
  std::memcpy(&in, address, sizeof in);
  return ntohl(in.sin_addr.s_addr);
}

sockaddr_in socket_address(std::uint32_t address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_addr.s_addr = htonl(address);
  out.sin_port = htons(port);
  return out;
}

ip_mreqn request(std::uint32_t group, std::uint32_t address, int interface) {
  ip_mreqn out{};
  out.imr_multiaddr.s_addr = htonl(group);
  out.imr_address.s_addr = htonl(address);
  out.imr_ifindex = interface;
  return out;
}

template <class Value>
bool set(int fd, int level, int option, const Value& value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

Result<std::pair<std::uint32_t, std::uint16_t>> parse_group(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto address = parse_ipv4(text.substr(0, colon));
  std::uint16_t port = 0;
  const char* const begin = text.data() + (colon == std::string::npos ? text.size() : colon + 1);
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, port);
  if (!address || *address >> 24 != 239 || error != std::errc() || stop != end || port == 0) {
    return fail(Errc::Config,
                fmt::format("mesh.beacon_group is \"{}\", not a multicast address of 239.0.0.0/8 "
                            "and a port (as 239.255.77.82:7420)",
                            text));
  }
  return std::pair(*address, port);
}

// One over the limit has a byte more than it.
struct Datagram {
  std::string_view bytes;
  std::uint32_t from = 0;
  int interface = 0;
};

// Empty: there is none.
std::optional<Datagram> receive(int fd, std::array<char, wire::kBeaconBytesMax + 1>& buffer) {
  sockaddr_in from{};
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<char, 256> control{};
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(fd, &message, MSG_DONTWAIT);
  if (size < 0) return {};
  Datagram out{{buffer.data(), static_cast<std::size_t>(size)}, ntohl(from.sin_addr.s_addr), 0};
  for (cmsghdr* one = CMSG_FIRSTHDR(&message); one != nullptr; one = CMSG_NXTHDR(&message, one)) {
    if (one->cmsg_level != IPPROTO_IP || one->cmsg_type != IP_PKTINFO) continue;
    in_pktinfo info{};
    std::memcpy(&info, CMSG_DATA(one), sizeof info);
    out.interface = info.ipi_ifindex;
  }
  return out;
}

bool is_called(const ifaddrs& one, const std::string& name) {
  if (name == one.ifa_name) return true;
  const std::uint32_t address = address_of(one.ifa_addr);
  return address != 0 && name == text_of(address);
}

bool stays_here(const std::string& interface) {
  const auto address = parse_ipv4(interface);
  return interface == "lo" || (address && is_loopback(*address));
}

}  // namespace

Status check_beacon(const MeshNodeOptions& mesh) {
  if (!mesh.beacon) return {};
  if (auto group = parse_group(mesh.beacon_group); !group) return tl::unexpected(group.error());
  if (!mesh.secure()) {
    return fail(Errc::Config,
                "mesh.beacon dials whoever is heard on the LAN, so links need keys (set "
                "mesh.key_file, without mesh.insecure)");
  }
  bool tcp = false;
  bool beyond = false;
  for (const std::string& text : mesh.listen) {
    const auto address = wire::parse_address("mesh.listen", text);
    if (!address) return fail(Errc::Config, address.error().message);
    tcp = tcp || !address->is_ipc();
    beyond = beyond || (!address->is_ipc() && !address->is_loopback());
  }
  if (!tcp) {
    return fail(Errc::Config,
                "mesh.beacon says where this node listens, and mesh.listen has no tcp address "
                "(as tcp://0.0.0.0:7400)");
  }
  if (beyond || std::ranges::any_of(mesh.beacon_interfaces, stays_here)) return {};
  return fail(Errc::Config,
              "mesh.beacon says where this node listens, and mesh.listen has only loopback "
              "addresses, which no other machine can dial (listen at tcp://0.0.0.0:7400; for "
              "nodes of this machine set mesh.beacon_interfaces = [\"127.0.0.1\"])");
}

BeaconSocket::BeaconSocket(Options options)
    : options_(std::move(options)),
      refusals_(options_.log == nullptr ? Log::none() : *options_.log) {
  for (const std::string& endpoint : options_.endpoints) {
    const auto address = wire::parse_address("mesh", endpoint);
    if (!address || address->is_ipc()) continue;
    const auto numeric = parse_ipv4(address->host);
    if (numeric) {
      ports_.push_back({*numeric, address->port});
    } else if (address->host == "::" || address->host == "*") {
      ports_.push_back({0, address->port});
    }
  }
}

BeaconSocket::~BeaconSocket() {
  if (fd_ >= 0) ::close(fd_);
}

Result<std::unique_ptr<BeaconSocket>> BeaconSocket::open(Options options) {
  const auto group = parse_group(options.group);
  if (!group) return tl::unexpected(group.error());
  std::unique_ptr<BeaconSocket> socket(new BeaconSocket(std::move(options)));
  std::tie(socket->group_, socket->group_port_) = *group;
  if (auto status = socket->bind(); !status) return tl::unexpected(status.error());
  socket->look();
  return socket;
}

Status BeaconSocket::bind() {
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const sockaddr_in at = socket_address(group_, group_port_);
  // Several nodes of one machine hear the same group.  What is not joined here is not heard.
  const bool ready =
      fd_ >= 0 && set(fd_, SOL_SOCKET, SO_REUSEADDR, 1) && set(fd_, IPPROTO_IP, IP_PKTINFO, 1) &&
      set(fd_, IPPROTO_IP, IP_MULTICAST_ALL, 0) && set(fd_, IPPROTO_IP, IP_MULTICAST_TTL, 1) &&
      set(fd_, IPPROTO_IP, IP_MULTICAST_LOOP, 1) &&
      set(fd_, SOL_SOCKET, SO_RCVBUF, kReceiveBytes) &&
      ::bind(fd_, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0;
  if (ready) return {};
  return fail(errno == EADDRINUSE ? Errc::Busy : Errc::Io,
              fmt::format("mesh: cannot hear beacons at {} (mesh.beacon_group): {}", options_.group,
                          cause(errno)));
}

std::uint16_t BeaconSocket::port_at(std::uint32_t address) const {
  for (const Port& port : ports_) {
    if (port.address == address || port.address == 0) return port.port;
  }
  return 0;
}

// For the addresses of this machine at which it listens, and may be heard.  What cannot be looked
// at stays as it was.
void BeaconSocket::look() {
  ifaddrs* list = nullptr;
  if ((options_.list == nullptr ? ::getifaddrs(&list) : options_.list(&list)) != 0) {
    return complain("the beacon cannot list the interfaces", errno);
  }
  std::vector<Place> places;
  for (const ifaddrs* one = list; one != nullptr; one = one->ifa_next) {
    if (const auto place = place_of(*one)) places.push_back(*place);
  }
  check_names(list);
  ::freeifaddrs(list);
  join(std::move(places));
}

std::optional<BeaconSocket::Place> BeaconSocket::place_of(const ifaddrs& one) const {
  const std::uint32_t address = address_of(one.ifa_addr);
  if (address == 0 || (one.ifa_flags & IFF_UP) == 0) return {};
  const auto& chosen = options_.interfaces;
  const bool named =
      std::ranges::any_of(chosen, [&](const std::string& name) { return is_called(one, name); });
  const bool open = (one.ifa_flags & IFF_LOOPBACK) == 0 && (one.ifa_flags & IFF_MULTICAST) != 0;
  if (!(chosen.empty() ? open : named)) return {};
  // Of an interface between more than two the field is the broadcast address.
  const bool line = (one.ifa_flags & IFF_POINTOPOINT) != 0;
  Place place{.interface = static_cast<int>(::if_nametoindex(one.ifa_name)),
              .address = address,
              .mask = address_of(one.ifa_netmask),
              .far_end = line ? address_of(one.ifa_dstaddr) : 0,
              .port = port_at(address)};
  if (place.mask == 0) place.mask = UINT32_MAX;
  if (place.interface == 0 || place.port == 0) return {};
  return place;
}

void BeaconSocket::check_names(const ifaddrs* list) {
  for (const std::string& name : options_.interfaces) {
    bool found = false;
    for (const ifaddrs* one = list; one != nullptr && !found; one = one->ifa_next) {
      found = is_called(*one, name);
    }
    if (!found) complain(fmt::format("no interface is \"{}\" (mesh.beacon_interfaces)", name), 0);
  }
}

void BeaconSocket::join(std::vector<Place> places) {
  places_ = std::move(places);
  std::set<int> now;
  for (const Place& place : places_) now.insert(place.interface);
  for (const int gone : joined_) {
    if (now.contains(gone)) continue;
    (void)set(fd_, IPPROTO_IP, IP_DROP_MEMBERSHIP, request(group_, 0, gone));
  }
  for (const int interface : now) {
    // One that went and came back has to be joined again; one that stayed says that it is.
    if (set(fd_, IPPROTO_IP, IP_ADD_MEMBERSHIP, request(group_, 0, interface))) continue;
    if (errno != EADDRINUSE) complain("cannot hear beacons at an interface", errno);
  }
  joined_ = std::move(now);
  if (places_.empty())
    complain("the beacon finds no interface with an address that is listened at", 0);
}

void BeaconSocket::complain(const std::string& what, int error) {
  const std::string line = error == 0 ? what : fmt::format("{}: {}", what, cause(error));
  if (complaints_.size() >= kComplaintsMax) complaints_.clear();
  if (options_.log == nullptr || !complaints_.insert(line).second) return;
  options_.log->warn("mesh", line);
}

void BeaconSocket::send(bool asks, TimePoint now) {
  if (now >= look_at_) {
    look_at_ = now + kLookEvery;
    look();
  }
  const sockaddr_in to = socket_address(group_, group_port_);
  for (const Place& place : places_) {
    const std::string beacon =
        wire::encode_beacon({.key = options_.key, .port = place.port, .asks = asks});
    const bool sent =
        set(fd_, IPPROTO_IP, IP_MULTICAST_IF, request(0, place.address, place.interface)) &&
        ::sendto(fd_, beacon.data(), beacon.size(), MSG_DONTWAIT,
                 reinterpret_cast<const sockaddr*>(&to), sizeof to) >= 0;
    if (!sent) complain(fmt::format("no beacon from {}", text_of(place.address)), errno);
  }
}

void BeaconSocket::add_poll_items(std::vector<zmq::pollitem_t>& items) {
  if (!rest_until_) items.push_back({nullptr, fd_, ZMQ_POLLIN, 0});
}

std::vector<BeaconSocket::Heard> BeaconSocket::run(TimePoint now) {
  now_ = now;
  std::vector<Heard> heard;
  if (rest_until_ && now < *rest_until_) return heard;
  rest_until_.reset();
  std::array<char, wire::kBeaconBytesMax + 1> buffer;
  for (int i = 0; i < kDatagramsARun; ++i) {
    const auto datagram = receive(fd_, buffer);
    if (!datagram) return heard;
    if (auto one = take(datagram->bytes, datagram->from, datagram->interface)) {
      heard.push_back(std::move(*one));
    }
  }
  rest_until_ = now + kRest;
  return heard;
}

bool BeaconSocket::is_near(std::uint32_t address, int interface) const {
  return std::ranges::any_of(places_, [&](const Place& place) {
    return place.interface == interface &&
           (((address ^ place.address) & place.mask) == 0 || address == place.far_end);
  });
}

std::optional<BeaconSocket::Heard> BeaconSocket::take(std::string_view datagram, std::uint32_t from,
                                                      int interface) {
  const std::string address = text_of(from);
  if (!is_near(from, interface)) {
    refusals_.add("elsewhere", "",
                  fmt::format("mesh: a beacon from {}, which is not in the network where it was "
                              "heard",
                              address),
                  now_);
    return {};
  }
  const auto beacon = wire::decode_beacon(datagram);
  if (!beacon) {
    refusals_.add("malformed", address,
                  fmt::format("mesh: no beacon, from {}: {}", address, beacon.error().message),
                  now_);
    return {};
  }
  if (!*beacon || (*beacon)->key == options_.key) return {};
  const std::string& key = (*beacon)->key;
  std::string id = node_id_of_key(key);
  if (id.empty()) {
    refusals_.add("malformed", address, fmt::format("mesh: a beacon from {} has no key", address),
                  now_);
    return {};
  }
  if (options_.trust == nullptr || !options_.trust->admits(key)) {
    refuse_stranger(id, key, address);
    return {};
  }
  const std::string place = fmt::format("tcp://{}:{}", address, (*beacon)->port);
  return Heard{{std::move(id), key, {place}, {}}, (*beacon)->asks};
}

// Nodes of one machine are told of each; not ever new ones, which anybody can make up.  A key may
// have any sign but a single quote: what is pasted is a key, not what a stranger wrote into it.
void BeaconSocket::refuse_stranger(const std::string& id, const std::string& key,
                                   const std::string& address) {
  if (strangers_.size() >= kStrangePlacesMax && !strangers_.contains(address)) strangers_.clear();
  std::set<std::string>& known = strangers_[address];
  if (known.size() < kStrangersMax) known.insert(id);
  refusals_.add("untrusted", known.contains(id) ? id : address,
                fmt::format("mesh: {} is heard on the LAN at {}; its key is not trusted (marram "
                            "peer trust '{}')",
                            id, address, key),
                now_);
}

void BeaconSocket::trust_changed() {
  refusals_.forget();
  strangers_.clear();
}

}  // namespace marram
