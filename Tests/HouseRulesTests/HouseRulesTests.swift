import Foundation
import Testing

/// The rules of the house that the compiler does not know: who may import whom, and where raw
/// memory may be touched. They are read off the source text.
@Suite struct HouseRulesTests {
  /// What each module may import. Arrows point down only; adapters never meet.
  static let mayImport: [String: Set<String>] = [
    "BudgetModel": [],
    "Locks": ["Foundation", "Synchronization"],
    "BudgetEngine": ["BudgetModel", "Locks", "Synchronization"],
    "BudgetWire": ["BudgetModel", "CBudgetWire"],
    "TCPTransport": ["CEpoll", "Locks", "Dispatch", "Glibc", "Foundation", "Synchronization"],
    "HTTPPort": ["BudgetModel", "Locks", "Foundation", "Glibc", "Synchronization"],
    "PrometheusText": ["BudgetModel"],
    "Digest": ["CCrypto"],
    "LiteLLMConfig": ["BudgetModel", "CYAMLEvents", "Digest", "Foundation"],
    "RedisStore": ["BudgetModel", "CHiredis", "Locks", "Dispatch", "Foundation", "Glibc"],
    "SpendLedger": [
      "BudgetModel", "CProcessor", "CSQLite", "Digest", "Locks", "Dispatch", "Foundation", "Glibc",
      "Synchronization",
    ],
    "Reconciliation": ["BudgetModel", "RedisStore"],
    "BudgetFleet": [
      "BudgetModel", "BudgetEngine", "Locks", "Reconciliation", "RedisStore", "SpendLedger",
      "Dispatch", "Logging", "Synchronization",
    ],
    "BudgetPages": [
      "BudgetModel", "BudgetEngine", "BudgetFleet", "Digest", "HTTPPort", "JSONWriting", "Locks",
      "PrometheusText", "SpendLedger", "TCPTransport", "Dispatch", "Foundation",
    ],
    "JSONWriting": ["BudgetModel"],
    "BudgetServer": [
      "BudgetModel", "BudgetEngine", "BudgetFleet", "BudgetPages", "BudgetWire", "CMalloc",
      "HTTPPort", "JSONWriting", "TCPTransport", "LiteLLMConfig", "Locks", "SpendLedger",
      "Dispatch", "Foundation", "Glibc", "Logging", "Synchronization",
    ],
    "BudgetSimulation": ["BudgetModel", "BudgetEngine", "LiteLLMConfig"],
    "BudgetClient": [
      "Locks", "BudgetWire", "TCPTransport", "BudgetModel", "Dispatch", "Synchronization",
    ],
    "LoadTest": ["BudgetClient", "BudgetWire", "TCPTransport"],
    "budgetd": [
      "BudgetFleet", "BudgetModel", "BudgetPages", "BudgetServer", "BudgetWire", "LiteLLMConfig",
      "RedisStore", "TCPTransport", "ArgumentParser", "Dispatch",
      "Synchronization",
      "Foundation", "Logging",
    ],
    "budgetctl": [
      "BudgetClient", "BudgetSimulation", "BudgetModel", "LiteLLMConfig", "LoadTest",
      "ArgumentParser", "Foundation",
    ],
  ]

  /// The only files in which the word `unsafe` may stand.
  static let fences: Set<String> = [
    "BudgetModel/ExactText.swift", "BudgetModel/NameBytes.swift",
    "BudgetModel/ByteText.swift",
    "BudgetServer/Lifecycle/SystemTimeSource.swift",
    "BudgetWire/Client/ResponseDecoder.swift", "BudgetWire/Requests/RequestArena.swift",
    "BudgetWire/Requests/PlainBytes.swift", "BudgetWire/Requests/RequestDecoder.swift",
    "BudgetWire/Requests/RequestViews.swift",
    "BudgetWire/Walk/WireCursor.swift", "Digest/SHA256Digest.swift",
    "HTTPPort/Sockets/SystemCalls.swift",
    "budgetctl/Terminal/SystemCalls.swift",
    "LiteLLMConfig/YAML/YAMLEventReader.swift", "Locks/Locked.swift",
    "RedisStore/Link/HostLookup.swift", "RedisStore/Link/RedisConnection.swift",
    "RedisStore/Link/RedisReply.swift", "SpendLedger/Directory/SystemCalls.swift",
    "SpendLedger/Keys/KeyTable.swift",
    "SpendLedger/SQLite/SQLiteConnection.swift", "SpendLedger/SQLite/SQLiteStatement.swift",
    "TCPTransport/Sockets/Acceptor.swift",
    "TCPTransport/Client/ClientConnection.swift",
    "TCPTransport/Client/PipelinedConnections.swift", "TCPTransport/Lanes/DispatchExecutor.swift",
    "TCPTransport/Lanes/Lane+Receiving.swift", "TCPTransport/Lanes/Lane.swift",
    "TCPTransport/Lanes/LaneBuffers.swift", "TCPTransport/Lanes/LanePoller.swift",
    "TCPTransport/Sockets/SocketAddress.swift", "TCPTransport/Sockets/SystemCalls.swift",
  ]

