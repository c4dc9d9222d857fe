"""The story that the quickstart tells: customers are deleted by accident and come back, while the others write on.

Usage: demo.py ADDRESS FOLDER_OF_REINSTATE FOLDER_FOR_FILES. The daemon at ADDRESS has an empty store.
"""

import csv
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

import grpc

import customers
import package_index
import record_client

VICTIMS = 60
FEWEST_TENANTS = 2 * VICTIMS
WRITERS = 4
PROTO = pathlib.Path(__file__).resolve().parents[2] / "proto"


class DemoError(Exception):
    """What went wrong and what to do, as a sentence."""


class CommandLine:
    """Runs `reinstate` against one daemon."""

    def __init__(self, folder, address):
        self._program = str(pathlib.Path(folder) / "reinstate")
        self._environment = {**os.environ, "REINSTATE_ADDRESS": address}

    def show(self, *arguments):
        """Runs a command as a person would see it."""
        say(f"$ reinstate {shlex.join(arguments)}")
        if subprocess.run([self._program, *arguments], env=self._environment, check=False).returncode != 0:
            raise DemoError(f"`reinstate {' '.join(arguments)}` failed; see above, and the daemon's log.")

    def read(self, *arguments, also_fine=()):
        """Runs a command and returns what it writes to stdout; it may also end with one of these exit codes."""
        done = subprocess.run([self._program, *arguments], env=self._environment, check=False, capture_output=True,
                              text=True)
        if done.returncode != 0 and done.returncode not in also_fine:
            raise DemoError(f"`reinstate {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout

    def ask(self, *arguments):
        """Runs a command and returns its JSON."""
        return json.loads(self.read(*arguments, "-o", "json"))


def say(text=""):
    print(text, flush=True)


def headline(text):
    say()
    say(f"== {text}")


def load(client, model):
    """Puts the package index into the store and into the model."""

    def all_records():
        yield from package_index.records()
        yield from customers.first_notes(model.tenants())

    def counted():
        for number, record in enumerate(all_records(), start=1):
            model.add(record)
            if number % 100_000 == 0:
                say(f"   {number:,} records")
            yield record

    start = time.monotonic()
    client.put_all(counted())
    tenants = model.tenants()
    if len(tenants) < FEWEST_TENANTS:
        raise DemoError(f"apt knows the packages of {len(tenants)} maintainers only, which are too few to show much; "
                        "add Debian's main archive to /etc/apt/sources.list, run `apt-get update`, then this again.")
    rows = sum(model.rows(tenant) for tenant in tenants)
    sizes = sorted(model.rows(tenant) for tenant in tenants)
    say(f"   {rows:,} records of {len(tenants):,} maintainers in {time.monotonic() - start:.1f} s; the smallest has "
        f"{sizes[0]:,}, the largest {sizes[-1]:,}")


def choose_victims(model):
    """Of all sizes, the largest included."""
    by_size = sorted(model.tenants(), key=model.rows, reverse=True)
    return by_size[::len(by_size) // VICTIMS][:VICTIMS]


def maintenance_script(client, victims):
    """The accident: it was to delete what nobody uses any more, and has the wrong list."""
    start = time.monotonic()
    for tenant in victims:
        client.delete_tenant(tenant)
    say(f"   {len(victims)} customers deleted in {time.monotonic() - start:.1f} s")


def write_csv(path, titles, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, titles, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def csv_text(line):
    """A line of a CSV file, without its end."""
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(line.values())
    return text.getvalue()


def the_one_who_has_lost(line, lost):
    """What a person would settle: of those who bear the name, the one who has lost data."""
    for tenant in lost:
        if tenant in line["candidates"]:
            return tenant
    raise DemoError(f"none of those who may be meant by '{line['input']}' has lost data; that must not be. Please report "
                    "it.")


def resolve(cli, folder, names, lost, snapshot):
    """The list of the names that people know, each with the id of its customer; returns its file."""
    listed = folder / "customers.csv"
    write_csv(listed, ["customer"], [{"customer": name} for name in names])
    say(f"$ reinstate batch resolve -f {listed} --at {snapshot} > {folder}/resolved.csv")
    text = cli.read("batch", "resolve", "-f", str(listed), "--at", snapshot, also_fine=(3,))
    lines = list(csv.DictReader(io.StringIO(text)))
    doubtful = [line for line in lines if not line["id"]]
    say(f"   {len(lines) - len(doubtful)} names mean one customer; {len(doubtful)} need a person, who fills in the id")
    for line in doubtful:
        say(f"   before  {csv_text(line)}")
        line["id"] = the_one_who_has_lost(line, lost)
        say(f"   after   {csv_text(line)}")
    resolved = folder / "resolved.csv"
    write_csv(resolved, list(lines[0]), lines)
    return resolved


def is_proved(certificate):
    """Whether every table was read back as it was to be, which is as it was at the point."""
    return not certificate["exceptions"] and all(
        table["found"] == table["expected"] == table["atPoint"] for table in certificate["tables"])


def restore_all(cli, model, listed, lost, snapshot):
    cli.show("batch", "create", "-f", str(listed), "--at", snapshot, "--reason", "deleted by accident", "--reference",
             "INC-1", "--confirm", str(len(lost)), "--wait")
    batch = cli.ask("batch", "list")[0]["id"]
    lines = list(csv.DictReader(io.StringIO(cli.read("batch", "summary", batch))))
    say()
    say(f"   {'customer':<40} {'tables':>6} {'rows':>7} {'bytes':>11}  verified  seconds  certificate of")
    unproved = 0
    for line in lines:
        certificate = cli.ask("restore", "certificate", line["certificate"])
        tables = certificate["tables"]
        rows = sum(int(table["found"]["rows"]) for table in tables)
        size = sum(int(table["found"]["bytes"]) for table in tables)
        proved = is_proved(certificate)
        unproved += not proved
        say(f"   {model.names[line['id']][:40]:<40} {len(tables):>6} {rows:>7,} {size:>11,}  "
            f"{'yes' if proved else 'NO':<8}  {float(line['duration']):>7.2f}  {line['certificate']}")
    if unproved or sorted(line["id"] for line in lines) != sorted(lost):
        raise DemoError(f"{unproved} certificates do not prove their restore, or customers are missing; that must not "
                        "be. Please report it.")


def compare_with_model(client, model, tenants, whose):
    wrong = {tenant: model.difference(tenant, client) for tenant in tenants}
    differing = sum(1 for records in wrong.values() if records)
    if differing:
        raise DemoError(f"{sum(wrong.values()):,} records of {differing} {whose} are not as they must be; that must "
                        "not be. Please report it.")
    rows = sum(model.rows(tenant) for tenant in tenants)
    say(f"   {whose}: all {rows:,} records of {len(tenants):,} compared one by one with what each is to have; "
        "0 missing, 0 different, 0 too many")


def tell_story(address, cli, folder):
    client = record_client.RecordClient(address)
    model = customers.Model()

    headline("A store with customers: the Debian packages of this machine's index, a customer a maintainer")
    load(client, model)

    headline("A snapshot")
    cli.show("snapshot", "take", "--wait")
    snapshot = cli.ask("snapshot", "list")[0]["id"]

    victims = choose_victims(model)
    others = sorted(set(model.tenants()) - set(victims))
    writers = [customers.Writer(client, model, others[number::WRITERS]) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    begin = time.monotonic()

    headline(f"A maintenance script goes wrong, while the other {len(others):,} customers keep writing")
    maintenance_script(client, victims)

    headline("Who was hit? The data knows")
    say(f"$ reinstate tenant list --lost --at {snapshot}")
    lost = [tenant["ref"]["tenant"] for tenant in cli.ask("tenant", "list", "--lost", "--at", snapshot, "--limit", "0")]
    if sorted(lost) != sorted(victims):
        raise DemoError(f"{len(victims)} customers were deleted and {len(lost)} were found; that must not be. Please "
                        "report it.")
    say(f"   {len(lost)} customers")

    headline("Support has a list of their names")
    listed = resolve(cli, folder, [model.names[tenant] for tenant in lost], lost, snapshot)

    headline("They are restored as one batch")
    start = time.monotonic()
    restore_all(cli, model, listed, lost, snapshot)
    seconds = time.monotonic() - start
    for writer in writers:
        writer.finish()
    say(f"   {len(lost)} of {len(lost)} customers are back after {seconds:.1f} s, certificates looked at included")

    headline("And the others?")
    busy = sum(len(writer.busy_tenants) for writer in writers)
    writes = sum(writer.writes for writer in writers)
    say(f"   {busy:,} of them made {writes:,} writes meanwhile, in {time.monotonic() - begin:.0f} s")
    compare_with_model(client, model, others, "others")
    compare_with_model(client, model, victims, "restored")


def main():
    address, programs, files = sys.argv[1:]
    try:
        record_client.generate_stubs(PROTO, pathlib.Path(files) / "stubs")
        tell_story(address, CommandLine(programs, address), pathlib.Path(files))
    except package_index.NoIndexError:
        sys.exit("quickstart: apt knows no packages on this machine; run `apt-get update` as root, then this again.")
    except DemoError as error:
        sys.exit(f"quickstart: {error}")
    except grpc.RpcError as error:
        sys.exit(f"quickstart: the daemon answered '{error.details()}'; its log says more.")


if __name__ == "__main__":
    main()
