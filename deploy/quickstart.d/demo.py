"""The story that the quickstart tells: customers are deleted by accident and come back, while the others write on.

Usage: demo.py ADDRESS FOLDER_OF_REINSTATE FOLDER_FOR_FILES. The daemon at ADDRESS has an empty store.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

import grpc

import customers
import package_index
import record_client

VICTIMS = 60
FEWEST_TENANTS = 2 * VICTIMS
RESTORES_AT_ONCE = 6
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
        say(f"$ reinstate {' '.join(arguments)}")
        if subprocess.run([self._program, *arguments], env=self._environment, check=False).returncode != 0:
            raise DemoError(f"`reinstate {' '.join(arguments)}` failed; see above, and the daemon's log.")

    def ask(self, *arguments):
        """Runs a command and returns its JSON."""
        done = subprocess.run([self._program, *arguments, "-o", "json"], env=self._environment, check=False,
                              capture_output=True, text=True)
        if done.returncode != 0:
            raise DemoError(f"`reinstate {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return json.loads(done.stdout)


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


def find_by_name(cli, name, lost):
    """The id of the lost tenant that people know by this name."""
    for match in cli.ask("tenant", "find", name):
        if match["ref"]["tenant"] in lost:
            return match["ref"]["tenant"]
    raise DemoError(f"`reinstate tenant find` does not find '{name}'; look at the daemon's log.")


def restore(cli, name, lost, snapshot):
    """Restores one tenant by its name; returns the restore, its certificate, and the seconds it took."""
    start = time.monotonic()
    tenant = find_by_name(cli, name, lost)
    done = cli.ask("restore", "create", tenant, "--at", snapshot, "--reason", "deleted by accident", "--wait")
    certificate = cli.ask("restore", "certificate", done["id"])
    return tenant, certificate, time.monotonic() - start


def is_proved(certificate):
    """Whether every table was read back as it was to be, which is as it was at the point."""
    return not certificate["exceptions"] and all(
        table["found"] == table["expected"] == table["atPoint"] for table in certificate["tables"])


def restore_all(cli, model, lost, snapshot):
    say(f"   {'customer':<44} {'tables':>6} {'rows':>7} {'bytes':>11}  verified  seconds")
    names = [model.names[tenant] for tenant in lost]
    unproved = 0
    with concurrent.futures.ThreadPoolExecutor(RESTORES_AT_ONCE) as pool:
        jobs = [pool.submit(restore, cli, name, lost, snapshot) for name in names]
        for job in concurrent.futures.as_completed(jobs):
            tenant, certificate, seconds = job.result()
            tables = certificate["tables"]
            rows = sum(int(table["found"]["rows"]) for table in tables)
            size = sum(int(table["found"]["bytes"]) for table in tables)
            proved = is_proved(certificate)
            unproved += not proved
            say(f"   {model.names[tenant][:44]:<44} {len(tables):>6} {rows:>7,} {size:>11,}  "
                f"{'yes' if proved else 'NO':<8}  {seconds:>7.2f}")
    if unproved:
        raise DemoError(f"{unproved} certificates do not prove their restore; that must not be. Please report it.")


def compare_with_model(client, model, tenants, whose):
    wrong = {tenant: model.difference(tenant, client) for tenant in tenants}
    differing = sum(1 for records in wrong.values() if records)
    if differing:
        raise DemoError(f"{sum(wrong.values()):,} records of {differing} {whose} are not as they must be; that must "
                        "not be. Please report it.")
    rows = sum(model.rows(tenant) for tenant in tenants)
    say(f"   {whose}: all {rows:,} records of {len(tenants):,} compared one by one with what each is to have; "
        "0 missing, 0 different, 0 too many")


def tell_story(address, cli):
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

    headline(f"They are restored by their names, {RESTORES_AT_ONCE} at a time")
    start = time.monotonic()
    restore_all(cli, model, lost, snapshot)
    seconds = time.monotonic() - start
    for writer in writers:
        writer.finish()
    say(f"   {len(lost)} of {len(lost)} customers are back after {seconds:.1f} s")

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
        tell_story(address, CommandLine(programs, address))
    except package_index.NoIndexError:
        sys.exit("quickstart: apt knows no packages on this machine; run `apt-get update` as root, then this again.")
    except DemoError as error:
        sys.exit(f"quickstart: {error}")
    except grpc.RpcError as error:
        sys.exit(f"quickstart: the daemon answered '{error.details()}'; its log says more.")


if __name__ == "__main__":
    main()
