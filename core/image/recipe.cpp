// SPDX-License-Identifier: Apache-2.0
#include "image/recipe.h"

#include "base/file.h"
#include "base/log.h"
#include "image/digest.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <dirent.h>
#include <fcntl.h>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sys/stat.h>
#include <unistd.h>

namespace coldframe::image {

using nlohmann::json;

namespace {

constexpr std::size_t kMaxList = 1000;
constexpr std::size_t kMaxText = 64u << 10;
constexpr std::size_t kMaxFiles = 100'000;
constexpr std::uint64_t kMaxBytes = 8ull << 30;
constexpr int kMaxDepth = 64;

tl::unexpected<Error> wrong(const std::string& where, const std::string& what)
{
    return fail(ErrorCode::InvalidArgument, "The recipe cannot be used: " + escapeForDisplay(where, 120) + " " + what);
}

/// A word for a package manager's command line: never an option, never white space.
bool isPackageWord(const std::string& word, std::string_view more)
{
    const auto fits = [more](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || more.find(static_cast<char>(c)) != more.npos;
    };
    return !word.empty() && word.size() <= 200 && word[0] != '-' && std::all_of(word.begin(), word.end(), fits);
}

bool isVariableName(const std::string& name)
{
    const auto fits = [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    };
    return !name.empty() && name.size() <= 200 && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), fits);
}

bool isPlainText(const std::string& text, bool mayHaveLines)
{
    return text.size() <= kMaxText && std::none_of(text.begin(), text.end(), [mayHaveLines](unsigned char c) {
               return c == 0 || c == 0x7f || (c < 0x20 && !(mayHaveLines && (c == '\n' || c == '\t')));
           });
}

/// Whether a path has no empty, "." or ".." part.
bool hasPlainParts(std::string_view path)
{
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find('/', begin), path.size());
        const std::string_view part = path.substr(begin, end - begin);
        if (part.empty() || part == "." || part == "..") {
            return false;
        }
        begin = end + 1;
    }
    return true;
}

Result<std::string> textIn(const json& value, const std::string& where, bool mayHaveLines = false)
{
    if (!value.is_string()) {
        return wrong(where, "must be a text.");
    }
    std::string text = value.get<std::string>();
    if (text.empty() || !isPlainText(text, mayHaveLines)) {
        return wrong(where, "is empty, too long or has control characters.");
    }
    return text;
}

Result<void> onlyKeys(const json& object, const std::string& where, const std::set<std::string>& known)
{
    for (const auto& [key, value] : object.items()) {
        if (!known.contains(key)) {
            std::string all;
            for (const std::string& name : known) {
                all += (all.empty() ? "" : ", ") + name;
            }
            return wrong(where, "has no “" + escapeForDisplay(key, 60) + "”. There are: " + all + ".");
        }
    }
    return {};
}

Result<std::vector<std::string>> wordsIn(const json& document, const char* key, std::string_view more)
{
    std::vector<std::string> words;
    if (!document.contains(key)) {
        return words;
    }
    const json& list = document[key];
    if (!list.is_array() || list.size() > kMaxList) {
        return wrong(std::string("“") + key + "”", "must be a list of at most 1000 texts.");
    }
    for (const json& entry : list) {
        COLDFRAME_TRY(std::string word, textIn(entry, std::string("an entry of “") + key + "”"));
        if (!isPackageWord(word, more)) {
            return wrong("“" + word + "”", std::string("cannot be an entry of “") + key + "”.");
        }
        words.push_back(std::move(word));
    }
    return words;
}

Result<bool> ownerIn(const json& object, const char* key, const std::string& where)
{
    const json value = object.value(key, json("root"));
    if (value != "root" && value != "agent") {
        return wrong(where, std::string("has a “") + key + "” that is neither root nor agent.");
    }
    return value == "agent";
}

Result<Recipe::File> fileIn(const json& entry)
{
    if (!entry.is_object()) {
        return wrong("an entry of “files”", "must be an object with “from” and “to”.");
    }
    COLDFRAME_CHECK(onlyKeys(entry, "an entry of “files”", {"from", "to", "mode", "owner"}));
    Recipe::File file;
    COLDFRAME_TRY(file.from, textIn(entry.value("from", json()), "“from” of a file"));
    COLDFRAME_TRY(file.to, textIn(entry.value("to", json()), "“to” of a file"));
    while (file.from.size() > 1 && file.from.ends_with('/')) {
        file.from.pop_back();
    }
    if (file.from != "." && !hasPlainParts(file.from)) {
        return wrong("“" + file.from + "”", "must be a path beneath the recipe's own folder.");
    }
    while (file.to.size() > 1 && file.to.ends_with('/')) {
        file.to.pop_back();
    }
    if (!file.to.starts_with('/') || !hasPlainParts(std::string_view(file.to).substr(1))) {
        return wrong("“" + file.to + "”", "must be an absolute path, of a file or folder inside the image.");
    }
    if (entry.contains("mode")) {
        const std::string digits = entry["mode"].is_string() ? entry["mode"].get<std::string>() : std::string();
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), file.mode, 8);
        if (digits.empty() || parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || file.mode < 0 || file.mode > 07777) {
            return wrong("“mode” of " + file.from, "must be octal digits in a text, like \"0755\".");
        }
    }
    COLDFRAME_TRY(file.ownedByAgent, ownerIn(entry, "owner", "the file " + file.from));
    return file;
}

