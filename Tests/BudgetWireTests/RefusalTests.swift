import BudgetModel
import Testing

@testable import BudgetWire

/// The refusal table, row by row: bytes, the call that is answered, the sentence.
@Suite struct RefusalTests {
  private typealias Row = (name: String, bytes: [UInt8], callID: UInt64, message: String)

  private let id = RawField.integer(1, 9)

  private func check(_ rows: [Row], bounds: WireBounds = .standard) {
    for row in rows {
      let refusal = WireSamples.refusal(of: row.bytes, bounds: bounds)
      #expect(refusal?.callID == row.callID, "\(row.name)")
      #expect(refusal?.status.message == row.message, "\(row.name)")
      #expect(refusal?.status.code == .invalidArgument, "\(row.name)")
    }
  }

  @Test func framing() {
    let long = [UInt8](repeating: 0x80, count: 10)
    check([
      ("key cut", id + [0x80], 9, "the field at byte 2 ends behind its message"),
      ("value missing", id + [0x10], 9, "the field at byte 2 ends behind its message"),
      ("value cut", id + [0x10, 0x80], 9, "the field at byte 2 ends behind its message"),
      ("length missing", id + [0x52], 9, "the field at byte 2 ends behind its message"),
      ("length lies", id + [0x52, 1], 9, "the field at byte 2 ends behind its message"),
      (
        "length of 2^31", id + [0x52, 0x80, 0x80, 0x80, 0x80, 0x08], 9,
        "the field at byte 2 ends behind its message"
      ),
      (
        "length of 2^35 - 1", id + [0x52, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F], 9,
        "the field at byte 2 ends behind its message"
      ),
      (
        "inner length leaves its message",
        id + RawField.bytes(10, [0x0A, 1]) + RawField.integer(2, 5), 9,
        "the field at byte 4 ends behind its message"
      ),
      (
        "fixed64 cut", id + RawField.key(3, 1) + RawField.times(7, [0]), 9,
        "the field at byte 2 ends behind its message"
      ),
      (
        "fixed32 cut", id + RawField.key(3, 5) + [0, 0, 0], 9,
        "the field at byte 2 ends behind its message"
      ),
      (
        "value of 11 bytes", id + [0x10] + long + [0], 9,
        "the varint at byte 3 has more than 10 bytes"
      ),
      (
        "length of 6 bytes", id + [0x52, 0x80, 0x80, 0x80, 0x80, 0x80, 0], 9,
        "the varint at byte 3 has more than 5 bytes"
      ),
      (
        "key of 6 bytes", id + [0x90, 0x80, 0x80, 0x80, 0x80, 0], 9,
        "the varint at byte 2 has more than 5 bytes"
      ),
      (
        "field number 0", id + [0x00, 0], 9,
        "field number 0 at byte 2, must be 1 to 536870911"
      ),
      (
        "field number 2^29", id + RawField.integer(1 << 29, 0), 9,
        "field number 536870912 at byte 2, must be 1 to 536870911"
      ),
      ("group start", id + [0x1B], 9, "a group at byte 2: proto3 has none"),
      ("group end", id + [0x1C], 9, "a group at byte 2: proto3 has none"),
      ("wire type 6", id + [0x1E], 9, "wire type 6 at byte 2 does not exist"),
      ("wire type 7", id + [0x1F], 9, "wire type 7 at byte 2 does not exist"),
    ])
  }

  @Test func fields() {
    let filter = RawField.bytes(10, [])
    let record = RawField.bytes(11, [])
    check([
      ("call_id twice", id + RawField.integer(1, 8), 9, "call_id: given twice"),
      (
        "timeout twice", id + RawField.integer(2, 1) + RawField.integer(2, 1), 9,
        "timeout_ms: given twice"
      ),
      ("method twice", id + filter + filter, 9, "filter_deployments: given twice"),
      ("two methods", id + filter + record, 9, "record_spend: given beside filter_deployments"),
      (
        "cost twice", id + RawField.bytes(11, RawField.times(2, RawField.double(5, 1))), 9,
        "cost_usd: given twice"
      ),
      (
        "id twice in a deployment",
        id + RawField.bytes(10, RawField.bytes(1, RawField.times(2, RawField.text(1, "a")))), 9,
        "id: given twice"
      ),
      (
        "call_id as bytes", RawField.bytes(1, [9]), 0,
        "call_id: wire type 2, must be 0"
      ),
      (
        "method as a varint", id + RawField.integer(10, 1), 9,
        "filter_deployments: wire type 0, must be 2"
      ),
      (
        "cost as a varint", id + RawField.bytes(11, RawField.integer(5, 1)), 9,
        "cost_usd: wire type 0, must be 1"
      ),
      (
        "bool as bytes", id + RawField.bytes(12, RawField.bytes(2, [1])), 9,
        "include_deployments: wire type 2, must be 0"
      ),
      (
        "33 unknown fields", id + RawField.times(33, RawField.integer(3, 0)), 9,
        "more than 32 unknown fields"
      ),
      (
        "33 unknown fields, spread",
        id + RawField.times(16, RawField.integer(3, 0))
          + RawField.bytes(10, RawField.bytes(1, RawField.times(17, RawField.integer(9, 0)))), 9,
        "more than 32 unknown fields"
      ),
      ("call_id 0", RawField.integer(1, 0) + filter, 0, "call_id: 0 or absent, ids start at 1"),
      ("no call_id", filter, 0, "call_id: 0 or absent, ids start at 1"),
    ])
  }

