import Foundation

/// How much memory the process may have: the least of what the machine has and of what limits leave.
///
/// Pure but for `ofThisProcess`: it reads texts as Linux writes them.
struct MemoryLimit {
  /// The machine's memory, in bytes.
  var physicalBytes: Int
  /// /proc/self/limits.
  var limits = ""
  /// /proc/self/cgroup: the groups that the process is in.
  var groups = ""
  /// /proc/self/mountinfo: where groups are to be seen.
  var mounts = ""
  /// The text of a file; nil where it cannot be read.
  var read: (String) -> String? = { _ in nil }

  static var ofThisProcess: MemoryLimit {
    // Unreadable is as good as no limit.
    func text(_ path: String) -> String? {
      FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
    }
    return MemoryLimit(
      physicalBytes: Int(clamping: ProcessInfo.processInfo.physicalMemory),
      limits: text("/proc/self/limits") ?? "", groups: text("/proc/self/cgroup") ?? "",
      mounts: text("/proc/self/mountinfo") ?? "", read: text)
  }

  /// The least of all.
  var bytes: Int {
    ([physicalBytes] + resourceLimits + groupFiles.compactMap { read($0).flatMap(Self.number) })
      .filter { $0 > 0 }.min() ?? physicalBytes
  }

  /// The bytes that all connections together may hold unless set: an eighth, 8 to 512 MiB.
  var unsentTotalBytes: Int {
    min(max(bytes / 8, Self.leastUnsentTotal), Self.mostUnsentTotal)
  }

  static let leastUnsentTotal = 8 * 1024 * 1024
  private static let mostUnsentTotal = 512 * 1024 * 1024

  /// Whether addresses are so short (RLIMIT_AS) that what is reserved and not used matters.
  var isShortOfAddresses: Bool {
    resourceLimit("Max address space").map { $0 < 2 * 1024 * 1024 * 1024 } ?? false
  }

  /// The least addresses that a node begins with: libraries take 80 MiB of them, each thread's
  /// stack 8.
  private static let leastAddresses = 192 * 1024 * 1024

  /// Why no node can begin here; nil: one can.
  var complaint: String? {
    guard let bytes = resourceLimit("Max address space"), bytes < Self.leastAddresses else {
      return nil
    }
    return "the limit on addresses (ulimit -v, RLIMIT_AS) is \(bytes) bytes: give "
      + "\(Self.leastAddresses) or more, or none"
  }

  /// RLIMIT_AS and RLIMIT_DATA, where they are set.
  private var resourceLimits: [Int] {
    ["Max address space", "Max data size"].compactMap(resourceLimit)
  }

  /// `Max address space  307200000  unlimited  bytes`
  private func resourceLimit(_ name: String) -> Int? {
    limits.split(separator: "\n").first { $0.hasPrefix(name) }
      .flatMap { $0.dropFirst(name.count).split(separator: " ").first }.flatMap(Self.number)
  }

  /// The files that may limit the process' own group or one above it.
  var groupFiles: [String] {
    var files: [String] = []
    for mount in mounts.split(separator: "\n") {
      let fields = mount.split(separator: " ")
      guard let dash = fields.firstIndex(of: "-"), dash > 4, fields.count > dash + 3 else {
        continue
      }
      let names: [String]
      let path: Substring?
      switch fields[dash + 1] {
      case "cgroup2":
        names = ["memory.max", "memory.high"]
        path = groupPath { $0.isEmpty }
      case "cgroup" where fields[dash + 3].split(separator: ",").contains("memory"):
        names = ["memory.limit_in_bytes"]
        path = groupPath { $0.split(separator: ",").contains("memory") }
      default: continue
      }
      guard let path else { continue }
      for folder in Self.folders(of: path, under: fields[3], seenAt: fields[4]) {
        files += names.map { "\(folder)/\($0)" }
      }
    }
    return files
  }

  /// The path of the process' group: `4:memory:/docker/ab12`, or `0::/service` in version 2.
  private func groupPath(_ isIt: (Substring) -> Bool) -> Substring? {
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      if parts.count == 3, isIt(parts[1]) { return parts[2] }
    }
    return nil
  }

  /// The group's folder and those above it. A container may see only its own group, at the mount's
  /// `root`; a path that is not under it names a group that is not to be seen.
  private static func folders(
    of path: Substring, under root: Substring, seenAt point: Substring
  ) -> [String] {
    var rest: Substring = path
    if root != "/" {
      rest = path == root || path.hasPrefix("\(root)/") ? path.dropFirst(root.count) : ""
    }
    var folders = [String(point)]
    for part in rest.split(separator: "/") where part != ".." {
      folders.append("\(folders.last ?? "")/\(part)")
    }
    return folders.reversed()
  }

  private static func number(_ text: some StringProtocol) -> Int? {
    // "max" and "unlimited" are not limits; version 1 has a number near 2^63 then.
    Int(String(text.filter { !$0.isWhitespace }))
  }
}
