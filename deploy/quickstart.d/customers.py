"""What every customer is to have: kept beside the store, never read from it, and compared with it."""

import collections
import hashlib
import random
import threading
import time

import package_index

NOTES = "notes"  # the table that the others write to while restores run
SECONDS_BETWEEN_WRITES = 0.002


def first_notes(tenants):
    """A note for each, so that the snapshot knows the table."""
    for tenant in tenants:
        yield package_index.Record(tenant, NOTES, b"first", f"{tenant} has joined".encode())


def _digest(payload):
    return hashlib.blake2b(payload, digest_size=16).digest()


class Model:
    """The digests of all records, by tenant and table."""

    def __init__(self):
        self._tenants = {}
        self.names = {}  # by tenant

    def add(self, record):
        tables = self._tenants.setdefault(record.tenant, collections.defaultdict(dict))
        tables[record.table][record.key] = _digest(record.payload)
        if record.table == "tenant" and record.key.startswith(b"0-"):
            self.names[record.tenant] = record.payload.decode()

    def remove(self, tenant, table, key):
        self._tenants[tenant][table].pop(key)

    def tenants(self):
        return list(self._tenants)

    def rows(self, tenant):
        return sum(len(records) for records in self._tenants[tenant].values())

    def keys(self, tenant, table):
        return list(self._tenants[tenant][table])

    def difference(self, tenant, client):
        """Reads the tenant from the store: the number of records that are missing, different, or too many."""
        wrong = 0
        for table in (*package_index.TABLES, NOTES):
            expected = self._tenants[tenant][table]
            right = 0
            for key, payload in client.scan(tenant, table):
                if expected.get(key) == _digest(payload):
                    right += 1
                elif key not in expected:
                    wrong += 1
            wrong += len(expected) - right
        return wrong


class Writer(threading.Thread):
    """Some of the other customers: writes for them until stopped.

    The model is changed once a write is acknowledged. Writers that run at once have no tenant in common.
    """

    def __init__(self, client, model, tenants):
        super().__init__(daemon=True)
        self._client = client
        self._model = model
        self._tenants = tenants
        self._random = random.Random(tenants[0])
        self._stop_asked = threading.Event()
        self.writes = 0
        self.busy_tenants = set()
        self.failure = None

    def run(self):
        try:
            while not self._stop_asked.is_set():
                self._write_once()
                time.sleep(SECONDS_BETWEEN_WRITES)
        except Exception as failure:  # Shown by finish() in the main thread.
            self.failure = failure

    def finish(self):
        """Stops, and raises what went wrong."""
        self._stop_asked.set()
        self.join()
        if self.failure is not None:
            raise self.failure

    def _write_once(self):
        """Adds some notes, changes a package, and now and then deletes an earlier note."""
        tenant = self._random.choice(self._tenants)
        puts = [package_index.Record(tenant, NOTES, self._random.randbytes(8).hex().encode(),
                                     self._random.randbytes(60).hex().encode())
                for _ in range(self._random.randint(1, 5))]
        package = self._random.choice(self._model.keys(tenant, "packages"))
        puts.append(package_index.Record(tenant, "packages", package, self._random.randbytes(200).hex().encode()))
        notes = self._model.keys(tenant, NOTES)
        deletes = [(tenant, NOTES, self._random.choice(notes))] if notes and self._random.random() < 0.5 else []
        self._client.write(puts, deletes)
        for record in puts:
            self._model.add(record)
        for key in deletes:
            self._model.remove(*key)
        self.writes += len(puts) + len(deletes)
        self.busy_tenants.add(tenant)