Result<Recipe::Command> commandIn(const json& entry)
{
    Recipe::Command command;
    if (!entry.is_object()) {
        COLDFRAME_TRY(command.command, textIn(entry, "an entry of “run”", true));
        return command;
    }
    COLDFRAME_CHECK(onlyKeys(entry, "an entry of “run”", {"command", "as", "folder"}));
    COLDFRAME_TRY(command.command, textIn(entry.value("command", json()), "“command” in “run”", true));
    COLDFRAME_TRY(command.asAgent, ownerIn(entry, "as", "a command"));
    if (entry.contains("folder")) {
        COLDFRAME_TRY(command.folder, textIn(entry["folder"], "“folder” of a command"));
        if (!command.folder.starts_with('/')) {
            return wrong("“folder” of a command", "must be an absolute path.");
        }
    }
    return command;
}

/// Walks what a recipe copies, all of it beneath one open folder.
class Gathering
{
public:
    explicit Gathering(int folder) : m_folder(folder) {}

    Result<void> add(const std::string& source, const std::string& target, const Recipe::File& wish, int depth)
    {
        const std::string shown = "“" + escapeForDisplay(source, 200) + "” of the recipe";
        if (m_found.files.size() >= kMaxFiles || depth > kMaxDepth) {
            return fail(ErrorCode::InvalidArgument, shown + " holds too many files or folders.");
        }
        auto entry = openBeneath(m_folder, source, O_PATH | O_NOFOLLOW);
        if (!entry) {
            return fail(entry.error().code, shown + (entry.error().code == ErrorCode::NotFound ? " does not exist." : " cannot be read."),
                        entry.error().message);
        }
        struct stat info{};
        if (::fstat(entry->get(), &info) != 0) {
            return failErrno(shown + " cannot be read.", errno);
        }
        GatheredFile found{source, target, 'f', {}, wish.mode >= 0 ? static_cast<std::uint32_t>(wish.mode) : info.st_mode & 07777u,
                           wish.ownedByAgent, 0};
        if (S_ISLNK(info.st_mode)) {
            std::array<char, 4096> text{};
            const ssize_t length = ::readlinkat(entry->get(), "", text.data(), text.size());
            if (length <= 0 || static_cast<std::size_t>(length) == text.size()) {
                return fail(ErrorCode::Io, shown + " is a link that cannot be read.");
            }
            found.kind = 'l';
            found.linkTarget.assign(text.data(), static_cast<std::size_t>(length));
            note(found, found.linkTarget);
            return {};
        }
        if (S_ISDIR(info.st_mode)) {
            found.kind = 'd';
            found.mode = info.st_mode & 07777u; // a mode wished for is that of the files
            note(found, "");
            return addFolder(source, target, wish, depth);
        }
        if (!S_ISREG(info.st_mode)) {
            return fail(ErrorCode::NotAllowed, shown + " is neither a file nor a folder nor a link.");
        }
        return addFile(std::move(found), shown, static_cast<std::uint64_t>(info.st_size));
    }

    Gathered finish()
    {
        m_found.digest = m_digest.hex();
        return std::move(m_found);
    }

private:
    void note(const GatheredFile& file, const std::string& content)
    {
        m_digest.add(json{file.target, std::string(1, file.kind), file.mode, file.ownedByAgent, content}.dump(
            -1, ' ', true, json::error_handler_t::replace));
        m_found.files.push_back(file);
    }

