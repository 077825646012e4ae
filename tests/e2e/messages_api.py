# SPDX-License-Identifier: Apache-2.0
"""Anthropic's messages API as far as Claude Code needs it, streaming; only the real key is let in."""
import json
import harness


class MessagesApi(harness.Handler):
    """server.key is the real key, server.seen the requests; reply() says what the model answers."""

    def reply(self, request, body, tools):
        """([("text", words) or (tool, input)], stop reason) for a request."""
        raise NotImplementedError

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if self.headers.get("x-api-key", "").encode() != self.server.key:
            return self.answer(401, b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}')
        if "count_tokens" in self.path:
            return self.answer(200, b'{"input_tokens":10}')
        request = json.loads(body or b"{}")
        blocks, reason = self.reply(request, body, {tool["name"] for tool in request.get("tools", [])})
        self.stream(blocks, reason, request.get("model", "claude"))

    def do_GET(self):
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
        self.answer(404, b"{}")

    do_HEAD = do_GET

    def answer(self, status, data):
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, blocks, reason, model):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()

        def event(kind, **fields):
            self.wfile.write(f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n".encode())
            self.wfile.flush()
        event("message_start", message={"id": f"msg_{len(self.server.seen)}", "type": "message", "role": "assistant", "model": model, "content": [],
                                        "stop_reason": None, "stop_sequence": None, "usage": {"input_tokens": 10, "output_tokens": 1}})
        for index, (name, value) in enumerate(blocks):
            if name == "text":
                event("content_block_start", index=index, content_block={"type": "text", "text": ""})
                event("content_block_delta", index=index, delta={"type": "text_delta", "text": value})
            else:
                event("content_block_start", index=index, content_block={"type": "tool_use", "id": f"toolu_{len(self.server.seen)}", "name": name, "input": {}})
                event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": json.dumps(value)})
            event("content_block_stop", index=index)
        event("message_delta", delta={"stop_reason": reason, "stop_sequence": None}, usage={"output_tokens": 20})
        event("message_stop")
        self.close_connection = True
