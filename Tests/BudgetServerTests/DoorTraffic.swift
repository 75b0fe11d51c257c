import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import SeededRandom

@testable import BudgetServer

/// Three servers of the same budgets: one with one lane for all requests, which remembers; one with a
/// new lane for each, which knows nothing; one that is asked the same in unusual shapes, which
/// protobuf-c unpacks.
struct DoorTrio {
  let warm: ServiceFixture
  let cold: ServiceFixture
  let odd: ServiceFixture

  init(_ configuration: BudgetConfiguration, at start: Timestamp = ServiceFixture.start) {
    func fixture() -> ServiceFixture {
      ServiceFixture(
        engine: BudgetEngine(configuration: configuration, at: start),
        time: ManualTimeSource(start))
    }
    (warm, cold, odd) = (fixture(), fixture(), fixture())
  }

  var all: [ServiceFixture] { [warm, cold, odd] }
}

/// Requests as they come from outside, of all methods: mostly the same candidates with other tags,
/// some of them wrong.
struct DoorTraffic {
  private static let providers = ["openai", "azure", "bedrock", "mistral"]
  private static let ids = (0..<24).map { "dep-\($0)" }
  private static let tags = (0..<8).map { "team-\($0)" }
  private static let long = String(repeating: "x", count: 300)

  /// Lists of candidates that come again.
  private var lists: [[Deployment]] = []
  /// Providers, deployments, models and tags of records that come again.
  private var subjects: [[RequestBytes.Field]] = []

  /// One of three configurations.
  static func configuration(_ number: Int) throws -> BudgetConfiguration {
    var budgets: [BudgetDefinition] = []
    for (index, name) in providers.dropLast(number == 2 ? 2 : 1).enumerated() {
      budgets.append(
        try ServiceFixture.budget(
          .provider, name, name == "bedrock" ? 0 : Int64(3 + index + number)))
    }
    for id in ids.prefix(20 - number) {
      budgets.append(try ServiceFixture.budget(.deployment, id, Int64(id.utf8.count - 3 + number)))
    }
    for tag in tags.dropFirst(number) {
      budgets.append(try ServiceFixture.budget(.tag, tag, Int64(tag.utf8.count)))
    }
    let deployments = ids.dropLast(2).enumerated().map { index, id in
      ConfiguredDeployment(
        id: id, modelName: ["large", "small"][index % 2], model: "gpt-4o",
        provider: providers[(index + number) % 4])
    }
    return BudgetConfiguration(
      budgets: budgets, deployments: deployments, directory: directory)
  }

  private static let directory: ProviderDirectory = {
    var facts = ProviderFacts()
    facts.providers = providers
    facts.knownModels = [(model: "gpt-4o", provider: "openai")]
    return ProviderDirectory(facts)
  }()

  /// The next request.
  mutating func request(
    callID: UInt64, using random: inout SeededRandom
  ) -> RequestBytes {
    var request = RequestBytes(callID: callID)
    switch Int.random(in: 0..<20, using: &random) {
    case 0..<10: filter(&request, using: &random)
    case 10..<17: record(&request, using: &random)
    case 17:
      request.method = 12
      request.fields = [.integer(2, 1), .integer(3, 1), .integer(4, [0, 3].pick(&random))]
    case 18: request.method = [13, 14, 15, 20, 21, 22].pick(&random)
    default:
      request.method = [10, 11].pick(&random)
      request.callID = callID
      request.fields = []
    }
    if Int.random(in: 0..<12, using: &random) == 0 { request.timeoutMilliseconds = 60_000 }
    return request
  }

