// SPDX-License-Identifier: Apache-2.0
#include "sync/remote.h"

#include "base/log.h"

#include <algorithm>

namespace coldframe::sync {

namespace {

constexpr std::size_t kMaxSeedMisses = 8;

tl::unexpected<Error> broken(std::string_view what)
{
    return fail(ErrorCode::Protocol, "The sandbox broke the rules of the workspace sync; the connection was dropped.",
                std::string(what));
}

} // namespace

/// The next message that is an answer: Progress and Changed may come in between.
Result<Message> Remote::receive()
{
    for (int noise = 0; noise < 1'000'000; ++noise) {
        COLDFRAME_TRY(Message message, m_stream.receive());
        if (message.type == MessageType::Changed) {
            m_changed = true;
        } else if (message.type == MessageType::Failed) {
            return fail(ErrorCode::Closed, "The workspace sync in the sandbox stopped.",
                        escapeForDisplay(message.payload, 300));
        } else if (message.type != MessageType::Progress) {
            return message;
        }
    }
    return broken("only noise");
}

Result<void> Remote::handshake()
{
    m_tree = {};
    m_tree.entry.kind = Kind::Directory;
    Writer out;
    out.u32(kProtocolMagic);
    out.u16(kProtocolVersion);
    COLDFRAME_CHECK(m_stream.send(MessageType::Hello, out.data()));
    COLDFRAME_TRY(const Message reply, receive());
    Reader in(reply.payload);
    if (reply.type != MessageType::HelloReply || in.u16() != kProtocolVersion || !in.ok()) {
        return broken("hello");
    }
    (void)in.u8(); // whether it watches; each scan says it again
    if (in.u64() != kSeedDiskBytes) {
        m_seedDisk.reset(); // an older guest, or it could not be opened there
    }
    return {};
}

Result<void> Remote::requestScan(bool full)
{
    Writer out;
    out.u8(full ? 1 : 0);
    COLDFRAME_CHECK(m_stream.send(MessageType::Scan, out.data()));
    return m_stream.flush();
}

Result<void> Remote::finishScan()
{
    m_changed = false;
    for (;;) {
        COLDFRAME_TRY(const Message message, receive());
        Reader in(message.payload);
        if (message.type == MessageType::ScanEnd) {
            m_watching = in.u8() == 1;
            m_unsettled = in.u8() == 1;
            return in.atEnd() ? Result<void>() : broken("scan end");
        }
        if (message.type != MessageType::ScanBatch) {
            return broken("not a scan");
        }
        while (!in.atEnd()) {
            const Record record = in.record();
            if (!in.ok()) {
                return broken("scan record");
            }
            const Node* known = findNode(std::as_const(m_tree), record.path);
            if (record.entry.kind == Kind::None) {
                if (known != nullptr) {
                    m_entries -= 1 + countNodes(*known);
                    removeNode(m_tree, record.path);
                }
                continue;
            }
            if (known != nullptr && !known->children.empty() && record.entry.kind != Kind::Directory) {
                m_entries -= countNodes(*known);
            }
            const bool isNew = known == nullptr;
            if (!setNode(m_tree, record.path, record.entry)) {
                return broken("an entry without its folder");
            }
            m_entries += isNew ? 1 : 0;
            if (m_entries > m_limits.maxEntries) {
                return fail(ErrorCode::NotAllowed, "The workspace in the sandbox has too many files to keep in step.",
                            "more than " + std::to_string(m_limits.maxEntries));
            }
        }
    }
}

Result<bool> Remote::takeChanged()
{
    COLDFRAME_TRY(bool waiting, m_stream.pending());
    for (int noise = 0; waiting; ++noise) {
        COLDFRAME_TRY(const Message message, m_stream.receive());
        if (message.type != MessageType::Changed || noise > 16) {
            return message.type == MessageType::Failed
                       ? fail(ErrorCode::Closed, "The workspace sync in the sandbox stopped.",
                              escapeForDisplay(message.payload, 300))
                       : broken("unasked message");
        }
        m_changed = true;
        COLDFRAME_TRY(waiting, m_stream.pending());
    }
    return std::exchange(m_changed, false);
}

Result<void> Remote::fetch(const std::vector<Record>& files, Replica& into, std::map<std::size_t, StagedFile>& staged,
                           const std::function<void(std::uint64_t bytes)>& onBytes)
{
    Writer out;
    out.u32(static_cast<std::uint32_t>(files.size()));
    for (const Record& file : files) {
        out.record(file);
    }
    COLDFRAME_CHECK(m_stream.send(MessageType::Fetch, out.data()));
    for (std::size_t index = 0; index < files.size(); ++index) {
        COLDFRAME_TRY(StagedFile file, into.stage());
        for (;;) {
            COLDFRAME_TRY(const Message message, receive());
            Reader in(message.payload);
            if (in.u32() != index || !in.ok()) {
                into.discard(file);
                return broken("content out of order");
            }
            if (message.type == MessageType::ContentEnd) {
                const bool complete = in.u8() == 1;
                if (complete && file.matches(files[index].entry)) {
                    staged.emplace(index, std::move(file));
                } else {
                    into.discard(file);
                }
                break;
            }
            const std::string_view bytes = in.rest();
            if (message.type != MessageType::Content || bytes.empty() ||
                file.size() + bytes.size() > files[index].entry.size) {
                into.discard(file);
                return broken("content too long");
            }
            if (auto written = file.write(bytes); !written) {
                into.discard(file);
                return written;
            }
            if (onBytes) {
                onBytes(bytes.size());
            }
        }
    }
    COLDFRAME_TRY(const Message end, receive());
    return end.type == MessageType::FetchEnd ? Result<void>() : broken("no end of content");
}

bool Remote::goesBySeedDisk(const Operation& operation) const
{
    return m_seedDisk != nullptr && Replica::bringsContent(operation) && operation.after.size >= kSeedFileBytes &&
           m_notBySeed.size() < kMaxSeedMisses && !m_notBySeed.contains(operation.path);
}

bool Remote::goesAnyBySeedDisk(const std::vector<Operation>& operations, std::size_t first, std::size_t count) const
{
    const auto begin = operations.begin() + static_cast<std::ptrdiff_t>(first);
    return std::any_of(begin, begin + static_cast<std::ptrdiff_t>(count),
                       [this](const Operation& operation) { return goesBySeedDisk(operation); });
}

/// Whatever kept it from arriving, the next attempt does without the disk; and where that happens often, all do.
void Remote::noteSeedResult(const Operation& operation, Outcome outcome)
{
    if (outcome != Outcome::Done) {
        m_notBySeed.insert(operation.path);
        logDebug("sync", "did not arrive by the seed disk: " + escapeForDisplay(operation.path, 300));
    }
}

Result<std::vector<OperationResult>> Remote::apply(const std::vector<Operation>& operations, std::size_t first,
                                                   std::size_t count, const ContentSource& content)
{
    SeedTransfer seed(m_stream, [this] { return receive(); },
                      goesAnyBySeedDisk(operations, first, count) ? m_seedDisk->take() : std::nullopt);
    std::vector<std::size_t> bySeed;
    for (std::size_t i = 0; i < count; ++i) {
        const Operation& operation = operations[first + i];
        Writer out;
        out.u32(static_cast<std::uint32_t>(i));
        out.bytes(operation.path);
        out.entry(operation.before);
        out.entry(operation.after);
        out.u64(static_cast<std::uint64_t>(operation.mtimeNs));
        COLDFRAME_CHECK(m_stream.send(MessageType::Apply, out.data()));
        if (Replica::bringsContent(operation)) {
            const bool usesSeed = seed.isUsable() && goesBySeedDisk(operation);
            if (usesSeed) {
                bySeed.push_back(i);
            }
            Result<void> sent;
            content(operation,
                    [&](std::string_view bytes) {
                        return usesSeed ? seed.send(bytes) : m_stream.send(MessageType::ApplyContent, bytes);
                    },
                    sent);
            COLDFRAME_CHECK(sent);
            COLDFRAME_CHECK(seed.endFile());
            COLDFRAME_CHECK(m_stream.send(MessageType::ApplyContentEnd, {}));
        }
    }
    COLDFRAME_CHECK(m_stream.send(MessageType::Commit, {}));
    std::vector<OperationResult> results(count, {Outcome::Failed, "No answer from the sandbox."});
    COLDFRAME_CHECK(receiveResults(results, seed));
    m_bytesBySeed += seed.bytes();
    for (const std::size_t i : bySeed) {
        noteSeedResult(operations[first + i], results[i].outcome);
    }
    for (std::size_t i = 0; i < count; ++i) {
        const Operation& operation = operations[first + i];
        if (results[i].outcome != Outcome::Done) {
            continue;
        }
        const Node* known = findNode(std::as_const(m_tree), operation.path);
        if (operation.after.kind == Kind::None) {
            m_entries -= known != nullptr ? 1 + countNodes(*known) : 0;
            removeNode(m_tree, operation.path);
        } else if (setNode(m_tree, operation.path, operation.after)) {
            m_entries += known == nullptr ? 1 : 0;
        }
    }
    return results;
}

Result<void> Remote::receiveResults(std::vector<OperationResult>& results, SeedTransfer& seed)
{
    for (;;) {
        COLDFRAME_TRY(const Message message, receive());
        if (message.type == MessageType::ResultsEnd) {
            return seed.isDone() ? Result<void>() : broken("content was not taken");
        }
        if (message.type == MessageType::SeedTaken) {
            COLDFRAME_CHECK(seed.taken(message));
            continue;
        }
        if (message.type != MessageType::Results) {
            return broken("no results");
        }
        Reader in(message.payload);
        while (!in.atEnd()) {
            const std::uint32_t index = in.u32();
            const std::uint8_t outcome = in.u8();
            const std::string_view text = in.bytes(1024);
            if (!in.ok() || index >= results.size() || outcome > static_cast<std::uint8_t>(Outcome::Failed)) {
                return broken("result");
            }
            results[index] = {static_cast<Outcome>(outcome), escapeForDisplay(text, 200)};
        }
    }
}

Result<void> Remote::flush()
{
    COLDFRAME_CHECK(m_stream.send(MessageType::Flush, {}));
    COLDFRAME_TRY(const Message message, receive());
    return message.type == MessageType::FlushDone ? Result<void>() : broken("no flush");
}

bool Remote::hasInput()
{
    if (m_changed) {
        return true; // came in between the answers of an exchange
    }
    const auto waiting = m_stream.pending();
    return !waiting || *waiting;
}

} // namespace coldframe::sync
