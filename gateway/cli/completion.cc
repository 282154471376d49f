// SPDX-License-Identifier: Apache-2.0
#include "gateway/cli/completion.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace sluice::gateway {
namespace {

// One case per command: what may follow it.
void add_cases(const CLI::App& app, const std::string& path, std::string& words,
               std::string& paths) {
  std::string follows;
  for (const CLI::App* command : app.get_subcommands({})) follows += command->get_name() + " ";
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) follows += "--" + name + " ";
  words += "    \"" + path + "\") words=\"" + follows + "\" ;;\n";
  for (const CLI::App* command : app.get_subcommands({})) {
    std::string deeper = path;
    if (!deeper.empty()) deeper += ' ';
    deeper += command->get_name();
    paths.append("      \"").append(deeper).append("\") path=\"").append(deeper);
    paths += "\" ;;\n";
    add_cases(*command, deeper, words, paths);
  }
}

}  // namespace

std::string bash_completion(const CLI::App& app, const std::string& program) {
  std::string words, paths;
  add_cases(app, "", words, paths);
  const std::string function = "_" + program + "_complete";
  return function +
         "() {\n"
         "  local path= words= i\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case \"${path:+$path }${COMP_WORDS[i]}\" in\n" +
         paths +
         "    esac\n"
         "  done\n"
         "  case \"$path\" in\n" +
         words +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\")\n"
         "}\n"
         "complete -o default -F " +
         function + " " + program + "\n";
}

void add_completion_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "completion", "print what completes this command line in bash: source <(sluice completion)");
  command->callback([&app] { std::fputs(bash_completion(app, "sluice").c_str(), stdout); });
}

}  // namespace sluice::gateway
