// SPDX-License-Identifier: Apache-2.0
// Lines of the API in both directions, the splitting of a stream into them, and encoded paths.
#include "api/path_encoding.h"
#include "api/protocol.h"

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

using namespace coldframe;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string_view input(reinterpret_cast<const char*>(data), size);
    api::LineSplitter splitter(4096);
    const std::size_t chunk = size == 0 ? 1 : 1 + data[0] % 64u;
    for (std::size_t at = 0; at < size; at += chunk) {
        splitter.feed(input.substr(at, chunk));
        for (;;) {
            const auto line = splitter.next();
            if (!line || !line->has_value()) {
                break;
            }
            if ((*line)->size() > 4096 || (*line)->find('\n') != std::string::npos) {
                std::abort();
            }
            const api::ParsedRequest request = api::parseRequest(**line);
            // What is accepted is whole: an id to answer to, parameters that are an object.
            if (request.kind != api::ParsedRequest::Kind::Malformed &&
                (!nlohmann::json::parse(request.params).is_object() || request.method.empty())) {
                std::abort();
            }
            if (request.kind == api::ParsedRequest::Kind::Malformed && request.answer.empty()) {
                std::abort();
            }
            const api::ParsedMessage message = api::parseMessage(**line);
            if (message.body && !nlohmann::json::accept(*message.body)) {
                std::abort();
            }
            (void)api::decodeFailure(**line);
        }
    }
    const Result<std::string> path = api::decodePath(input);
    if (path && *api::decodePath(api::encodePath(*path)) != *path) {
        std::abort();
    }
    return 0;
}
