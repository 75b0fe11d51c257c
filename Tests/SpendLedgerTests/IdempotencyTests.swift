import BudgetModel
import Digest
import Foundation
import SeededRandom
import Testing

@testable import SpendLedger

@Suite struct IdempotencyTests {
  private let amount = PicoUSD(pico: 42)

  @Test func aRetryIsADuplicateAlsoAfterARestartAndAKill() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount, key: "k") == .recorded)
    #expect(fixture.record(amount, key: "k") == .duplicate)
    #expect(fixture.record(amount, key: "k", model: "other") == .mismatch)
    try fixture.restart()
    #expect(fixture.record(amount, key: "k") == .duplicate)
    #expect(fixture.record(PicoUSD(pico: 1), key: "k") == .mismatch)
    #expect(fixture.ledger.opening.spend(of: "p0") == amount)
    let counters = fixture.ledger.counters
    #expect(counters.duplicates == 1 && counters.mismatches == 1 && counters.keys == 1)
  }

  @Test func twoInOneBatchAreOne() throws {
    let fixture = try LedgerFixture()
    fixture.client.closeGate()
    fixture.submit(amount)
    fixture.client.atGate.wait()
    let first = fixture.submit(amount, key: "k")
    let second = fixture.submit(amount, key: "k")
    let other = fixture.submit(amount, key: "k", model: "other")
    fixture.client.openGate()
    #expect(fixture.client.wait(4))
    #expect(fixture.client.outcome(first) == .recorded)
    #expect(fixture.client.outcome(second) == .duplicate)
    #expect(fixture.client.outcome(other) == .mismatch)
    #expect(try fixture.afterKill().spend(of: "p0") == amount + amount)
  }

  @Test func aRetryInAFailedBatchFailsWithIt() throws {
    let fixture = try LedgerFixture()
    fixture.client.closeGate()
    fixture.submit(amount)
    fixture.client.atGate.wait()
    let first = fixture.submit(amount, key: "k")
    let second = fixture.submit(amount, key: "k")
    fixture.client.openGate()
    fixture.probe.fail(.write, code: 13, times: 2)
    #expect(fixture.client.wait(3))
    #expect(fixture.client.outcome(first) == .notRecorded(.diskFull))
    #expect(fixture.client.outcome(second) == .notRecorded(.diskFull))
    fixture.probe.heal()
    #expect(fixture.record(amount, key: "k") == .recorded)
  }

  @Test func acceptanceClaimsAtOnce() throws {
    let fixture = try LedgerFixture()
    let now = fixture.client.now()
    func record(_ model: String = "m", _ token: UInt64 = 900) -> LedgerRecord {
      LedgerRecord(
        amount: amount, key: LedgerFixture.key("k", cost: amount, model: model),
        token: LedgerToken(high: 0, low: token))
    }
    fixture.client.closeGate()
    fixture.submit(amount)
    fixture.client.atGate.wait()
    #expect(fixture.ledger.accept(record(), charging: [0], at: now) == .accepted)
    #expect(fixture.ledger.accept(record(), charging: [0], at: now) == .inFlight)
    #expect(fixture.ledger.accept(record("other"), charging: [0], at: now) == .mismatch)
    let joined = fixture.submit(amount, key: "k")
    fixture.client.openGate()
    #expect(fixture.client.wait(3))
    #expect(fixture.client.outcome(900) == .recorded)
    #expect(fixture.client.outcome(joined) == .duplicate)
    #expect(fixture.ledger.accept(record(), charging: [0], at: now) == .duplicate)
    #expect(try fixture.afterKill().spend(of: "p0") == amount + amount)
  }

  @Test func aFailedAcceptanceFreesItsKey() throws {
    let fixture = try LedgerFixture()
    let record = LedgerRecord(
      amount: amount, key: LedgerFixture.key("k", cost: amount),
      token: LedgerToken(high: 0, low: 900))
    fixture.probe.fail(.commit, code: 13)
    let now = fixture.client.now()
    #expect(fixture.ledger.accept(record, charging: [0], at: now) == .accepted)
    #expect(fixture.client.wait())
    #expect(fixture.client.outcome(900) == .notRecorded(.diskFull))
    #expect(fixture.record(amount, key: "k") == .recorded)
  }

  @Test func timesInKeysAreJudged() throws {
    let fixture = try LedgerFixture()
    let now = fixture.client.now().unixMilliseconds
    let day: Int64 = 86_400_000
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now)) == .recorded)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + 299_000)) == .recorded)
    #expect(fixture.ledger.counters.keysAhead == 0)
    let horizon = fixture.ledger.horizon(at: fixture.client.now())
    #expect(horizon.unixMilliseconds == now - day + 300_000)
    #expect(
      fixture.record(amount, key: LedgerFixture.uuid(now - day - 3_600_000))
        == .tooOld(horizon: horizon))
    #expect(
      fixture.record(amount, key: LedgerFixture.uuid(now - day + 299_999))
        == .tooOld(horizon: horizon))
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now - day + 300_000)) == .recorded)
    let late = fixture.ledger.accept(
      LedgerRecord(
        amount: amount, key: LedgerFixture.key(LedgerFixture.uuid(1), cost: amount),
        token: LedgerToken(high: 0, low: 1)), charging: [0], at: fixture.client.now())
    #expect(late == .tooOld(horizon: horizon))
    // A key that is still known is a duplicate, whatever its age.
    fixture.client.advance(milliseconds: day - 1)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now)) == .duplicate)
  }

  /// A caller's clock that runs ahead loses no record: its key is one without a time.
  @Test func keysFromAheadAreTakenAsKeysWithoutATime() throws {
    let fixture = try LedgerFixture()
    let now = fixture.client.now().unixMilliseconds
    let (day, year): (Int64, Int64) = (86_400_000, 365 * 86_400_000)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + 300_000, 1)) == .recorded)
    #expect(fixture.ledger.counters.keysAhead == 0)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + 300_001, 2)) == .recorded)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + year, 3)) == .recorded)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + year, 3)) == .duplicate)
    #expect(fixture.record(amount + amount, key: LedgerFixture.uuid(now + year, 3)) == .mismatch)
    #expect(fixture.ledger.counters.keysAhead == 2)
    func accept(_ key: String) -> Acceptance {
      fixture.ledger.accept(
        LedgerRecord(
          amount: amount, key: LedgerFixture.key(key, cost: amount),
          token: LedgerToken(high: 0, low: 900)), charging: [0], at: fixture.client.now())
    }
    #expect(accept(LedgerFixture.uuid(now + year, 4)) == .accepted)
    #expect(fixture.client.wait())
    #expect(accept(LedgerFixture.uuid(now + year, 4)) == .duplicate)
    #expect(accept(LedgerFixture.uuid(now + year, 3)) == .duplicate)
    #expect(fixture.ledger.counters.keysAhead == 3)
    try fixture.restart()
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + year, 3)) == .duplicate)
    fixture.client.advance(milliseconds: day - 1)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + year, 3)) == .duplicate)
  }

  /// A jump of fleet time makes nothing older than it is: no retry counts twice.
  @Test func aJumpOfFleetTimeForgetsNoKey() throws {
    let fixture = try LedgerFixture { $0.foldInterval = .zero }
    #expect(fixture.record(amount, key: "before") == .recorded)
    for hours in [25, 100] as [Int64] {
      fixture.client.advance(milliseconds: hours * 3_600_000)
      // Upkeep comes after each batch.
      for index in 0..<20 { #expect(fixture.record(amount, key: "\(hours) \(index)") == .recorded) }
      #expect(fixture.ledger.settle())
    }
    #expect(fixture.ledger.counters.keys == 41)
    #expect(fixture.record(amount, key: "before") == .duplicate)
  }

  @Test func keysAreForgottenAfterTheRetention() throws {
    let fixture = try LedgerFixture()
    let now = fixture.client.now().unixMilliseconds
    #expect(fixture.record(amount, key: "old") == .recorded)
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now)) == .recorded)
    fixture.client.advance(milliseconds: 86_400_001)
    try fixture.restart()
    try fixture.restart()
    #expect(fixture.ledger.counters.keys == 0)
    guard case .tooOld? = fixture.record(amount, key: LedgerFixture.uuid(now)) else {
      Issue.record("a forgotten UUIDv7 was recorded again")
      return
    }
    #expect(fixture.record(amount, key: "old") == .recorded, "its age is not known")
  }

  @Test func pastTheBoundTheOldestGoEarlyAndTheHorizonTells() throws {
    let fixture = try LedgerFixture {
      $0.keyBound = 10
      $0.foldInterval = .zero
    }
    for index in 0..<40 {
      fixture.client.advance(milliseconds: 60_000)
      let now = fixture.client.now().unixMilliseconds
      #expect(fixture.record(amount, key: LedgerFixture.uuid(now, index)) == .recorded)
    }
    try fixture.restart()
    try fixture.restart()
    #expect(fixture.ledger.counters.keys <= 11)
    let now = fixture.client.now()
    let horizon = fixture.ledger.horizon(at: now)
    #expect(horizon.unixMilliseconds > now.unixMilliseconds - 11 * 60_000)
    #expect(horizon < now, "a key made now is never refused")
    #expect(try fixture.afterKill().spend(of: "p0")?.pico == amount.pico * 40)
  }

  @Test func onlyTheUsualTextOfAUUIDv7HasATime() {
    func time(_ text: String) -> Int64? {
      NameBytes.with(text) { KeyIdentity.uuidTime(of: $0) }?.unixMilliseconds
    }
    #expect(time("018f3c1e-7b2a-7abc-8def-0123456789ab") == 0x018f_3c1e_7b2a)
    #expect(time("018F3C1E-7B2A-7ABC-BDEF-0123456789AB") == 0x018f_3c1e_7b2a)
    #expect(time("018f3c1e-7b2a-4abc-8def-0123456789ab") == nil, "version 4")
    #expect(time("018f3c1e-7b2a-7abc-cdef-0123456789ab") == nil, "another variant")
    #expect(time("018f3c1e7b2a7abc8def0123456789ab") == nil, "an MD5 looks like this")
    #expect(time("018f3c1e-7b2a-7abc-8def-0123456789ag") == nil)
    #expect(time("") == nil)
  }

  @Test func theFingerprintKeepsFieldsApart() {
    var maker = RecordKeyMaker()
    func key(
      _ provider: String, _ deployment: String, tags: [String] = [], pico: Int128 = 1,
      reservation: String = ""
    ) -> RecordKey {
      NameBytes.with(provider) { provider in
        NameBytes.with(deployment) { deployment in
          NameBytes.with(reservation) { reservation in
            maker.begin(
              RecordFields(
                provider: provider, deploymentID: deployment, cost: PicoUSD(pico: pico),
                reservationID: reservation))
          }
        }
      }
      for tag in tags { NameBytes.with(tag) { maker.addTag($0) } }
      return maker.key(NameBytes.with("k") { KeyIdentity(of: $0) })
    }
    let all = [
      key("ab", ""), key("a", "b"), key("", "ab"), key("ab", "", pico: 2),
      key("ab", "", tags: ["t"]), key("ab", "", tags: ["t", "u"]), key("ab", "", tags: ["tu"]),
      key("ab", "", reservation: "t"),
    ]
    #expect(Set(all.map(\.fingerprint)).count == all.count)
    #expect(Set(all.map(\.digest)).count == 1)
    #expect(
      key("a", "b", tags: ["x", "y", "x", ""]) == key("a", "b", tags: ["y", "x"]), "tags are a set")
  }

  /// Written down by 0.1.0: a retry from before an upgrade must be known after it.
  @Test func theFingerprintIsWhatItWas() {
    var maker = RecordKeyMaker()
    let key = NameBytes.with("openai") { provider in
      NameBytes.with("gpt-4o") { model in
        maker.begin(
          RecordFields(provider: provider, model: model, cost: PicoUSD(pico: 1_230_000_000)))
        for tag in ["team-b", "prod", "team-b"] { NameBytes.with(tag) { maker.addTag($0) } }
        return maker.key(NameBytes.with("k") { KeyIdentity(of: $0) })
      }
    }
    // version, provider, deployment, model, reservation, cost, two tags in order; in Python:
    // hashlib.sha256(text).hexdigest()[:32]
    var text: [UInt8] = [1, 6, 0, 0, 0] + Array("openai".utf8) + [0, 0, 0, 0, 6, 0, 0, 0]
    text += Array("gpt-4o".utf8) + [0, 0, 0, 0]
    text += (0..<16).map { UInt8(truncatingIfNeeded: Int128(1_230_000_000) >> ($0 * 8)) }
    text += [2, 0, 0, 0, 4, 0, 0, 0] + Array("prod".utf8) + [6, 0, 0, 0] + Array("team-b".utf8)
    #expect(key.fingerprint == SHA256Digest.prefix(of: text))
  }

  /// The text that begins with a known subject is the one that is written anew.
  @Test func aKnownSubjectMakesTheSameText() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    var (whole, resumed, kept) = (RecordKeyMaker(), RecordKeyMaker(), FingerprintText())
    let identity = NameBytes.with("k") { KeyIdentity(of: $0) }
    for _ in 0..<300 {
      func name() -> String { ["", "a", "ab", "abc"].randomElement(using: &random) ?? "" }
      let cost = PicoUSD(pico: Int128(Int.random(in: 0..<4, using: &random)))
      let reservation = ["", "", "r"].randomElement(using: &random) ?? ""
      NameBytes.with(name()) { provider in
        NameBytes.with(name()) { model in
          NameBytes.with(reservation) { reservation in
            whole.begin(
              RecordFields(
                provider: provider, model: model, cost: cost, reservationID: reservation))
            kept.copySubject(of: whole.text)
            resumed.begin(subjectOf: kept, reservationID: reservation, cost: cost)
          }
        }
      }
      var tags = (0..<Int.random(in: 0...12, using: &random)).map { _ in name() }
      for tag in tags { NameBytes.with(tag) { whole.addTag($0) } }
      tags.shuffle(using: &random)
      for tag in tags + tags.prefix(1) { NameBytes.with(tag) { resumed.addTag($0) } }
      let key = whole.key(identity)
      #expect(resumed.key(identity) == key, "seed \(seed), \(tags)")
      #expect(identity.key(with: whole.text) == key)
    }
  }

  /// One large request must not be kept in the memory of all that come later.
  @Test func aLargeRequestLeavesNothingBehind() {
    var maker = RecordKeyMaker()
    func text(_ model: String, _ cost: Int128) -> (text: FingerprintText, key: RecordKey) {
      NameBytes.with(model) { maker.begin(RecordFields(model: $0, cost: PicoUSD(pico: cost))) }
      let key = maker.key(NameBytes.with("k") { KeyIdentity(of: $0) })
      return (maker.text, key)
    }
    let large = text(String(repeating: "m", count: 300_000), 1)
    var kept = FingerprintText()
    kept.copy(large.text)
    #expect(kept.count == large.text.count && kept.bytes.room > 300_000)
    let small = text("m", 1)
    #expect(small.text.bytes.room < 1_024)
    kept = FingerprintText()
    kept.copy(small.text)
    #expect(kept.bytes.room < 1_024)
    let identity = NameBytes.with("k") { KeyIdentity(of: $0) }
    #expect(identity.key(with: &kept, cost: PicoUSD(pico: 1)) == small.key)
    #expect(identity.key(with: &kept, cost: PicoUSD(pico: 2)) == text("m", 2).key)
    #expect(identity.key(with: &kept, cost: PicoUSD(pico: 2)) != small.key)
  }
}
