// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::image {

/// What an own image is made from, as its author writes it (JSON, // comments allowed). README: "Own images".
struct Recipe
{
    struct File
    {
        std::string from{};  ///< relative to the recipe's folder
        std::string to{};    ///< absolute, inside
        int mode = -1;       ///< -1: as it is on the host
        bool ownedByAgent = false;
    };
    struct Command
    {
        std::string command{}; ///< for /bin/sh -c
        bool asAgent = false;  ///< else as root
        std::string folder{};  ///< empty: / or the agent's home
    };
    std::string name{};                    ///< of the image; empty: not said
    std::string from{};                    ///< an own image to stand on; empty: the base image
    std::vector<std::string> packages{};   ///< Debian packages, "name" or "name=version"
    std::vector<std::string> pip{};        ///< for the system's Python
    std::vector<std::string> npm{};        ///< installed globally
    std::vector<File> files{};
    std::map<std::string, std::string> environment{}; ///< of every program of its sandboxes
    std::vector<Command> run{};
    std::vector<std::string> allow{};      ///< hosts that the build may reach beside those of the user's policy
    std::string canonical{};               ///< the whole, in one spelling
};

/// InvalidArgument, naming the field and what is wrong with it. Pure.
Result<Recipe> parseRecipe(std::string_view text);

/// A file or folder that a recipe copies, as it was found.
struct GatheredFile
{
    std::string source{};   ///< relative to the recipe's folder
    std::string target{};   ///< absolute, inside
    char kind = 'f';        ///< 'f' file, 'd' folder, 'l' link
    std::string linkTarget{};
    std::uint32_t mode = 0644;
    bool ownedByAgent = false;
    std::uint64_t size = 0;
};

struct Gathered
{
    std::vector<GatheredFile> files{}; ///< folders before what is in them
    std::uint64_t bytes = 0;
    std::string digest{};              ///< of names, modes and contents
};

/// Finds all that the recipe copies, without following a link out of its folder. Blocking. NotFound, NotAllowed (a path that
/// leads out, a device), InvalidArgument (too much).
Result<Gathered> gatherFiles(const std::filesystem::path& folder, const Recipe& recipe);

/// What makes an image from this recipe again the same: its text, its files, and what it stands on.
std::string recipeKey(const Recipe& recipe, const Gathered& gathered, const std::string& parentDigest);

} // namespace coldframe::image
