// What a match costs with few and with very many filters.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "core/event/filter_trie.h"

namespace {

using marram::FilterTrie;

// Filters as devices and dashboards have them: most for one device, some with a
// wildcard in the middle, one for all.
FilterTrie filled(std::size_t filters) {
  FilterTrie trie;
  for (std::size_t i = 0; i < filters; ++i) {
    const std::string site = std::to_string(i % 100);
    const std::string device = std::to_string(i);
    const auto value = static_cast<FilterTrie::Value>(i);
    if (i % 10 == 0) {
      trie.insert("site/+/device/" + device + "/+", value);
    } else if (i % 10 == 1) {
      trie.insert("site/" + site + "/device/" + device + "/#", value);
    } else {
      trie.insert("site/" + site + "/device/" + device + "/temp", value);
    }
  }
  trie.insert("#", static_cast<FilterTrie::Value>(filters));
  return trie;
}

void match(benchmark::State& state) {
  const auto filters = static_cast<std::size_t>(state.range(0));
  const FilterTrie trie = filled(filters);
  std::vector<std::string> topics;
  for (std::size_t i = 0; i < 1024; ++i) {
    const std::size_t device = i * 7919 % filters;
    topics.push_back("site/" + std::to_string(device % 100) + "/device/" + std::to_string(device) +
                     "/temp");
  }
  std::vector<FilterTrie::Value> out;
  std::size_t next = 0;
  for (auto _ : state) {
    trie.match(topics[next++ % topics.size()], out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(match)->Arg(10)->Arg(1'000)->Arg(100'000);

void insert_and_erase(benchmark::State& state) {
  FilterTrie trie = filled(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    trie.insert("site/7/device/new/+/temp/#", 1);
    trie.erase("site/7/device/new/+/temp/#", 1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(insert_and_erase)->Arg(10)->Arg(100'000);

}  // namespace

BENCHMARK_MAIN();
