"""Writes request.binpb with the classes that OpenTelemetry generates from its own definitions.

usage: pip install opentelemetry-proto==1.45.2 && python request.py > request.binpb

The test `what_is_written_is_what_the_official_classes_write` in src/otlp.rs writes the same spans.
"""

import sys

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status


def text(key, value):
    return KeyValue(key=key, value=AnyValue(string_value=value))


TRACE = bytes.fromhex("4bf92f3577b34da6a3ce929d0e0e4736")
PARENT = bytes.fromhex("00f067aa0ba902b7")
BEGUN = 1_700_000_000_123_456_789

whole = Span(
    trace_id=TRACE,
    span_id=bytes.fromhex("b7ad6b7169203331"),
    trace_state="rojo=1",
    parent_span_id=PARENT,
    name="attempt",
    kind=Span.SPAN_KIND_CLIENT,
    start_time_unix_nano=BEGUN,
    end_time_unix_nano=BEGUN + 2_500_000_000,
    attributes=[
        text("assay.status", "error"),
        text("empty", ""),
        KeyValue(key="assay.attempt", value=AnyValue(int_value=300)),
        KeyValue(key="process.exit.code", value=AnyValue(int_value=-1)),
        KeyValue(key="zero", value=AnyValue(int_value=0)),
        KeyValue(key="is_last", value=AnyValue(bool_value=True)),
    ],
    dropped_attributes_count=3,
    events=[Span.Event(time_unix_nano=BEGUN + 1, name="joined")],
    links=[Span.Link(trace_id=TRACE, span_id=PARENT, trace_state="a=b", flags=1)],
    dropped_links_count=2,
    status=Status(code=Status.STATUS_CODE_ERROR, message="it is gone: \u00e9"),
    flags=1,
)
bare = Span(
    trace_id=TRACE,
    span_id=PARENT,
    name="ruff",
    kind=Span.SPAN_KIND_INTERNAL,
    start_time_unix_nano=BEGUN,
    end_time_unix_nano=BEGUN,
)
request = ExportTraceServiceRequest(
    resource_spans=[
        ResourceSpans(
            resource=Resource(attributes=[text("service.name", "assay-gateway"), text("zone", "a")]),
            scope_spans=[
                ScopeSpans(
                    scope=InstrumentationScope(name="assay", version="0.1.0"), spans=[whole, bare]
                )
            ],
        )
    ]
)
sys.stdout.buffer.write(request.SerializeToString(deterministic=True))