    Result<void> addFile(GatheredFile found, const std::string& shown, std::uint64_t size)
    {
        m_found.bytes += size;
        if (m_found.bytes > kMaxBytes) {
            return fail(ErrorCode::InvalidArgument, "The recipe copies more than 8 GiB, which is too much.");
        }
        COLDFRAME_TRY(const UniqueFd file, openBeneath(m_folder, found.source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        Sha256 content;
        std::vector<char> block(1u << 20);
        for (std::uint64_t left = size; left > 0;) {
            const ssize_t got = ::read(file.get(), block.data(), std::min<std::uint64_t>(block.size(), left));
            if (got <= 0) {
                return fail(ErrorCode::Io, shown + " changed while it was read.");
            }
            content.add({block.data(), static_cast<std::size_t>(got)});
            left -= static_cast<std::uint64_t>(got);
        }
        found.size = size;
        note(found, content.hex());
        return {};
    }

    Result<void> addFolder(const std::string& source, const std::string& target, const Recipe::File& wish, int depth)
    {
        COLDFRAME_TRY(UniqueFd folder, openBeneath(m_folder, source, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
        const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(folder.get()), &::closedir);
        if (!listing) {
            return failErrno("A folder of the recipe cannot be read.", errno);
        }
        folder.release();
        std::set<std::string> names;
        while (const struct dirent* entry = ::readdir(listing.get())) {
            const std::string name = entry->d_name;
            if (name != "." && name != "..") {
                names.insert(name);
            }
        }
        for (const std::string& name : names) {
            COLDFRAME_CHECK(add(source == "." ? name : source + "/" + name, target + "/" + name, wish, depth + 1));
        }
        return {};
    }

    int m_folder;
    Gathered m_found;
    Sha256 m_digest;
};

} // namespace

Result<Recipe> parseRecipe(std::string_view text)
{
    const json document = json::parse(text, nullptr, false, true);
    if (document.is_discarded()) {
        return wrong("it", "is not JSON (comments begin with //).");
    }
    if (!document.is_object()) {
        return wrong("it", "must be a JSON object.");
    }
    COLDFRAME_CHECK(onlyKeys(document, "it",
                             {"version", "name", "from", "packages", "pip", "npm", "files", "environment", "run", "network"}));
    if (document.value("version", json(1)) != 1) {
        return wrong("it", "has a version that this Coldframe does not know (it knows 1).");
    }
    Recipe recipe;
    for (const auto& [key, into] : {std::pair{"name", &recipe.name}, {"from", &recipe.from}}) {
        if (document.contains(key)) {
            COLDFRAME_TRY(*into, textIn(document[key], std::string("“") + key + "”"));
        }
    }
    COLDFRAME_TRY(recipe.packages, wordsIn(document, "packages", "+.:=~-"));
    COLDFRAME_TRY(recipe.pip, wordsIn(document, "pip", "._-=<>!~[],*"));
    COLDFRAME_TRY(recipe.npm, wordsIn(document, "npm", "@/._-^~*"));
    for (const json& entry : document.value("files", json::array())) {
        COLDFRAME_TRY(Recipe::File file, fileIn(entry));
        recipe.files.push_back(std::move(file));
    }
    for (const json& entry : document.value("run", json::array())) {
        COLDFRAME_TRY(Recipe::Command command, commandIn(entry));
        recipe.run.push_back(std::move(command));
    }
    for (const char* key : {"files", "run"}) {
        if (document.contains(key) && (!document[key].is_array() || document[key].size() > kMaxList)) {
            return wrong(std::string("“") + key + "”", "must be a list of at most 1000 entries.");
        }
    }
    const json environment = document.value("environment", json::object());
    if (!environment.is_object() || environment.size() > kMaxList) {
        return wrong("“environment”", "must be an object of texts.");
    }
    for (const auto& [name, value] : environment.items()) {
        if (!isVariableName(name) || !value.is_string() || !isPlainText(value.get<std::string>(), false)) {
            return wrong("the variable “" + name + "”", "has a name or a value that cannot be one.");
        }
        recipe.environment[name] = value.get<std::string>();
    }
    const json network = document.value("network", json::object());
    if (!network.is_object()) {
        return wrong("“network”", "must be an object with “allow”.");
    }
    COLDFRAME_CHECK(onlyKeys(network, "“network”", {"allow"}));
    COLDFRAME_TRY(recipe.allow, wordsIn(network, "allow", "*.:-/[]"));
    recipe.canonical = document.dump(-1, ' ', true, json::error_handler_t::replace);
    return recipe;
}

Result<Gathered> gatherFiles(const std::filesystem::path& folder, const Recipe& recipe)
{
    COLDFRAME_TRY(const UniqueFd opened, openFolder(folder));
    Gathering gathering(opened.get());
    for (const Recipe::File& file : recipe.files) {
        COLDFRAME_CHECK(gathering.add(file.from, file.to, file, 0));
    }
    return gathering.finish();
}

std::string recipeKey(const Recipe& recipe, const Gathered& gathered, const std::string& parentDigest)
{
    Sha256 digest;
    for (const std::string& text : {recipe.canonical, gathered.digest, parentDigest}) {
        digest.add(std::to_string(text.size()) + ":" + text);
    }
    return digest.hex();
}

} // namespace coldframe::image
