// SPDX-License-Identifier: Apache-2.0
// What reads replies for keys: content codings; and the fields of a signed request.
// The first byte chooses.
#include "proxy/aws_signature.h"
#include "proxy/reply_filter.h"
#include "proxy/service.h"

#include <cstdint>
#include <cstdlib>

using namespace coldframe::proxy;

namespace {

void require(bool condition)
{
    if (!condition) {
        std::abort();
    }
}

std::shared_ptr<const PatternSet> patterns()
{
    static const std::shared_ptr<const PatternSet> made = [] {
        PatternSet set;
        set.addKeyForms("sk-key-0123456789", 1);
        set.finish();
        return std::make_shared<PatternSet>(std::move(set));
    }();
    return made;
}

void fuzzReply(std::string_view text, std::string_view coding)
{
    ReplyFilter filter(patterns(), coding, true);
    if (!filter.canRead()) {
        return;
    }
    std::string out;
    bool cut = false;
    for (std::size_t at = 0; at < text.size() && !cut; at += 11) {
        cut = filter.feed(text.substr(at, 11), out).cut;
    }
    if (!cut) {
        filter.finish(out);
        require(out.size() == text.size());
    }
    require(patterns()->find(out) < 0 || !coding.empty());
}

void fuzzAws(std::string_view text)
{
    RequestHead request;
    request.method = "GET";
    request.headers.add("Authorization", std::string(text));
    request.headers.add("X-Amz-Date", "20150830T123600Z");
    RequestTarget target;
    target.path = "/" + std::string(text.substr(0, 40));
    target.query = "?" + std::string(text.substr(0, 60));
    const bool works = awsProblem(request).empty();
    require(works == signAws({"AKIDEXAMPLE", "0123456789abcdef", {}}, "a.amazonaws.com", target, {}, request).empty());
    (void)withoutParameters(target.query, {"key"});
    (void)parseAwsKey(text);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) {
        return 0;
    }
    const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
    static constexpr std::string_view kCodings[] = {"", "gzip", "deflate", "br", "zstd"};
    switch (data[0] % 8) {
    case 0:
    case 1:
    case 2: fuzzAws(text); break;
    default: fuzzReply(text, kCodings[data[0] % 8 - 3]); break;
    }
    return 0;
}
