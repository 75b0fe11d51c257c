import BudgetModel

/// Why there is no table for a zone. Cases carry what a message needs.
public enum ZoneError: Error, Hashable, Sendable {
  /// No file has that name; `nearest` are up to three names that look like it.
  case unknown(name: String, directory: String, nearest: [String])
  /// The directory has no zone files at all.
  case noFiles(directory: String)
  /// The file cannot be read as one.
  case unreadable(name: String, reason: String)
}

extension ZoneError: CustomStringConvertible {
  /// One sentence: the name, what is wrong and what would be right.
  public var description: String {
    switch self {
    case .unknown(let name, let directory, let nearest):
      "'\(name.printable(upTo: 64))' is not a time zone of \(directory.printable): "
        + (nearest.isEmpty
          ? "give an IANA name, such as Europe/Berlin" : "did you mean \(Self.choice(nearest))?")
    case .noFiles(let directory):
      "'\(directory.printable)' has no time zone files: install Debian's tzdata, or set TZDIR to "
        + "the directory that has them"
    case .unreadable(let name, let reason):
      "the file of the time zone '\(name.printable(upTo: 64))' cannot be used, \(reason): "
        + "install tzdata again, or set TZDIR to the directory of another copy"
    }
  }

  private static func choice(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return names.joined() }
    return names.dropLast().joined(separator: ", ") + " or " + last
  }
}
