#include "client/cli/completion.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"

namespace reinstate {
namespace {

// What can come after some words: the path of a command ("restore plan"), or a command and one of
// its options ("restore plan --mode").
struct Node {
  const CLI::App* command = nullptr;
  std::string path;
};

void Collect(const CLI::App& app, const std::string& path, std::vector<Node>* nodes) {
  nodes->push_back({&app, path});
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    Collect(*child, path.empty() ? child->get_name() : absl::StrCat(path, " ", child->get_name()),
            nodes);
  }
}

std::vector<std::string> CommandsBelow(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* child : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(child->get_name());
  }
  return names;
}

std::vector<std::string> FlagsOf(const CLI::Option& option) {
  std::vector<std::string> flags;
  for (const std::string& name : option.get_lnames()) {
    flags.push_back(absl::StrCat("--", name));
  }
  for (const std::string& name : option.get_snames()) {
    flags.push_back(absl::StrCat("-", name));
  }
  return flags;
}

std::vector<std::string> FlagsOf(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (std::string& flag : FlagsOf(*option)) {
      flags.push_back(std::move(flag));
    }
  }
  return flags;
}

enum class ValueKind { kNone, kWords, kFile, kOther };

struct Values {
  ValueKind kind = ValueKind::kNone;
  std::vector<std::string> words;
};

// What can be given to an option. The type of one with a fixed set is written "TEXT:{a,b}".
Values ValuesOf(const CLI::Option& option) {
  if (option.get_items_expected_max() == 0) {
    return {};
  }
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.find('}');
  if (open != std::string::npos && close != std::string::npos) {
    return {ValueKind::kWords, absl::StrSplit(type.substr(open + 1, close - open - 1), ',')};
  }
  return {type.find("FILE") != std::string::npos ? ValueKind::kFile : ValueKind::kOther, {}};
}

bool IsPositional(const CLI::Option& option) { return !option.nonpositional(); }

// The first word after a command that is no option: a fixed set of one of its arguments, or a file.
Values ArgumentsOf(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (IsPositional(*option)) {
      Values values = ValuesOf(*option);
      if (values.kind == ValueKind::kWords || values.kind == ValueKind::kFile) {
        return values;
      }
    }
  }
  return {};
}

// The commands as branches of a bash `case`: for each path its words, or "@files".
std::string WordCases(const CLI::App& root) {
  std::vector<Node> nodes;
  Collect(root, "", &nodes);
  const std::string global_flags = absl::StrJoin(FlagsOf(root), " ");
  std::string cases;
  for (const Node& node : nodes) {
    std::vector<std::string> words = CommandsBelow(*node.command);
    const Values arguments = ArgumentsOf(*node.command);
    words.insert(words.end(), arguments.words.begin(), arguments.words.end());
    std::string flags = absl::StrJoin(FlagsOf(*node.command), " ");
    if (node.command != &root) {
      absl::StrAppend(&flags, " ", global_flags);
    }
    absl::StrAppend(&cases, "    '", node.path, "') choices='", absl::StrJoin(words, " "),
                    "' flags='", flags, "' files=", arguments.kind == ValueKind::kFile ? "1" : "0",
                    " ;;\n");
  }
  return cases;
}

// The option as a branch of a `case` over "path option"; empty for one without a value.
std::string ValueCase(const CLI::Option& option, const Node& node, bool of_every_command) {
  const Values values = ValuesOf(option);
  std::vector<std::string> patterns = FlagsOf(option);
  if (values.kind == ValueKind::kNone || patterns.empty()) {
    return "";
  }
  for (std::string& pattern : patterns) {
    // Options of every command are recognised after any path.
    pattern = of_every_command ? absl::StrCat("*' ", pattern, "'")
                               : absl::StrCat("'", node.path, " ", pattern, "'");
  }
  return absl::StrCat("    ", absl::StrJoin(patterns, "|"),
                      ") kind=", values.kind == ValueKind::kFile ? "files" : "words", " values='",
                      absl::StrJoin(values.words, " "), "' ;;\n");
}

std::string ValueCases(const CLI::App& root) {
  std::vector<Node> nodes;
  Collect(root, "", &nodes);
  std::string cases;
  for (const Node& node : nodes) {
    for (const CLI::Option* option : node.command->get_options()) {
      cases += ValueCase(*option, node, /*of_every_command=*/node.command == &root);
    }
  }
  return cases;
}

// The part that both shells run. Its names are none that are special in zsh, such as `path`.
constexpr char kLookUp[] =
    R"(# Sets what can come after the words given, of which the last is the one before the cursor.
_reinstate_look_up() {
  local at='' word previous=''
  choices='' flags='' files=0 kind='' values=''
  for word in "$@"; do
    previous=$word
    case "$word" in
      -*) continue ;;
    esac
    case " @PATHS@ " in
      *" ${at:+${at// //}/}$word "*) at="${at:+$at }$word" ;;
    esac
  done
  case "$at $previous" in
@VALUE_CASES@  esac
  case "$at" in
@WORD_CASES@  esac
}
)";

constexpr char kBash[] = R"(# Completion of reinstate for bash. Made by: reinstate completion bash
@LOOK_UP@
_reinstate() {
  local current=${COMP_WORDS[COMP_CWORD]} choices flags files kind values
  _reinstate_look_up "${COMP_WORDS[@]:1:COMP_CWORD-1}"
  COMPREPLY=()
  if [[ $kind == files ]]; then
    COMPREPLY=($(compgen -f -- "$current"))
  elif [[ $kind == words ]]; then
    COMPREPLY=($(compgen -W "$values" -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$choices" -- "$current"))
    if [[ $files == 1 ]]; then
      COMPREPLY+=($(compgen -f -- "$current"))
    fi
  fi
}
complete -F _reinstate reinstate
)";

constexpr char kZsh[] = R"(#compdef reinstate
# Completion of reinstate for zsh. Made by: reinstate completion zsh
@LOOK_UP@
_reinstate() {
  local current=${words[CURRENT]} choices flags files kind values
  _reinstate_look_up "${(@)words[2,CURRENT-1]}"
  if [[ $kind == files ]]; then
    _files
  elif [[ $kind == words ]]; then
    compadd -- ${=values}
  elif [[ $current == -* ]]; then
    compadd -- ${=flags}
  else
    compadd -- ${=choices}
    if [[ $files == 1 ]]; then
      _files
    fi
  fi
}
# Read by compinit from a folder of $fpath, or by eval.
if [[ ${funcstack[1]} == _reinstate ]]; then
  _reinstate "$@"
else
  compdef _reinstate reinstate
fi
)";

std::string LookUp(const CLI::App& app) {
  std::vector<Node> nodes;
  Collect(app, "", &nodes);
  std::vector<std::string> paths;
  for (const Node& node : nodes) {
    if (!node.path.empty()) {
      paths.push_back(absl::StrReplaceAll(node.path, {{" ", "/"}}));
    }
  }
  return absl::StrReplaceAll(kLookUp, {{"@PATHS@", absl::StrJoin(paths, " ")},
                                       {"@VALUE_CASES@", ValueCases(app)},
                                       {"@WORD_CASES@", WordCases(app)}});
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  return absl::StrReplaceAll(kBash, {{"@LOOK_UP@", LookUp(app)}});
}

std::string ZshCompletion(const CLI::App& app) {
  return absl::StrReplaceAll(kZsh, {{"@LOOK_UP@", LookUp(app)}});
}

}  // namespace reinstate
