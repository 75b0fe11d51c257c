/// The targets of Package.swift, read off its text.
struct PackageManifest {
  struct Target {
    var name: String
    var folder: String
    var dependencies: Set<String>
  }

  var targets: [Target] = []

  /// Products of other packages stand there under a constant's name.
  private static let products = ["argumentParser": "ArgumentParser", "logging": "Logging"]

  init(_ text: String) {
    let code = text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.split(separator: "//", maxSplits: 1, omittingEmptySubsequences: false)[0] }
      .joined(separator: "\n")
    for call in code.matches(of: /\b(module|tests)\(\s*"(\w+)",\s*\[([^\]]*)\]/) {
      let folder = (call.1 == "module" ? "Sources/" : "Tests/") + call.2
      targets.append(
        Target(
          name: String(call.2), folder: folder, dependencies: Self.names(in: call.3)))
    }
    let plain = /\.(?:executableTarget|target|systemLibrary)\(\s*name: "(\w+)"/
    let starts = code.matches(of: plain)
    for (index, start) in starts.enumerated() {
      // Its arguments end where the next target begins, at the latest.
      let end = index + 1 < starts.count ? starts[index + 1].range.lowerBound : code.endIndex
      var rest = code[start.range.upperBound..<end]
      if let next = rest.firstMatch(of: /\n    (?:\.|module\(|tests\()/) {
        rest = rest[..<next.range.lowerBound]
      }
      let path = rest.firstMatch(of: /path: "([^"]+)"/).map { String($0.1) }
      let list = rest.firstMatch(of: /dependencies: \[([^\]]*)\]/).map { Self.names(in: $0.1) }
      targets.append(
        Target(
          name: String(start.1), folder: path ?? "Sources/\(start.1)", dependencies: list ?? []))
    }
  }

  private static func names(in list: Substring) -> Set<String> {
    Set(list.matches(of: /\w+/).map { products[String($0.0)] ?? String($0.0) })
  }
}
