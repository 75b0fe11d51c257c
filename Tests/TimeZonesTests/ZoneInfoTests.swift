import BudgetModel
import Foundation
import Testing
import TimeZones

@Suite struct ZoneInfoTests {
  /// Python's zoneinfo reads the same files, and finds windows by asking what the clock shows.
  /// BUDGETD_ZONE_INSTANTS: how many of each unit; BUDGETD_SEED: of a run that failed.
  @Test func windowsAreThoseThatPythonFinds() throws {
    let environment = ProcessInfo.processInfo.environment
    let count = environment["BUDGETD_ZONE_INSTANTS"].flatMap(Int.init) ?? 2_000
    let seed = environment["BUDGETD_SEED"].flatMap(UInt32.init) ?? .random(in: 0 ... .max)
    print("windows beside zoneinfo, seed \(seed), \(count) instants of each unit")
    let files = ZoneFiles.system(environment: environment)
    var compared: [CalendarUnit: Int] = [:]
    var differences = 0
    var zones: [Substring: ZoneTable] = [:]
    for line in try Self.lines(["\(seed)", "\(count)"], files: files) {
      let words = line.split(separator: " ")
      try #require(words.count == 6, "\(line)")
      let zone = try zones[words[0]] ?? files.table(named: String(words[0]))
      zones[words[0]] = zone
      let unit = try #require(CalendarUnit(rawValue: String(words[1])))
      let windows = CalendarWindows(
        unit: unit, zone: zone, firstDay: try #require(Int(words[2])))
      let times = try words[3...].map { Timestamp(unixMilliseconds: try #require(Int64($0))) }
      let window = windows.window(at: times[0])
      compared[unit, default: 0] += 1
      if window != Window(start: times[1], end: times[2]) {
        differences += 1
        if differences <= 20 {
          Issue.record(
            "\(line): here \(window.start.iso8601) to \(window.end.iso8601), seed \(seed)")
        }
      }
    }
    print("compared in \(zones.count) zones", compared.map { "\($0.key) \($0.value)" }.sorted())
    #expect(differences == 0)
    #expect(CalendarUnit.allCases.allSatisfy { compared[$0] == count })
  }

  private static func lines(_ arguments: [String], files: ZoneFiles) throws -> [Substring] {
    let script = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "zone_windows.py")
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["PYTHONTZPATH=\(files.directory)", "python3", script.path] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = try pipe.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return String(decoding: data, as: UTF8.self).split(separator: "\n")
  }
}
