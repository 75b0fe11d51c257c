import Testing

/// How large files, functions and types may be.
@Suite struct ShapeTests {
  static let maximumLines = 600
  static let maximumFunctionLines = 70
  static let maximumParameters = 4
  /// An initialiser takes a value's properties, each by its name.
  static let maximumProperties = 8

  /// Functions that are longer, and why.
  static let longFunctions: [String: String] = [
    "BudgetServer/Lifecycle/BudgetServer.swift init": "puts the parts of a process together"
  ]

  /// Functions with more parameters, and why.
  static let wideFunctions: [String: String] = [
    // On the hot path: a value made for the call would be written and read again.
    "BudgetEngine/Filter/BudgetEngine+Filter.swift askCommon": "hot path",
    "BudgetEngine/Filter/BudgetEngine+Filter.swift judge": "hot path",
    "BudgetEngine/Reservations/BudgetEngine+Candidates.swift filterAndReserve": "hot path",
    "BudgetEngine/Reservations/BudgetEngine+Candidates.swift tryToReserve": "hot path",
    "BudgetServer/Ledger/LedgerRecorder.swift record": "hot path",
    "BudgetServer/Service/Resolving/QuestionResolver.swift add": "hot path",
    "BudgetServer/Ledger/SpendRecorder.swift record": "hot path",
    "BudgetWire/Walk/WireWalk.swift walkMessage": "hot path",
    "BudgetWire/Walk/PlainFields.swift skip": "hot path",
    "SpendLedger/Writer/BatchPlan.swift decide": "hot path",
    "SpendLedger/Writer/LedgerWriter+Commit.swift conclude": "hot path",
    "TCPTransport/Lanes/Lane+Receiving.swift handleFrames": "hot path",
    "TCPTransport/Lanes/Lane+Receiving.swift take": "hot path",
    "TCPTransport/Client/PipelinedConnections.swift take": "loads servers",
    "HTTPPort/Serving/HTTPLoop+Secure.swift send": "as the socket's own",
    "Reconciliation/Windows/WindowSettling.swift adoption": "the parts of one decision",
    "BudgetEngine/Policy/InstalledChanges.swift settle": "the parts of one change",
    "SpendLedger/Store/RowSeal.swift balance": "the columns of a row",
    "SpendLedger/Writer/OpenedLedger.swift open": "yet to be narrowed",
    "SpendLedger/Writer/OpenedLedger.swift read": "yet to be narrowed",
  ]

  /// Types that are larger over all their files, and how large they may be: they only shrink.
  static let largeTypes: [String: Int] = [
    "LiteLLMConfig.ConfigReader": 1_700, "SpendLedger.LedgerWriter": 1_200,
    "TCPTransport.Lane": 1_050,
    "BudgetEngine.BudgetEngine": 1_200, "BudgetServer.BudgetService": 1_010,
  ]

  @Test func filesStaySmall() throws {
    for (module, files) in try written() {
      for file in files {
        let count = file.lines.count
        #expect(count <= Self.maximumLines, "\(module)/\(file.name) has \(count) lines")
      }
    }
  }

  @Test func functionsStayShort() throws {
    var unused = Set(Self.longFunctions.keys)
    for (place, function) in try functions()
    where function.length > Self.maximumFunctionLines {
      if unused.remove(place) != nil || Self.longFunctions[place] != nil { continue }
      Issue.record("\(place), line \(function.line), has \(function.length) lines")
    }
    #expect(unused.sorted() == [], "these are short by now")
  }

  @Test func functionsTakeFewParameters() throws {
    var unused = Set(Self.wideFunctions.keys)
    for (place, function) in try functions() {
      let bound = function.kind == "init" ? Self.maximumProperties : Self.maximumParameters
      guard function.parameters > bound else { continue }
      if unused.remove(place) != nil || Self.wideFunctions[place] != nil { continue }
      Issue.record("\(place), line \(function.line), takes \(function.parameters) parameters")
    }
    #expect(unused.sorted() == [], "these take few by now")
  }

  @Test func typesStaySmall() throws {
    for (module, files) in try written() {
      var lines: [String: Int] = [:]
      for file in files {
        for part in Declarations(file.lines).types { lines[part.name, default: 0] += part.length }
      }
      for (name, count) in lines {
        let bound = Self.largeTypes["\(module).\(name)"] ?? Self.maximumLines
        #expect(count <= bound, "\(module).\(name) has \(count) lines over all its files")
      }
      for (place, bound) in Self.largeTypes where place.hasPrefix("\(module).") {
        let count = lines[String(place.dropFirst(module.count + 1))] ?? 0
        #expect(count > Self.maximumLines, "\(place) needs no bound of \(bound) any longer")
      }
    }
  }

  /// By where they are: `Module/File.swift name`.
  private func functions() throws -> [(place: String, function: Declarations.Function)] {
    let all = try written().flatMap { module, files in
      files.flatMap { file in
        Declarations(file.lines).functions.map { ("\(module)/\(file.name) \($0.name)", $0) }
      }
    }
    #expect(all.count > 1_500, "the functions were found")
    return all
  }

  /// The modules' files that were not generated.
  private func written() throws -> [String: [SourceTree.File]] {
    try SourceTree.modules().mapValues { files in
      files.filter { !$0.name.contains("+Generated") }
    }
  }

  @Test func declarationsAreRead() {
    let text = """
      public struct A: B {
        init() {}

        @inlinable public mutating func one<Key: Hashable>(
          _ a: [Key: Int], b: (Int, Int) -> Void = { _, _ in }, c: Result<Int, any Error>
        ) throws(Failure) -> Int
        where Key: Sendable {
          if a.isEmpty {
            return 1
          }

          return 2
        }

        func two(a: Int) { print(a, b) }
      }

      protocol P {
        func three(a: Int, b: Int)
        var x: Int { get }
      }
      extension A.Inner {
        private static func four() {
        }
      }
      """
    let read = Declarations(text.split(separator: "\n", omittingEmptySubsequences: false))
    #expect(
      read.functions.map { "\($0.name) \($0.length) \($0.parameters)" }
        == ["init 1 0", "one 10 3", "two 1 1", "three 1 2", "four 2 0"])
    #expect(read.types.map { "\($0.name) \($0.length)" } == ["A 16", "P 4", "A 4"])
  }
}
