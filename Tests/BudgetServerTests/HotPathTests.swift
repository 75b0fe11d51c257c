import Access
import BudgetEngine
import BudgetModel
import BudgetPages
import BudgetWire
import CAllocationCount
import Foundation
import Logging
import NodeFixture
import Sockets
import SpendLedger
import Testing

@testable import BudgetServer
@testable import TCPTransport

/// The cost of a request, without a clock: heap allocations on the lane's thread, from the frame's
/// bytes to the reply's. A guard: whoever adds an allocation to the hot path meets it here.
@Suite struct HotPathTests {
  private static let requests = 2_000

  private let connection = ConnectionID(lane: LaneIndex(0), slot: 0, generation: 1)

  /// Names of the budgets and of the requests.
  private static let providers = ["openai", "anthropic", "azure", "bedrock"]

  private static func engine() throws -> BudgetEngine {
    var budgets = try providers.map {
      try ServiceFixture.budget(.provider, $0, $0 == "bedrock" ? 0 : 1_000_000)
    }
    for index in 0..<64 {
      budgets.append(try ServiceFixture.budget(.deployment, "dep-\(index)", 1_000_000))
    }
    for index in 0..<8 {
      budgets.append(try ServiceFixture.budget(.tag, "team-\(index)", 1_000_000))
    }
    let deployments = (0..<64).map {
      ConfiguredDeployment(
        id: "dep-\($0)", modelName: "m", model: "gpt-4o", provider: providers[$0 % 4])
    }
    var reservations = ReservationSettings()
    reservations.notesHolds = true
    reservations.node = "a-node-with-a-longer-name"
    return BudgetEngine(
      configuration: BudgetConfiguration(
        budgets: budgets, deployments: deployments, directory: .empty),
      reservations: reservations, at: ServiceFixture.start)
  }

  private static func context(
    _ engine: BudgetEngine, _ recorder: any SpendRecorder
  ) -> ServiceContext {
    let time = ManualTimeSource(ServiceFixture.start)
    return ServiceContext(
      engine: engine, time: time, recorder: recorder,
      bounds: .standard, identity: NodeIdentity(version: "1", nodeID: "n"),
      counters: ServiceCounters(), contradictions: ProviderContradictions { _ in },
      requests: AllRequestCounts(),
      readiness: Readiness(recorder: recorder, fleet: nil), pace: SpendSampling(engine, time),
      access: AccessDesk(.open, log: Logger(label: "test")),
      audit: AuditLog(log: Logger(label: "test")))
  }

  /// A lane to which a connection has come.
  private func lane(_ context: ServiceContext) -> LaneService {
    let service = LaneService(context: context)
    _ = service.connectionOpened(connection, peer: Peer(address: "127.0.0.1"))
    return service
  }

  /// A filter of 8 deployments and 2 tags; `tag` makes messages differ.
  private static func filter(
    _ index: Int, tag: String, provider: String? = nil, reserves: Bool = false
  ) throws -> [UInt8] {
    var message = FilterDeploymentsRequest(tags: ["team-\(index % 8)", tag])
    if reserves { message.reserve = ReserveOptions(amountUSD: 0.01) }
    message.deployments = (0..<8).map { place in
      Deployment(
        id: "dep-\((index + place) % 64)", modelName: "m", model: "gpt-4o",
        provider: provider ?? providers[(index + place / 2) % 4])
    }
    let frame = try RequestMessage(
      callID: UInt64(index + 1), method: .filterDeployments(message)
    ).frame()
    return Array(frame.dropFirst(FrameHeader.byteCount))
  }

  private static func record(
    _ index: Int, tags: [String] = ["prod"], settling id: String = ""
  ) throws -> [UInt8] {
    var message = RecordSpendRequest(costUSD: 0.001)
    message.reservationID = id
    message.provider = providers[index % 3]
    message.deploymentID = "dep-\(index % 64)"
    message.tags = ["team-\(index % 8)"] + tags
    message.idempotencyKey = "key-of-record-\(index)"
    let frame = try RequestMessage(callID: UInt64(index + 1), method: .recordSpend(message)).frame()
    return Array(frame.dropFirst(FrameHeader.byteCount))
  }

