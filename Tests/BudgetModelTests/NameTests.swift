import BudgetModel
import Testing

@Suite struct NameTests {
  @Test func onlyPlainUTF8OfBoundedLengthIsWellFormed() {
    func isWellFormed(_ bytes: [UInt8]) -> Bool { NameBytes.with(bytes) { $0.isWellFormed } }
    #expect(isWellFormed(Array("openai".utf8)))
    #expect(isWellFormed(Array("modèle 模型 🎈".utf8)))
    #expect(isWellFormed([]))
    #expect(isWellFormed([UInt8](repeating: 0x61, count: 256)))
    #expect(!isWellFormed([UInt8](repeating: 0x61, count: 257)))
    for byte in [0x00, 0x0A, 0x1F, 0x7F] as [UInt8] { #expect(!isWellFormed([0x61, byte])) }
    #expect(!isWellFormed([0xC2, 0x80]), "U+0080 is a control character")
    #expect(isWellFormed([0xC2, 0xA0]))
    for bytes in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82]] as [[UInt8]] {
      #expect(!isWellFormed(bytes))
    }
  }

  /// Bytes are judged eight at a time: each byte, at each place, between others of both ends.
  @Test func everyByteAtEveryPlaceIsJudged() {
    for around in [0x20, 0x61, 0x7E] as [UInt8] {
      for count in 1...33 {
        for place in 0..<count {
          for byte in UInt8.min...UInt8.max {
            var bytes = [UInt8](repeating: around, count: count)
            bytes[place] = byte
            let isPlain = NameBytes.with(bytes) { $0.isPlainText }
            if isPlain != (0x20...0x7E).contains(byte) {
              Issue.record("\(byte) at \(place) of \(count), among \(around)")
            }
          }
        }
      }
    }
  }

  @Test func strangeNamesPrintWithoutControlCharacters() {
    func printed(_ bytes: [UInt8]) -> String {
      var out: [UInt8] = []
      NameBytes.with(bytes) { $0.appendPrintable(to: &out) }
      return String(decoding: out, as: UTF8.self)
    }
    #expect(printed(Array("gpt-4o".utf8)) == "gpt-4o")
    #expect(printed(Array("a\nb\0c".utf8)) == "a\u{FFFD}b\u{FFFD}c")
    #expect(printed([0x61, 0xFF]) == "a\u{FFFD}")
    #expect(printed([UInt8](repeating: 0x61, count: 300)).count == 256)
  }

  @Test func theTableFindsEachNameAndNoOther() {
    let names = (0..<10_000).map { "dep-\($0)" }
    let table = NameTable(names.enumerated().map { (name: $1, value: Int32($0)) })
    for (index, name) in names.enumerated() {
      #expect(NameBytes.with(name) { table[$0] } == Int32(index))
      #expect(NameBytes.with(name + "\0") { table[$0] } == nil)
    }
    #expect(NameBytes.with("") { table[$0] } == nil)
    #expect(NameBytes.with("") { NameTable([])[$0] } == nil)
  }

  /// A guess that spares the names: right but where two hashes agree in 32 bits.
  @Test func theLikelyValueIsTheOneThatIsFound() {
    let names = (0..<5_000).map { "name-\($0 * 7_919)" }
    let table = NameTable(names.enumerated().map { (name: $1, value: Int32($0)) })
    var (right, strangers) = (0, 0)
    for (value, name) in names.enumerated() {
      NameBytes.with(name) { name in
        guard let likely = table.likely(table.hash(of: name)), likely.value == value else { return }
        let place = likely.name
        guard place.count == name.count, table.pool.byte(at: place.lowerBound) == name[0],
          table.pool.byte(at: place.upperBound - 1) == name[name.count - 1]
        else { return }
        right += 1
      }
      NameBytes.with("no-\(name)") { if table.likely(table.hash(of: $0)) != nil { strangers += 1 } }
    }
    #expect(right >= names.count - 2 && strangers <= 2)
    // Reading ahead begins where the search does, and stays within the table, whatever the hash.
    let touched = names.count { name in
      let hash = NameBytes.with(name) { table.hash(of: $0) }
      return table.touch(hash) == UInt32(truncatingIfNeeded: hash)
    }
    #expect(touched > names.count / 2)
    for hash: UInt64 in [0, .max] { #expect(NameTable([]).touch(hash) == 0) }
    _ = table.touch(.max)
  }

  @Test func theFirstOfTwoEqualNamesWins() {
    let table = NameTable([(name: "a", value: 1), (name: "a", value: 2)])
    #expect(NameBytes.with("a") { table[$0] } == 1)
  }

  /// Hashes tell names apart, whatever their lengths: a request's tags are told apart by them.
  @Test(arguments: 0..<5) func namesOfAllLengthsHaveTheirOwnHashes(round: Int) {
    let seed = UInt64.random(in: 1 ... .max)
    var names = (0..<20_000).map { "\($0)" }
    for count in 1...140 {
      for first in ["a", "b", "`", "c", "i", "q"] {
        names.append(first + String(repeating: "a", count: count))
      }
    }
    var hashes: [UInt64: String] = [:]
    for name in names {
      let hash = NameBytes.with(name) { $0.hash(seed: seed) }
      if let other = hashes[hash], other != name { Issue.record("\(name) and \(other)") }
      hashes[hash] = name
    }
  }

  /// A field that is given and empty is one that is not there, however it was read.
  @Test func anEmptyNameHashesAsAnAbsentOne() {
    NameBytes.with("name") { name in
      #expect(name[2..<2].hash(seed: 7) == NameBytes.absent.hash(seed: 7))
    }
  }
}
