import BudgetModel
import SeededRandom
import Testing
import WholeRequests

@testable import BudgetWire

/// Random and mutated frames: nothing crashes, and what the walk lets through protobuf-c unpacks
/// within the arena's bound. The seed is printed; `WIRE_FUZZ_SEED` repeats a run.
@Suite struct FuzzTests {
  @Test func whateverTheWalkAcceptsProtobufCUnpacks() throws {
    let seed = FuzzSeed.current
    print("WIRE_FUZZ_SEED=\(seed)")
    var random = SeededRandom(seed: seed)
    let corpus = try WireSamples.requests.map { try WireSamples.message($0) }
    var decoder = RequestDecoder()
    var accepted = 0
    for round in 0..<100_000 {
      let message = FuzzInput.message(of: corpus, using: &random)
      let walked = Self.passesWalk(message)
      do throws(WireRefusal) {
        let names = try decoder.withRequest(frame: message.span) { FuzzInput.bytesRead(of: $0) }
        #expect(names <= message.count)
        #expect(walked)
        accepted += 1
      } catch {
        let isWalks = error.fault != .notUnpacked && error.fault != .noCallID
        if walked, isWalks || error.fault == .notUnpacked {
          Issue.record("seed \(seed) round \(round): \(error.fault) on \(message)")
        }
      }
      #expect(
        decoder.lastRequestArenaBytes <= 4 * 1024 * 1024, "seed \(seed) round \(round)")
    }
    print("fuzz: \(accepted) of 100000 accepted")
    #expect(accepted > 1000)
  }

  private static func passesWalk(_ message: [UInt8]) -> Bool {
    // A refusal is the answer here, whichever it is.
    do {
      let head = try RequestHead(frame: unsafe message.span.bytes, bounds: .standard)
      try WireWalk.judge(head, bounds: .standard)
      return true
    } catch {
      return false
    }
  }

  @Test func noResponseCrashesTheClient() throws {
    let seed = FuzzSeed.current
    var random = SeededRandom(seed: seed)
    var bytes: [UInt8] = []
    ResponseWriter().appendProviderBudgets(WireResponses.budgets, callID: 1, to: &bytes)
    var ping: [UInt8] = []
    ResponseWriter().appendPing(WireResponses.ping, callID: 1, to: &ping)
    let corpus = [Array(bytes.dropFirst(4)), Array(ping.dropFirst(4))]
    var decoder = ResponseDecoder()
    var accepted = 0
    for _ in 0..<20_000 {
      let message = FuzzInput.message(of: corpus, using: &random)
      if (try? decoder.response(frame: message.span)) != nil { accepted += 1 }
    }
    #expect(accepted > 100, "seed \(seed)")
  }
}

enum FuzzInput {
  /// A sample with a few bytes changed, cut, doubled or inserted; or fields at random; or noise.
  static func message(of corpus: [[UInt8]], using random: inout SeededRandom) -> [UInt8] {
    switch Int.random(in: 0..<10, using: &random) {
    case 0:
      return (0..<Int.random(in: 0..<64, using: &random)).map { _ in random.byte() }
    case 1, 2, 3: return fields(levels: 3, using: &random)
    default:
      var message = corpus[Int.random(in: 0..<corpus.count, using: &random)]
      for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&message, using: &random) }
      return message
    }
  }

  private static func mutate(_ message: inout [UInt8], using random: inout SeededRandom) {
    guard !message.isEmpty else { return }
    let at = Int.random(in: 0..<message.count, using: &random)
    switch Int.random(in: 0..<6, using: &random) {
    case 0: message[at] = random.byte()
    case 1: message[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
    case 2: message.insert(random.byte(), at: at)
    case 3: message.remove(at: at)
    case 4: message.removeSubrange(at...)
    default:
      let end = min(message.count, at + Int.random(in: 1..<32, using: &random))
      message.insert(contentsOf: message[at..<end], at: at)
    }
  }

  /// Well-framed fields of small numbers, which the schema may or may not know.
  private static func fields(levels: Int, using random: inout SeededRandom) -> [UInt8] {
    var bytes: [UInt8] = levels == 3 ? RawField.integer(1, random.next() >> 40) : []
    for _ in 0..<Int.random(in: 0..<6, using: &random) {
      let number = UInt64.random(in: 1...22, using: &random)
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes += RawField.integer(number, random.next())
      case 1: bytes += RawField.double(number, Double(bitPattern: random.next()))
      case 2: bytes += RawField.bytes(number, [random.byte(), random.byte()])
      default:
        bytes += RawField.bytes(
          number, levels == 0 ? [] : fields(levels: levels - 1, using: &random))
      }
    }
    return bytes
  }

  /// Touches every byte that the views show, and says how many there were.
  static func bytesRead(of request: WireRequest) -> Int {
    var count = 0
    func read(_ name: NameBytes) {
      for index in 0..<name.count { count += name[index] == 0 ? 1 : 1 }
    }
    switch request.method {
    case .filterDeployments(let view), .explainRequest(let view):
      for index in 0..<view.deploymentCount {
        let deployment = view.deployment(at: index)
        read(deployment.id)
        read(deployment.modelName)
        read(deployment.model)
        read(deployment.provider)
      }
      for index in 0..<view.tagCount { read(view.tag(at: index)) }
      read(view.modelName)
      read(view.reserve.idempotencyKey)
    case .recordSpend(let view):
      read(view.provider)
      read(view.deploymentID)
      read(view.model)
      for index in 0..<view.tagCount { read(view.tag(at: index)) }
      read(view.idempotencyKey)
      read(view.reservationID)
    case .getProviderBudgets(let view):
      for index in 0..<view.providerCount { read(view.provider(at: index)) }
      for index in 0..<view.deploymentIDCount { read(view.deploymentID(at: index)) }
      for index in 0..<view.tagCount { read(view.tag(at: index)) }
      read(view.pageToken)
    case .getSpendHistory(let view):
      read(view.name)
      read(view.window)
      read(view.pageToken)
    case .backupLedger(let view): read(view.path)
    case .authenticate(let view): read(view.token)
    case .reserveSpend(let view):
      read(view.provider)
      read(view.deploymentID)
      read(view.model)
      view.forEachTag { read($0) }
      read(view.idempotencyKey)
      read(view.modelName)
    case .releaseReservation(let view): read(view.reservationID)
    case .extendReservation(let view): read(view.reservationID)
    case .setBudget(let view):
      for name in [view.target.name, view.target.window, view.reason] { read(name) }
      if let version = view.ifVersion { read(version) }
      _ = (view.limitUSD, view.hasNoLimit, view.mode, view.untilUnixMilliseconds)
    case .clearBudget(let view):
      for name in [view.target.name, view.target.window, view.reason] { read(name) }
    case .resetBudget(let view):
      for name in [view.target.name, view.target.window, view.reason] { read(name) }
      _ = view.toUSD
    case .listChanges(let view): read(view.pageToken)
    case .ping, .reloadConfig, .none: break
    }
    return count
  }
}

extension SeededRandom {
  mutating func byte() -> UInt8 { UInt8(truncatingIfNeeded: next()) }
}
