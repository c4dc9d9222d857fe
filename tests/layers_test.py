#!/usr/bin/env python3
"""Keeps the arrows between the folders: who may include what.

A folder may include itself, the layers named beside it here, and what those may include. A file belongs to the
deepest layer whose folder holds it. Libraries that are confined to some layers are listed with them.
"""

import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent

ENGINE = ["server/snapshot", "server/restore", "server/hooks", "server/jobs"]
STORAGE_INTERFACES = ["storage/live", "storage/history", "storage/state"]
ADAPTERS = ["storage/live/memory", "storage/live/rocksdb", "storage/live/postgres", "storage/live/remote"]

MAY_INCLUDE = {
    "proto": [],
    "storage/base": [],
    "storage/model": ["storage/base"],
    # Errors, locks and bytes of RocksDB, for all that keep a database of it.
    "storage/rocks": ["storage/base"],
    "storage/live": ["storage/model"],
    "storage/history": ["storage/model", "storage/rocks"],
    "storage/state": ["storage/model", "storage/rocks"],
    "storage/live/memory": ["storage/live"],
    "storage/live/rocksdb": ["storage/live", "storage/rocks"],
    "storage/live/postgres": ["storage/live"],
    "storage/live/remote": ["storage/live", "proto"],
    **{folder: ENGINE + STORAGE_INTERFACES for folder in ENGINE},
    "server/rpc": ENGINE + ["proto"],
    "server/metrics": ["server/rpc"],
    "server": ["server/metrics"],
    # The only place that names concrete adapters.
    "server/main.cc": ["server"] + ADAPTERS,
    # Statuses with reasons, strings, mutexes: what both sides of the wire speak in.
    "client/api": ["proto", "storage/base"],
    # Lists of tenants as people have them; knows no daemon.
    "client/lists": ["storage/base"],
    "client/cli": ["client/api", "client/lists"],
}

SERVER_OUTSIDE_ENGINE = ["server/rpc", "server/metrics", "server", "server/main.cc"]
CLIENT = ["client/api", "client/cli"]  # What speaks with the daemon.

# Libraries that only these layers may include, by the beginning of the include's path.
CONFINED = {
    ("grpc/", "grpcpp/"): ["proto", "storage/live/remote"] + SERVER_OUTSIDE_ENGINE + CLIENT,
    ("google/protobuf/",): ["proto", "storage/live/remote", "storage/history", "storage/state"]
    + SERVER_OUTSIDE_ENGINE
    + CLIENT,
    ("rocksdb/",): ["storage/rocks", "storage/live/rocksdb", "storage/history", "storage/state"],
    ("libpq",): ["storage/live/postgres"],
    # Storage returns statuses and does not log.
    ("spdlog/",): ENGINE + SERVER_OUTSIDE_ENGINE + CLIENT,
    # Who is counted only knows an observer.
    ("prometheus/",): ["server/metrics"],
    ("curl/",): ["server/hooks"],
    ("CLI/",): ["server/main.cc", "client/cli"],
    ("csv.h",): ["client/lists"],
}
TOP_FOLDERS = ("proto/", "storage/", "server/", "client/", "tests/", "deploy/")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)


def layer_of(path):
    """The deepest layer that holds a path below the repository's root, or None."""
    if path.startswith("reinstate/v1/"):
        return "proto"  # Generated code is included by its import path.
    holders = [layer for layer in MAY_INCLUDE if path == layer or path.startswith(layer + "/")]
    return max(holders, key=len, default=None)


def reachable(layer):
    """The layers that a layer may include, itself among them."""
    seen, todo = set(), [layer]
    while todo:
        here = todo.pop()
        if here not in seen:
            seen.add(here)
            todo.extend(MAY_INCLUDE[here])
    return seen


def confined_to(included):
    for beginnings, layers in CONFINED.items():
        if included.startswith(beginnings):
            return layers
    return None


def violations(path, text):
    """What is wrong with the includes of one file, as sentences."""
    layer = layer_of(path)
    if layer is None:
        return [f"{path}: belongs to no layer; add its folder to tests/layers_test.py"]
    found = []
    for included in INCLUDE.findall(text):
        target = layer_of(included)
        layers = confined_to(included)
        if layers is not None:
            if layer not in layers:
                found.append(f"{path}: includes {included}, which is confined to {', '.join(layers)}")
        elif included.startswith(TOP_FOLDERS) and target is None:
            found.append(f"{path}: includes {included}, which belongs to no layer")
        elif target is not None and target not in reachable(layer):
            found.append(f"{path}: includes {included}; {layer} must not know {target}")
    return found


