import Foundation
import Testing

/// The rules of the house that the compiler does not know: where raw memory may be touched, and which
/// escapes from the compiler are not taken. They are read off the source text.
@Suite struct HouseRulesTests {
  /// The only files in which the word `unsafe` may stand.
  static let fences: Set<String> = [
    "BudgetClient/Router/Journal/JournalFiles.swift",
    "BudgetModel/ExactText.swift", "BudgetModel/NameBytes.swift",
    "BudgetModel/ByteText.swift",
    "BudgetServer/Lifecycle/SystemTimeSource.swift",
    "BudgetWire/Client/ResponseDecoder.swift", "BudgetWire/Requests/RequestArena.swift",
    "BudgetWire/Requests/PlainBytes.swift", "BudgetWire/Requests/RequestDecoder.swift",
    "BudgetWire/Requests/RequestViews.swift",
    "BudgetWire/Walk/WireCursor.swift", "Digest/SHA256Digest.swift",
    "budgetctl/Terminal/SystemCalls.swift",
    "Documents/YAML/YAMLEventReader.swift", "Locks/Locked.swift",
    "RedisStore/Link/RedisReplies.swift",
    "RedisStore/Link/RedisReply.swift", "RedisStore/Link/RedisSocket.swift",
    "SpendLedger/Directory/SystemCalls.swift",
    "SpendLedger/Keys/KeyTable.swift",
    "SpendLedger/SQLite/SQLiteConnection.swift", "SpendLedger/SQLite/SQLiteStatement.swift",
    "TCPTransport/Lanes/Acceptor.swift",
    "TCPTransport/Client/ClientConnection.swift",
    "TCPTransport/Client/PipelinedConnections.swift", "TCPTransport/Lanes/DispatchExecutor.swift",
    "TCPTransport/Lanes/Lane+Receiving.swift", "TCPTransport/Lanes/Lane.swift",
    "TCPTransport/Connections/BigEndian.swift",
    "Sockets/DatagramSocket.swift", "Sockets/Descriptor.swift",
    "Sockets/Poller.swift", "Sockets/ResolvedAddress.swift",
    "Sockets/ScratchBuffer.swift", "Sockets/SocketAddress.swift", "Sockets/SystemCalls.swift",
    "Sockets/UnixSocketFile.swift",
    "Sockets/Wakeup.swift", "TLS/TLSContext.swift", "TLS/TLSSession.swift",
    "Webhooks/WebhookPost.swift",
  ]

  @Test func unsafeCodeStaysInItsFences() throws {
    var touched: Set<String> = []
    for (module, files) in try SourceTree.modules() {
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

  /// Whatever else a tool leaves there would be committed with the next change.
  @Test func theTopLevelStaysAsItIs() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: SourceTree.root.path)
    let kept = ["Package.swift", "README.md", "Sources", "Tests", "deploy", "proto"]
    // Made by the package manager, and ignored.
    let made = ["Package.resolved"]
    #expect(names.filter { !$0.hasPrefix(".") && !made.contains($0) }.sorted() == kept)
  }

  /// A comment names its subject first; one that begins with What or Where reads as a question.
  @Test func noCommentBeginsAsAQuestion() throws {
    let beginnings = ["What", "Where"].map { "// \($0) " }
    for folder in ["Sources", "Tests"] {
      for file in try SourceTree.files(in: folder) {
        for beginning in beginnings {
          #expect(!file.text.contains(beginning), "\(folder)/\(file.name) has '\(beginning)'")
        }
      }
    }
  }

  /// Each look at a function that stands for a generic value wraps it once more: it goes into a `Hook`.
  @Test func noLockHasAFunction() throws {
    for (module, files) in try SourceTree.modules() {
      for file in files {
        let found = file.text.firstMatch(of: /(Locked|Mutex|Promise)<\(+[^<>\n]*->/)
        #expect(found?.output.0 == nil, "\(module)/\(file.name)")
      }
    }
  }

  @Test func noEscapesFromTheCompiler() throws {
    let escapes = ["@unchecked Sendable", "nonisolated(unsafe)", "try!", " as! ", "fatalError("]
    // Says there why: the sanitizer's stand-in for the standard library's lock.
    let proven = ["@unchecked Sendable": "Locks/Locked.swift"]
    for (module, files) in try SourceTree.modules() {
      for file in files {
        for escape in escapes where proven[escape] != "\(module)/\(file.name)" {
          #expect(!file.text.contains(escape), "\(module)/\(file.name) has \(escape)")
        }
      }
    }
  }
}
