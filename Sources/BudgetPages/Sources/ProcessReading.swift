import Foundation

/// Linux' figures of this process.
struct ProcessReading {
  var cpuSeconds: Double
  var residentBytes: UInt64
  var virtualBytes: UInt64
  var openDescriptors: Int
  /// 0 where it cannot be read.
  var descriptorLimit: UInt64
  var startSeconds: Double

  private static let ticksPerSecond = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
  private static let pageBytes = UInt64(max(1, sysconf(Int32(_SC_PAGESIZE))))
  /// When the machine started, in seconds since the epoch.
  private static let bootSeconds = text("/proc/stat").flatMap { text in
    text.split(separator: "\n").first { $0.hasPrefix("btime ") }.flatMap { Double($0.dropFirst(6)) }
  }

  /// Nil where /proc is not there.
  static func now() -> ProcessReading? {
    // The name in parentheses may hold anything; fields are counted from behind it, the third first.
    guard let stat = text("/proc/self/stat"), let name = stat.lastIndex(of: ")"),
      let bootSeconds
    else { return nil }
    let fields = stat[stat.index(after: name)...].split(separator: " ").map { UInt64($0) ?? 0 }
    guard fields.count > 21 else { return nil }
    // Unreadable where descriptors have run out: that is what the limit is compared with, then.
    let open = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
    let limit = descriptorLimit()
    return ProcessReading(
      cpuSeconds: Double(fields[11] + fields[12]) / ticksPerSecond,
      residentBytes: fields[21] * pageBytes, virtualBytes: fields[20],
      // The reading itself has one open.
      openDescriptors: open.map { max(0, $0 - 1) } ?? Int(limit), descriptorLimit: limit,
      startSeconds: bootSeconds + Double(fields[19]) / ticksPerSecond)
  }

  private static func descriptorLimit() -> UInt64 {
    guard
      let line = text("/proc/self/limits")?.split(separator: "\n").first(where: {
        $0.hasPrefix("Max open files")
      })
    else { return 0 }
    return line.split(separator: " ").dropFirst(3).first.flatMap { UInt64($0) } ?? 0
  }

  /// Nil where it cannot be read: the caller leaves out what it would have said.
  private static func text(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
  }
}
