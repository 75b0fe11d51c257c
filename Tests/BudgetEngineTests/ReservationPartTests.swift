import BudgetModel
import CAllocationCount
import SeededRandom
import Testing

@testable import BudgetEngine

/// The parts that reservations are made of.
@Suite struct ReservationPartTests {
  private func read(_ text: String) -> ReservationID? {
    NameBytes.with(text) { ReservationID($0) }
  }

  @Test func anIDTellsAllOfItself() {
    let longest = ReservationID(
      life: .max, place: .max, until: .latest, amount: .maximumRecord,
      node: String(repeating: "n", count: 64))
    #expect(longest.text.utf8.count <= ReservationID.maximumLength)
    #expect(read(longest.text) == longest)
    let hyphens = ReservationID(
      life: 0, place: 64, until: Timestamp(unixMilliseconds: 1), amount: .zero, node: "a-b-c")
    #expect(hyphens.text == "r1-0-1s-1-0-a-b-c")
    #expect(read(hyphens.text) == hyphens && hyphens.untilSeconds == 1)
  }

  @Test(arguments: [
    "", "r1", "r1-", "r2-0-1-1-0-n", "r1-0-1-1-0", "r1-0-1-1-0-", "r1-00-1-1-0-n", "r1-0--1-0-n",
    "r1-0-1-1-0N-n", "r1-0-1-1--0-n", "r1-1z141z4-1-1-0-n", "r1-0-3w5e11264sgsg-1-0-n",
    "r1-0-1-1-zzzzzzzzzzzzzzzzzzzzzzzzzz-n", "r1-0-1-1-0-n\u{0}", "R1-0-1-1-0-n",
  ])
  func whatIsNoIDIsRefused(_ text: String) { #expect(read(text) == nil) }

  @Test func theCushionIsThreeDeviationsOfTheSum() {
    let one = CostVariance(deviation: PicoUSD(pico: 4_000))
    let other = CostVariance(deviation: PicoUSD(pico: 3_000))
    #expect(one.cushion.pico == 12_000)
    #expect((one + other).cushion.pico == 15_000)
    #expect((one + other - one) == other)
    #expect(CostVariance.none.cushion == .zero)
    let greatest = CostVariance(deviation: .maximumLimit)
    #expect(greatest.cushion.pico == 3_000_000 * PicoUSD.picoPerDollar)
    #expect(CostVariance(ofCushion: PicoUSD(pico: 12_500)).cushion.pico <= 12_500)
  }

  @Test func keysAreFoundUntilTheyAreTakenOut() {
    var random = SeededRandom(seed: 7)
    var entries: [ReservationEntry] = []
    var keys = ReservationKeys()
    var live: Set<Int32> = []
    for number in 0..<3_000 {
      // Few home places: runs of them overlap.
      let digest = UInt128(random.below(64)) << 6 | UInt128(number) << 64
      entries.append(
        ReservationEntry(
          ReservedAmount(.zero), until: at(1), key: ReservationKey(digest: digest, fingerprint: 0),
          candidate: nil))
      keys.add(Int32(number), in: entries)
      live.insert(Int32(number))
      if random.chance(0.6), let gone = live.randomElement(using: &random) {
        keys.remove(gone, in: entries)
        live.remove(gone)
      }
    }
    #expect(keys.count == live.count)
    for place in entries.indices {
      let found = keys.place(of: entries[place].key.digest, in: entries)
      #expect((found == Int32(place)) == live.contains(Int32(place)))
    }
  }

  /// A retry finds its reservation although many ended since, and those without a key, which nobody
  /// asks for again, take no more places than they need.
  @Test func placesGoToOthersInTheirTurn() {
    var slab = ReservationSlab()
    let now = Timestamp(unixMilliseconds: 1_000_000)
    func add(_ key: ReservationKey?) -> Int32 {
      let entry = ReservationEntry(
        ReservedAmount(.zero), until: Timestamp(unixMilliseconds: 1_060_000), key: key,
        candidate: nil)
      let place = slab.add(entry, over: [], at: now)
      slab.end(place, as: .settled)
      return place
    }
    func key(_ number: Int) -> ReservationKey {
      ReservationKey(digest: UInt128(number) << 6, fingerprint: 0)
    }
    let first = add(key(1))
    let places = Set((0..<1_000).map { _ in add(nil) })
    #expect(places.count == 65 && !places.contains(first))
    for number in 2...512 { _ = add(key(number)) }
    #expect(slab.place(of: key(1)) == first)
    // The one that is over for longest goes first.
    while slab.place(of: key(1)) != nil { _ = add(key(.random(in: 1_000 ... .max >> 8))) }
    #expect(slab.place(of: key(2)) != nil && !slab.holds(first, life: 1))
  }

  /// A lane stays in a slab for a while and goes on to the next; lanes have slabs of their own.
  @Test func lanesTakeTurnsAtTheSlabs() {
    let reservations = Reservations(ReservationSettings())
    var lanes = [Reservations.SlabRun(), Reservations.SlabRun()]
    let length = Reservations.SlabRun.length
    var used: [[Int]] = [[], []]
    for turn in 0..<2 * length * Reservations.slabCount {
      used[turn % 2].append(reservations.slab(in: &lanes[turn % 2]))
    }
    for lane in used {
      for start in stride(from: 0, to: lane.count, by: length) {
        #expect(Set(lane[start..<start + length]).count == 1)
      }
    }
    #expect(zip(used[0], used[1]).allSatisfy { $0 != $1 })
    #expect(Set(used[0] + used[1]).count == Reservations.slabCount)
  }

  @Test func theWheelsFindEveryEndInTime() {
    var random = SeededRandom(seed: 11)
    var slab = ReservationSlab()
    var ends: [Int32: Int64] = [:]
    var now: Int64 = 1_000_000
    for _ in 0..<20_000 {
      switch random.below(10) {
      case 0..<6:
        let until = now + 1_000 + Int64(random.below(random.chance(0.1) ? 3_600_000 : 90_000))
        let entry = ReservationEntry(
          ReservedAmount(.zero), until: Timestamp(unixMilliseconds: until), key: nil,
          candidate: nil)
        ends[slab.add(entry, over: [], at: Timestamp(unixMilliseconds: now))] = until
      case 6:
        guard let (place, _) = ends.randomElement(using: &random) else { continue }
        slab.end(place, as: .released)
        ends[place] = nil
      default:
        now += Int64(random.below(random.chance(0.01) ? 400_000 : 3_000))
        while let place = slab.due(at: Timestamp(unixMilliseconds: now)) {
          #expect(ends[place].map { $0 <= now } == true, "ended early")
          slab.end(place, as: .expired)
          ends[place] = nil
        }
        #expect(!ends.values.contains { $0 + ExpiryWheel.tick <= now }, "ended late")
      }
    }
  }

  /// A reservation's memory while a million of them are open, with keys.
  @Test func aReservationTakesAtMostTheBytesItMay() throws {
    guard allocation_count_is_available() else { return }
    let count = 100_000
    let fixture = EngineFixture([
      try budget(.provider, "p", nil, "1000w"), try budget(.tag, "t", nil, "1000w"),
    ])
    let charged = fixture.charged(provider: "p", tags: ["t"])
    var attempt = ReservationAttempt()
    let before = allocated_bytes()
    for number in 0..<count {
      let digest = UInt128(number) &* 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835
      let ask = ReservationAsk(
        ReservedAmount(PicoUSD(pico: 1)), key: ReservationKey(digest: digest, fingerprint: 1))
      guard case .held = fixture.reserve(ask, charged, &attempt, at: at(0)) else {
        Issue.record("not held")
        return
      }
    }
    let bytes = (allocated_bytes() - before) / count
    print("bytes for an open reservation: \(bytes)")
    #expect((100...200).contains(bytes))
  }
}
