# SPDX-License-Identifier: Apache-2.0
"""The agents from npm, each in a sandbox of its own with its key put on outside, against providers that are served here: one prompt each."""
import json, os
import harness, messages_api

ANSWER = "The weather is fine."


class Provider(harness.Handler):
    """server.key is the real key, server.seen what came; the subclass says where the key must stand and what is answered."""
    field = "authorization"
    form = "Bearer {}"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        if self.headers.get(self.field, "") != self.form.format(self.server.key.decode()):
            return self.answer(401, {"error": {"message": "invalid key", "code": 401, "status": "UNAUTHENTICATED"}})
        self.reply(json.loads(body or b"{}"))

    def do_GET(self):
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
        self.answer(404, {"error": {"message": "not here"}})

    def answer(self, status, data):
        text = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def stream(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in events:
            if "type" in event:
                self.wfile.write(f"event: {event['type']}\n".encode())
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.flush()
        self.close_connection = True


class OpenAi(Provider):
    """The Responses API, streaming, as far as Codex needs it."""

    def reply(self, request):
        usage = {"input_tokens": 5, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 10}
        item = {"type": "message", "role": "assistant", "id": "m1", "content": [{"type": "output_text", "text": ANSWER, "annotations": []}]}
        self.stream([{"type": "response.created", "response": {"id": "r1"}},
                     {"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}},
                     {"type": "response.output_text.delta", "item_id": "m1", "output_index": 0, "content_index": 0, "delta": ANSWER},
                     {"type": "response.output_item.done", "output_index": 0, "item": item},
                     {"type": "response.completed", "response": {"id": "r1", "usage": usage, "output": [item]}}])


class Google(Provider):
    field, form = "x-goog-api-key", "{}"

    def reply(self, request):
        answer = {"candidates": [{"content": {"role": "model", "parts": [{"text": ANSWER}]}, "finishReason": "STOP", "index": 0}],
                  "usageMetadata": {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10}, "modelVersion": "test", "responseId": "r1"}
        if "stream" in self.path:
            self.stream([answer])
        elif "countTokens" in self.path:
            self.answer(200, {"totalTokens": 5})
        else:
            # Which model is to answer, asked of a small one first.
            answer["candidates"][0]["content"]["parts"][0]["text"] = json.dumps({"complexity_reasoning": "simple", "complexity_score": 1})
            self.answer(200, answer)


class Anthropic(messages_api.MessagesApi):
    def reply(self, request, body, tools):
        return [("text", ANSWER)], "end_turn"


class Copilot(Provider):
    """GitHub's side of it: who the user is, which models there are, and the chat."""

    def do_GET(self):
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, b""))
        if self.path.startswith("/models"):
            limits = {"max_context_window_tokens": 128000, "max_output_tokens": 16000, "max_prompt_tokens": 128000}
            model = {"name": "Test", "object": "model", "vendor": "Test", "version": "1", "preview": False, "model_picker_enabled": True,
                     "policy": {"state": "enabled"}, "supported_endpoints": ["/chat/completions"], "billing": {"is_premium": False, "multiplier": 1},
                     "capabilities": {"family": "test", "type": "chat", "object": "model_capabilities", "tokenizer": "o200k_base", "limits": limits,
                                      "supports": {"streaming": True, "tool_calls": True, "parallel_tool_calls": True}}}
            return self.answer(200, {"data": [{**model, "id": name} for name in ("claude-sonnet-5.5", "claude-sonnet-5", "claude-haiku-4.5")]})
        if self.path.startswith("/copilot_internal/user"):
            return self.answer(200, {"login": "someone", "copilot_plan": "individual", "chat_enabled": True, "access_type_sku": "x", "quota_snapshots": {},
                                     "endpoints": {"api": "https://api.githubcopilot.com", "telemetry": "https://telemetry.invalid", "proxy": "https://proxy.invalid"}})
        if self.path.startswith("/user"):
            return self.answer(200, {"login": "someone", "id": 1, "type": "User"})
        self.answer(404, {"message": "Not Found"})

    def reply(self, request):
        if "completions" not in self.path:
            return self.answer(404, {"message": "Not Found"})
        part = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": request.get("model", "x")}
        self.stream([{**part, "choices": [{"index": 0, "delta": {"role": "assistant", "content": ANSWER}, "finish_reason": None}]},
                     {**part, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 5, "completion_tokens": 5, "total_tokens": 10}}])


# agent, service, where the provider is, what it is, the words for one prompt
AGENTS = (("codex", "openai", ["api.openai.com"], OpenAi, ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", "--skip-git-repo-check", "How is the weather?"]),
          ("gemini", "google", ["generativelanguage.googleapis.com"], Google, ["-p", "How is the weather?"]),
          ("opencode", "anthropic", ["api.anthropic.com"], Anthropic, ["opencode", "run", "-m", "anthropic/claude-sonnet-4-5", "How is the weather?"]),
          ("copilot", "copilot", ["api.githubcopilot.com", "api.github.com"], Copilot, ["-p", "How is the weather?"]))


def run(t):
    wanted = os.environ.get("COLDFRAME_TEST_AGENTS", "").split()
    for name, service, hosts, provider, words in AGENTS:
        if not wanted or name in wanted:
            one(t, name, service, hosts, provider, words)


def one(t, name, service, hosts, provider, words):
    key = f"real-{name}-".encode() + os.urandom(12).hex().encode()
    found = []
    for host in hosts:
        server = next((s for s in t.servers if getattr(s, "name", "") == host), None) or t.serve_tls(host, provider)
        server.name, server.key, server.seen, server.RequestHandlerClass = host, key, [], provider
        found.append(server)
    t.apply_settings()
    project = t.host_file(t.home / f"project-{name}/readme.txt", "A project.\n").parent
    t.create(name, project, agent=name)
    t.give_key(name, service, key)
    argument = {"arguments": words}
    a = t.client.attach(t.call("sandbox.launch", sandbox=name, rows=24, columns=80, tty=False, **argument)["token"])
    a.send(harness.STDIN_END)
    a.wait(400)
    seen = [entry for server in found for entry in server.seen]
    values = " ".join(value for entry in seen for value in entry[2].values())
    t.check(f"{name}: answers the prompt", a.status == 0 and ANSWER.encode() in a.output, (a.status, a.failure, a.output[-2000:], a.errors[-2000:], [s[:2] for s in seen]))
    t.check(f"{name}: the provider saw the real key", key.decode() in values, [(s[1], s[2].get("authorization")) for s in seen])
    t.check(f"{name}: inside there is only a stand-in", key not in a.output + a.errors and key.decode() not in t.run(name, "env; cat ~/.codex/auth.json").out)
    t.say(f"      {name}: {sorted({(s[0], s[1].split('?')[0]) for s in seen})}")
    t.say(f"      denied: {sorted({e['host'] for e in t.log(name, verdict='denied')})}")
    t.call("sandbox.remove", sandbox=name, force=True)
