// The key pair that a node is known by: a file for the node's user alone.
//
// Two lines, "public KEY" and "secret KEY", both in Z85 (40 characters); lines that begin
// with "# " are for people.  Node ids are made from the public half.
//
// Threads: free functions without state.
#pragma once

#include <filesystem>
#include <string>

#include "core/base/result.h"

namespace marram {

struct CurveKey {
  std::string public_key;  // Z85
  std::string secret_key;  // Z85
};

// A new pair, from the system's randomness.  The public half begins with a letter, so that no
// command line takes it for an option.
CurveKey make_curve_key();

// Whether `text` is Z85 of 32 bytes.
bool is_curve_key(const std::string& text);

// The node id that a public key gives: BLAKE2b of its 32 bytes, 16 bytes long, as 32
// lower-case hexadecimal digits.  Empty when `z85` is no key.
std::string node_id_of_key(const std::string& z85);

// Errors: NotFound  no such file
//         Refused   others may read it; the message says what to do
//         Config    not a key file, or its halves do not belong together
//         Io
Result<CurveKey> read_key_file(const std::filesystem::path& path);

// Makes the file, 0600, on disk when it returns.  Errors: Exists, Io
Result<CurveKey> make_key_file(const std::filesystem::path& path);

// The first where there is a file, else the second.
Result<CurveKey> read_or_make_key_file(const std::filesystem::path& path);

}  // namespace marram