class RepositoryTest(unittest.TestCase):
    def test_keeps_the_arrows(self):
        sources = [
            file.relative_to(ROOT).as_posix()
            for top in ("proto", "storage", "server", "client")
            for file in sorted((ROOT / top).rglob("*"))
            if file.suffix in (".h", ".cc")
        ]
        self.assertGreater(len(sources), 10, "found hardly any source: the check looks in the wrong place")
        found = [line for source in sources for line in violations(source, (ROOT / source).read_text("utf-8"))]
        self.assertEqual([], found, "\n" + "\n".join(found))


class CheckTest(unittest.TestCase):
    """The check itself: what is forbidden is found, and what is allowed is not."""

    FORBIDDEN = [
        ("storage/base/clock.h", "storage/model/record.h"),
        ("storage/model/record.h", "storage/live/live_store.h"),
        ("storage/live/live_store.h", "storage/live/rocksdb/rocksdb_live_store.h"),
        ("storage/live/rocksdb/a.cc", "storage/live/memory/b.h"),
        ("storage/live/rocksdb/a.cc", "reinstate/v1/live_store.pb.h"),
        ("storage/history/a.cc", "storage/state/state_store.h"),
        ("storage/history/a.cc", "spdlog/spdlog.h"),
        ("storage/live/live_store.h", "rocksdb/db.h"),
        ("storage/live/live_store.h", "storage/rocks/rocksdb_status.h"),
        ("storage/rocks/rocksdb_status.h", "storage/model/record.h"),
        ("server/restore/planner.cc", "storage/live/memory/memory_live_store.h"),
        ("server/restore/planner.cc", "reinstate/v1/restore.pb.h"),
        ("server/restore/planner.cc", "grpcpp/grpcpp.h"),
        ("server/jobs/scheduler.cc", "rocksdb/db.h"),
        ("server/jobs/scheduler.cc", "server/rpc/restore_service.h"),
        ("server/rpc/restore_service.cc", "storage/live/rocksdb/rocksdb_live_store.h"),
        ("server/jobs/scheduler.cc", "prometheus/registry.h"),
        ("server/jobs/scheduler.cc", "server/metrics/metrics.h"),
        ("server/rpc/call_gate.cc", "prometheus/registry.h"),
        ("server/jobs/hook_jobs.cc", "curl/curl.h"),
        ("server/hooks/hook_runner.cc", "server/rpc/call_gate.h"),
        ("server/config.cc", "storage/live/rocksdb/rocksdb_live_store.h"),
        ("client/api/client.h", "server/rpc/restore_service.h"),
        ("client/cli/main.cc", "storage/model/tenant_id.h"),
        ("client/api/client.h", "client/cli/table.h"),
        ("client/lists/tenant_list.h", "client/api/client.h"),
        ("client/cli/batch_resolve.cc", "csv.h"),
        ("server/main.cc", "tests/support/temp_dir.h"),
        ("storage/other/a.h", "string"),
    ]
    ALLOWED = [
        ("storage/history/a.cc", "rocksdb/db.h"),
        ("storage/history/a.cc", "storage/rocks/rocksdb_status.h"),
        ("storage/history/a.cc", "storage/base/clock.h"),
        ("storage/live/remote/a.cc", "reinstate/v1/live_store.grpc.pb.h"),
        ("storage/live/rocksdb/a.cc", "storage/live/cut.h"),
        ("server/restore/planner.cc", "storage/live/live_store.h"),
        ("server/jobs/scheduler.cc", "server/restore/planner.h"),
        ("server/jobs/scheduler.cc", "spdlog/spdlog.h"),
        ("server/jobs/hook_jobs.cc", "server/hooks/hook_runner.h"),
        ("server/hooks/http_hook.cc", "curl/curl.h"),
        ("server/rpc/restore_service.cc", "storage/model/tenant_id.h"),
        ("server/metrics/metrics.cc", "prometheus/registry.h"),
        ("server/metrics/metrics.cc", "server/jobs/job_observer.h"),
        ("server/main.cc", "storage/live/rocksdb/rocksdb_live_store.h"),
        ("client/cli/main.cc", "reinstate/v1/restore.pb.h"),
        ("client/api/client.cc", "absl/status/status.h"),
        ("client/api/client.cc", "storage/base/error.h"),
    ]

    def test_finds_what_is_forbidden(self):
        for path, included in self.FORBIDDEN:
            for line in (f'#include "{included}"\n', f"  #  include <{included}>\n"):
                with self.subTest(path=path, line=line):
                    self.assertEqual(1, len(violations(path, "#pragma once\n" + line)))

    def test_accepts_what_is_allowed(self):
        for path, included in self.ALLOWED:
            with self.subTest(path=path, included=included):
                self.assertEqual([], violations(path, f'#include "{included}"\n'))

    def test_every_arrow_leads_to_a_layer(self):
        for layer, others in MAY_INCLUDE.items():
            self.assertLessEqual(set(others), set(MAY_INCLUDE), layer)


if __name__ == "__main__":
    sys.exit(unittest.main())
