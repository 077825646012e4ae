// SPDX-License-Identifier: Apache-2.0
#include "proxy/token_client.h"

#include "base/log.h"
#include "base/secret.h"
#include "proxy/open_server.h"
#include "proxy/sandbox_filter.h"

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <nlohmann/json.hpp>

namespace coldframe::proxy {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxHead = 16u << 20; // trust stores are large
constexpr std::size_t kMaxBody = SecretBuffer::kMaxSize;
constexpr std::chrono::milliseconds kWithin{30'000};

struct Order
{
    Identity identity;
    std::string path;
    std::string contentType;
    std::vector<std::string> trusted;
    std::string body;
    ~Order() { wipe(body); }
    Order() = default;
    Order(const Order&) = delete;
    Order& operator=(const Order&) = delete;
};

struct Answer
{
    int status = 0;
    std::string body;
    std::string problem;
};

asio::awaitable<bool> readOrder(BufferedReaderPtr engine, Order& order)
{
    std::size_t newline = engine->view().find('\n');
    while (newline == std::string_view::npos && engine->view().size() < kMaxHead) {
        const auto count = co_await engine->fill();
        if (!count || *count == 0) {
            co_return false;
        }
        newline = engine->view().find('\n');
    }
    const json head = json::parse(engine->view().substr(0, newline), nullptr, false);
    if (newline == std::string_view::npos || !head.is_object()) {
        co_return false;
    }
    engine->consume(newline + 1);
    order.identity.host = head.value("host", "");
    order.identity.port = head.value("port", std::uint16_t{443});
    order.path = head.value("path", "/");
    order.contentType = head.value("contentType", "");
    order.trusted = head.value("trusted", std::vector<std::string>());
    const std::size_t length = head.value("length", std::size_t{0});
    while (length <= kMaxBody && engine->view().size() < length) {
        const auto count = co_await engine->fill();
        if (!count || *count == 0) {
            co_return false;
        }
    }
    order.body = engine->view().substr(0, length);
    co_return length <= kMaxBody;
}

asio::awaitable<Answer> post(ProxyCorePtr core, const Order& order)
{
    Answer answer;
    ServerWish wish;
    wish.fresh = true;
    auto opened = co_await openServer(core, order.identity, true, std::move(wish));
    if (!opened) {
        answer.problem = opened.error().reason;
        co_return answer;
    }
    const ServerLegPtr server = *opened;
    Watchdog watchdog(core->io);
    watchdog.arm(kWithin, [server] { server->abort(); });
    RequestHead head;
    head.method = "POST";
    head.framing = Framing::Length;
    head.contentLength = order.body.size();
    head.headers.add("Content-Type", order.contentType);
    head.headers.add("Content-Length", std::to_string(order.body.size()));
    head.headers.add("Accept", "application/json");
    head.headers.add("Accept-Encoding", "identity");
    head.headers.add("User-Agent", "coldframe");
    const ServerLeg::Request request{.head = head,
                                     .pathAndQuery = order.path,
                                     .authority = formatAuthority(order.identity, true),
                                     .upgrade = {},
                                     .secret = true,
                                     .hasBody = true,
                                     .wantsTrailers = false};
    server->putHead(request);
    server->putBody(order.body);
    server->putEnd({});
    const bool written = co_await server->flush(true);
    HttpResult<ResponseHead> response = tl::unexpected(HttpError{502, "The server closed the connection."});
    while (written) {
        response = co_await server->readHead(head.method);
        if (!response || response->status / 100 != 1) {
            break;
        }
    }
    if (!response) {
        answer.problem = watchdog.hasFired() ? "The server did not answer in time." : response.error().reason;
        co_return answer;
    }
    answer.status = response->status;
    answer.body.reserve(kMaxBody); // never moved, so that no copy is left behind
    std::string piece;
    for (bool ended = false; !ended;) {
        piece.clear();
        HttpResult<bool> last = co_await server->readBody(piece);
        if (!last || answer.body.size() + piece.size() > kMaxBody) {
            answer.problem = !last ? "The server's reply was cut off." : "The server's reply is too large.";
            break;
        }
        answer.body.append(piece);
        ended = *last;
    }
    wipe(piece);
    co_return answer;
}

asio::awaitable<void> serve(asio::io_context& io, UniqueFd engineFd, UniqueFd dialFd, bool filter)
{
    const auto engine = std::make_shared<BufferedReader>(makeSocketStream(io, std::move(engineFd)));
    Order order;
    const bool ordered = co_await readOrder(engine, order);
    if (!ordered) {
        co_return;
    }
    Answer answer;
    Result<UpstreamTls> tls = UpstreamTls::make(order.trusted);
    const Result<void> filtered = filter ? enterFilter() : Result<void>();
    if (!tls || !filtered) {
        answer.problem = !tls ? tls.error().message : filtered.error().message;
    } else {
        const auto core = std::make_shared<ProxyCore>(io, Limits());
        core->limits.dial = kWithin;
        core->upstreamTls.emplace(std::move(*tls));
        core->dialler = std::make_unique<DialLink>(io, std::move(dialFd));
        core->dialler->start([] {});
        answer = co_await post(core, order);
    }
    const json head = answer.problem.empty() ? json{{"status", answer.status}, {"length", answer.body.size()}} : json{{"problem", answer.problem}};
    std::string bytes = head.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    if (answer.problem.empty()) {
        bytes.reserve(bytes.size() + answer.body.size());
        bytes.append(answer.body);
    }
    co_await engine->stream()->write(bytes);
    wipe(bytes);
    wipe(answer.body);
}

} // namespace

void startTokenClient(asio::io_context& io, UniqueFd engine, UniqueFd dial, std::function<void()> finished, bool filter)
{
    auto work = serve(io, std::move(engine), std::move(dial), filter);
    asio::co_spawn(io, std::move(work), [finished = std::move(finished)](std::exception_ptr problem) {
        if (problem) {
            logError("proxy", "the request for tokens ended unexpectedly");
        }
        finished();
    });
}

} // namespace coldframe::proxy
