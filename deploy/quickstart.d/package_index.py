"""The package index of this Debian machine as the records of customers: a maintainer is a tenant.

Tables: `tenant` (labels: the name, and other spellings of it), `packages`, `dependencies`, `descriptions`.
"""

import collections
import email.utils
import json
import subprocess

import apt_pkg

TABLES = ("dependencies", "descriptions", "packages", "tenant")
RELATIONS = ("Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Breaks", "Conflicts", "Replaces")
LEFT_OUT = frozenset(RELATIONS) | {"Maintainer", "Description"}

Record = collections.namedtuple("Record", "tenant table key payload")


class NoIndexError(Exception):
    """The machine has no package index to read."""


def records():
    """Yields the records of all maintainers, in no particular order.

    Raises NoIndexError if apt knows no packages.
    """
    apt_pkg.init_config()
    names = collections.defaultdict(collections.Counter)
    with subprocess.Popen(["apt-cache", "dumpavail"], stdout=subprocess.PIPE) as dump:
        for paragraph in apt_pkg.TagFile(dump.stdout):
            name, address = email.utils.parseaddr(paragraph.get("Maintainer", ""))
            tenant = address.lower() or "nobody@localhost"
            names[tenant][name or tenant] += 1
            yield from _package_records(tenant, paragraph)
    if dump.returncode != 0 or not names:
        raise NoIndexError()
    for tenant, spellings in names.items():
        yield from _label_records(tenant, spellings)


def _package_records(tenant, paragraph):
    key = "{Package}/{Architecture}/{Version}".format_map(paragraph)
    fields = {field: paragraph[field] for field in paragraph.keys() if field not in LEFT_OUT}
    yield Record(tenant, "packages", key.encode(), _json(fields))
    yield Record(tenant, "descriptions", key.encode(), paragraph.get("Description", "").encode())
    number = 0
    for relation in RELATIONS:
        for alternatives in apt_pkg.parse_depends(paragraph.get(relation, ""), False):
            number += 1
            payload = _json({"relation": relation, "any_of": [" ".join(a).strip() for a in alternatives]})
            yield Record(tenant, "dependencies", f"{key}/{number:04}".encode(), payload)


def _label_records(tenant, spellings):
    """The first key holds the name: `alias-…` must not come before it."""
    ordered = [name for name, _ in spellings.most_common()]
    yield Record(tenant, "tenant", b"0-name", ordered[0].encode())
    for number, name in enumerate(ordered[1:], start=1):
        yield Record(tenant, "tenant", f"1-alias-{number:02}".encode(), name.encode())


def _json(value):
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()
