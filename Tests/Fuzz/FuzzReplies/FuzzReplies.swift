import BudgetModel

@testable import Reconciliation
@testable import RedisStore

/// One input: its first byte says how the rest is cut into reads; the rest is what a Redis sends. The
/// bounds are small, so that inputs reach them. Each reply is read as an answer to every question.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzReplies(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  let bytes = unsafe Array(UnsafeBufferPointer(start: data, count: count))
  guard let first = bytes.first else { return 0 }
  var bounds = RedisBounds()
  bounds.replyBytes = 64 * 1024
  bounds.replyElements = 512
  guard var replies = RedisReplies(bounds: bounds) else { return 0 }
  replies.begin()
  let step = max(1, Int(first))
  var rest = bytes.dropFirst()
  var elements = 0
  do throws(RedisError) {
    while !rest.isEmpty {
      try replies.feed(Array(rest.prefix(step)))
      rest = rest.dropFirst(step)
      while let reply = try replies.next() {
        elements += size(of: reply)
        readAll(reply)
        precondition(elements <= 513, "more elements than the bound")
      }
    }
  } catch {
    // A refusal is an answer; its text is shown to people.
    precondition(error.description.utf8.count < 2_000, "an error of unbounded length")
  }
  return 0
}

/// An amount of a reply: sums of two or three of them are made everywhere.
private let mostPico = PicoUSD(pico: 1_000_000_000_000_000_000_000_000_000_000_000_000)

private func readAll(_ reply: RedisValue) {
  _ = ServerFacts(info: text(of: reply))
  readMap(reply)
  readBudget(reply)
}

/// As the answers of a cluster's nodes.
private func readMap(_ reply: RedisValue) {
  let asked = RedisAddress.tcp(host: "127.0.0.1", port: 7_000)
  let redirect = reply.refusal.flatMap { RedisRedirect($0, from: asked) }
  guard redirect != nil || reply.array?.isEmpty == false else { return }
  for byName in [false, true] {
    var map = (try? SlotMap(reply, from: asked, byName: byName)) ?? SlotMap()
    precondition(map.nodes.count <= SlotMap.nodeBound, "more masters than the bound")
    for slot in [0, 5_461, RedisSlot.count - 1] { _ = map.owner(of: slot) }
    guard let redirect, map.move(redirect.slot, to: redirect.node) else { continue }
    precondition(map.owner(of: redirect.slot) == map.node(at: redirect.node))
  }
}

/// As the answers about a budget: the script's, its window's and those of its claims.
private func readBudget(_ reply: RedisValue) {
  for parts in [nil, 0, 1] {
    guard let merge = MergeReply(reply, claimsAfter: parts) else { continue }
    precondition(max(merge.total ?? .zero, merge.sum, merge.added) <= mostPico)
    precondition(merge.claim.map { $0.claim <= ClaimCall.largest } ?? true)
  }
  let now = Timestamp(unixMilliseconds: 1_795_000_000_000)
  _ = StandingClaims.answer(reply, at: now)
  if let others = StandingClaims.others(reply, besides: "1.1", at: now) {
    precondition(others <= mostPico, "a sum that cannot be added to")
  }
  _ = (MarkerHead(reply), reply.time)
  let bytes = text(of: reply)
  let word = String(decoding: bytes, as: UTF8.self)
  _ = (StoreNumber.amount(word), StoreNumber.milliseconds(word))
  for left in [-2, -1, 0, reply.integer ?? 0] {
    _ = StartKey(bytes, timeToLive: left, length: .months(1), at: now)
  }
}

private func size(of value: RedisValue) -> Int {
  if case .array(let values) = value { values.reduce(1) { $0 + size(of: $1) } } else { 1 }
}

private func text(of value: RedisValue) -> [UInt8] {
  switch value {
  case .bytes(let bytes), .status(let bytes): bytes
  default: []
  }
}
