import BudgetModel
import RedisStore
import SeededRandom
import Testing

@testable import Reconciliation

/// The script's answer is read as a stranger's words.
@Suite struct MergeReplyTests {
  private static let good = [
    "OK", "1000", "2000", "", "1999", "3.25", "1.500000000000", "1500", "e", "0.500000000000",
    "1.000000000000", "0.500000000000",
  ]

  private func read(_ texts: [String]) -> MergeReply? {
    MergeReply(.array(texts.map { .bytes(Array($0.utf8)) }))
  }

  @Test func aGoodOne() throws {
    let reply = try #require(read(Self.good))
    #expect(reply.outcome == .merged && reply.window.start.unixMilliseconds == 1_000)
    #expect(reply.window.end.unixMilliseconds == 2_000 && reply.now.unixMilliseconds == 1_500)
    #expect(reply.replaced == nil && reply.resetUntil?.unixMilliseconds == 1_999)
    #expect(reply.total == PicoUSD(pico: 3_250_000_000_000))
    #expect(reply.sum == PicoUSD(pico: 1_500_000_000_000))
    #expect(reply.stored == [PicoUSD(dollars: 1), PicoUSD(pico: 500_000_000_000)])
    var without = Self.good
    without[5] = ""
    #expect(read(without)?.total == nil && read(without) != nil)
  }

  @Test func strangeFields() {
    let strange: [(Int, [String])] = [
      (0, ["", "ok", "NOPE"]), (1, ["", "x", "1.5", "99999999999999999999"]),
      (2, ["", "end", "-1", "\(Int64.max)"]),
      (5, ["nan", "1e99", "x", "--1"]), (6, ["", "1.5", "-1.000000000000"]), (7, ["", "now"]),
      (9, ["", "x"]), (10, ["", "1", "-0.500000000000"]), (11, ["0.5"]),
    ]
    for (place, texts) in strange {
      for text in texts {
        var reply = Self.good
        reply[place] = text
        #expect(read(reply) == nil, "field \(place) as '\(text)'")
      }
    }
  }

  @Test func strangeShapes() {
    for count in 0..<10 { #expect(read(Array(Self.good.prefix(count))) == nil) }
    let shapes: [RedisValue] = [
      .null, .integer(5), .bytes(Array("OK".utf8)), .status(Array("OK".utf8)), .array([]),
      .array(Self.good.map { _ in .null }), .array(Self.good.map { _ in .integer(1) }),
      .array([.array(Self.good.map { .bytes(Array($0.utf8)) })]),
      .error(RedisRefusal(kind: .other, text: "BDARG")),
    ]
    for shape in shapes { #expect(MergeReply(shape) == nil, "\(shape)") }
  }

  @Test func anythingAtAll() {
    var random = SeededRandom(seed: 7)
    for _ in 0..<20_000 {
      var texts = Self.good
      for _ in 0..<(1 + random.below(3)) {
        let place = random.below(texts.count)
        var bytes = Array(texts[place].utf8)
        if !bytes.isEmpty, random.chance(0.7) {
          bytes[random.below(bytes.count)] = UInt8(random.below(256))
        } else {
          bytes.append(UInt8(random.below(256)))
        }
        texts[place] = String(decoding: bytes, as: UTF8.self)
      }
      guard let reply = read(texts) else { continue }
      #expect(reply.sum >= .zero && reply.stored.allSatisfy { $0 >= .zero })
    }
  }
}
