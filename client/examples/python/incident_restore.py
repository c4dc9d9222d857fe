#!/usr/bin/python3
"""Incident automation: puts the tenants that an accident has hit back, each at most once, and proves it.

    incident_restore.py --incident INC-77 --store main --at 2026-04-05T07:30:00Z 1001 1002

For each tenant it plans (a dry run), creates the restore that was planned, follows it to its end, through restarts of
the daemon, and checks the certificate. The request id is made from the incident, the point and the tenant: when the
script is run again with the same arguments, because it was killed or to be sure, it comes back to the same restores
and creates none twice.

It restores with create-missing, which keeps all that is there: what was written since the accident is never lost.
A tenant that is not proved is reported, and the others go on. Exit codes: 0 all are back and proved, 1 none, 3 some.

The Python code of the wire is generated at the start from the repository's proto files, by Debian's
python3-grpc-tools; nothing else but python3-grpcio is needed. In a service of your own, generate it when you build.
"""

import argparse
import hashlib
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import grpc

PROTO_ROOT = pathlib.Path(__file__).resolve().parents[3] / "proto"
CALL_TIMEOUT_S = 30
WATCH_RENEWAL_S = 60  # a watch that says nothing for so long is asked anew
GIVE_UP_AFTER_S = 600  # without any answer of the daemon


def generate_stubs(folder):
    """Generates the code of the wire into `folder` and makes it importable."""
    folder.mkdir(parents=True, exist_ok=True)
    protos = [str(path) for part in ("reinstate/v1", "google/rpc") for path in sorted((PROTO_ROOT / part).glob("*.proto"))]
    subprocess.run([sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO_ROOT}", "-I/usr/include",
                    f"--python_out={folder}", f"--grpc_python_out={folder}", *protos], check=True)
    sys.path.insert(0, str(folder))


class RestoreFailed(Exception):
    """Why a tenant is not back, as a sentence."""


def reason_of(error):
    """The stable reason of a failed call, e.g. TENANT_NOT_AT_POINT; empty if it does not come from the daemon."""
    from google.rpc import error_details_pb2, status_pb2

    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if details is None:
        return ""
    for detail in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


def is_lost(error):
    """Whether a call got lost on the way or the daemon was stopping: the same call may be made again."""
    if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return False
    return reason_of(error) in ("", "SHUTTING_DOWN")


class Incident:
    """One incident's restores in one store. Calls that get lost are repeated, which the request ids make safe."""

    def __init__(self, channel, incident, store, at):
        from reinstate.v1 import restore_pb2, restore_service_pb2, restore_service_pb2_grpc

        self._restores = restore_service_pb2_grpc.RestoreServiceStub(channel)
        self._messages = restore_service_pb2
        self._types = restore_pb2
        self._incident, self._store, self._at = incident, store, at

    def put_back(self, tenant):
        """Restores one tenant and returns its certificate. RestoreFailed; grpc.RpcError."""
        plan = self._plan(tenant)
        restore = self._call(self._restores.CreateRestore, self._messages.CreateRestoreRequest(
            plan=plan.id, plan_digest=plan.digest, reason="data lost by accident", reference=self._incident,
            actor="incident-automation", request_id=self._request_id("create", tenant)))
        restore = self._follow(self._restores.WatchRestore, self._messages.WatchRestoreRequest(restore=restore.id),
                               self._is_final)
        if restore.state != self._types.RESTORE_STATE_SUCCEEDED:
            state = self._types.RestoreState.Name(restore.state)
            raise RestoreFailed(f"{restore.id} is {state}: {restore.failure.message} [{restore.failure.reason}]")
        certificate = self._call(self._restores.GetCertificate,
                                 self._messages.GetCertificateRequest(restore=restore.id))
        check(certificate)
        return certificate

    def _plan(self, tenant):
        spec = self._types.RestoreSpec(store=self._store, tenant=tenant, at=self._at,
                                       mode=self._types.RESTORE_MODE_CREATE_MISSING)
        plan = self._call(self._restores.PlanRestore, self._messages.PlanRestoreRequest(
            restore=spec, actor="incident-automation", request_id=self._request_id("plan", tenant)))
        plan = self._follow(self._restores.WatchPlan, self._messages.WatchPlanRequest(plan=plan.id),
                            lambda p: p.state in (self._types.PLAN_STATE_READY, self._types.PLAN_STATE_FAILED))
        if plan.state != self._types.PLAN_STATE_READY:
            raise RestoreFailed(f"cannot be planned: {plan.failure.message} [{plan.failure.reason}]")
        if plan.totals.conflicts:
            raise RestoreFailed(f"{plan.totals.conflicts} rows are in conflict: look at {plan.id}")
        if plan.HasField("shrunken"):
            raise RestoreFailed(f"{plan.point.snapshot} may be from after the damage, {plan.shrunken.snapshot} has "
                                "more rows: choose an earlier point")
        print(f"{tenant}: {plan.totals.inserted} rows to insert, {plan.totals.kept} newer rows are kept; as of "
              f"{plan.point.snapshot}, {plan.point.gap.ToSeconds()} s before what was asked for", flush=True)
        return plan

    def _request_id(self, step, tenant):
        # Tenant ids may be longer than a request id, and hold anything.
        what = "\0".join((self._incident, step, self._store, self._at, tenant))
        return hashlib.sha256(what.encode()).hexdigest()

    def _is_final(self, restore):
        return restore.state in (
            self._types.RESTORE_STATE_SUCCEEDED, self._types.RESTORE_STATE_FAILED, self._types.RESTORE_STATE_CANCELLED,
            self._types.RESTORE_STATE_IN_DOUBT, self._types.RESTORE_STATE_UNDONE)

    @staticmethod
    def _call(method, request):
        """Makes a call, again while it gets lost."""
        deadline = time.monotonic() + GIVE_UP_AFTER_S
        while True:
            try:
                return method(request, timeout=CALL_TIMEOUT_S)
            except grpc.RpcError as error:
                if not is_lost(error) or time.monotonic() > deadline:
                    raise
            time.sleep(random.uniform(0.2, 1.0))

    @staticmethod
    def _follow(watch, request, is_final):
        """The final state of what is watched; watches again whenever the stream breaks."""
        heard = time.monotonic()
        while True:
            try:
                for message in watch(request, timeout=WATCH_RENEWAL_S):
                    heard = time.monotonic()
                    if is_final(message):
                        return message
            except grpc.RpcError as error:
                if not is_lost(error) or time.monotonic() - heard > GIVE_UP_AFTER_S:
                    raise
            time.sleep(random.uniform(0.2, 1.0))


