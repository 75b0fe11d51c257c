public import Documents

/// How the files that a configuration's `include:` names are read: the caller's part of it.
public struct ConfigIncludes: Sendable {
  /// The absolute folder that relative paths start from.
  let workingFolder: String
  /// The folder of the configuration itself; nil: that of its name.
  let rootFolder: String?
  /// Whether there is anything at a path.
  let exists: @Sendable (String) -> Bool
  /// The bytes of the file at a path.
  let bytes: @Sendable (String) throws(DocumentError) -> [UInt8]

  /// Makes a way to read files. The error of `bytes` names the file.
  public init(
    workingFolder: String, rootFolder: String? = nil,
    exists: @escaping @Sendable (String) -> Bool,
    bytes: @escaping @Sendable (String) throws(DocumentError) -> [UInt8]
  ) {
    self.workingFolder = workingFolder
    self.rootFolder = rootFolder
    self.exists = exists
    self.bytes = bytes
  }

  /// Finds no file at all: for texts that stand alone.
  public static let none = ConfigIncludes(
    workingFolder: "/", exists: { _ in false },
    bytes: { path throws(DocumentError) in
      throw DocumentError(problems: [
        DocumentProblem(file: path, line: 1, keyPath: "", message: "the file cannot be read")
      ])
    })
}

/// Paths as Python's `os.path` treats them: texts, without a look at the disk.
enum PathText {
  /// The part before the last slash; empty: the folder that the process works in.
  static func folder(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "" }
    let folder = path[..<slash]
    return folder.isEmpty ? "/" : String(folder)
  }

  /// `path` beside the files of `folder`; an absolute one stays as it is.
  static func joined(_ folder: String, _ path: String) -> String {
    if path.hasPrefix("/") || folder.isEmpty { return path }
    return folder.hasSuffix("/") ? folder + path : "\(folder)/\(path)"
  }

  /// Without `.` and `..`, from the root on.
  static func absolute(_ path: String, in workingFolder: String) -> String {
    var parts: [Substring] = []
    for part in joined(workingFolder, path).split(separator: "/") {
      switch part {
      case ".": continue
      case "..": _ = parts.popLast()
      default: parts.append(part)
      }
    }
    return "/" + parts.joined(separator: "/")
  }
}