  @Test func counts() {
    func method(_ number: UInt64, _ field: UInt64, _ count: Int) -> [UInt8] {
      id + RawField.bytes(number, RawField.times(count, RawField.bytes(field, [])))
    }
    let rows: [(method: UInt64, field: UInt64, name: String, bound: Int)] = [
      (10, 1, "deployments", 1024), (10, 2, "tags", 256), (11, 4, "tags", 256),
      (12, 1, "providers", 1024), (12, 6, "deployment_ids", 1024), (12, 7, "tags", 256),
      (13, 4, "tags", 256),
    ]
    for row in rows {
      #expect(WireSamples.refusal(of: method(row.method, row.field, row.bound)) == nil)
      let shown = row.bound == 1024 ? ("1,025", "1,024") : ("257", "256")
      check([
        (
          "one more", method(row.method, row.field, row.bound + 1), 9,
          "\(row.name): \(shown.0) given, at most \(shown.1)"
        )
      ])
    }
    check([
      ("all are counted", method(10, 1, 3000), 9, "deployments: 3,000 given, at most 1,024")
    ])
  }

  @Test func boundsAreSettings() {
    var bounds = WireBounds.standard
    bounds.maximumDepth = 2
    bounds.maximumUnknownFields = 0
    check(
      [
        (
          "depth", id + RawField.bytes(10, RawField.bytes(1, [])), 9,
          "deployments: messages more than 2 deep"
        ),
        ("unknown", id + RawField.integer(3, 1), 9, "more than 0 unknown fields"),
      ], bounds: bounds)
  }

  @Test func aFrameOverTheBoundIsRefusedOnNoCall() {
    let message = id + RawField.bytes(3, [UInt8](repeating: 0, count: 256 * 1024))
    let refusal = WireSamples.refusal(of: message)
    #expect(refusal?.callID == 0)
    #expect(refusal?.status.code == .resourceExhausted)
    #expect(refusal?.status.message == "frame: 262,150 bytes, at most 262,144")
  }

  @Test func theCallIDIsFoundBehindAFaultWhoseFramingIsIntact() {
    let bad = RawField.bytes(10, [0x0A, 5])
    check([
      ("behind a bad method", bad + id, 9, "the field at byte 2 ends behind its message"),
      ("behind a wrong type", RawField.bytes(2, []) + id, 9, "timeout_ms: wire type 2, must be 0"),
      (
        "behind two methods", RawField.bytes(10, []) + RawField.bytes(11, []) + id, 9,
        "record_spend: given beside filter_deployments"
      ),
      (
        "behind a flood", RawField.times(100, RawField.integer(3, 0)) + id, 9,
        "more than 32 unknown fields"
      ),
      ("behind a group", [0x1B] + id, 0, "a group at byte 0: proto3 has none"),
      ("behind a lie", [0x52, 9] + id, 0, "the field at byte 0 ends behind its message"),
    ])
  }

  @Test func thirtyTwoUnknownFieldsOfEveryWireTypeAreSkipped() throws {
    let one =
      RawField.integer(3, 1) + RawField.double(4, 1) + RawField.bytes(536_870_911, [1, 2])
      + RawField.key(30, 5) + [0, 0, 0, 0]
    let inner = RawField.times(4, one) + RawField.text(3, "m")
    let message =
      RawField.times(4, one) + id
      + RawField.bytes(10, RawField.bytes(10, inner) + RawField.text(3, "m"))
    let read = try RequestMessage.decoded(message)
    #expect(
      read
        == RequestMessage(
          callID: 9, method: .filterDeployments(FilterDeploymentsRequest(modelName: "m"))))
    let most = RawField.times(8, one) + id
    #expect(try RequestMessage.decoded(most).callID == 9)
  }
}