def check(certificate):
    """RestoreFailed unless the certificate proves that each table holds what it had to hold, and nothing is missing."""
    for table in certificate.tables:
        if table.found != table.expected:
            raise RestoreFailed(f"{table.table} holds {table.found.rows} rows and not {table.expected.rows}")
        if table.found.rows < table.at_point.rows:
            raise RestoreFailed(f"{table.table} has fewer rows than at the point")
    if not certificate.HasField("commit_time"):
        raise RestoreFailed("the certificate has no time of the commit")


def put_all_back(incident, tenants):
    """Restores the tenants one after the other; returns how many are back and proved."""
    done = 0
    for tenant in tenants:
        try:
            certificate = incident.put_back(tenant)
        except RestoreFailed as error:
            print(f"{tenant}: NOT BACK: {error}", flush=True)
        except grpc.RpcError as error:
            print(f"{tenant}: NOT BACK: {error.details()} [{reason_of(error) or error.code().name}]", flush=True)
        else:
            done += 1
            rows = sum(table.found.rows for table in certificate.tables)
            print(f"{tenant}: back and proved by {certificate.restore}: {certificate.inserted} rows inserted, {rows} "
                  f"read back, {len(certificate.exceptions)} exceptions", flush=True)
            for exception in certificate.exceptions:
                print(f"{tenant}:   {exception}", flush=True)
    return done


def main():
    parser = argparse.ArgumentParser(description="Puts tenants back after an incident, and proves it.")
    parser.add_argument("--address", default="127.0.0.1:7420", help="of the daemon")
    parser.add_argument("--incident", required=True, help="its reference, e.g. INC-77")
    parser.add_argument("--store", default="main")
    parser.add_argument("--at", required=True, help="a point from before the accident")
    parser.add_argument("--stubs", type=pathlib.Path, help="a folder for the generated code; default a temporary one")
    parser.add_argument("tenants", nargs="+", metavar="TENANT", help="ids; reinstate tenant list --lost names them")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        generate_stubs(arguments.stubs or pathlib.Path(temporary))
        with grpc.insecure_channel(arguments.address) as channel:
            incident = Incident(channel, arguments.incident, arguments.store, arguments.at)
            done = put_all_back(incident, arguments.tenants)
    if done == len(arguments.tenants):
        return 0
    return 3 if done else 1


if __name__ == "__main__":
    sys.exit(main())
