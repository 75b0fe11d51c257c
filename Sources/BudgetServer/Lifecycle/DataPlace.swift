import Foundation
import SpendLedger

/// The folder that spend is kept in: the one asked for, or the one that the system's conventions
/// name. Pure but for `ofThisProcess`.
public struct DataPlace: Sendable {
  /// The folder that the process was started in.
  var folder: String
  var environment: [String: String]
  var isRoot: Bool
  /// Whether a folder is there and may be written.
  var isWritable: @Sendable (String) -> Bool
  /// Whether a ledger is in a folder.
  var hasLedger: @Sendable (String) -> Bool

  /// The place of services.
  static let system = "/var/lib/budgetd"
  /// The default of version 0.2, in the folder that it was started in.
  static let former = "budgetd-data"

  /// As this process finds the machine.
  public static var ofThisProcess: DataPlace {
    DataPlace(
      folder: FileManager.default.currentDirectoryPath,
      environment: ProcessInfo.processInfo.environment, isRoot: geteuid() == 0,
      isWritable: { path in
        let target = URL(filePath: path).resolvingSymlinksInPath().path
        // Unreadable is as good as not there.
        let attributes = try? FileManager.default.attributesOfItem(atPath: target)
        return attributes?[.type] as? FileAttributeType == .typeDirectory
          && FileManager.default.isWritableFile(atPath: target)
      },
      hasLedger: { SpendLedger.isKept(in: $0) })
  }

  /// The absolute path of the folder; `asked` is what the operator says, if anything.
  ///
  /// Throws where nothing names a folder, and where a ledger lies at the former place and none at
  /// this one: a new one would forget what was spent.
  public func path(asked: String?) throws(ServerError) -> String {
    if let asked {
      guard !asked.isEmpty else { throw .usage("--data-dir is empty: give a folder") }
      return absolute(asked)
    }
    let path = try conventional()
    let former = absolute(Self.former)
    if hasLedger(former), !hasLedger(path), former != path {
      throw .unavailable(
        "a ledger is in \(former), where earlier versions kept it, and none in \(path), where it is "
          + "kept now: a new one would forget what was spent. Move the files of the former to the "
          + "latter, or start with --data-dir \(former)")
    }
    return path
  }

  private func conventional() throws(ServerError) -> String {
    if isRoot || isWritable(Self.system) { return Self.system }
    // Paths that are not absolute are to be ignored, by the convention.
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") {
      return joined(state, "budgetd")
    }
    if let home = environment["HOME"], home.hasPrefix("/") {
      return joined(home, ".local/state/budgetd")
    }
    throw .usage(
      "nothing says where to keep spend: \(Self.system) is not there for this user, and neither "
        + "XDG_STATE_HOME nor HOME names a folder; give --data-dir")
  }

  /// The path seen from the root. Links are left for the system to follow.
  private func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    var rest = path[...]
    while rest.hasPrefix("./") { rest = rest.dropFirst(2).drop { $0 == "/" } }
    return rest.isEmpty || rest == "." ? folder : joined(folder, String(rest))
  }

  private func joined(_ folder: String, _ name: String) -> String {
    folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
  }

  /// Makes the folders above `path`, which a user's first start may not find; the ledger makes the
  /// last one. A folder that cannot be made is reported when the ledger is opened.
  public static func makeParents(of path: String) {
    let parent = URL(filePath: path).deletingLastPathComponent().path
    try? FileManager.default.createDirectory(
      atPath: parent, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
  }

  /// The path as a value of the ready line: what is not a visible character of ASCII, and `%`, as `%20`
  /// and so on.
  public static func word(_ path: String) -> String {
    var text = ""
    for byte in path.utf8 {
      if (0x21...0x7E).contains(byte), byte != UInt8(ascii: "%") {
        text.unicodeScalars.append(Unicode.Scalar(byte))
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        text += digits.count == 1 ? "%0\(digits)" : "%\(digits)"
      }
    }
    return text
  }
}
