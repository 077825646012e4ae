// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/guest_program.h"
#include "image/recipe.h"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace coldframe::engine {

/// One step of a build, as it is run inside.
struct RecipeStep
{
    std::string title{};
    GuestProgram program{};
};

/// What a recipe does after its files are copied, in order: environment, packages, pip, npm, commands. Pure.
std::vector<RecipeStep> recipeSteps(const image::Recipe& recipe);

/// Unpacks gathered files inside; both must outlive the program.
GuestProgram copyFiles(const std::filesystem::path& folder, const image::Gathered& gathered);

/// For /bin/sh with NAME=VALUE arguments: makes them variables of every program of the image (guest/agent/environment.h).
extern const char* const kSetEnvironment;

/// For /bin/sh: prints "name TAB version" for each package of the system, and "npm:", "pip:" ones where there are.
extern const char* const kListPackages;
/// The packages of such a list. Pure; bounded, odd lines are left out.
std::map<std::string, std::string> packagesFromList(std::string_view text);

/// For /bin/sh: takes away what belongs to the one sandbox in which an image was made (its CA, its ids, caches), so that
/// no two sandboxes of the image share it (HAZARDS 17).
extern const char* const kTidyUp;

} // namespace coldframe::engine