  private mutating func filter(_ request: inout RequestBytes, using random: inout SeededRandom) {
    // Now and then what each budget says is asked, in place of what they say together.
    request.method = Int.random(in: 0..<12, using: &random) == 0 ? 24 : 10
    let list: [Deployment]
    if let known = lists.randomElement(using: &random), Int.random(in: 0..<3, using: &random) > 0 {
      list = known
    } else {
      let count = [0, 1, 2, 8, 8, 30, 70].pick(&random)
      list = (0..<count).map { _ in Self.deployment(using: &random) }
      if lists.count == 20 { lists.removeFirst() }
      lists.append(list)
    }
    request.fields = list.map { .message(1, Self.fields(of: $0)) }
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      request.fields.append(.text(2, Self.tag(using: &random)))
    }
    if Int.random(in: 0..<5, using: &random) == 0 {
      request.fields.append(.text(3, ["large", "small", "nope", "\u{1}", ""].pick(&random)))
    }
    if Int.random(in: 0..<5, using: &random) == 0 {
      request.fields.append(.double(4, [0, 0.5, 4, -1, .nan, 1e300, 0.1 + 0.2].pick(&random)))
    }
  }

  private static func deployment(using random: inout SeededRandom) -> Deployment {
    Deployment(
      id: (ids + ["", "unknown", long]).pick(&random), modelName: ["large", ""].pick(&random),
      model: ["gpt-4o", "azure/gpt-4o", "mistral/x", "nobody", "", "\u{2}"].pick(&random),
      provider: (providers + ["", "", "", "other", "\u{3}"]).pick(&random))
  }

  private static func fields(of deployment: Deployment) -> [RequestBytes.Field] {
    [
      .text(1, deployment.id), .text(2, deployment.modelName), .text(3, deployment.model),
      .text(4, deployment.provider),
    ]
  }

  private static func tag(using random: inout SeededRandom) -> String {
    Int.random(in: 0..<3, using: &random) == 0
      ? "user:\(UInt32.random(in: 0 ... .max, using: &random))"
      : (tags + ["", "ü", "\u{1}", long]).pick(&random)
  }

  private mutating func record(_ request: inout RequestBytes, using random: inout SeededRandom) {
    request.method = 11
    if let known = subjects.randomElement(using: &random), Int.random(in: 0..<3, using: &random) > 0
    {
      request.fields = known
    } else {
      request.fields = Self.subject(using: &random)
      if subjects.count == 20 { subjects.removeFirst() }
      subjects.append(request.fields)
    }
    if Int.random(in: 0..<2, using: &random) == 0 {
      request.fields.append(.text(4, "user:\(UInt32.random(in: 0 ... .max, using: &random))"))
    }
    addCost(to: &request, using: &random)
  }

  private static func subject(using random: inout SeededRandom) -> [RequestBytes.Field] {
    var fields: [RequestBytes.Field] = [
      .text(1, (Self.providers + ["", "", "other", "\u{3}"]).pick(&random)),
      .text(2, (Self.ids + ["", "", "unknown"]).pick(&random)),
      .text(3, ["gpt-4o", "azure/x", "nobody", "", "\u{2}"].pick(&random)),
    ]
    for _ in 0..<Int.random(in: 0...3, using: &random) {
      fields.append(.text(4, Self.tag(using: &random)))
    }
    return fields
  }

  private func addCost(to request: inout RequestBytes, using random: inout SeededRandom) {
    if Int.random(in: 0..<15, using: &random) > 0 {
      request.fields.append(
        .double(5, [0, 0.25, 0.001, 1e-13, 0.1 + 0.2, -1, .infinity, 1e11].pick(&random)))
    }
    let keys = ["", "", "k-\(UInt16.random(in: 0 ... .max, using: &random))", Self.long, "\u{4}"]
    request.fields.append(.text(6, keys.pick(&random)))
    if Int.random(in: 0..<10, using: &random) == 0 {
      request.fields.append(.text(7, ["r", "\u{5}"].pick(&random)))
    }
    // A tag behind the cost, as some libraries write it.
    if Int.random(in: 0..<4, using: &random) == 0 {
      request.fields.append(.text(4, Self.tag(using: &random)))
    }
  }
}

/// A request that is written as bytes by hand, in the shape that libraries write or in another one
/// of the same meaning.
struct RequestBytes: CustomStringConvertible {
  indirect enum Field {
    case integer(UInt8, UInt64)
    case double(UInt8, Double)
    case text(UInt8, String)
    case message(UInt8, [Field])
  }

  enum Form { case usual, unusual }

  var callID: UInt64
  var timeoutMilliseconds: UInt64 = 0
  var method: UInt8 = 10
  var fields: [Field] = []

  init(callID: UInt64) { self.callID = callID }

  /// Field 1000, an empty text.
  static let unknownField: [UInt8] = [0xC2, 0x3E, 0]

  var description: String { "\(callID) \(method) \(fields)" }

  func bytes(_ form: Form, using random: inout SeededRandom) -> [UInt8] {
    var bytes = Self.varint(8) + Self.varint(callID)
    if timeoutMilliseconds > 0 { bytes += [16] + Self.varint(timeoutMilliseconds) }
    let message = Self.bytes(of: fields, form, using: &random)
    let body = Self.varint(UInt64(method) << 3 | 2) + Self.length(message.count, form) + message
    switch form {
    case .usual: return bytes + body
    case .unusual:
      return Bool.random(using: &random) ? body + bytes : Self.unknownField + bytes + body
    }
  }

  private static func bytes(
    of fields: [Field], _ form: Form, using random: inout SeededRandom
  ) -> [UInt8] {
    var parts: [[UInt8]] = []
    for field in fields {
      switch field {
      case .integer(_, 0): break
      case .integer(let number, let value):
        parts.append(varint(UInt64(number) << 3) + varint(value))
      case .double(let number, let value):
        parts.append(
          [number << 3 | 1]
            + (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> ($0 * 8)) })
      case .text(let number, let text):
        let bytes = Array(text.utf8)
        parts.append([number << 3 | 2] + length(bytes.count, form) + bytes)
      case .message(let number, let fields):
        let bytes = bytes(of: fields, form, using: &random)
        parts.append([number << 3 | 2] + length(bytes.count, form) + bytes)
      }
    }
    guard form == .unusual else { return Array(parts.joined()) }
    // An unknown field in front, so that no part of it is the usual shape.
    return Array(parts.joined())
  }

  /// A length; in the unusual form one byte longer than it has to be.
  private static func length(_ count: Int, _ form: Form) -> [UInt8] {
    guard form == .unusual else { return varint(UInt64(count)) }
    var bytes = varint(UInt64(count))
    bytes[bytes.count - 1] |= 0x80
    while bytes.count < 3 { bytes.append(0x80) }
    return bytes + [0]
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    var (bytes, rest): ([UInt8], UInt64) = ([], value)
    while rest > 0x7F {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}

extension Array {
  fileprivate func pick(_ random: inout SeededRandom) -> Element {
    self[Int.random(in: 0..<count, using: &random)]
  }
}
