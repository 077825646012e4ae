// SPDX-License-Identifier: Apache-2.0
// Drives a libFuzzer entry without libFuzzer: every corpus file, then mutations of them from a fixed seed, for a
// few seconds. It finds the crash that a change made, not the one nobody has seen: that is the fuzz preset's work.
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <unistd.h>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr std::size_t kFewest = 100;
const std::vector<std::uint8_t>* g_input = nullptr;

/// Says which input it was, so that the failure can be run again.
void showInput(int signal)
{
    static constexpr char kDigits[] = "0123456789abcdef";
    (void)!::write(STDERR_FILENO, "input: ", 7);
    for (std::size_t i = 0; g_input && i < g_input->size(); ++i) {
        const char digits[2] = {kDigits[(*g_input)[i] >> 4], kDigits[(*g_input)[i] & 15]};
        (void)!::write(STDERR_FILENO, digits, 2);
    }
    (void)!::write(STDERR_FILENO, "\n", 1);
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void runOne(const std::vector<std::uint8_t>& input)
{
    g_input = &input;
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

} // namespace

int main(int argc, char** argv)
{
    for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL}) {
        std::signal(signal, showInput);
    }
    std::vector<std::vector<std::uint8_t>> corpus;
    if (argc > 1 && std::filesystem::is_directory(argv[1])) {
        for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
            std::ifstream file(entry.path(), std::ios::binary);
            corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        }
    }
    if (corpus.empty()) {
        std::fprintf(stderr, "no corpus in %s\n", argc > 1 ? argv[1] : "(no folder given)");
        return 1;
    }
    for (const auto& input : corpus) {
        runOne(input);
    }
    std::mt19937 random(20260101);
    const auto pick = [&](std::size_t bound) { return static_cast<std::size_t>(random()) % bound; };
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(3);
    std::size_t runs = corpus.size();
    // As long as it takes for a fair number, on a slow machine or under a sanitizer.
    while (std::chrono::steady_clock::now() < end || runs < corpus.size() + kFewest) {
        std::vector<std::uint8_t> input = corpus[pick(corpus.size())];
        const std::size_t edits = 1 + pick(8);
        for (std::size_t i = 0; i < edits; ++i) {
            const std::size_t at = input.empty() ? 0 : pick(input.size());
            switch (pick(5)) {
            case 0:
                if (!input.empty()) {
                    input[at] = static_cast<std::uint8_t>(random());
                }
                break;
            case 1: input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), static_cast<std::uint8_t>(random())); break;
            case 2:
                if (!input.empty()) {
                    input.erase(input.begin() + static_cast<std::ptrdiff_t>(at));
                }
                break;
            case 3: input.resize(at); break;
            default: {
                const auto& other = corpus[pick(corpus.size())];
                if (input.size() + other.size() < (1u << 18)) {
                    input.insert(input.begin() + static_cast<std::ptrdiff_t>(at), other.begin(), other.end());
                }
            }
            }
        }
        runOne(input);
        ++runs;
    }
    std::printf("%zu inputs, no crash\n", runs);
    return 0;
}
