"""Arrows point down: which module may use which, and which library is used where."""

from __future__ import annotations

import re

import pytest
import tree

BASE, EVENT, WIRE = "core/base", "core/event", "core/wire"
STORE, MESH, DELIVERY = "core/store", "core/mesh", "core/delivery"
NODE, CLIENT = "core/node", "core/client"
CORE = {BASE, EVENT, WIRE, STORE, MESH, DELIVERY, NODE, CLIENT}
GATEWAY = {"gateway/mqtt", "gateway/connectors", "gateway/http"}

# DESIGN: what each module may include besides itself.
MAY_USE = {
    BASE: set(),
    EVENT: {BASE},
    WIRE: {BASE, EVENT},
    STORE: {BASE, EVENT},
    MESH: {BASE, EVENT, WIRE},
    DELIVERY: {BASE, EVENT},
    NODE: {BASE, EVENT, WIRE, STORE, MESH, DELIVERY},
    CLIENT: {BASE, EVENT, WIRE},
    "gateway/mqtt": CORE,
    "gateway/connectors": {BASE, EVENT, CLIENT},
    "gateway/http": CORE,
    "gateway/cli": CORE | GATEWAY,
    "bindings/python": CORE | {"gateway/mqtt"},
}

# Libraries: where an include that matches may stand.
LIBRARY_PLACES = {
    r"sqlite3\.h": {STORE},
    r"zmq(_addon)?\.hp?p?": {NODE, CLIENT},
    r"msgpack.*": {WIRE},
    r"spdlog/.*": {BASE},
    r"boost/.*": {"gateway/mqtt", "gateway/http", "gateway/connectors", "gateway/cli"},
    r"openssl/.*": {"gateway/mqtt", "gateway/http"},
    r"mqtt/.*|MQTT\w+\.h": {"gateway/connectors"},
    r"pybind11/.*": {"bindings/python"},
    r"toml(\+\+|plusplus).*": {"gateway/cli", "gateway/mqtt"},
    r"CLI/.*": {"gateway/cli"},
    r"mutex|shared_mutex|condition_variable|semaphore|latch|barrier": set(),
}
MUTEX_FILE = "core/base/mailbox.h"

# Headers that are slow to compile, and stay in .cc files.
HEAVY = r"boost/beast.*|spdlog/.*|mqtt/.*|nlohmann/json\.hpp|toml.*|CLI/.*|msgpack\.hpp"

# Words of C++ that may be written in these modules only.
WORD_PLACES = {
    r"\bthrow\b": {"bindings/python"},
    r"\bstd::(this_thread::sleep|async\b)": {"bindings/python"},
    r"\bstd::j?thread\b": {NODE, STORE, CLIENT} | GATEWAY | {"gateway/cli"},
    r"\bstd::(mutex|shared_mutex|condition_variable|lock_guard|unique_lock)\b": set(),
}


def wrong_uses(module: str, included: list[str]) -> list[str]:
    wrong = []
    for name in included:
        used = "/".join(name.split("/")[:2])
        if used in MAY_USE and used != module and used not in MAY_USE[module]:
            wrong.append(f"{module} may not use {name}")
        for pattern, places in LIBRARY_PLACES.items():
            if re.fullmatch(pattern, name) and module not in places:
                wrong.append(f"{module} may not include <{name}>")
    return wrong


def test_every_folder_of_sources_has_its_layer() -> None:
    modules = {tree.module(path) for path in tree.matching(tree.SOURCES)}

    assert modules <= MAY_USE.keys()


def test_includes_point_down_and_libraries_stay_in_their_modules() -> None:
    wrong = [
        f"{path}: {reason}"
        for path in tree.matching(tree.SOURCES)
        if str(path) != MUTEX_FILE
        for reason in wrong_uses(tree.module(path), tree.includes(path))
    ]

    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("module", "included"),
    [
        (BASE, "core/event/event.h"),
        (WIRE, "core/store/store.h"),
        (DELIVERY, "core/store/records.h"),
        (CLIENT, "core/node/node.h"),
        ("gateway/connectors", "core/node/node.h"),
        (NODE, "gateway/mqtt/listener.h"),
        (NODE, "sqlite3.h"),
        (STORE, "zmq.hpp"),
        (NODE, "boost/asio.hpp"),
        (EVENT, "mutex"),
    ],
)
def test_an_arrow_that_points_up_is_found(module: str, included: str) -> None:
    assert wrong_uses(module, [included])


def test_includes_are_written_from_the_root_and_exist() -> None:
    wrong = []
    for path in tree.matching(tree.EVERY_CPP):
        for name in re.findall(r'^#include "([^"]+)"', tree.text(path), re.MULTILINE):
            if not (tree.ROOT / name).is_file():
                wrong.append(f"{path}: {name}")

    assert not wrong, "\n".join(wrong)


def test_heavy_headers_stay_in_cc_files() -> None:
    wrong = [
        f"{path}: {name}"
        for path in tree.matching(r"(core|gateway)/.+\.h")
        for name in tree.includes(path)
        if re.fullmatch(HEAVY, name)
    ]

    assert not wrong, "\n".join(wrong)


def test_words_with_a_place_are_not_used_elsewhere() -> None:
    wrong = []
    for path in tree.matching(tree.SOURCES):
        for number, line in enumerate(tree.code(path).splitlines(), 1):
            for pattern, places in WORD_PLACES.items():
                found = re.search(pattern, line)
                if found and tree.module(path) not in places and str(path) != MUTEX_FILE:
                    wrong.append(f"{path}:{number}: {found[0]}")

    assert not wrong, "\n".join(wrong)


def test_targets_link_only_what_their_modules_may_use() -> None:
    names = {module.split("/")[1]: module for module in MAY_USE if module != "bindings/python"}
    wrong = []
    for path in tree.matching(r"(core|gateway)/\w+/CMakeLists\.txt"):
        for target, linked in re.findall(
            r"target_link_libraries\(marram_(\w+)\s([^)]*)\)", tree.text(path)
        ):
            for name in re.findall(r"\bmarram_(\w+)", linked):
                here = tree.module(path)
                if names.get(name) != here and names.get(name) not in MAY_USE[here]:
                    wrong.append(f"{path}: marram_{target} links marram_{name}")

    assert not wrong, "\n".join(wrong)
