import Access
import BudgetModel
import BudgetWire

/// Turns a message's bytes into a question: the decoder of its lane, and the judge of its names.
struct MessageReader: ~Copyable {
  var decoder: RequestDecoder
  var names: RequestNames

  init(context: ServiceContext) {
    decoder = RequestDecoder(bounds: context.bounds)
    names = RequestNames(
      counters: context.counters, contradictions: context.contradictions)
  }
}

extension MessageReader {
  /// The token by which a connection says who it is.
  mutating func token(_ head: RequestHead) throws(ServiceRefusal) -> [UInt8] {
    let request = try ServiceRefusal.of { () throws(WireFault) in try decoder.authenticate(head) }
    let token = (0..<request.token.count).map { request.token[$0] }
    try ServiceRefusal.check(token)
    return token
  }
}

extension ServiceRefusal {
  /// The result of `read`, or the refusal of a message that is wrong.
  static func of<Message>(
    _ read: () throws(WireFault) -> Message
  ) throws(ServiceRefusal) -> Message {
    do throws(WireFault) {
      return try read()
    } catch {
      throw ServiceRefusal(error.code, error.description)
    }
  }

  /// Refuses a name that has to be taken as it is.
  static func check(_ name: NameBytes, field: String) throws(ServiceRefusal) {
    guard !name.isWellFormed else { return }
    throw ServiceRefusal(
      .invalidArgument,
      "\(field) of \(name.count) bytes: give at most \(NameBytes.maximumLength) bytes of UTF-8 "
        + "without control characters")
  }

  /// The same of a text.
  static func check(_ name: String, field: String) throws(ServiceRefusal) {
    let result = NameBytes.with(name) { bytes in
      Result { () throws(ServiceRefusal) in try check(bytes, field: field) }
    }
    try result.get()
  }

  /// Refuses a token that none can be.
  static func check(_ token: [UInt8]) throws(ServiceRefusal) {
    let lengths = AccessToken.lengths
    guard !lengths.contains(token.count) else { return }
    throw ServiceRefusal(
      .invalidArgument,
      "token of \(token.count) bytes: give \(lengths.lowerBound) to \(lengths.upperBound) bytes")
  }

  /// The amount that a field names.
  static func amount(_ dollars: Double, field: String) throws(ServiceRefusal) -> PicoUSD {
    do throws(MoneyError) {
      return try PicoUSD(dollars: dollars, atMost: .maximumRecord)
    } catch {
      let what =
        error == .notANumber ? "not a number" : error == .negative ? "negative" : "too much"
      throw ServiceRefusal(
        .invalidArgument,
        "\(field) \(dollars.pythonText) is \(what): give 0 to \(PicoUSD.maximumRecord.exactText)")
    }
  }
}

extension NameBytes {
  /// The name as it may stand in a message.
  var printable: String {
    var bytes: [UInt8] = []
    appendPrintable(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
