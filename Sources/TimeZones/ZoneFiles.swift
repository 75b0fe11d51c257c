public import BudgetModel
import Foundation

/// The compiled zone files of a directory.
public struct ZoneFiles: Sendable {
  /// The directory of the files.
  public let directory: String

  /// The directory of Debian's tzdata.
  public static let usualDirectory = "/usr/share/zoneinfo"
  /// The real ones have less than 4 KiB.
  static let maximumBytes = 1 << 20
  /// How many files are looked at for names that are near. There are about 600.
  static let maximumNames = 4_000
  static let maximumNameBytes = 128

  /// Reads files below `directory`.
  public init(directory: String) { self.directory = directory }

  /// The files that programs of this environment use: in `TZDIR`, else in the usual directory.
  public static func system(environment: [String: String]) -> ZoneFiles {
    let given = environment["TZDIR"] ?? ""
    return ZoneFiles(directory: given.isEmpty ? usualDirectory : given)
  }

  /// The table of the zone of that IANA name, in exactly its letters. UTC needs no file.
  public func table(named name: String) throws(ZoneError) -> ZoneTable {
    if name == ZoneTable.utc.name { return .utc }
    guard Self.isName(name), isFile(name) else { throw unknown(name) }
    guard let handle = FileHandle(forReadingAtPath: path(name)) else {
      throw .unreadable(name: name, reason: "it may not be opened")
    }
    let data: Data
    do {
      data = try handle.read(upToCount: Self.maximumBytes + 1) ?? Data()
    } catch {
      throw .unreadable(name: name, reason: "reading it fails")
    }
    guard data.count <= Self.maximumBytes else {
      throw .unreadable(name: name, reason: "it is larger than \(Self.maximumBytes) bytes")
    }
    return try ZoneFileReader.table(named: name, in: [UInt8](data))
  }

  /// Whether the text can be a zone's name, and leads nowhere outside the directory.
  static func isName(_ name: String) -> Bool {
    guard name.utf8.count <= maximumNameBytes else { return false }
    return name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .allSatisfy { part in
        !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
          && part.allSatisfy(isNameByte)
      }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "+"), UInt8(ascii: "-"):
      true
    default: false
    }
  }

  private func path(_ name: String) -> String { directory + "/" + name }

  /// Whether there is a regular file, perhaps through links: another kind could block its reader.
  private func isFile(_ name: String) -> Bool {
    let target = URL(filePath: path(name)).resolvingSymlinksInPath().path
    // An error means that it is not there, or out of reach.
    let attributes = try? FileManager.default.attributesOfItem(atPath: target)
    return attributes?[.type] as? FileAttributeType == .typeRegular
  }

  private func unknown(_ name: String) -> ZoneError {
    let names = names()
    guard names.contains(where: isZone) else { return .noFiles(directory: directory) }
    let near = names.compactMap { other in
      Self.strangeness(of: other, to: name).map { (name: other, strangeness: $0) }
    }
    let nearest = near.sorted { ($0.strangeness, $0.name) < ($1.strangeness, $1.name) }
      .lazy.map(\.name).filter(isZone).prefix(3)
    return .unknown(name: name, directory: directory, nearest: Array(nearest))
  }

  private func isZone(_ name: String) -> Bool {
    // Only names from the directory are asked for: they are not looked for again.
    guard isFile(name), Self.isName(name) else { return false }
    return (try? table(named: name)) != nil
  }

  /// Names that may be those of zones. Other trees of the same zones are left out, and files that are
  /// one of them under a name of no place.
  private func names() -> [String] {
    guard let entries = FileManager.default.enumerator(atPath: directory) else { return [] }
    var names: [String] = []
    for case let name as String in entries.lazy.prefix(Self.maximumNames) {
      if ["posix", "right"].contains(name) || entries.level > 3 {
        entries.skipDescendants()
      } else if !["Factory", "localtime", "posixrules"].contains(name), !name.contains(".") {
        names.append(name)
      }
    }
    return names
  }

  /// How little a name looks like the one that was given; nil where not at all: neither the whole is
  /// near nor its last part, the place.
  static func strangeness(of name: String, to given: String) -> Int? {
    func place(_ name: String) -> String {
      String(name.split(separator: "/").last ?? "")
    }
    let whole = Spelling.edits(from: given, to: name)
    let part = Spelling.edits(from: place(given), to: place(name))
    guard whole <= min(2, name.utf8.count / 3) || part <= min(2, place(name).utf8.count / 3) else {
      return nil
    }
    return whole + part
  }
}
