"""The records of the embedded store, through RecordService, as any program that uses the store would do it."""

import pathlib
import subprocess
import sys

import grpc

OPERATIONS_AT_ONCE = 2_000
BYTES_AT_ONCE = 512 << 10


def generate_stubs(proto_root, out):
    """Generates the Python code of the wire into the folder `out` and makes it importable."""
    pathlib.Path(out).mkdir(parents=True, exist_ok=True)
    protos = sorted(str(path) for path in pathlib.Path(proto_root, "reinstate/v1").glob("*.proto"))
    protos += sorted(str(path) for path in pathlib.Path(proto_root, "google/rpc").glob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto_root}", "-I/usr/include",
         f"--python_out={out}", f"--grpc_python_out={out}", *protos],
        check=True)
    sys.path.insert(0, str(out))


class RecordClient:
    """One connection. Thread-safe. Errors are grpc.RpcError."""

    def __init__(self, address):
        # Imported here: the code exists only once generate_stubs has run.
        from reinstate.v1 import record_service_pb2, record_service_pb2_grpc
        self._messages = record_service_pb2
        self._stub = record_service_pb2_grpc.RecordServiceStub(grpc.insecure_channel(address))

    def put_all(self, records):
        """Puts all of `records`, in messages of bounded size."""
        self._stub.Write(self._write_requests(records))

    def write(self, puts, deletes):
        """Puts records and deletes (tenant, table, key) in one message: for each tenant all or nothing."""
        operations = [self._put(record) for record in puts]
        operations += [
            self._messages.WriteOperation(delete=self._messages.RecordKey(tenant=tenant, table=table, key=key))
            for tenant, table, key in deletes]
        self._stub.Write(iter([self._messages.WriteRequest(operations=operations)]))

    def scan(self, tenant, table):
        """Yields (key, payload) of all records of a tenant in a table."""
        for answer in self._stub.Scan(self._messages.ScanRequest(tenant=tenant, table=table)):
            for record in answer.records:
                yield record.key, record.payload

    def delete_tenant(self, tenant):
        """Deletes a customer as an application does."""
        self._stub.DeleteTenant(self._messages.DeleteTenantRequest(tenant=tenant))

    def _put(self, record):
        return self._messages.WriteOperation(put=self._messages.Record(**record._asdict()))

    def _write_requests(self, records):
        operations, size = [], 0
        for record in records:
            operations.append(self._put(record))
            size += len(record.key) + len(record.payload)
            if len(operations) == OPERATIONS_AT_ONCE or size > BYTES_AT_ONCE:
                yield self._messages.WriteRequest(operations=operations)
                operations, size = [], 0
        yield self._messages.WriteRequest(operations=operations)
