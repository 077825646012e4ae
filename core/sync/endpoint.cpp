// SPDX-License-Identifier: Apache-2.0
#include "sync/endpoint.h"

#include "base/file.h"
#include "base/log.h"
#include "sync/protocol.h"
#include "sync/replica.h"
#include "sync/seed_disk.h"

#include <cerrno>
#include <poll.h>
#include <unistd.h>

namespace coldframe::sync {

namespace {

class Endpoint
{
public:
    Endpoint(int fd, const EndpointOptions& options) : m_stream(fd, options.idleLimit), m_seed(options.seedDevice) {}

    Result<void> run(const std::filesystem::path& root, const EndpointOptions& options);
    void reportFailure(const Error& error)
    {
        if (m_stream.send(MessageType::Failed, error.message)) {
            (void)m_stream.flush();
        }
    }

private:
    Result<void> serve();
    Result<Message> next();
    Result<void> handle(const Message& message);
    Result<void> scan(bool full);
    Result<void> fetch(std::string_view payload);
    Result<void> sendContent(std::uint32_t index, const std::string& path, const Entry& expected);
    Result<void> apply(std::string_view payload);
    Result<void> applyContent(const Operation& operation, StagedFile* staged, OperationResult& result);
    Result<std::optional<std::string_view>> contentOf(const Message& message, bool isWanted);
    Result<void> commit();
    void progress();