  /// Allocations while `service` handles `frames`, and how many were taken. `hear` has each reply.
  private func allocations(
    _ service: LaneService, _ frames: [[UInt8]], _ hear: ([UInt8]) -> Void = { _ in }
  ) -> (count: Int, answered: Int) {
    var output: [UInt8] = []
    output.reserveCapacity(1 << 16)
    var answered = 0
    var count = 0
    for frame in frames {
      output.removeAll(keepingCapacity: true)
      let before = allocation_count()
      let outcome = service.handle(
        unsafe frame.span.bytes, from: connection, receivedAt: MonotonicInstant(nanoseconds: 0),
        output: &output)
      count += Int(allocation_count() - before)
      switch outcome {
      case .answered where !output.isEmpty, .deferred: answered += 1
      default: break
      }
      hear(output)
    }
    return (count, answered)
  }

  @Test(.enabled(if: allocation_count_is_meaningful()))
  func filtersAllocateNothing() throws {
    let engine = try Self.engine()
    let service = lane(Self.context(engine, InstantRecorder(engine: engine)))
    let known = try (0..<256).map { try Self.filter($0, tag: "prod") }
    let unknown = try (0..<Self.requests).map { try Self.filter($0, tag: "user-\($0)") }
    // Storage grows to its size: of replies, questions and, message by message, known filters.
    for _ in 0..<64 { _ = allocations(service, known) }
    let again = allocations(service, known)
    #expect(again.answered == known.count)
    #expect(again.count == 0, "messages that are known")
    // Each of 4,096 places allocates its three buffers once: when all of them have, nothing does.
    for round in 0..<8 {
      let others = try (0..<Self.requests).map {
        try Self.filter($0, tag: "warm-\(round)-\($0)")
      }
      _ = allocations(service, others)
    }
    let fresh = allocations(service, unknown)
    print("allocations in 256 known filters: \(again.count), in 2000 new ones: \(fresh.count)")
    #expect(fresh.answered == unknown.count)
    #expect(fresh.count == 0, "messages that are new: \(fresh.count)")
  }

  /// When money is out: every candidate is denied, by a provider, a deployment or a tag, with its
  /// sentence, and the message is new each time.
  @Test(.enabled(if: allocation_count_is_meaningful()))
  func denialsAllocateNothing() throws {
    var budgets = try Self.providers.map { try ServiceFixture.budget(.provider, $0, 0) }
    for index in 0..<32 {
      budgets.append(try ServiceFixture.budget(.deployment, "dep-\(index)", 0))
    }
    budgets.append(try ServiceFixture.budget(.tag, "team-1", 0))
    let engine = BudgetEngine(
      configuration: BudgetConfiguration(budgets: budgets, deployments: [], directory: .empty),
      at: ServiceFixture.start)
    let service = lane(Self.context(engine, InstantRecorder(engine: engine)))
    for round in 0..<4 {
      let denied = try (0..<Self.requests).map { index in
        try Self.filter(index, tag: "user-\(round)-\(index)", provider: index % 2 == 0 ? nil : "x")
      }
      let seen = allocations(service, denied)
      #expect(seen.answered == denied.count)
      if round == 3 {
        print("allocations in \(denied.count) denied filters: \(seen.count)")
        #expect(seen.count == 0, "\(seen.count) allocations in denied filters")
      }
    }
  }

  /// A record with a tag that was never seen, up to where it is handed to whoever keeps spend.
  @Test(.enabled(if: allocation_count_is_meaningful()))
  func resolvingAChargeAllocatesNothing() throws {
    let engine = try Self.engine()
    let recorder = ForgetfulRecorder()
    let service = lane(Self.context(engine, recorder))
    for round in 0..<8 {
      let charges = try (0..<Self.requests).map {
        try Self.record($0 + round * Self.requests, tags: ["prod", "user-\(round)-\($0)"])
      }
      let seen = allocations(service, charges)
      #expect(seen.answered == charges.count)
      if round == 7 {
        print("allocations in \(charges.count) charges: \(seen.count)")
        #expect(seen.count == 0, "\(seen.count) allocations in charges")
      }
    }
  }

