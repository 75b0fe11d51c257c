import BudgetEngine
import BudgetModel
import BudgetWire
import Synchronization
import Testing

@testable import BudgetServer
@testable import TCPTransport

/// Time that moves by hand.
final class ManualTimeSource: TimeSource {
  private let instant: Mutex<Timestamp>

  init(_ instant: Timestamp) { self.instant = Mutex(instant) }

  func now() -> Timestamp { instant.withLock { $0 } }

  func advance(milliseconds: Int64) {
    instant.withLock {
      $0 = Timestamp(unixMilliseconds: $0.unixMilliseconds + milliseconds)
    }
  }
}

/// A lane's service without a lane: frames in, replies out.
struct ServiceFixture {
  static let start = Timestamp(unixMilliseconds: 1_768_435_200_000)

  let time = ManualTimeSource(Self.start)
  let engine: BudgetEngine
  let counters = ServiceCounters()
  let service: BudgetService
  private let connection = ConnectionID(lane: LaneIndex(0), slot: 0, generation: 1)

  init(
    _ budgets: [BudgetDefinition], deployments: [ConfiguredDeployment] = [],
    directory: ProviderDirectory = .empty
  ) {
    engine = BudgetEngine(
      configuration: BudgetConfiguration(
        budgets: budgets, deployments: deployments, directory: directory), at: Self.start)
    service = BudgetService(
      context: ServiceContext(
        engine: engine, time: time, bounds: .standard,
        identity: NodeIdentity(version: "1.2.3", nodeID: "node-a", durability: "none"),
        counters: counters))
  }

  /// The reply to a request's body that arrived `age` ago.
  func reply(to body: [UInt8], age: Duration = .zero) throws -> ResponseMessage {
    var output: [UInt8] = []
    let receivedAt = MonotonicInstant.now().advanced(by: .zero - age)
    let outcome = service.handle(
      unsafe body.span.bytes, from: connection, receivedAt: receivedAt, output: &output)
    guard case .answered = outcome else {
      Issue.record("\(outcome)")
      throw ServiceFixtureError.noReply
    }
    return try Self.message(in: output)
  }

  /// The reply to a method.
  func call(
    _ method: RequestMessage.Method?, callID: UInt64 = 7, timeoutMilliseconds: UInt32 = 0,
    age: Duration = .zero
  ) throws -> ResponseMessage {
    let frame = try RequestMessage(
      callID: callID, timeoutMilliseconds: timeoutMilliseconds, method: method
    ).frame()
    return try reply(to: Array(frame.dropFirst(FrameHeader.byteCount)), age: age)
  }

  /// The message in one whole frame.
  static func message(in frame: [UInt8]) throws -> ResponseMessage {
    #expect(FrameHeader.messageLength(in: frame.span) == frame.count - FrameHeader.byteCount)
    var decoder = ResponseDecoder()
    return try decoder.response(frame: frame.span.extracting(FrameHeader.byteCount...))
  }

  static func budget(
    _ scope: BudgetScope, _ name: String, _ dollars: Int64?, _ window: String = "1d"
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      windowLength: try WindowLength(text: window), limit: dollars.map { PicoUSD(dollars: $0) })
  }
}

enum ServiceFixtureError: Error {
  case noReply
  case otherResult
}

extension ResponseMessage {
  /// The answer to a filter.
  var filtered: FilterDeploymentsResult {
    get throws {
      guard case .filterDeployments(let result) = result else {
        throw ServiceFixtureError.otherResult
      }
      return result
    }
  }

  /// The answer to a record.
  var recorded: RecordSpendResult {
    get throws {
      guard case .recordSpend(let result) = result else { throw ServiceFixtureError.otherResult }
      return result
    }
  }

  /// A page of budgets.
  var page: ProviderBudgetsResult {
    get throws {
      guard case .providerBudgets(let result) = result else {
        throw ServiceFixtureError.otherResult
      }
      return result
    }
  }
}