  @Test func importsPointDownOnly() throws {
    for (module, files) in try modules() {
      let allowed = try #require(Self.mayImport[module], "\(module) has no import rule")
      for file in files {
        for name in imports(of: file.text) {
          #expect(allowed.contains(name), "\(module)/\(file.name) imports \(name)")
        }
      }
    }
  }

  @Test func unsafeCodeStaysInItsFences() throws {
    var touched: Set<String> = []
    for (module, files) in try modules() {
      for file in files {
        let code = file.text.split(separator: "\n").filter {
          !$0.drop { $0 == " " }.hasPrefix("//")
        }
        let words = code.flatMap { $0.split { !$0.isLetter && !$0.isNumber && $0 != "_" } }
        if words.contains("unsafe") { touched.insert("\(module)/\(file.name)") }
      }
    }
    #expect(touched.subtracting(Self.fences).sorted() == [], "raw memory outside its fences")
    #expect(Self.fences.subtracting(touched).sorted() == [], "fences without raw memory")
  }

  @Test func noEscapesFromTheCompiler() throws {
    let escapes = ["@unchecked Sendable", "nonisolated(unsafe)", "try!", " as! ", "fatalError("]
    // Says there why: the sanitizer's stand-in for the standard library's lock.
    let proven = ["@unchecked Sendable": "Locks/Locked.swift"]
    for (module, files) in try modules() {
      for file in files {
        for escape in escapes where proven[escape] != "\(module)/\(file.name)" {
          #expect(!file.text.contains(escape), "\(module)/\(file.name) has \(escape)")
        }
      }
    }
  }

  @Test func filesAndLinesStaySmall() throws {
    for (module, files) in try modules() {
      for file in files where !file.name.contains("+Generated") {
        let lines = file.text.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count <= 600, "\(module)/\(file.name) has \(lines.count) lines")
      }
    }
  }

  @Test func everyModuleHasItsPage() throws {
    for module in try modules().keys where !module.hasPrefix("budget") {
      let page = sources.appending(path: "\(module)/README.md").path
      #expect(FileManager.default.fileExists(atPath: page), "\(page) is missing")
    }
  }

  // MARK: - Reading the source

  private struct SourceFile {
    var name: String
    var text: String
  }

  private var sources: URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "Sources")
  }

  /// The Swift files of each module; names are relative to the module's folder.
  private func modules() throws -> [String: [SourceFile]] {
    var modules: [String: [SourceFile]] = [:]
    for module in try FileManager.default.contentsOfDirectory(atPath: sources.path) {
      let folder = sources.appending(path: module)
      let names = try FileManager.default.subpathsOfDirectory(atPath: folder.path)
      let files = try names.filter { $0.hasSuffix(".swift") }.map { name in
        SourceFile(
          name: name, text: try String(contentsOf: folder.appending(path: name), encoding: .utf8))
      }
      if !files.isEmpty { modules[module] = files }
    }
    #expect(modules.count > 1, "the sources were found")
    return modules
  }

  private func imports(of text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard let index = words.firstIndex(of: "import"), index <= 2, words.count > index + 1 else {
        return nil
      }
      let before = words[..<index]
      guard
        before.allSatisfy({
          ["public", "package", "internal", "@testable", "@_exported"].contains($0)
        })
      else { return nil }
      let isScoped = ["struct", "enum", "class", "protocol", "func"].contains(words[index + 1])
      let path = isScoped ? words.dropFirst(index + 2).first : words[index + 1]
      return path?.split(separator: ".").first.map(String.init)
    }
  }
}