    MessageStream m_stream;
    SeedReader m_seed;
    std::unique_ptr<Replica> m_replica;
    std::vector<std::pair<std::uint32_t, OperationResult>> m_results;
    bool m_scanned = false;
    bool m_changedSent = false;
    bool m_mayReport = false;
};

Result<void> Endpoint::run(const std::filesystem::path& root, const EndpointOptions& options)
{
    COLDFRAME_TRY(const Message hello, m_stream.receive());
    Reader in(hello.payload);
    if (hello.type != MessageType::Hello || in.u32() != kProtocolMagic || in.u16() != kProtocolVersion) {
        return fail(ErrorCode::Protocol, "The host speaks another version of the workspace sync.");
    }
    COLDFRAME_CHECK(makeFolders(root, 0755));
    ReplicaOptions replica;
    replica.root = root;
    replica.stagingFolder = options.stagingFolder;
    replica.keepTimes = true;
    replica.scan.maxEntries = options.maxEntries;
    replica.scan.onProgress = [this] { progress(); };
    COLDFRAME_TRY(m_replica, Replica::open(std::move(replica)));
    Writer out;
    out.u16(kProtocolVersion);
    out.u8(m_replica->scanner().isWatching() ? 1 : 0);
    out.u64(m_seed.size());
    COLDFRAME_CHECK(m_stream.send(MessageType::HelloReply, out.data()));
    COLDFRAME_CHECK(m_stream.flush());
    return serve();
}

void Endpoint::progress()
{
    if (m_mayReport && m_stream.send(MessageType::Progress, {})) {
        (void)m_stream.flush();
    }
}

/// The next request; while there is none, tells the host about changes.
Result<Message> Endpoint::next()
{
    for (;;) {
        COLDFRAME_TRY(const bool waiting, m_stream.pending());
        if (waiting) {
            return m_stream.receive();
        }
        Scanner& scanner = m_replica->scanner();
        if (m_scanned && !m_changedSent && scanner.hasChanges()) {
            m_changedSent = true;
            COLDFRAME_CHECK(m_stream.send(MessageType::Changed, {}));
        }
        COLDFRAME_CHECK(m_stream.flush());
        pollfd entries[2] = {{m_stream.fd(), POLLIN, 0}, {m_changedSent ? -1 : scanner.watchFd(), POLLIN, 0}};
        if (::poll(entries, 2, -1) < 0 && errno != EINTR) {
            return failErrno("Cannot wait for the host.", errno);
        }
    }
}

Result<void> Endpoint::serve()
{
    for (;;) {
        auto message = next();
        if (!message) {
            if (message.error().code == ErrorCode::Closed) {
                return {};
            }
            return tl::unexpected(message.error());
        }
        COLDFRAME_CHECK(handle(*message));
    }
}

Result<void> Endpoint::handle(const Message& message)
{
    switch (message.type) {
    case MessageType::Scan:
        return scan(Reader(message.payload).u8() != 0);
    case MessageType::Fetch:
        return fetch(message.payload);
    case MessageType::Apply:
        return apply(message.payload);
    case MessageType::Commit:
        return commit();
    case MessageType::Flush:
        ::syncfs(m_replica->root());
        COLDFRAME_CHECK(m_stream.send(MessageType::FlushDone, {}));
        return m_stream.flush();
    default:
        return fail(ErrorCode::Protocol, "The host sent an unexpected message.");
    }
}

Result<void> Endpoint::scan(bool full)
{
    Scanner& scanner = m_replica->scanner();
    m_changedSent = false;
    m_mayReport = true;
    auto changes = scanner.scan(full || !m_scanned);
    m_mayReport = false;
    if (!changes) {
        return tl::unexpected(changes.error());
    }
    m_scanned = true;
    Writer out;
    for (const Record& record : *changes) {
        out.record(record);
        if (out.size() >= kBatchBytes) {
            COLDFRAME_CHECK(m_stream.send(MessageType::ScanBatch, out.data()));
            out.clear();
        }
    }
    if (out.size() > 0) {
        COLDFRAME_CHECK(m_stream.send(MessageType::ScanBatch, out.data()));
    }
    Writer end;
    end.u8(scanner.isWatching() ? 1 : 0);
    end.u8(scanner.hasUnsettled() ? 1 : 0);
    COLDFRAME_CHECK(m_stream.send(MessageType::ScanEnd, end.data()));
    return m_stream.flush();
}

Result<void> Endpoint::fetch(std::string_view payload)
{
    Reader in(payload);
    const std::uint32_t count = in.u32();
    for (std::uint32_t i = 0; i < count; ++i) {
        const Record record = in.record();
        if (!in.ok()) {
            return fail(ErrorCode::Protocol, "The host sent a damaged request.");
        }
        COLDFRAME_CHECK(sendContent(i, record.path, record.entry));
    }
    COLDFRAME_CHECK(m_stream.send(MessageType::FetchEnd, {}));
    return m_stream.flush();
}

Result<void> Endpoint::sendContent(std::uint32_t index, const std::string& path, const Entry& expected)
{
    bool complete = false;
    std::string problem;
    if (auto file = m_replica->openContent(path)) {
        std::uint64_t left = expected.size;
        std::string buffer(kChunkBytes, '\0');
        while (left > 0) {
            const ssize_t got = ::read(file->get(), buffer.data(), std::min<std::uint64_t>(left, buffer.size()));
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                break;
            }
            left -= static_cast<std::uint64_t>(got);
            Writer out;
            out.u32(index);
            out.raw({buffer.data(), static_cast<std::size_t>(got)});
            COLDFRAME_CHECK(m_stream.send(MessageType::Content, out.data()));
        }
        complete = left == 0;
    } else {
        problem = file.error().message;
    }
    Writer end;
    end.u32(index);
    end.u8(complete ? 1 : 0);
    return m_stream.send(MessageType::ContentEnd, end.data());
}

Result<void> Endpoint::apply(std::string_view payload)
{
    Reader in(payload);
    const std::uint32_t index = in.u32();
    Operation operation;
    operation.path = std::string(in.bytes(kMaxPathBytes));
    operation.before = in.entry();
    operation.after = in.entry();
    operation.mtimeNs = static_cast<std::int64_t>(in.u64());
    if (!in.atEnd() || !isValidPath(operation.path)) {
        return fail(ErrorCode::Protocol, "The host sent a damaged change.");
    }
    OperationResult result;
    if (Replica::bringsContent(operation)) {
        auto staged = m_replica->stage();
        if (!staged) {
            result = {Outcome::Failed, staged.error().message};
        }
        COLDFRAME_CHECK(applyContent(operation, staged ? &*staged : nullptr, result));
        if (staged) {
            m_replica->discard(*staged);
        }
    } else {
        result = m_replica->apply(operation, nullptr, {});
    }
    m_results.emplace_back(index, std::move(result));
    return {};
}

/// Takes the content messages that follow; a failure to write is the operation's, not the connection's.
Result<void> Endpoint::applyContent(const Operation& operation, StagedFile* staged, OperationResult& result)
{
    bool isGood = staged != nullptr;
    for (;;) {
        COLDFRAME_TRY(const Message message, m_stream.receive());
        if (message.type == MessageType::ApplyContentEnd) {
            break;
        }
        COLDFRAME_TRY(const auto content, contentOf(message, isGood));
        if (isGood && !content) {
            result = {Outcome::Changed, "The seed disk cannot be read."}; // the host sends it again, by the stream
            isGood = false;
        }
        if (isGood) {
            if (auto written = staged->write(*content); !written) {
                result = {Outcome::Failed, written.error().message + " " + written.error().detail};
                isGood = false;
            }
        }
        if (message.type == MessageType::ApplySeed) {
            COLDFRAME_CHECK(m_stream.send(MessageType::SeedTaken, {}));
            COLDFRAME_CHECK(m_stream.flush());
        }
    }
    m_seed.rest();
    if (isGood) {
        result = m_replica->apply(operation, staged, {});
    }
    return {};
}

/// The bytes that a content message brings, or nothing when they could not be read.
Result<std::optional<std::string_view>> Endpoint::contentOf(const Message& message, bool isWanted)
{
    if (message.type == MessageType::ApplyContent) {
        return std::optional(std::string_view(message.payload));
    }
    Reader in(message.payload);
    const std::uint64_t offset = in.u64();
    const std::uint32_t length = in.u32();
    if (message.type != MessageType::ApplySeed || !in.atEnd() || !m_seed.isPiece(offset, length)) {
        return fail(ErrorCode::Protocol, "The host sent an unexpected message.");
    }
    if (!isWanted) {
        return std::optional<std::string_view>();
    }
    auto bytes = m_seed.read(offset, length);
    if (!bytes) {
        logWarning("sync", bytes.error().message + " " + bytes.error().detail);
        return std::optional<std::string_view>();
    }
    return std::optional(*bytes);
}

Result<void> Endpoint::commit()
{
    Writer out;
    for (const auto& [index, result] : m_results) {
        out.u32(index);
        out.u8(static_cast<std::uint8_t>(result.outcome));
        out.bytes(std::string_view(result.text).substr(0, 1024));
        if (out.size() >= kBatchBytes) {
            COLDFRAME_CHECK(m_stream.send(MessageType::Results, out.data()));
            out.clear();
        }
    }
    m_results.clear();
    if (out.size() > 0) {
        COLDFRAME_CHECK(m_stream.send(MessageType::Results, out.data()));
    }
    COLDFRAME_CHECK(m_stream.send(MessageType::ResultsEnd, {}));
    return m_stream.flush();
}

} // namespace

int runEndpoint(int fd, const std::filesystem::path& root, const EndpointOptions& options)
{
    int code = 1;
    topCatchAll("sync", [&] {
        Endpoint endpoint(fd, options);
        const auto ended = endpoint.run(root, options);
        if (!ended && ended.error().code != ErrorCode::Closed) {
            logError("sync", ended.error().message + " " + ended.error().detail);
            endpoint.reportFailure(ended.error());
            return;
        }
        code = 0;
    });
    return code;
}

} // namespace coldframe::sync
