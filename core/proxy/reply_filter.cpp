// SPDX-License-Identifier: Apache-2.0
#include "proxy/reply_filter.h"

#include "base/secret.h"
#include "proxy/http1_message.h"

namespace coldframe::proxy {

namespace {

constexpr std::size_t kMaxHeld = 1u << 20;

bool isPlain(std::string_view coding) { return coding.empty() || equalsIgnoringCase(coding, "identity"); }

} // namespace

ReplyFilter::ReplyFilter(std::shared_ptr<const PatternSet> keys, std::string_view contentEncoding, bool strict)
    : m_scanner(keys, isPlain(contentEncoding) ? StreamScanner::OnMatch::Redact : StreamScanner::OnMatch::Stop, strict), m_redacts(isPlain(contentEncoding))
{
    if (strict && !isPlain(contentEncoding) && keys && !keys->isEmpty()) {
        m_decoder = makeContentDecoder(contentEncoding);
        m_canRead = m_decoder != nullptr;
    }
}

ReplyFilter::~ReplyFilter() { wipe(m_held); }

ReplyFilter::Outcome ReplyFilter::feed(std::string_view data, std::string& out)
{
    Outcome outcome;
    if (m_cut) {
        outcome.cut = true;
        return outcome;
    }
    if (!m_decoder) {
        outcome.keyTag = m_scanner.feed(data, out);
        outcome.cut = m_cut = outcome.keyTag >= 0 && !m_redacts;
        return outcome;
    }
    std::string decoded; // what the scanner lets go; only the compressed form goes on
    const ContentDecoder::State state = m_decoder->feed(data, [&](std::string_view piece) {
        decoded.clear();
        outcome.keyTag = m_scanner.feed(piece, decoded);
        return outcome.keyTag < 0;
    });
    wipe(decoded);
    m_held.append(data);
    if (outcome.keyTag < 0 && state == ContentDecoder::State::Bad) {
        outcome.problem = "The server's compressed reply cannot be read, so it cannot be checked for the key.";
    } else if (outcome.keyTag < 0 && (state == ContentDecoder::State::TooMuch || m_held.size() > kMaxHeld)) {
        outcome.problem = "The server's compressed reply grows beyond every measure.";
    }
    outcome.cut = m_cut = outcome.keyTag >= 0 || !outcome.problem.empty();
    if (m_cut) {
        wipe(m_held);
    } else if (!m_scanner.isHolding()) {
        out.append(m_held);
        m_held.clear();
    }
    return outcome;
}

ReplyFilter::Outcome ReplyFilter::finish(std::string& out)
{
    Outcome outcome;
    outcome.cut = m_cut;
    if (m_cut) {
        return outcome;
    }
    if (m_decoder) {
        out.append(m_held);
        m_held.clear();
    } else {
        m_scanner.finish(out);
    }
    return outcome;
}

} // namespace coldframe::proxy