  /// A filter that reserves, and the record that settles it, at once or with many open: up to where the
  /// record is handed to whoever keeps spend, and what its commit ends.
  @Test(.enabled(if: allocation_count_is_meaningful()), arguments: [1, 256])
  func pairsThatReserveAllocateNothing(open: Int) throws {
    let engine = try Self.engine()
    let service = lane(Self.context(engine, ForgetfulRecorder(settlingIn: engine)))
    // Each of 64 slabs is filled once and comes to the places of those that are over.
    let rounds = 40
    for round in 1...rounds {
      var (choosing, settling) = (0, 0)
      for first in stride(from: 0, to: 256, by: open) {
        var replies: [[UInt8]] = []
        let choices = try (first..<first + open).map {
          try Self.filter($0, tag: "user", reserves: true)
        }
        let chosen = allocations(service, choices) { replies.append($0) }
        let records = try replies.enumerated().map { place, reply in
          try Self.record(
            place, settling: ServiceFixture.message(in: reply).filtered.reservation?.id ?? "")
        }
        let settled = allocations(service, records)
        #expect(chosen.answered == open && settled.answered == open)
        (choosing, settling) = (choosing + chosen.count, settling + settled.count)
      }
      // As upkeep does, for the ledger.
      _ = engine.takeChangedHolds(atMost: .max)
      guard round == rounds else { continue }
      print("allocations in 256 choices that reserve: \(choosing), in 256 that settle: \(settling)")
      #expect(choosing == 0 && settling == 0)
    }
    #expect(engine.reservationCounts.settled == UInt64(rounds * 256))
  }

  /// Takes every record and keeps none.
  private final class ForgetfulRecorder: SpendRecorder {
    func record(
      _ amount: PicoUSD, key: RecordKey?, to charged: borrowing ChargedSlots, token: LedgerToken,
      at now: Timestamp
    ) -> RecordAnswer { .recorded }
    /// The engine whose reservations records settle.
    private let engine: BudgetEngine?

    init(settlingIn engine: BudgetEngine? = nil) { self.engine = engine }

    func settle(
      _ record: SettlingRecord, to charged: borrowing ChargedSlots, token: LedgerToken,
      at now: Timestamp
    ) -> RecordAnswer {
      guard let engine,
        case .pending(let settlement) = engine.addPending(
          record.amount, to: charged, settling: record.reservation, at: now)
      else { return .recorded }
      engine.settled(settlement.word, cost: record.amount)
      engine.abandon(record.amount, of: charged)
      return .recorded
    }
    func expect(_ key: UInt128) {}
    func backUp(
      named name: String, token: LedgerToken, note: @escaping @Sendable (RPCStatus?) -> Void
    ) {}
    func tellHistory(_ page: HistoryPage, token: LedgerToken) -> Bool { false }
    func answerLater(
      _ method: MethodName, token: LedgerToken,
      _ answer: @escaping @Sendable (UInt64, inout [UInt8]) -> StatusCode
    ) -> Bool { false }
    var totals: SpendTotals { SpendTotals() }
    func standing(at now: Timestamp) -> RecorderStanding {
      RecorderStanding(
        durability: "memory", notReadyReason: nil,
        idempotencyHorizon: Timestamp(unixMilliseconds: 0))
    }
  }

  /// Allocations of a record on its lane at most: the queue's and the index's growth, spread over
  /// many.
  private static let perRecord = 0.25

  @Test(.enabled(if: allocation_count_is_meaningful()))
  func recordsHardlyAllocate() throws {
    let directory = FileManager.default.temporaryDirectory.appending(path: "hot-\(UUID())").path
    defer { try? FileManager.default.removeItem(atPath: directory) }
    let engine = try Self.engine()
    let ledger = try SpendLedger.open(LedgerSettings(directory: directory))
    defer { ledger.close() }
    let recorder = LedgerRecorder(
      engine: engine, ledger: ledger, queueBound: 65_536,
      time: ManualTimeSource(ServiceFixture.start), durability: .memory, bounds: .standard,
      requests: AllRequestCounts(), log: Logger(label: "test"))
    ledger.start(recorder)
    _ = ledger.settle()
    let service = lane(Self.context(engine, recorder))
    _ = allocations(service, try (0..<Self.requests).map { try Self.record($0) })
    let frames = try (Self.requests..<2 * Self.requests).map { try Self.record($0) }
    let seen = allocations(service, frames)
    print("allocations in \(frames.count) records: \(seen.count)")
    #expect(seen.answered == frames.count)
    let bound = Int(Double(frames.count) * Self.perRecord)
    #expect(seen.count <= bound, "\(seen.count) allocations in \(frames.count) records")
  }
}
