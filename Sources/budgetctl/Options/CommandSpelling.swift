import LiteLLMConfig

/// Commands that there are not, and those that were probably meant.
enum CommandSpelling {
  /// The options of the program itself, which may stand before the command, each with a value.
  private static let options: Set<String> = ["--server", "--timeout"]

  /// Why the first word of `arguments` is not a command; nil: it is one, or there is none.
  static func complaint(of arguments: [String], commands: [String]) -> String? {
    var words = arguments[...]
    while let word = words.first, word.hasPrefix("-") {
      words = words.dropFirst(options.contains(word) ? 2 : 1)
    }
    guard let word = words.first, word != "help", !commands.contains(word) else { return nil }
    let known = commands.joined(separator: ", ")
    let start = "'\(word)' is not a command"
    guard let meant = Spelling.nearest(to: word, among: commands) else {
      return "\(start): the commands are \(known)"
    }
    return "\(start): did you mean '\(meant)'? The commands are \(known)"
  }
}
