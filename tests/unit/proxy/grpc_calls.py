#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""gRPC's own library as client and server, with the proxy between: grpc_calls.py FOLDER ORIGIN_PORT CLIENT_PORT. 77: no library."""
import concurrent.futures
import pathlib
import sys
import threading

try:
    import grpc
except ImportError:
    sys.exit(77)

HOST = "api.example.com"
CANCELLED = threading.Event()


def echo(request, context):
    context.set_trailing_metadata((("x-trailer", "end"),))
    return request


def count(request, context):
    for number in range(int(request)):
        yield str(number).encode()


def total(requests, context):
    return str(sum(len(piece) for piece in requests)).encode()


def chat(requests, context):
    for piece in requests:
        yield b"re:" + piece


def fails(request, context):
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not today: ü")


def forever(request, context):
    context.add_callback(CANCELLED.set)
    yield b"first"
    CANCELLED.wait(30)


def serve(folder, port):
    handlers = {
        "Echo": grpc.unary_unary_rpc_method_handler(echo),
        "Count": grpc.unary_stream_rpc_method_handler(count),
        "Total": grpc.stream_unary_rpc_method_handler(total),
        "Chat": grpc.stream_stream_rpc_method_handler(chat),
        "Fails": grpc.unary_unary_rpc_method_handler(fails),
        "Forever": grpc.unary_stream_rpc_method_handler(forever),
    }
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("t.T", handlers),))
    own = grpc.ssl_server_credentials([((folder / "origin.key").read_bytes(), (folder / "origin.pem").read_bytes())])
    server.add_secure_port(f"127.0.0.1:{port}", own)
    server.start()
    return server


def main():
    folder = pathlib.Path(sys.argv[1])
    server = serve(folder, int(sys.argv[2]))
    trust = grpc.ssl_channel_credentials((folder / "sandbox-ca.pem").read_bytes())
    options = (("grpc.ssl_target_name_override", HOST), ("grpc.default_authority", HOST))
    with grpc.secure_channel(f"127.0.0.1:{sys.argv[3]}", trust, options) as channel:
        reply, call = channel.unary_unary("/t.T/Echo").with_call(b"hi", timeout=30)
        assert reply == b"hi" and ("x-trailer", "end") in call.trailing_metadata(), call.trailing_metadata()
        large = b"z" * 3_000_000
        assert channel.unary_unary("/t.T/Echo")(large, timeout=30) == large
        assert list(channel.unary_stream("/t.T/Count")(b"500", timeout=30))[-1] == b"499"
        assert channel.stream_unary("/t.T/Total")((b"x" * 1000 for _ in range(300)), timeout=30) == b"300000"
        # Each message waits for the answer to the one before.
        turn = threading.Semaphore(1)
        seen = []

        def talk():
            for number in range(20):
                turn.acquire()
                yield b"%d" % number

        for piece in channel.stream_stream("/t.T/Chat")(talk(), timeout=30):
            seen.append(piece)
            turn.release()
        assert seen == [b"re:%d" % number for number in range(20)], seen
        try:
            channel.unary_unary("/t.T/Fails")(b"", timeout=30)
            raise AssertionError("a failed call succeeded")
        except grpc.RpcError as error:
            assert error.code() == grpc.StatusCode.FAILED_PRECONDITION and error.details() == "not today: ü", error
        stream = channel.unary_stream("/t.T/Forever")(b"", timeout=60)
        assert next(stream) == b"first"
        stream.cancel()
        assert CANCELLED.wait(20), "the cancellation did not reach the server"
    server.stop(0)


main()
